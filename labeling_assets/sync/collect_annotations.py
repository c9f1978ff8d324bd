"""Annotations of a batch from Label Studio to ApertureDB: what changed since the last time, all of it, once."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Protocol

from labeling_assets import names
from labeling_assets.clients import label_studio as ls_client
from labeling_assets.clients.aperturedb import ApertureDB, Object
from labeling_assets.clients.constraints import equal, missing
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.label_studio_query import format_time, in_batch, updated_since
from labeling_assets.clients.query import Query
from labeling_assets.errors import ConfigurationError, DataError, ProjectGoneError
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.projects import Project
from labeling_assets.sync.collect import unexpected_tasks as unexpected
from labeling_assets.sync.collect.compare_tasks import TaskChunk, compare
from labeling_assets.sync.collect.deletion_guard import DeletionGuard
from labeling_assets.sync.collect.media_states import media_of_tasks, settle_media_states
from labeling_assets.sync.collect.planned_changes import (
    AgreedPlan,
    BatchPlan,
    PlannedChange,
    changes_of,
    deletion,
    withdrawal,
)
from labeling_assets.sync.collect.read_tasks import ReadChunk, TaskReader
from labeling_assets.sync.collect.withdraw_tasks import (
    annotations_of,
    count_live_tasks,
    live_tasks,
    missing_tasks,
    twins_of,
    withdraw_tasks,
)
from labeling_assets.sync.collect.write_tasks import TaskWriter, is_written
from labeling_assets.sync.database import prepare_database
from labeling_assets.sync.labeling_project import (
    ProjectRecord,
    checked_project,
    forget_project,
    note_config,
    recorded_project,
)
from labeling_assets.sync.lease import Lease, lease
from labeling_assets.sync.noted_versions import keep_noted_versions
from labeling_assets.sync.report import CollectReport, Note, Progress
from labeling_assets.sync.task_record import find_project
from labeling_assets.sync.watermark import SyncState, load_state
from labeling_assets.sync.webhook_notes import notes_of_batch


def collect_annotations(
    db: ApertureDB,
    ls: LabelStudio,
    project: Project,
    *,
    batch: str,
    full: bool = False,
    run_id: str = "",
    progress: Progress = lambda _: None,
    wait_s: float = 30.0,
    allow_mass_deletion: bool = False,
    agreed: BatchPlan | None = None,
    changed: bool = False,
) -> CollectReport:
    """Make ApertureDB equal to Label Studio for one batch.

    With nothing to do it makes two requests to Label Studio and writes nothing. It may be killed anywhere and started
    again.

    Args:
        db: Where the annotations go.
        ls: Where they come from.
        project: As its folder describes it, with its policies.
        batch: The batch.
        full: Read every task again, whatever the watermark says.
        run_id: Written to what this call adds.
        progress: Gets a line for each few tasks.
        wait_s: How long to wait for another run of the same batch; one that takes longer is worth a message.
        allow_mass_deletion: A person has said that it is meant when much of a batch, or the project, is gone.
        agreed: What may be done; anything else stops the sync. See `plan_annotations`.
        changed: It is known that something changed, so it is read without a look whether it did.

    Raises:
        DataError: the project was never made, is gone, or Label Studio was rebuilt; too much is gone at once; something
            is due that the plan does not have; there are tasks that the policy `unexpected` does not allow.
        TransientError: a service went away, or another process syncs this batch.
    """
    started, requests = time.monotonic(), ls.request_count
    record = _recorded(db, ls, project)
    report = CollectReport(project.slug, batch, project_id=record.project_id)
    state = load_state(db, record.sync_key(batch))
    try:
        current = checked_project(ls, record)
    except ProjectGoneError:
        if not allow_mass_deletion:
            raise
        return _withdraw_all(db, project, record, report, run_id=run_id, wait_s=wait_s)
    noted = notes_of_batch(db, record, batch)  # before Label Studio is read: what it says is not older than they are
    looks = not (full or noted or changed)
    report.idle = looks and _idle(db, ls, project, record, state, batch=batch, tasks=current.task_number)
    if not report.idle:
        order = _Order(full, run_id, progress, wait_s, allow_mass_deletion, agreed)
        state = _sync(db, ls, project, record, current, report, noted, order=order)
    report.watermark = state.watermark
    report.quarantined = [Note(str(task), why) for task, why in sorted(state.quarantined.items())]
    report.requests = ls.request_count - requests
    report.seconds = time.monotonic() - started
    return report


@dataclass(frozen=True, slots=True)
class _Order:
    """How a sync is to be done: the arguments of `collect_annotations`."""

    full: bool
    run_id: str
    progress: Progress
    wait_s: float
    allow_mass_deletion: bool
    agreed: BatchPlan | None


def _sync(
    db: ApertureDB,
    ls: LabelStudio,
    project: Project,
    record: ProjectRecord,
    current: ls_client.Project,
    report: CollectReport,
    noted: Sequence[str],
    *,
    order: _Order,
) -> SyncState:
    """Read, compare, write, under the lease of the batch; returns the state that the next sync begins with."""
    prepare_database(db, (project.state,))
    key, run_id = record.sync_key(report.batch), order.run_id
    with ExitStack() as stack:
        held = stack.enter_context(lease(db, key, wait_s=order.wait_s))
        record, config = _with_config(db, record, current.label_config, report)
        users = ls.users()
        writer = stack.enter_context(
            TaskWriter(db, project, record, report, config, held=held, annotators=users, run_id=run_id)
        )
        before = load_state(db, key)
        guard = _guard(db, project, record, before, batch=report.batch, allowed=order.allow_mass_deletion)
        applier = _Applier(db, project, record, report, writer, held=held, guard=guard, agreed=order.agreed)
        reader = TaskReader(ls, record, report, waiting=applier.keep_lease)
        walk = _Walk(db, ls, project, record, report, reader, applier, full=order.full, progress=order.progress)
        state = walk.run(before)
        state = applier.close(state, reader.seen, others=walk.others(current.task_number), full=order.full)
        same: dict[str, Any] = {"batch": report.batch, "held": held, "annotators": users, "run_id": run_id}
        kept = keep_noted_versions(db, record, noted, **same, erase=project.allow_deletions)
        report.noted, report.problems = kept.count, [*report.problems, *kept.problems]
        looks = order.full or project.unexpected == "fail" or state.others != before.others
        _unexpected(db, ls, project, record, report, state.others, held=held, looks=looks)
    return state


def plan_annotations(
    db: ApertureDB,
    ls: LabelStudio,
    project: Project,
    *,
    batch: str,
    full: bool = False,
    progress: Progress = lambda _: None,
) -> BatchPlan:
    """What `collect_annotations` would do now, found by the same code; writes nothing.

    Raises:
        DataError: see `collect_annotations`.
    """
    record = _recorded(db, ls, project)
    report = CollectReport(project.slug, batch, project_id=record.project_id)
    plan = BatchPlan(project.slug, batch, full)
    state = load_state(db, record.sync_key(batch))
    current = checked_project(ls, record)
    noted = notes_of_batch(db, record, batch)
    if not full and not noted and _idle(db, ls, project, record, state, batch=batch, tasks=current.task_number):
        return plan
    planner = _Planner(db, record, plan, _guard(db, project, record, state, batch=batch, allowed=False))
    reader = TaskReader(ls, record, report)
    state = _Walk(db, ls, project, record, report, reader, planner, full=full, progress=progress).run(state)
    plan.problems = report.problems
    plan.quarantined = [Note(str(task), why) for task, why in sorted(state.quarantined.items())]
    return plan


def _recorded(db: ApertureDB, ls: LabelStudio, project: Project) -> ProjectRecord:
    record = recorded_project(db, ls, project)
    if record is None:
        raise DataError(f"Project {project.slug!r} has no tasks in {ls.url} yet: materialize its tasks first.")
    return record


def _guard(
    db: ApertureDB, project: Project, record: ProjectRecord, state: SyncState, *, batch: str, allowed: bool
) -> DeletionGuard:
    current = record.condition(equal("LS_batch", batch), missing("LS_deleted_at"))
    return DeletionGuard(
        project.slug,
        batch,
        share=project.max_deleted_share,
        allowed=allowed,
        removed=state.removed,
        annotations=lambda: db.count("FindEntity", current, class_name=names.ANNOTATION),
    )


def _withdraw_all(
    db: ApertureDB, project: Project, record: ProjectRecord, report: CollectReport, *, run_id: str, wait_s: float
) -> CollectReport:
    """The project was deleted in Label Studio, and a person says that it was meant."""
    with lease(db, record.sync_key(report.batch), wait_s=wait_s) as held:
        gone = live_tasks(db, record, report.batch)
        report.deleted = withdraw_tasks(db, project, gone, shown=(), held=held, run_id=run_id)
        query = Query()
        SyncState(held.key).save(query, held.condition)
        held.run(db, query)
    report.tasks_withdrawn = len(gone)
    text = f"project {record.project_id} is gone; its tasks in this batch were withdrawn, as --allow-mass-deletion says"
    report.problems.append(Note("Label Studio", text))
    if not count_live_tasks(db, record):
        forget_project(db, record)
    return report


def _with_config(
    db: ApertureDB, record: ProjectRecord, xml: str, report: CollectReport
) -> tuple[ProjectRecord, LabelConfig | None]:
    """Annotations name the label configuration that Label Studio has now, also if a person changed it there.

    The configuration is None if it cannot be read.
    """
    try:
        config = LabelConfig.parse(xml)
    except ConfigurationError as error:
        report.problems.append(Note("label configuration", str(error)))
        return record, None
    if config.hash == record.config_hash:
        return record, config
    report.problems.append(Note("label configuration", "it was changed in Label Studio: see the check labels_known"))
    query = Query()
    note_config(query, find_project(query, record), record.key, config, xml)
    db.run(query)
    return replace(record, config_hash=config.hash), config


def _idle(
    db: ApertureDB,
    ls: LabelStudio,
    project: Project,
    record: ProjectRecord,
    state: SyncState,
    *,
    batch: str,
    tasks: int,
) -> bool:
    """Two looks: the project's own record, with its number of tasks, and one row of the overlap window."""
    if state.quarantined or state.window_total < 0 or (state.others and project.unexpected == "fail"):
        return False
    # The time first: where it has to be compared row by row, the batch is then looked for in a few rows only.
    filters = [in_batch(batch)] if state.since is None else [updated_since(state.since), in_batch(batch)]
    if not state.matches(ls.newest_change(record.project_id, filters)):
        return False
    if count_live_tasks(db, record) + state.others == tasks:
        return True
    return ls.count_tasks(record.project_id, [in_batch(batch)]) == count_live_tasks(db, record, batch)


class _Taker(Protocol):
    """What becomes of the differences that a walk finds."""

    def about_to_compare(self, task_ids: Iterable[int]) -> None:
        """What was handed over of these tasks must be in ApertureDB now."""

    def take(self, chunk: TaskChunk, state: SyncState) -> SyncState:
        """The state that is true with this chunk."""

    def unwritten_tasks(self) -> int:
        """How many tasks were handed over that ApertureDB will not have yet when this returns."""

    def withdraw(self, gone: Sequence[Object], of: int, *, shown: set[str]) -> None:
        """Tasks that are gone, of those that were there; media with a GUID in `shown` have another task."""


class _Walk:
    """Reads what changed, compares it, hands it on; then looks for tasks that no time shows."""

    def __init__(
        self,
        db: ApertureDB,
        ls: LabelStudio,
        project: Project,
        record: ProjectRecord,
        report: CollectReport,
        reader: TaskReader,
        taker: _Taker,
        *,
        full: bool,
        progress: Progress,
    ) -> None:
        self._db, self._ls, self._project, self._record, self._report = db, ls, project, record, report
        self._reader, self._taker, self._full, self._progress = reader, taker, full, progress
        self._read: set[int] = set()
        self._new = 0
        self._live: int | None = None

    def run(self, state: SyncState) -> SyncState:
        since = None if self._full else state.since
        if state.window_total >= 0 or since is None:
            # Else the last run was killed: what it touched is to be checked together with what this one touches.
            state = replace(state, touched_since=format_time(since) if since else "")
        before = state.watermark
        state = self._take(self._reader.changed(since, sorted(state.quarantined)), state)
        if since is not None and self._went_back(before):
            state = self._take(self._reader.changed(None), state)
            # What changes next may have a time before the old watermark.
            state = replace(state, watermark=self._reader.newest)
        return self._withdraw(state)

    def _take(self, chunks: Iterable[ReadChunk], state: SyncState) -> SyncState:
        for read in chunks:
            self._taker.about_to_compare(int(task["id"]) for task in read.tasks)
            chunk = compare(self._db, self._record, self._project, read, full=self._full)
            state = self._taker.take(chunk, state)
            self._read.update(chunk.tasks)
            self._new += sum(task.recorded_state in (None, "withdrawn") for task in chunk.resolved)
            self._report.problems += chunk.refused
            self._report.tasks_read += len(chunk.tasks)
            self._progress(f"{self._report.tasks_read} tasks read")
        return state

    def _withdraw(self, state: SyncState) -> SyncState:
        """Tasks that Label Studio no longer has. Annotations that moved to a twin are written there first."""
        # What is new must be written to be counted; else the counts are read while the last chunk is being written.
        new = self._taker.unwritten_tasks() if self._new else 0
        how: dict[str, Any] = {"batch": self._report.batch, "full": self._full, "listed": bool(state.quarantined)}
        found = missing_tasks(self._db, self._ls, self._record, new=new, **how)
        if not self._new and not found.gone:
            self._live = count_live_tasks(self._db, self._record)
        twins = twins_of(self._ls, self._record, found)
        state = self._take(self._reader.by_id(twins), state)
        self._taker.withdraw(found.gone, len(found.known), shown=set(twins.values()))
        # All of them were read again; one that was not is no more, or stands in another batch.
        kept = {task: why for task, why in state.quarantined.items() if task in self._read | found.left}
        return replace(state, quarantined={**kept, **found.moved})

    def others(self, task_number: int) -> int:
        """How many of the project's tasks in Label Studio ApertureDB does not know, when everything is written."""
        live = self._live if self._live is not None else count_live_tasks(self._db, self._record)
        return max(0, task_number - live)

    def _went_back(self, watermark: str) -> bool:
        """Whether Label Studio shows nothing as new as what was read last: no time tells then what else is older."""
        if self._reader.newest >= watermark:
            return False
        text = (
            f"it shows no change as late as {watermark}, which was read before: the task was deleted or moved, or "
            "Label Studio was restored to an older copy. The whole batch was compared"
        )
        self._report.problems.append(Note("Label Studio", text))
        return True


class _Applier:
    """Writes what a walk finds, unless the guard or the plan says no."""

    def __init__(
        self,
        db: ApertureDB,
        project: Project,
        record: ProjectRecord,
        report: CollectReport,
        writer: TaskWriter,
        *,
        held: Lease,
        guard: DeletionGuard,
        agreed: BatchPlan | None,
    ) -> None:
        self._db, self._project, self._record, self._report = db, project, record, report
        self._writer, self._held, self._guard = writer, held, guard
        self._agreed = AgreedPlan(agreed) if agreed is not None else None
        self._touched: set[str] = set()  # GUIDs of media

    def about_to_compare(self, task_ids: Iterable[int]) -> None:
        self._writer.finish_before(task_ids)

    def take(self, chunk: TaskChunk, state: SyncState) -> SyncState:
        if self._agreed:
            self._agreed.check(changes_of(self._record, chunk))
        self._guard.annotations(chunk.removed)
        self._touched |= {task.guid for task in chunk.resolved if is_written(task, chunk.changes[int(task.raw["id"])])}
        return self._writer.write(chunk, replace(state, removed=self._guard.removed))

    def unwritten_tasks(self) -> int:
        self._writer.finish()
        return 0

    def withdraw(self, gone: Sequence[Object], of: int, *, shown: set[str]) -> None:
        self._writer.finish()
        if self._agreed:
            self._agreed.check(_withdrawals(self._db, gone))
        self._guard.tasks(len(gone), of)
        self._touched |= {str(row["LS_media_guid"]) for row in gone}
        self._report.tasks_withdrawn = len(gone)
        self._report.deleted += withdraw_tasks(
            self._db, self._project, gone, shown=shown, held=self._held, run_id=self._writer.run_id
        )

    def keep_lease(self) -> None:
        """Nobody else may write while something long is being read."""
        self._held.run(self._db, Query())

    def close(self, state: SyncState, seen: dict[int, str], *, others: int, full: bool) -> SyncState:
        """Everything was read and written: the next sync begins here."""
        media = media_of_tasks(self._db, self._record, self._report.batch) if full else self._touched
        settle_media_states(self._db, self._project, self._record, media, held=self._held)
        state = replace(state, others=others).closed(seen)
        query = Query()
        state.save(query, self._held.condition)
        self._held.run(self._db, query)
        self._report.problems += self._agreed.left() if self._agreed else []
        return state


class _Planner:
    """Notes what a walk finds."""

    def __init__(self, db: ApertureDB, record: ProjectRecord, plan: BatchPlan, guard: DeletionGuard) -> None:
        self._db, self._record, self._plan, self._guard = db, record, plan, guard
        self._known: set[PlannedChange] = set()
        self._new: set[int] = set()

    def about_to_compare(self, task_ids: Iterable[int]) -> None:
        pass

    def unwritten_tasks(self) -> int:
        return len(self._new)

    def take(self, chunk: TaskChunk, state: SyncState) -> SyncState:
        not_live = (None, "withdrawn")
        self._new |= {int(task.raw["id"]) for task in chunk.resolved if task.recorded_state in not_live}
        self._note(changes_of(self._record, chunk))
        self._try(lambda: self._guard.annotations(chunk.removed))
        return replace(state, quarantined=chunk.quarantined(state.quarantined))

    def withdraw(self, gone: Sequence[Object], of: int, *, shown: set[str]) -> None:
        moved = {change.guid for change in self._known}
        found = _withdrawals(self._db, gone)
        self._note(change for change in found if change.guid not in moved)
        self._try(lambda: self._guard.tasks(len(gone), of))

    def _note(self, changes: Iterable[PlannedChange]) -> None:
        """Each once: when a walk begins anew, it finds the same ones again."""
        for change in changes:
            if change not in self._known:
                self._known.add(change)
                self._plan.changes.append(change)

    def _try(self, check: Callable[[], None]) -> None:
        try:
            check()
        except DataError as error:
            self._plan.stops = self._plan.stops or str(error)


def _withdrawals(db: ApertureDB, gone: Sequence[Object]) -> Iterator[PlannedChange]:
    for row in gone:
        yield withdrawal(int(row["LS_task_id"]), str(row[names.LS_GUID]))
    yield from map(deletion, annotations_of(db, gone))


def _unexpected(
    db: ApertureDB,
    ls: LabelStudio,
    project: Project,
    record: ProjectRecord,
    report: CollectReport,
    others: int,
    *,
    held: Lease,
    looks: bool,
) -> None:
    """Tasks that are not ours, as the project's policy says; `looks`: they may be other ones than the last time."""
    report.unexpected = others
    if not others or project.unexpected == "ignore" or not looks:
        return
    found = unexpected.unexpected_tasks(db, ls, record)
    report.unexpected = len(found)
    if project.unexpected == "keep":
        unexpected.keep(db, ls, record, found=found, held=held)
    else:
        unexpected.refuse(record, report.batch, found)
