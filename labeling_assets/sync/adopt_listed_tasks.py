"""Tasks that somebody imported from a list, into which their keys did not come along: found by link, and given them.

A list of links holds nothing but links, and a CSV no GUID that looks like a number. Label Studio finds tasks of a batch
by `data.import_batch`, so a task without it would not be seen by any sync.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio import LabelStudio, TaskRow
from labeling_assets.clients.label_studio_query import without_data
from labeling_assets.clients.label_studio_records import ROW_FIELDS
from labeling_assets.clients.query import Query
from labeling_assets.sync.change_tasks import change_tasks
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.lease import Lease
from labeling_assets.sync.report import Note
from labeling_assets.sync.resolve_tasks import claimed_guid

_CHUNK: Final = 100  # changed between two renewals of the lease; 0.1 s each
_PAGE: Final = 1000


@dataclass(slots=True)
class ListedTasks:
    """What became of them. `notes` are tasks that a person should look at.

    `left` are GUIDs of media whose task could not be given its keys just now: they must not get a second one.
    """

    notes: list[Note] = field(default_factory=list)
    left: set[str] = field(default_factory=set)


def adopt_listed_tasks(
    db: ApertureDB,
    ls: LabelStudio,
    record: ProjectRecord,
    *,
    batch: str,
    waiting: Collection[str],
    done: Collection[str],
    held: Lease,
) -> ListedTasks:
    """Add GUID and batch to the data of tasks that lack the batch; all other keys stay. One request if there are none.

    Args:
        db: Holds the lease.
        ls: Where the tasks are.
        record: Their project.
        batch: The batch that they are given.
        waiting: The GUIDs of its media that have no task, or not any more.
        done: The GUIDs of its media that have one.
        held: The lease of publishing; nobody else makes tasks meanwhile.
    """
    listed = ListedTasks()
    found: dict[str, list[TaskRow]] = {}
    of_batch = {*waiting, *done}
    for task in _unkeyed(ls, record):
        guid, contradiction = claimed_guid(task.data)
        if guid is None or guid not in of_batch:
            continue
        if contradiction is not None:
            listed.notes.append(Note(f"task {task.id}", f"it is left alone: {contradiction}"))
        else:
            found.setdefault(guid, []).append(task)
    tasks = {guid: own for guid, own in found.items() if guid in waiting}
    keyed = {row.guid for row in ls.tasks_by_guid(record.project_id, tasks) if row.import_batch}
    chosen = {guid: own[0] for guid, own in tasks.items() if guid not in keyed}
    listed.notes += _twins(found, chosen)
    for start in range(0, len(chosen), _CHUNK):
        held.run(db, Query())
        _add_keys(ls, record, dict(list(chosen.items())[start : start + _CHUNK]), batch, listed=listed)
    return listed


def _unkeyed(ls: LabelStudio, record: ProjectRecord) -> Iterable[TaskRow]:
    """By id, so the oldest task of a medium comes first."""
    lacking = [without_data("import_batch")]
    rows = ls.iterate_by_id(record.project_id, lacking, page_size=_PAGE, include=ROW_FIELDS)
    return map(TaskRow.from_json, rows)


def _twins(found: Mapping[str, Sequence[TaskRow]], chosen: Mapping[str, TaskRow]) -> Iterator[Note]:
    for guid, own in found.items():
        for task in own:
            if task is not chosen.get(guid):
                text = f"it shows medium {guid}, which has another task: delete it, or move its labels there first"
                yield Note(f"task {task.id}", text)


def _add_keys(
    ls: LabelStudio, record: ProjectRecord, chosen: Mapping[str, TaskRow], batch: str, *, listed: ListedTasks
) -> None:
    wanted = [(task, {**task.data, names.GUID: guid, "import_batch": batch}) for guid, task in chosen.items()]
    unchanged = change_tasks(ls, record.project_id, wanted)
    for guid, task in chosen.items():
        if task.id in unchanged:
            text = f"it is not adopted: {unchanged[task.id].text}. Run the tasks of this batch again"
            listed.notes.append(Note(f"task {task.id}", text))
            listed.left.add(guid)
