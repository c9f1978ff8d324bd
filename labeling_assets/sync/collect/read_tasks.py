"""The tasks of a batch as Label Studio has them, in chunks that fit into one query to ApertureDB."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.label_studio_query import format_time, in_batch, parse_time
from labeling_assets.errors import ServiceError
from labeling_assets.sync.collect.read_ahead import read_ahead
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.report import CollectReport, Note
from labeling_assets.sync.watermark import OVERLAP

RawTask = Mapping[str, Any]

# One query to ApertureDB: as many tasks, or when they have so much JSON or so many regions (some four commands each).
_CHUNK: Final = 100
_CHUNK_CHARACTERS: Final = 16_000_000
_CHUNK_REGIONS: Final = 2_000
# A snapshot gives 480 to 770 tasks a second and costs about a second more; the list gives 180 to 250 (facts 4.2).
SNAPSHOT_FROM: Final = 500
# So long before a snapshot was made a task may have been stamped before what the snapshot has of it was committed.
_SETTLED: Final = timedelta(seconds=5)
_TIMES_ONLY: Final[dict[str, Any]] = {"include": ("id", "updated_at"), "fields": None, "page_size": 1000}


@dataclass(frozen=True, slots=True)
class ReadChunk:
    """Tasks that were read together. `newest` is how far the watermark may go when they are written, or empty."""

    tasks: Sequence[RawTask]
    newest: str = ""


class TaskReader:
    """Reads a batch: what changed since a time, or all of it. `seen` is task id -> `updated_at` of what was read.

    All of a large batch is read from a snapshot export, and then what changed since a little before that was made: the
    times alone are listed, and tasks are read again that have another one by now. A snapshot has no order, so the
    watermark moves when all of it is written. `report.read_by` says which way was taken.
    """

    def __init__(
        self,
        ls: LabelStudio,
        record: ProjectRecord,
        report: CollectReport,
        *,
        waiting: Callable[[], None] = lambda: None,
    ) -> None:
        self._ls, self._record, self._report, self._batch = ls, record, report, report.batch
        self._waiting = waiting
        self.seen: dict[int, str] = {}

    @property
    def newest(self) -> str:
        """The latest `updated_at` that was read, or empty."""
        return max(self.seen.values(), default="")

    def changed(self, since: datetime | None, retry: Sequence[int] = ()) -> Iterator[ReadChunk]:
        """Changed tasks in the order of their times; then those of `retry`, which move no watermark."""
        made_at: datetime | None = None
        if since is None and self._is_large():
            try:
                snapshot = self._ls.snapshot(self._record.project_id, [in_batch(self._batch)])
                yield from (ReadChunk(tasks) for tasks in self._ahead(self._of_this_batch(snapshot.tasks)))
                yield ReadChunk((), self.newest)
                self._report.read_by, made_at = "snapshot", snapshot.made_at
            except ServiceError as error:
                text = f"no snapshot could be read, so its tasks were listed, which takes longer: {error}"
                self._report.problems.append(Note("Label Studio", text))
        if made_at is not None:
            yield from self._changed_meanwhile(made_at)
        else:
            for tasks in self._ahead(self._listed(since)):
                yield ReadChunk(tasks, max(map(time_of, tasks)))
        yield from self.by_id(retry)

    def _changed_meanwhile(self, made_at: datetime) -> Iterator[ReadChunk]:
        """What is not as the snapshot has it, or may not be."""
        since, settled = made_at - OVERLAP, format_time(made_at - _SETTLED)
        times = self._ls.iterate_changed(self._record.project_id, since, [in_batch(self._batch)], **_TIMES_ONLY)
        found = {int(task["id"]): time_of(task) for task in times}
        again = [task for task, time in found.items() if time >= settled or self.seen.get(task) != time]
        for start in range(0, len(again), _CHUNK):
            for chunk in self.by_id(again[start : start + _CHUNK]):
                self.seen.update({int(task["id"]): time_of(task) for task in chunk.tasks})
                yield chunk
        yield ReadChunk((), self.newest)

    def by_id(self, task_ids: Iterable[int]) -> Iterator[ReadChunk]:
        """Those of the tasks that stand in this batch."""
        for tasks in _chunked(self._of_batch(task_ids)):
            yield ReadChunk(tasks)

    def _ahead(self, tasks: Iterator[RawTask]) -> Iterator[list[RawTask]]:
        return read_ahead(_chunked(tasks), waiting=self._waiting)

    def _is_large(self) -> bool:
        return self._ls.count_tasks(self._record.project_id, [in_batch(self._batch)]) >= SNAPSHOT_FROM

    def _of_this_batch(self, tasks: Iterable[RawTask]) -> Iterator[RawTask]:
        """If somebody deletes its filter meanwhile, Label Studio exports the whole project."""
        for task in tasks:
            if task["data"].get("import_batch") == self._batch:
                yield self._noted(task)

    def _listed(self, since: datetime | None) -> Iterator[RawTask]:
        for task in self._ls.iterate_changed(self._record.project_id, since, [in_batch(self._batch)]):
            yield self._noted(task)

    def _noted(self, task: RawTask) -> RawTask:
        self.seen[int(task["id"])] = time_of(task)
        return task

    def _of_batch(self, task_ids: Iterable[int]) -> Iterator[RawTask]:
        for task in self._ls.tasks_by_id(self._record.project_id, task_ids):
            if task["data"].get("import_batch") == self._batch:
                yield task


def time_of(task: RawTask) -> str:
    """Its `updated_at` in the one spelling that sorts."""
    return format_time(parse_time(task["updated_at"]))


def _chunked(tasks: Iterator[RawTask]) -> Iterator[list[RawTask]]:
    """A chunk ends with the task that fills it: none is read that is not in it, so the watermark can follow."""
    chunk: list[RawTask] = []
    characters = regions = 0
    for task in tasks:
        chunk.append(task)
        annotations = task.get("annotations") or ()
        characters += len(json.dumps(annotations))
        regions += sum(_weight(item) for annotation in annotations for item in annotation.get("result") or ())
        if len(chunk) == _CHUNK or characters >= _CHUNK_CHARACTERS or regions >= _CHUNK_REGIONS:
            yield chunk
            chunk, characters, regions = [], 0, 0
    if chunk:
        yield chunk


def _weight(item: Any) -> int:
    """How many objects an item may become, roughly: the keyframes of a track are objects in a list of its value."""
    value = item.get("value") if isinstance(item, Mapping) else None
    lists = (found for found in value.values() if isinstance(found, list)) if isinstance(value, Mapping) else ()
    return 1 + sum(len(found) for found in lists if found and isinstance(found[0], Mapping))
