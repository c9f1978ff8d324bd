"""What changed in Label Studio since the last look: one probe and one record a project, whatever its batches.

The decision is a pure function, so that it can be tested without Dagster and without servers.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import one_of
from labeling_assets.clients.label_studio import LabelStudio, Probe
from labeling_assets.clients.label_studio_query import format_time, id_between, parse_time, updated_since
from labeling_assets.errors import ConfigurationError
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.sync.labeling_project import ProjectRecord, checked_project
from labeling_assets.sync.media_store import chunks
from labeling_assets.sync.new_batches import attempt
from labeling_assets.sync.watermark import OVERLAP, SyncState

_VERSION: Final = 4
_PROBES: Final = 200  # requests for counts in one look; 0.08 s each, and Dagster gives a look 60 s
_CLOCKS_DIFFER_S: Final = 300.0  # at most, between the machines of the sensor and of a run


@dataclass(frozen=True, slots=True)
class Pending:
    """A batch that changed and was not synced since. Times in seconds since the epoch, on the clock of Dagster.

    `mark` names the change; `first` and `last` are when it was noticed first and last, the latter after everything was
    read. `newest` is the newest `updated_at` of the batch that was seen, on the clock of Label Studio. `asked` counts
    the runs that were asked for since a sync of it last succeeded, `asked_key` is the run key of the last one.
    """

    mark: str
    first: float
    last: float
    newest: str = ""
    asked: int = 0
    asked_key: str = ""

    def is_covered(self, started: float, watermark: str) -> bool:
        """Whether a successful sync has read the change: it began at `started`, the batch's watermark is `watermark`.

        A sync that began after `last` read later than this look, if both clocks agree. They may be those of two
        machines, so its watermark must show that it read as far. A task that was seen and then deleted or moved to
        another batch never moves the watermark: then a sync must have begun so late that the clocks do not matter.
        """
        return started > self.last and (watermark >= self.newest or started > self.last + _CLOCKS_DIFFER_S)

    def after(self, started: float) -> "Pending":
        """What is left of it after a successful sync that began at `started` and does not cover it: it waits anew."""
        if started <= self.first:
            return self
        return replace(self, first=min(started, self.last), asked=0)

    def run_key(self, batch: str, now: float) -> str:
        """Holds what changed and an attempt, because Dagster burns a run key for ever."""
        return f"{batch}:{self.mark}:{int(self.first // 3600)}:{attempt(now - self.last)}"

    def turn(self, batch: str, now: float) -> tuple[bool, int, float]:
        """Sorts batches: those whose last request did not help come after those that were asked for less often."""
        return self.run_key(batch, now) == self.asked_key, self.asked, self.first


@dataclass(frozen=True, slots=True)
class Cursor:
    """What the sensor remembers; losing it costs one slower look, never a change.

    `since` is the newest `updated_at` seen, `window` the digest of the overlap window before it as a probe sees it,
    `digests` batch -> digest of its tasks in that window.
    `stored` is the newest watermark that ApertureDB had: if it has an older one, the database was restored.
    `tasks` is the number of tasks for which the search for deleted ones is complete, and `others` how many of them
    ApertureDB does not know. A search that one look could not complete is for `counting` tasks and goes on at the
    task id `counted`. `config_changed`: a person changed the label configuration in Label Studio.
    """

    project: str = ""
    since: str = ""
    stored: str = ""
    window: str = ""
    tasks: int = -1
    others: int = 0
    counting: int = -1
    counted: int = 0
    config_changed: bool = False
    digests: Mapping[str, str] = field(default_factory=dict)
    pending: Mapping[str, Pending] = field(default_factory=dict)

    def dump(self) -> str:
        """As the text that Dagster keeps."""
        values = {
            "v": _VERSION,
            "project": self.project,
            "since": self.since,
            "stored": self.stored,
            "window": self.window,
            "tasks": self.tasks,
            "others": self.others,
            "counting": self.counting,
            "counted": self.counted,
            "config_changed": self.config_changed,
            "digests": dict(self.digests),
            "pending": {
                batch: [p.mark, p.first, p.last, p.newest, p.asked, p.asked_key] for batch, p in self.pending.items()
            },
        }
        return json.dumps(values, sort_keys=True)

    @classmethod
    def load(cls, text: str | None) -> "Cursor":
        """From that text; an unreadable or older one is an empty cursor."""
        try:
            values = json.loads(text or "{}")
            if values.get("v") != _VERSION:
                return cls()
            pending = {
                batch: Pending(str(p[0]), float(p[1]), float(p[2]), str(p[3]), int(p[4]), str(p[5]))
                for batch, p in values["pending"].items()
            }
            return cls(
                project=str(values["project"]),
                since=str(values["since"]),
                stored=str(values["stored"]),
                window=str(values["window"]),
                tasks=int(values["tasks"]),
                others=int(values["others"]),
                counting=int(values["counting"]),
                counted=int(values["counted"]),
                config_changed=bool(values["config_changed"]),
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
    clock: Callable[[], float] = time.time,
) -> Cursor:
    """Look for changes and return the new cursor; two requests when there are none.

    A batch is pending when one of its tasks changed after the last look, when tasks of it came or went, or when it
    is in `unsynced`: it has tasks, and Dagster never synced it. Without a cursor, or with one of another database,
    each batch is compared with its own watermark.
    """
    current = checked_project(ls, record)
    stored = max((state.watermark for state in states.values()), default="")
    lost = cursor.project != record.created_at or stored < cursor.stored
    if lost:
        cursor = replace(_restarted(states), project=record.created_at, pending=cursor.pending)
    cursor = replace(cursor, stored=stored, config_changed=_config_hash(current.label_config) != record.config_hash)
    start = parse_time(cursor.since) - OVERLAP if cursor.since else None
    probe = ls.newest_change(record.project_id, [updated_since(start)] if start else [])
    newest = format_time(probe.newest_updated_at) if probe.newest_updated_at else ""
    changed = {batch for batch in unsynced if batch not in cursor.pending}
    rows: list[Row] = []
    if lost or probe.digest != cursor.window:
        rows = _rows(ls, record, start)
        different = _behind(rows, states) if lost else _changed_batches(rows, cursor)
        changed |= _recorded_batches(db, record, rows, different, states)
        cursor = _moved(cursor, rows)
    if current.task_number != cursor.tasks:
        cursor, wrong = _counted(db, ls, record, cursor, current.task_number)
        changed |= wrong
    # Measured after the last read: a sync that begins later reads later.
    return _noted(cursor, changed, rows, seen=f"{newest} {current.task_number}", now=clock())


def _noted(cursor: Cursor, changed: Iterable[str], rows: Iterable["Row"], *, seen: str, now: float) -> Cursor:
    """The cursor in which these batches are pending. `seen` is what the look saw of the whole project."""
    newest: dict[str, str] = {}
    for _, updated_at, batch in rows:
        newest[batch] = max(newest.get(batch, ""), updated_at)
    pending = dict(cursor.pending)
    for batch in changed:
        mark = hashlib.sha256(f"{cursor.digests.get(batch, '')} {seen}".encode()).hexdigest()[:16]
        before = pending.get(batch, Pending("", now, now))
        pending[batch] = replace(before, mark=mark, last=now, newest=max(before.newest, newest.get(batch, "")))
    return replace(cursor, pending=pending)


def _restarted(states: Mapping[str, SyncState]) -> Cursor:
    """Without a cursor, look from the watermark of the batch that is furthest behind."""
    marks = [state.watermark for state in states.values()]
    return Cursor(since=min(marks) if marks and all(marks) else "")


Row = tuple[int, str, str]  # task id, updated_at, batch


def _rows(ls: LabelStudio, record: ProjectRecord, start: datetime | None) -> list[Row]:
    tasks = ls.iterate_changed(record.project_id, start, page_size=500, include=("id", "updated_at", "data"))
    return [
        (int(task["id"]), format_time(parse_time(task["updated_at"])), str(task["data"].get("import_batch") or ""))
        for task in tasks
    ]


def _behind(rows: Iterable[Row], states: Mapping[str, SyncState]) -> set[str]:
    """Batches that do not look as their last sync left them, or were never synced."""
    times: dict[str, list[tuple[int, datetime]]] = {}
    for task, updated_at, batch in rows:
        times.setdefault(batch, []).append((task, parse_time(updated_at)))
    behind = times.keys() - states.keys()
    for batch, state in states.items():
        since = state.since
        window = Probe.of(row for row in times.get(batch, ()) if since is None or row[1] >= since)
        if not state.matches(window):
            behind.add(batch)
    return behind


def _changed_batches(rows: Iterable[Row], cursor: Cursor) -> set[str]:
    """Batches with a task newer than the cursor, or whose part of the overlap window is not what it was."""
    rows = list(rows)
    newer = {batch for _, updated_at, batch in rows if updated_at > cursor.since}
    before = _digests([row for row in rows if row[1] <= cursor.since])
    different = {batch for batch in {*before, *cursor.digests} if before.get(batch) != cursor.digests.get(batch)}
    return newer | different


def _recorded_batches(
    db: ApertureDB, record: ProjectRecord, rows: Iterable[Row], batches: set[str], states: Mapping[str, SyncState]
) -> set[str]:
    """These batches, and those that ApertureDB has their tasks in, if somebody changed `import_batch` in the data.

    A name that was never synced and holds only tasks of others is left out: it is no batch.
    """
    suspects = [(task, batch) for task, _, batch in rows if batch in batches]
    recorded: dict[int, str] = {}
    for chunk in chunks([str(task) for task, _ in suspects], 500):
        condition = record.live_tasks(one_of("LS_task_id", [int(task) for task in chunk]))
        for row in db.find("FindEntity", condition, class_name=names.TASK, properties=["LS_task_id", "LS_batch"]):
            recorded[int(row["LS_task_id"])] = str(row["LS_batch"])
    homes = {recorded.get(task, batch) for task, batch in suspects}
    strays = {batch for task, batch in suspects if recorded.get(task, batch) != batch}
    no_batches = {batch for batch in strays - homes if batch not in states}
    return (batches | homes) - no_batches - {""}


def _moved(cursor: Cursor, rows: list[Row]) -> Cursor:
    since = max([cursor.since, *(row[1] for row in rows)])
    start = format_time(parse_time(since) - OVERLAP) if since else ""
    window = [row for row in rows if row[1] >= start]
    probe = Probe.of((task, parse_time(updated_at)) for task, updated_at, _ in window)
    return replace(cursor, since=since, window=probe.digest, digests=_digests(window))


def _digests(rows: Iterable[Row]) -> dict[str, str]:
    by_batch: dict[str, list[tuple[int, str]]] = {}
    for task, updated_at, batch in rows:
        by_batch.setdefault(batch, []).append((task, updated_at))
    return {
        batch: hashlib.sha256(json.dumps(sorted(pairs)).encode()).hexdigest()[:16]
        for batch, pairs in by_batch.items()
        if batch
    }


def _counted(
    db: ApertureDB, ls: LabelStudio, record: ProjectRecord, cursor: Cursor, task_number: int
) -> tuple[Cursor, set[str]]:
    """Batches of which tasks were deleted: no timestamp shows them. Costs nothing if the totals agree.

    Tasks that people added are new, so that they were seen as changes.
    """
    known = db.count("FindEntity", record.live_tasks(), class_name=names.TASK)
    if not cursor.counted:
        if task_number == known + cursor.others:
            return replace(cursor, tasks=task_number), set()
        cursor = replace(cursor, counting=task_number)
    found = db.find("FindEntity", record.live_tasks(), class_name=names.TASK, properties=["LS_task_id", "LS_batch"])
    tasks = sorted((int(row["LS_task_id"]), str(row["LS_batch"])) for row in found)
    wrong, next_id = miscounted(
        [task for task in tasks if task[0] >= cursor.counted],
        lambda lowest, highest: ls.count_tasks(record.project_id, [id_between(lowest, highest)]),
    )
    if next_id:
        return replace(cursor, counted=next_id), wrong
    others = max(0, task_number - len(tasks))
    return replace(cursor, tasks=cursor.counting, others=others, counting=-1, counted=0), wrong


def miscounted(
    tasks: Sequence[tuple[int, str]], count: Callable[[int, int], int], *, limit: int = _PROBES
) -> tuple[set[str], int]:
    """Batches of which Label Studio has another number of tasks, and the id to go on from after `limit` counts, or 0.

    `tasks` are id and batch of those that ApertureDB knows, by id; `count` counts in Label Studio from an id to an id.
    Halves a range until all that ApertureDB knows in it is of one batch. Deleted tasks do not show if others put as
    many among the rest; the full comparison finds them. `limit` is more than the number of halvings.
    """
    if not tasks:
        return set(), 0
    wrong: set[str] = set()
    ranges, asked = [(0, len(tasks), count(tasks[0][0], tasks[-1][0]))], 1
    while ranges:
        start, stop, there = ranges.pop()
        if there == stop - start:
            continue
        batches = {batch for _, batch in tasks[start:stop]}
        if len(batches) == 1:
            wrong |= batches
            continue
        if asked >= limit:
            return wrong, tasks[start][0]
        middle = (start + stop) // 2
        left, asked = count(tasks[start][0], tasks[middle][0] - 1), asked + 1
        ranges += [(middle, stop, there - left), (start, middle, left)]
    return wrong, 0


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """A run to ask for. `run_key` holds what changed and an attempt, because Dagster burns a run key for ever."""

    batch: str
    run_key: str


def ready(
    cursor: Cursor,
    *,
    in_flight: Iterable[str],
    known: Iterable[str],
    now: float,
    min_interval_s: float,
    max_lag_s: float,
) -> list[str]:
    """Pending batches that may be synced now: those asked for least often first, of these the longest waiting.

    A batch may when it was quiet for `min_interval_s` or waits for `max_lag_s`, has a partition (`known`), and no run
    of it is in flight. However many fail at every attempt, they come after those that were never tried.
    """
    busy, partitions = set(in_flight), set(known)
    return [
        batch
        for batch, waiting in sorted(cursor.pending.items(), key=lambda item: item[1].turn(item[0], now))
        if batch in partitions
        and batch not in busy
        and (now - waiting.last >= min_interval_s or now - waiting.first >= max_lag_s)
    ]


def plan(
    cursor: Cursor,
    candidates: Iterable[str],
    *,
    finished: Mapping[str, float],
    watermarks: Mapping[str, str],
    now: float,
    limit: int = 20,
) -> tuple[Cursor, list[SyncRequest]]:
    """Which of the candidates, in their order, to sync now: pure, level-triggered, at least once.

    A batch stays pending until a sync has succeeded that covers its last change: `finished` is batch -> start of the
    last successful one, `watermarks` how far the batch is in sync. If a run failed it is asked for again with growing
    pauses; the cursor notes it, so that the next look tries others first.
    """
    open_ = {
        batch: p.after(finished.get(batch, 0.0))
        for batch, p in cursor.pending.items()
        if not p.is_covered(finished.get(batch, 0.0), watermarks.get(batch, ""))
    }
    asked = [batch for batch in candidates if batch in open_][:limit]
    requests = [SyncRequest(batch, open_[batch].run_key(batch, now)) for batch in asked]
    for request in requests:
        before = open_[request.batch]
        if before.asked_key != request.run_key:
            open_[request.batch] = replace(before, asked=before.asked + 1, asked_key=request.run_key)
    return replace(cursor, pending=open_), requests


def config_warning(record: ProjectRecord) -> str:
    """What to tell when `Cursor.config_changed`."""
    return (
        f"The label configuration of {record.slug!r} was changed in Label Studio ({record.url}/settings/labeling). "
        "To keep the change, copy it into label_config.xml in the project's folder; either way, materialize the tasks."
    )


def _config_hash(xml: str) -> str:
    """The hash of a configuration, or what no hash is if it does not parse."""
    try:
        return LabelConfig.parse(xml).hash
    except ConfigurationError:
        return ""
