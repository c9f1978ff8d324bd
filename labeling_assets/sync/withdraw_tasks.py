"""Tasks that Label Studio no longer has: no timestamp shows them, so counts are compared first."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Object
from labeling_assets.clients.constraints import all_of, equal, not_equal
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.label_studio_query import in_batch
from labeling_assets.clients.query import Query
from labeling_assets.projects import Project
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.lease import Lease
from labeling_assets.sync.media_store import KINDS, chunks
from labeling_assets.sync.stored_annotations import annotations_of_tasks
from labeling_assets.sync.write_annotation import AnnotationWriter

_PROPERTIES: Final = (names.LS_GUID, "LS_task_id", "LS_media_guid")


@dataclass(slots=True)
class Withdrawn:
    """What was withdrawn: tasks, and the annotations that went with them."""

    tasks: int = 0
    annotations: int = 0
    task_ids: set[int] = field(default_factory=set)


def withdraw_missing(
    db: ApertureDB, ls: LabelStudio, project: Project, record: ProjectRecord, *, batch: str, held: Lease, run_id: str
) -> tuple[Withdrawn, dict[int, str]]:
    """Withdraw the tasks of a batch that are gone from Label Studio.

    One request if the counts agree. A task that is still there under another `data.import_batch` is not withdrawn
    but returned, task id -> reason.
    """
    condition = all_of(equal("LS_project", project.slug), equal("LS_batch", batch), not_equal("LS_state", "withdrawn"))
    known = db.find("FindEntity", condition, class_name=names.TASK, properties=_PROPERTIES)
    done = Withdrawn()
    if ls.count_tasks(record.project_id, [in_batch(batch)]) == len(known):
        return done, {}
    there = {task["id"] for task in ls.iterate_by_id(record.project_id, [in_batch(batch)], **_IDS_ONLY)}
    absent = {int(row["LS_task_id"]): row for row in known if int(row["LS_task_id"]) not in there}
    moved = _elsewhere(ls, record, batch, absent)
    gone = {task: row for task, row in absent.items() if task not in moved}
    for chunk in chunks([str(task) for task in gone], 100):
        _withdraw(db, project, record, {int(task): gone[int(task)] for task in chunk}, done, held=held, run_id=run_id)
    return done, moved


_IDS_ONLY: Final[dict[str, Any]] = {"include": ("id",), "page_size": 1000}


def _elsewhere(ls: LabelStudio, record: ProjectRecord, batch: str, task_ids: Iterable[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for task in ls.tasks_by_id(record.project_id, task_ids):
        other = task["data"].get("import_batch")
        found[int(task["id"])] = f"its data.import_batch was changed from {batch!r} to {other!r}"
    return found


def _withdraw(
    db: ApertureDB,
    project: Project,
    record: ProjectRecord,
    gone: dict[int, Object],
    done: Withdrawn,
    *,
    held: Lease,
    run_id: str,
) -> None:
    stored = annotations_of_tasks(db, record, gone)
    query = Query()
    writer = AnnotationWriter(query)
    for task, row in gone.items():
        live = [known for known in stored.get(task, {}).values() if not known.deleted]
        for known in live:
            writer.bury(known, run_id)
        withdrawn = {"LS_state": "withdrawn"}
        condition = equal(names.LS_GUID, row[names.LS_GUID])
        query.add("UpdateEntity", {"with_class": names.TASK, "constraints": condition, "properties": withdrawn})
        for kind in KINDS:
            medium = equal(names.GUID, row["LS_media_guid"])
            query.add(f"Update{kind}", {"constraints": medium, "properties": {project.state: "withdrawn"}})
        done.annotations += len(live)
        done.tasks += 1
        done.task_ids.add(task)
    renewal = held.renew(query)
    held.held(db.run(query).count(renewal))
