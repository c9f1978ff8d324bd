"""Which medium a task of Label Studio belongs to, and why not, where it is not clear."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import one_of
from labeling_assets.clients.label_studio_query import format_time, parse_time
from labeling_assets.media_urls import guid_in_link
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.media_store import FACTS, Medium, chunks, media_by_guid
from labeling_assets.sync.task_record import task_guid

RawTask = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ResolvedTask:
    """A task and the one medium it belongs to; `recorded_state` is None if ApertureDB does not know the task."""

    raw: RawTask
    guid: str
    medium: Medium
    recorded_state: str | None


def claimed_guid(data: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The GUID that a task's data names, and a contradiction in it, if there is one.

    A task without `data.guid` that was imported as a bare link is identified by its link.
    """
    guids = data.get("guids")
    named = [str(guid) for guid in guids] if isinstance(guids, list) and guids else []
    if data.get("guid") is not None:
        named = [str(data["guid"]), *named]
    linked = list(dict.fromkeys(guid for value in data.values() if (guid := guid_in_link(value)) is not None))
    if not named:
        if len(linked) == 1:
            return linked[0], None
        return None, "its data has no guid and not exactly one media link"
    foreign = [guid for guid in linked if guid not in named]
    if foreign:
        return named[0], f"data.guid is {named[0]!r}, but its media link names {foreign[0]!r}"
    return named[0], None


def resolve_tasks(
    db: ApertureDB, record: ProjectRecord, tasks: Sequence[RawTask]
) -> tuple[list[ResolvedTask], dict[int, str]]:
    """The tasks whose medium is clear, and task id -> reason for the others."""
    claimed = {int(task["id"]): claimed_guid(task["data"]) for task in tasks}
    media = media_by_guid(db, [guid for guid, _ in claimed.values() if guid is not None], (*FACTS,))
    recorded = _recorded_tasks(db, record, tasks)
    resolved: list[ResolvedTask] = []
    unclear: dict[int, str] = {}
    for task in tasks:
        guid, contradiction = claimed[int(task["id"])]
        made_for, state, batch = recorded.get(created_task_guid(record, task), (None, None, None))
        reason = contradiction or _unclear(guid, media, made_for) or moved(task["data"], batch)
        if reason is not None or guid is None:
            unclear[int(task["id"])] = reason or "its data names no medium"
        else:
            resolved.append(ResolvedTask(task, guid, media[guid][0], state))
    return resolved, unclear


def created_task_guid(record: ProjectRecord, task: RawTask) -> str:
    """The key of a task as it came from Label Studio."""
    return task_guid(record, int(task["id"]), format_time(parse_time(task["created_at"])))


def _unclear(guid: str | None, media: Mapping[str, list[Medium]], made_for: str | None) -> str | None:
    found = media.get(guid or "", [])
    if not found:
        return f"no medium in ApertureDB has the GUID {guid!r}"
    if len(found) > 1:
        return f"{len(found)} media in ApertureDB have the GUID {guid!r}"
    if made_for not in (None, guid):
        return f"it was made for the medium {made_for!r}, but its data names {guid!r}"
    return None


def moved(data: Mapping[str, Any], batch: str | None) -> str | None:
    """That a task was made in this batch and names another; nothing may be written of it in either."""
    other = data.get("import_batch")
    return None if batch in (None, other) else f"its data.import_batch was changed from {batch!r} to {other!r}"


def _recorded_tasks(db: ApertureDB, record: ProjectRecord, tasks: Iterable[RawTask]) -> dict[str, tuple[str, str, str]]:
    """Key of a task -> GUID of the medium it was made for, its state, and its batch."""
    wanted = [names.LS_GUID, "LS_media_guid", "LS_state", "LS_batch"]
    found: dict[str, tuple[str, str, str]] = {}
    # The key says server and project, too: one condition, so no server can begin with the less selective one.
    for chunk in chunks([created_task_guid(record, task) for task in tasks], 500):
        condition = one_of(names.LS_GUID, chunk)
        for row in db.find("FindEntity", condition, class_name=names.TASK, properties=wanted):
            found[str(row[names.LS_GUID])] = (str(row["LS_media_guid"]), str(row["LS_state"]), str(row["LS_batch"]))
    return found
