"""What changed in Label Studio since the last look: one probe and one record a project, whatever its batches.

The decision is a pure function, so that it can be tested without Dagster and without servers.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import all_of, equal, not_equal
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.label_studio_query import format_time, in_batch, parse_time, updated_since
from labeling_assets.sync.labeling_project import ProjectRecord, checked_project
from labeling_assets.sync.new_batches import attempt
from labeling_assets.sync.watermark import OVERLAP, SyncState

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Pending:
    """A batch that changed and was not synced since. Times in seconds since the epoch, on the clock of Dagster.

    `mark` names the change; `first` and `last` are when it was noticed first and last.
    """

    mark: str
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Cursor:
    """What the sensor remembers; losing it costs one slower look, never a change.

    `since` is the newest `updated_at` seen, `digests` batch -> digest of its tasks in the overlap window before it.
    `stored` is the newest watermark that ApertureDB had: if it has an older one, the database was restored.
    """

    project: str = ""
    since: str = ""
    stored: str = ""
    window_total: int = -1
    tasks: int = -1
    digests: Mapping[str, str] = field(default_factory=dict)
    pending: Mapping[str, Pending] = field(default_factory=dict)

    def dump(self) -> str:
        """As the text that Dagster keeps."""
        values = {
            "v": _VERSION,
            "project": self.project,
            "since": self.since,
            "stored": self.stored,
            "window_total": self.window_total,
            "tasks": self.tasks,
            "digests": dict(self.digests),
            "pending": {batch: [p.mark, p.first, p.last] for batch, p in self.pending.items()},
        }
        return json.dumps(values, sort_keys=True)

    @classmethod
    def load(cls, text: str | None) -> "Cursor":
        """From that text; an unreadable or older one is an empty cursor."""
        try:
            values = json.loads(text or "{}")
            if values.get("v") != _VERSION:
                return cls()
            pending = {batch: Pending(str(p[0]), float(p[1]), float(p[2])) for batch, p in values["pending"].items()}
            return cls(
                project=str(values["project"]),
                since=str(values["since"]),
                stored=str(values["stored"]),
                window_total=int(values["window_total"]),
                tasks=int(values["tasks"]),
                digests={str(k): str(v) for k, v in values["digests"].items()},
                pending=pending,
            )
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            return cls()


def observe(
    db: ApertureDB,
    ls: LabelStudio,
    record: ProjectRecord,
    states: Mapping[str, SyncState],
    *,
    cursor: Cursor,
    unsynced: Iterable[str] = (),
    now: float,
) -> Cursor:
    """Look for changes and return the new cursor; two requests when there are none.

    A batch is pending when one of its tasks changed after the last look, when tasks of it came or went, or when it
    is in `unsynced`: it has tasks, and Dagster never synced it.
    """
    current = checked_project(ls, record)
    stored = max((state.watermark for state in states.values()), default="")
    if cursor.project != record.created_at or stored < cursor.stored:
        cursor = replace(_restarted(states), project=record.created_at, pending=cursor.pending)
    cursor = replace(cursor, stored=stored)
    start = parse_time(cursor.since) - OVERLAP if cursor.since else None
    probe = ls.newest_change(record.project_id, [updated_since(start)] if start else [])
    newest = format_time(probe.newest_updated_at) if probe.newest_updated_at else ""
    changed = {batch for batch in unsynced if batch not in cursor.pending}
    if (newest, probe.total) != (cursor.since, cursor.window_total):
        rows = _rows(ls, record, start)
        changed |= _changed_batches(rows, cursor)
        cursor = _moved(cursor, rows)
    if current.task_number != cursor.tasks:
        changed |= _miscounted(db, ls, record, states)
        cursor = replace(cursor, tasks=current.task_number)
    pending = dict(cursor.pending)
    for batch in changed:
        mark = cursor.digests.get(batch, "") or newest
        first = pending[batch].first if batch in pending else now
        pending[batch] = Pending(f"{mark[:16]}-{current.task_number}", first, now)
    return replace(cursor, pending=pending)


def _restarted(states: Mapping[str, SyncState]) -> Cursor:
    """Without a cursor, look from the watermark of the batch that is furthest behind."""
    marks = [state.watermark for state in states.values()]
    return Cursor(since=min(marks) if marks and all(marks) else "")


Row = tuple[int, str, str]  # task id, updated_at, batch


def _rows(ls: LabelStudio, record: ProjectRecord, start: Any) -> list[Row]:
    tasks = ls.iterate_changed(record.project_id, start, page_size=500, include=("id", "updated_at", "data"))
    return [
        (int(task["id"]), format_time(parse_time(task["updated_at"])), str(task["data"].get("import_batch") or ""))
        for task in tasks
    ]


def _changed_batches(rows: Iterable[Row], cursor: Cursor) -> set[str]:
    """Batches with a task newer than the cursor, or whose part of the overlap window is not what it was."""
    rows = list(rows)
    newer = {batch for _, updated_at, batch in rows if updated_at > cursor.since}
    before = _digests([row for row in rows if row[1] <= cursor.since])
    different = {batch for batch in {*before, *cursor.digests} if before.get(batch) != cursor.digests.get(batch)}
    return {batch for batch in newer | different if batch}


def _moved(cursor: Cursor, rows: list[Row]) -> Cursor:
    since = max([cursor.since, *(row[1] for row in rows)])
    if not since:
        return replace(cursor, window_total=0, digests={})
    start = format_time(parse_time(since) - OVERLAP)
    window = [row for row in rows if row[1] >= start]
    return replace(cursor, since=since, window_total=len(window), digests=_digests(window))


def _digests(rows: Iterable[Row]) -> dict[str, str]:
    by_batch: dict[str, list[tuple[int, str]]] = {}
    for task, updated_at, batch in rows:
        by_batch.setdefault(batch, []).append((task, updated_at))
    return {
        batch: hashlib.sha256(json.dumps(sorted(pairs)).encode()).hexdigest()[:16]
        for batch, pairs in by_batch.items()
        if batch
    }


def _miscounted(db: ApertureDB, ls: LabelStudio, record: ProjectRecord, states: Mapping[str, SyncState]) -> set[str]:
    """Batches whose number of tasks is not the one that ApertureDB knows: tasks were deleted or added by hand."""
    live = all_of(equal("LS_project", record.slug), not_equal("LS_state", "withdrawn"))
    wrong = set()
    for batch in states:
        known = db.count("FindEntity", all_of(live, equal("LS_batch", batch)), class_name=names.TASK)
        if ls.count_tasks(record.project_id, [in_batch(batch)]) != known:
            wrong.add(batch)
    return wrong


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """A run to ask for. `run_key` holds what changed and an attempt, because Dagster burns a run key for ever."""

    batch: str
    run_key: str


def plan(
    cursor: Cursor,
    *,
    finished: Mapping[str, float],
    in_flight: Iterable[str],
    known: Iterable[str],
    now: float,
    min_interval_s: float,
    max_lag_s: float,
    limit: int = 20,
) -> tuple[Cursor, list[SyncRequest]]:
    """Which batches to sync now: pure, level-triggered, at least once.

    A batch stays pending until a sync that began after its last change has succeeded (`finished`: batch -> start of
    the last successful one). It is asked for when it was quiet for `min_interval_s` or waits for `max_lag_s`, not
    while a run of it is in flight, and again with growing pauses if the run failed.
    """
    busy, partitions = set(in_flight), set(known)
    open_ = {batch: p for batch, p in cursor.pending.items() if finished.get(batch, 0.0) <= p.last}
    requests: list[SyncRequest] = []
    for batch, waiting in sorted(open_.items(), key=lambda item: item[1].first):
        ready = now - waiting.last >= min_interval_s or now - waiting.first >= max_lag_s
        if ready and batch in partitions and batch not in busy and len(requests) < limit:
            requests.append(SyncRequest(batch, f"{batch}:{waiting.mark}:{attempt(now - waiting.last)}"))
    return replace(cursor, pending=open_), requests
