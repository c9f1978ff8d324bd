"""Tasks in a labeling project that show no medium of ApertureDB: people may add tasks of their own."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.label_studio_query import id_between
from labeling_assets.clients.label_studio_records import Task
from labeling_assets.clients.query import Query
from labeling_assets.errors import DataError
from labeling_assets.identity import labels_guid, sha256_of
from labeling_assets.mapping.payload import payload
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.lease import Lease
from labeling_assets.sync.media_store import ROLE, chunks
from labeling_assets.sync.resolve_tasks import created_task_guid, resolve_tasks
from labeling_assets.sync.write_annotation import PAYLOAD_LIMIT

_LISTED: Final = 200  # ids that are listed instead of being counted once more
_PER_QUERY: Final = 50
_NAMED: Final = 10


def unexpected_tasks(db: ApertureDB, ls: LabelStudio, record: ProjectRecord) -> list[int]:
    """The ids of these tasks; of tasks that ApertureDB knows, none is read.

    Tasks that show a medium and were only not noted yet are left to the next publishing. As long as ApertureDB holds
    tasks that were deleted in Label Studio and not noticed yet, as many others may be missed.
    """
    condition = record.live_tasks()
    rows = db.find("FindEntity", condition, class_name=names.TASK, properties=["LS_task_id"])
    unknown = unknown_ids(
        sorted(int(row["LS_task_id"]) for row in rows),
        lambda low, high: ls.count_tasks(record.project_id, [id_between(low, high)]),
        lambda low, high: [
            int(task["id"])
            for task in ls.iterate_by_id(record.project_id, [id_between(low, high)], include=("id",), page_size=1000)
        ],
    )
    found: list[int] = []
    for some in chunks(map(str, unknown), _PER_QUERY):
        tasks = ls.tasks_by_id(record.project_id, map(int, some))
        _, unclear = resolve_tasks(db, record, tasks)
        found += unclear
    return sorted(found)


def unknown_ids(
    known: Sequence[int], count: Callable[[int, int], int], listed: Callable[[int, int], Iterable[int]]
) -> list[int]:
    """Ids that Label Studio has and ApertureDB does not; halves the range of ids where the counts differ.

    `known` is sorted. `count` and `listed` ask Label Studio, from an id to an id, both included.
    """
    top = 2**31 - 1
    ours, found = set(known), []
    ranges = [(0, top, 0, len(known))]
    while ranges:
        low, high, start, stop = ranges.pop()
        there = count(low, high)
        if there <= stop - start:
            continue
        if there <= _LISTED or stop - start < 2:
            found += [task for task in listed(low, high) if task not in ours]
            continue
        middle = (start + stop) // 2
        ranges += [(low, known[middle] - 1, start, middle), (known[middle], high, middle, stop)]
    return sorted(found)


def refuse(record: ProjectRecord, batch: str, found: Sequence[int]) -> None:
    """The policy `unexpected: fail`.

    Raises:
        DataError: there are such tasks.
    """
    if not found:
        return
    named = ", ".join(map(str, found[:_NAMED])) + (", ..." if len(found) > _NAMED else "")
    raise DataError(
        f"{len(found)} tasks of project {record.slug!r} show no medium of ApertureDB: {named} ({record.url}). The "
        f"batch {batch!r} was synced. Delete these tasks in Label Studio, give their data the guid of a medium, or set "
        "unexpected: ignore or keep in project.yaml."
    )


def keep(db: ApertureDB, ls: LabelStudio, record: ProjectRecord, *, found: Sequence[int], held: Lease) -> int:
    """The policy `unexpected: keep`: their JSON with all annotations, each version once; returns how many are new."""
    kept = 0
    for some in chunks(map(str, found), _PER_QUERY):
        query = Query()
        places = [_add(query, record, task) for task in ls.tasks_by_id(record.project_id, map(int, some))]
        reply = held.run(db, query)
        kept += sum(not reply.existed(place) for place in places)
    return kept


def _add(query: Query, record: ProjectRecord, task: Task) -> int:
    content = {key: task.get(key) for key in ("id", "created_at", "data", "annotations")}
    text, data = payload(content, limit=PAYLOAD_LIMIT)
    guid = labels_guid("unexpected", created_task_guid(record, task), sha256_of(data))
    reference, once = query.reference(), equal(names.LS_GUID, guid)
    properties = {
        names.LS_GUID: guid,
        "LS_task_guid": created_task_guid(record, task),
        "LS_project": record.slug,
        "LS_instance": record.instance,
        "LS_task_id": int(task["id"]),
        "LS_updated_at": {"_date": str(task["updated_at"])},
        **({"LS_data": text} if text is not None else {}),
    }
    body = {"_ref": reference, "class": names.UNEXPECTED, "properties": properties, "if_not_found": once}
    place = query.add("AddEntity", body)
    if text is None:
        blob = query.reference()
        held = {names.LS_GUID: guid, ROLE: "payload", "LS_mime_type": "application/json"}
        query.add("AddBlob", {"_ref": blob, "properties": held, "if_not_found": once}, data)
        query.connect(names.ANNOTATION_PAYLOAD, f"{guid}|payload", source=reference, destination=blob)
    return place
