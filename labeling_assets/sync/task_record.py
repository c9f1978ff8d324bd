"""A task of Label Studio as commands of a query: what ApertureDB keeps of it, and its connections."""

from collections.abc import Sequence

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import equal, one_of
from labeling_assets.clients.label_studio import TaskRow
from labeling_assets.clients.label_studio_query import format_time
from labeling_assets.clients.query import Query
from labeling_assets.identity import labels_guid
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.media_store import Medium


def task_guid(record: ProjectRecord, task_id: int, created_at: str) -> str:
    """The key of a task in ApertureDB; SQLite gives the id of a deleted task again, so the time belongs to it."""
    return labels_guid("task", record.instance, record.project_id, task_id, created_at)


def recorded_media(db: ApertureDB, record: ProjectRecord | None, tasks: Sequence[TaskRow]) -> dict[int, str]:
    """Task id -> the GUID of the medium that ApertureDB has noted for this very task."""
    if record is None or not tasks:
        return {}
    guids = {task_guid(record, task.id, format_time(task.created_at)): task.id for task in tasks}
    condition = record.condition(one_of("LS_task_id", [task.id for task in tasks]))
    wanted = [names.LS_GUID, "LS_media_guid"]
    rows = db.find("FindEntity", condition, class_name=names.TASK, properties=wanted)
    return {
        guids[str(row[names.LS_GUID])]: str(row["LS_media_guid"]) for row in rows if str(row[names.LS_GUID]) in guids
    }


def find_project(query: Query, record: ProjectRecord) -> int:
    """A reference to the project, which its tasks are connected to."""
    reference = query.reference()
    condition = equal(names.KEY, record.key)
    query.add("FindEntity", {"_ref": reference, "with_class": names.PROJECT, "constraints": condition})
    return reference


def add_task(
    query: Query,
    record: ProjectRecord,
    *,
    project: int,
    task_id: int,
    created_at: str,
    batch: str,
    medium: Medium,
    run_id: str = "",
) -> tuple[int, int]:
    """Add a task that ApertureDB may know already; returns references to the task and to its medium.

    Args:
        query: Receives the commands.
        record: The project of the task.
        project: The reference of `find_project`.
        task_id: Its id in Label Studio.
        created_at: As Label Studio writes it, with microseconds.
        batch: The import batch.
        medium: What the task shows.
        run_id: The run that writes this; a task that is known keeps the one that wrote it first.
    """
    guid = task_guid(record, task_id, created_at)
    task, source = query.reference(), query.reference()
    properties: dict[str, str | int] = {
        names.LS_GUID: guid,
        "LS_project": record.slug,
        "LS_instance": record.instance,
        "LS_project_id": record.project_id,
        "LS_task_id": task_id,
        "LS_task_created_at": created_at,
        "LS_batch": batch,
        "LS_media_guid": medium.guid,
        "LS_state": "open",
        "LS_config_hash": record.config_hash,
    }
    if run_id:
        properties["LS_run_id"] = run_id
    condition = equal(names.LS_GUID, guid)
    query.add("AddEntity", {"_ref": task, "class": names.TASK, "properties": properties, "if_not_found": condition})
    shown = equal(names.GUID, medium.guid)
    query.add(f"Find{medium.kind}", {"_ref": source, "constraints": shown, "blobs": False})
    query.connect(names.TASK_MEDIA, f"{guid}|media", source=task, destination=source)
    query.connect(names.PROJECT_TASK, f"{guid}|project", source=project, destination=task)
    return task, source
