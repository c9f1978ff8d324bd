"""Tasks that Label Studio no longer has: no timestamp shows them, so counts are compared first."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Object
from labeling_assets.clients.constraints import Condition, equal
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.label_studio_query import format_time, in_batch, parse_time
from labeling_assets.clients.query import Query
from labeling_assets.projects import Project
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.lease import Lease
from labeling_assets.sync.media_store import KINDS
from labeling_assets.sync.resolve_tasks import moved
from labeling_assets.sync.stored_annotations import StoredAnnotation, current_annotations
from labeling_assets.sync.write_annotation import AnnotationWriter

_PROPERTIES: Final = (names.LS_GUID, "LS_task_id", "LS_task_created_at", "LS_media_guid")
# SQLite gives the id of a deleted task again: only with its time is it the same task.
_IDS_ONLY: Final[dict[str, Any]] = {"include": ("id", "created_at"), "page_size": 1000}


@dataclass(slots=True)
class Missing:
    """Tasks of a batch that Label Studio no longer shows in it, of the `known` ones that ApertureDB has.

    `gone` holds what ApertureDB knows of those that were deleted; `moved` are still there under another
    `data.import_batch`, task id -> reason. `known` is empty where nothing is missing, unless it was asked for.
    """

    gone: list[Object] = field(default_factory=list)
    moved: dict[int, str] = field(default_factory=dict)
    known: list[Object] = field(default_factory=list)

    @property
    def left(self) -> set[int]:
        """The ids of those that are known and not gone."""
        gone = {str(row[names.LS_GUID]) for row in self.gone}
        return {int(row["LS_task_id"]) for row in self.known if str(row[names.LS_GUID]) not in gone}


def missing_tasks(
    db: ApertureDB,
    ls: LabelStudio,
    record: ProjectRecord,
    *,
    batch: str,
    new: int = 0,
    full: bool = False,
    listed: bool = True,
) -> Missing:
    """The tasks of a batch that are missing in Label Studio; one request if the counts agree, unless `full`.

    `new` is how many tasks were read that ApertureDB does not have yet. `listed`: those that are known are asked for.
    """
    if not full and ls.count_tasks(record.project_id, [in_batch(batch)]) == count_live_tasks(db, record, batch) + new:
        return Missing(known=live_tasks(db, record, batch) if listed else [])
    known = live_tasks(db, record, batch)
    there = {_identity(task) for task in ls.iterate_by_id(record.project_id, [in_batch(batch)], **_IDS_ONLY)}
    absent = {(int(row["LS_task_id"]), str(row["LS_task_created_at"])): row for row in known}
    absent = {identity: row for identity, row in absent.items() if identity not in there}
    missing = Missing(known=known)
    for task in ls.tasks_by_id(record.project_id, [task_id for task_id, _ in absent]):
        if absent.pop(_identity(task), None) is not None and (reason := moved(task["data"], batch)):
            missing.moved[int(task["id"])] = reason
    missing.gone = list(absent.values())
    return missing


def live_tasks(db: ApertureDB, record: ProjectRecord, batch: str) -> list[Object]:
    """What ApertureDB knows of the tasks of a batch that are not withdrawn."""
    return db.find("FindEntity", _live(record, batch), class_name=names.TASK, properties=_PROPERTIES)


def count_live_tasks(db: ApertureDB, record: ProjectRecord, batch: str | None = None) -> int:
    """How many tasks of a batch, or of the project, are not withdrawn."""
    return db.count("FindEntity", _live(record, batch), class_name=names.TASK)


def _live(record: ProjectRecord, batch: str | None) -> Condition:
    return record.live_tasks(*(() if batch is None else (equal("LS_batch", batch),)))


def annotations_of(db: ApertureDB, gone: Sequence[Object]) -> list[StoredAnnotation]:
    """The current annotations of these tasks: those that are withdrawn with them."""
    return current_annotations(db, [str(row[names.LS_GUID]) for row in gone])


def twins_of(ls: LabelStudio, record: ProjectRecord, missing: Missing) -> dict[int, str]:
    """Tasks that show the media of deleted ones, task id -> GUID.

    "Remove Duplicated Tasks" moves annotations there, and no timestamp shows it.
    """
    guids = [str(row["LS_media_guid"]) for row in missing.gone]
    return {row.id: str(row.guid) for row in ls.tasks_by_guid(record.project_id, guids)}


def withdraw_tasks(
    db: ApertureDB,
    project: Project,
    gone: Sequence[Object],
    *,
    shown: Collection[str],
    held: Lease,
    run_id: str,
) -> int:
    """Mark deleted tasks as withdrawn and remove their annotations; returns how many annotations that were.

    The media of `shown` have another task, so their state stays.
    """
    return sum(
        _withdraw(db, project, gone[start : start + 100], shown=shown, held=held, run_id=run_id)
        for start in range(0, len(gone), 100)
    )


def _identity(task: Mapping[str, Any]) -> tuple[int, str]:
    return int(task["id"]), format_time(parse_time(task["created_at"]))


def _withdraw(
    db: ApertureDB,
    project: Project,
    gone: Sequence[Object],
    *,
    shown: Collection[str],
    held: Lease,
    run_id: str,
) -> int:
    live = annotations_of(db, gone)
    query = Query()
    writer = AnnotationWriter(query)
    for known in live:
        writer.remove(known, run_id, erase=project.allow_deletions)
    for row in gone:
        condition = equal(names.LS_GUID, row[names.LS_GUID])
        body = {"with_class": names.TASK, "constraints": condition, "properties": {"LS_state": "withdrawn"}}
        query.add("UpdateEntity", body)
        for kind in KINDS if row["LS_media_guid"] not in shown else ():
            medium = equal(names.GUID, row["LS_media_guid"])
            query.add(f"Update{kind}", {"constraints": medium, "properties": {project.state: "withdrawn"}})
    held.run(db, query)
    return len(live)
