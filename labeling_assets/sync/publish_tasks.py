"""Tasks in Label Studio: exactly one for each medium and labeling project, however often this runs or is killed."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import all_of, equal
from labeling_assets.clients.label_studio import LabelStudio, MaybeDoneError, TaskRow
from labeling_assets.clients.label_studio_query import format_time
from labeling_assets.clients.query import Query
from labeling_assets.errors import InputError, TransientError
from labeling_assets.identity import labels_guid
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.media_urls import MediaLinks
from labeling_assets.projects import Project
from labeling_assets.sync.database import prepare_database
from labeling_assets.sync.labeling_project import ProjectRecord, ensure_project, project_key
from labeling_assets.sync.lease import Lease, lease
from labeling_assets.sync.media_store import Medium, media_condition, media_of_batch
from labeling_assets.sync.report import Note, Progress, PublishReport
from labeling_assets.sync.task_data import TaskData, data_sources, needed_properties

# 500 to 1,000 tasks a call are fastest, and little is done again after a failure (facts: import throughput).
_CHUNK: Final = 500
_SETTLE_S: Final = 2.0


def publish_tasks(
    db: ApertureDB,
    ls: LabelStudio,
    project: Project,
    *,
    batch: str,
    links: MediaLinks,
    progress: Progress = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> PublishReport:
    """Make the tasks of a batch that do not exist yet and record them in ApertureDB.

    The whole batch is validated before the first task is sent: media that cannot become tasks are in `failed`,
    the others go on.

    Raises:
        ConfigurationError: label configuration or `data` mapping; nothing was sent.
        DataError: Label Studio is not the server it was.
        TransientError: a service went away or another process publishes; running again completes the batch.
    """
    started, requests = time.monotonic(), ls.request_count
    prepare_database(db, (project.state,))
    report = PublishReport(project.slug, batch)
    sources = data_sources(project, LabelConfig.parse(project.label_config()))
    data = TaskData(sources, links, lambda medium: read_bytes(db, medium))
    # One importer a project: Label Studio serializes them anyway, and two could make one task, or the project, twice.
    with lease(db, f"{project_key(db, ls, project)}|publish", wait_s=60) as held:
        record = ensure_project(db, ls, project)
        report.project_id, report.project_url = record.project_id, record.url
        publisher = _Publisher(db, ls, record, report, held=held, batch=batch, state=project.state, sleep=sleep)
        pending = _pending(db, project, batch, data, report)
        for start in range(0, len(pending), _CHUNK):
            publisher.publish(pending[start : start + _CHUNK])
            progress(f"{min(start + _CHUNK, len(pending))} of {len(pending)} tasks")
    report.task_guids = sorted(_task_guids(db, project.slug, batch))
    report.requests = ls.request_count - requests
    report.seconds = time.monotonic() - started
    return report


def read_bytes(db: ApertureDB, medium: Medium) -> bytes:
    """The bytes of a medium.

    Raises:
        InputError: ApertureDB does not hold it any more.
    """
    query = Query()
    condition = media_condition(medium.kind, equal(names.GUID, medium.guid))
    query.add(f"Find{medium.kind}", {"constraints": condition, "blobs": True, "limit": 1, "uniqueids": True})
    blobs = db.run(query).blobs
    if not blobs:
        raise InputError(f"ApertureDB holds no medium {medium.guid} any more.")
    return blobs[0]


Pending = tuple[Medium, dict[str, Any]]


def _pending(db: ApertureDB, project: Project, batch: str, data: TaskData, report: PublishReport) -> list[Pending]:
    """Media of the batch that have no task in this project, each with the data of its task."""
    pending: list[Pending] = []
    for medium in media_of_batch(db, batch, properties=needed_properties(data, project.state)):
        if medium.properties.get("LS_media_type") not in project.media_types:
            continue
        report.media += 1
        if medium.properties.get("LS_duplicate_of"):
            report.failed.append(Note(medium.guid, f"a duplicate of {medium.properties['LS_duplicate_of']}; no task"))
        elif medium.properties.get(project.state) not in (None, "new"):
            report.known += 1
        else:
            try:
                pending.append((medium, data.build(medium, batch)))
            except InputError as error:
                report.failed.append(Note(medium.guid, str(error)))
    return pending


def _task_guids(db: ApertureDB, slug: str, batch: str) -> list[str]:
    condition = all_of(equal("LS_project", slug), equal("LS_batch", batch))
    found = db.find("FindEntity", condition, class_name=names.TASK, properties=["LS_media_guid"])
    return [str(task["LS_media_guid"]) for task in found]


class _Publisher:
    """One chunk at a time: ask what exists, send the rest, record all of it."""

    def __init__(
        self,
        db: ApertureDB,
        ls: LabelStudio,
        record: ProjectRecord,
        report: PublishReport,
        *,
        held: Lease,
        batch: str,
        state: str,
        sleep: Callable[[float], None],
    ) -> None:
        self._db, self._ls, self._record, self._report = db, ls, record, report
        self._held, self._batch, self._state, self._sleep = held, batch, state, sleep

    def publish(self, chunk: Sequence[Pending]) -> None:
        existing = self._existing([medium.guid for medium, _ in chunk])
        absent = [(medium, data) for medium, data in chunk if medium.guid not in existing]
        if absent:
            self._import([data for _, data in absent])
        rows = self._existing([medium.guid for medium, _ in chunk]) if absent else existing
        lost = [medium.guid for medium, _ in absent if medium.guid not in rows]
        if lost:
            raise TransientError(
                f"Label Studio accepted {len(absent)} tasks but shows none for {lost[0]} and {len(lost) - 1} others. "
                "Run the tasks of this batch again."
            )
        self._write([medium for medium, _ in chunk], rows)
        self._report.created += len(absent)
        self._report.adopted += len(existing)

    def _existing(self, guids: Sequence[str]) -> dict[str, TaskRow]:
        """The task of each GUID, the oldest if there are several; the one-task check names the others."""
        found: dict[str, TaskRow] = {}
        for row in self._ls.tasks_by_guid(self._record.project_id, guids):
            if row.guid is not None:
                found.setdefault(row.guid, row)
        return found

    def _import(self, tasks: list[dict[str, Any]]) -> None:
        """After a lost answer the server may still be working: wait until its count stands still, then ask again."""
        try:
            self._ls.import_tasks(self._record.project_id, [{"data": data} for data in tasks])
        except MaybeDoneError as error:
            before = -1
            while (count := self._ls.count_tasks(self._record.project_id)) != before:
                before = count
                self._sleep(_SETTLE_S)
            missing = {str(data["guid"]) for data in tasks} - self._existing([data["guid"] for data in tasks]).keys()
            if missing:
                raise TransientError(
                    f"Label Studio gave no answer to an import; {len(missing)} of {len(tasks)} tasks are not there. "
                    "Run the tasks of this batch again: those that exist will be found."
                ) from error

    def _write(self, media: Sequence[Medium], rows: dict[str, TaskRow]) -> None:
        query = Query()
        project = query.reference()
        condition = equal(names.KEY, self._record.key)
        query.add("FindEntity", {"_ref": project, "with_class": names.PROJECT, "constraints": condition})
        for medium in media:
            self._write_task(query, project, medium, rows[medium.guid])
        renewal = self._held.renew(query)
        self._held.held(self._db.run(query).count(renewal))

    def _write_task(self, query: Query, project: int, medium: Medium, row: TaskRow) -> None:
        guid = task_guid(self._record, row.id, format_time(row.created_at))
        task, source = query.reference(), query.reference()
        properties = {
            names.LS_GUID: guid,
            "LS_project": self._record.slug,
            "LS_project_id": self._record.project_id,
            "LS_task_id": row.id,
            "LS_task_created_at": format_time(row.created_at),
            "LS_batch": row.import_batch or self._batch,
            "LS_media_guid": medium.guid,
            "LS_state": "open",
            "LS_config_hash": self._record.config_hash,
        }
        query.add(
            "AddEntity",
            {"_ref": task, "class": names.TASK, "properties": properties, "if_not_found": equal(names.LS_GUID, guid)},
        )
        condition = equal(names.GUID, medium.guid)
        query.add(f"Find{medium.kind}", {"_ref": source, "constraints": condition, "blobs": False})
        query.connect(names.TASK_MEDIA, f"{guid}|media", source=task, destination=source)
        query.connect(names.PROJECT_TASK, f"{guid}|project", source=project, destination=task)
        query.add(f"Update{medium.kind}", {"ref": source, "properties": {self._state: "open"}})


def task_guid(record: ProjectRecord, task_id: int, created_at: str) -> str:
    """The key of a task in ApertureDB; SQLite gives the id of a deleted task again, so the time belongs to it."""
    return labels_guid("task", record.instance, record.project_id, task_id, created_at)
