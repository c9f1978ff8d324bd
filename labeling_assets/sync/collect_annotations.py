"""Annotations of a batch from Label Studio to ApertureDB: what changed since the last time, all of it, once."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import Condition, equal, not_equal
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.label_studio_query import format_time, in_batch, parse_time, updated_since
from labeling_assets.clients.query import Query
from labeling_assets.errors import ConfigurationError, DataError, RefusedError, TransientError
from labeling_assets.mapping.annotation import MappedAnnotation, map_annotation
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.projects import Project
from labeling_assets.sync.database import prepare_database
from labeling_assets.sync.labeling_project import ProjectRecord, checked_project, note_config, recorded_project
from labeling_assets.sync.lease import Lease, lease
from labeling_assets.sync.noted_versions import keep_noted_versions
from labeling_assets.sync.read_texts import TextReader
from labeling_assets.sync.report import CollectReport, Note, Progress
from labeling_assets.sync.resolve_tasks import ResolvedTask, resolve_tasks
from labeling_assets.sync.shown_medium import picture_of, tags_showing
from labeling_assets.sync.stored_annotations import (
    TaskChange,
    annotations_by_guid,
    doubtful_hash,
    old_versions,
    stored_for,
    task_change,
)
from labeling_assets.sync.task_record import add_task, find_project
from labeling_assets.sync.watermark import SyncState, load_state
from labeling_assets.sync.webhook_notes import notes_of_batch
from labeling_assets.sync.withdraw_tasks import missing_tasks, twins_of, withdraw_tasks
from labeling_assets.sync.write_annotation import AnnotationWriter
from labeling_assets.sync.write_regions import LESS, Detail, TaskContext

# One query to ApertureDB: as many tasks, or when they have so much JSON or so many regions (some four commands each).
_CHUNK: Final = 100
_CHUNK_CHARACTERS: Final = 16_000_000
_CHUNK_REGIONS: Final = 2_000
_REASON_CHARACTERS: Final = 500


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
) -> CollectReport:
    """Make ApertureDB equal to Label Studio for one batch.

    With nothing to do it makes two requests to Label Studio and writes nothing. `full` reads every task again,
    whatever the watermark says. `wait_s` is how long to wait for another run of the same batch; one that takes longer
    is worth a message. It may be killed anywhere and started again.

    Raises:
        DataError: the project was never made, is gone, or Label Studio was rebuilt.
        TransientError: a service went away, or another process syncs this batch.
    """
    started, requests = time.monotonic(), ls.request_count
    record = recorded_project(db, ls, project)
    if record is None:
        raise DataError(f"Project {project.slug!r} has no tasks in {ls.url} yet: materialize its tasks first.")
    report = CollectReport(project.slug, batch, project_id=record.project_id)
    state = load_state(db, record.sync_key(batch))
    current = checked_project(ls, record)
    noted = notes_of_batch(db, record, batch)  # before Label Studio is read: what it says is not older than they are
    report.idle = not full and not noted and _idle(db, ls, record, batch, state=state, task_number=current.task_number)
    if not report.idle:
        prepare_database(db, (project.state,))
        with lease(db, record.sync_key(batch), wait_s=wait_s) as held:
            record, config = _with_config(db, record, current.label_config, report)
            collector = _Collector(db, ls, project, record, report, config, held=held, batch=batch, run_id=run_id)
            state = load_state(db, record.sync_key(batch))
            state = collector.run(state, full=full, task_number=current.task_number, progress=progress)
            collector.keep_noted(noted)
    report.watermark = state.watermark
    report.quarantined = [Note(str(task), why) for task, why in sorted(state.quarantined.items())]
    report.requests = ls.request_count - requests
    report.seconds = time.monotonic() - started
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
    db: ApertureDB, ls: LabelStudio, record: ProjectRecord, batch: str, *, state: SyncState, task_number: int
) -> bool:
    """Two looks: the project's own record, and one row of the overlap window."""
    if state.quarantined or state.window_total < 0:
        return False
    filters = [in_batch(batch)] if state.since is None else [in_batch(batch), updated_since(state.since)]
    if not state.matches(ls.newest_change(record.project_id, filters)):
        return False
    if _live_tasks(db, record) + state.others == task_number:
        return True
    here = _live_tasks(db, record, equal("LS_batch", batch))
    return ls.count_tasks(record.project_id, [in_batch(batch)]) == here


def _live_tasks(db: ApertureDB, record: ProjectRecord, *conditions: Condition) -> int:
    live = record.condition(not_equal("LS_state", "withdrawn"), *conditions)
    return db.count("FindEntity", live, class_name=names.TASK)


@dataclass(slots=True)
class _Tally:
    """What one query is about to write: tasks, regions, those that are raw by their type, what is wrong with them."""

    tasks: int = 0
    regions: int = 0
    raw: Counter[str] = field(default_factory=Counter)
    problems: list[Note] = field(default_factory=list)
    mapped: list[MappedAnnotation] = field(default_factory=list)

    def add(self, annotation_id: int, mapped: MappedAnnotation) -> None:
        self.mapped.append(mapped)
        self.regions += len(mapped.regions)
        self.raw.update(region.type for region in mapped.regions if region.kind == "raw")
        self.note(annotation_id, mapped.problems)

    def note(self, annotation_id: int, problems: Iterable[str]) -> None:
        self.problems += [Note(f"annotation {annotation_id}", problem) for problem in problems]


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Tasks with what ApertureDB holds of them; `unclear` are those without a medium, by id, and why."""

    tasks: Mapping[int, Mapping[str, Any]]
    resolved: Sequence[ResolvedTask]
    unclear: Mapping[int, str]
    changes: Mapping[int, TaskChange]

    def part(self, ids: Iterable[int]) -> "_Chunk":
        """The chunk of some of its tasks."""
        kept = {task: self.tasks[task] for task in ids}
        return _Chunk(
            kept,
            [task for task in self.resolved if int(task.raw["id"]) in kept],
            {task: why for task, why in self.unclear.items() if task in kept},
            {task: change for task, change in self.changes.items() if task in kept},
        )


class _Collector:
    """Reads tasks in pages, resolves them to media, compares, writes a page in one query, moves the watermark."""

    def __init__(
        self,
        db: ApertureDB,
        ls: LabelStudio,
        project: Project,
        record: ProjectRecord,
        report: CollectReport,
        config: LabelConfig | None,
        *,
        held: Lease,
        batch: str,
        run_id: str,
    ) -> None:
        self._db, self._ls, self._project, self._record, self._report = db, ls, project, record, report
        self._config, self._full = config, False
        self._held, self._batch, self._run_id = held, batch, run_id
        self._annotators = ls.users()
        self._seen: dict[int, str] = {}
        self._texts = TextReader(db, project)
        self._tally = _Tally()

    def run(self, state: SyncState, *, full: bool, task_number: int, progress: Progress) -> SyncState:
        since, self._full = None if full else state.since, full
        retry = sorted(state.quarantined)
        if state.window_total >= 0 or since is None:
            # Else the last run was killed: what it touched is to be checked together with what this one touches.
            state = replace(state, touched_since=format_time(since) if since else "")
        before = state.watermark
        for chunk in _chunked(self._changed(since, retry)):
            state = self._sync(chunk, state)
            progress(f"{self._report.tasks_read} tasks read")
        if since is not None and self._went_back(before):
            for chunk in _chunked(self._changed(None, ())):
                state = self._sync(chunk, state)
                progress(f"{self._report.tasks_read} tasks read")
            # What changes next may have a time before the old watermark.
            state = replace(state, watermark=max(self._seen.values(), default=""))
        state = self._withdraw(state, full=full)
        others = max(0, task_number - _live_tasks(self._db, self._record))
        state = replace(state, others=others).closed(self._seen)
        query = Query()
        state.save(query, self._held.condition)
        self._held.run(self._db, query)
        return state

    def keep_noted(self, keys: Sequence[str]) -> None:
        """Versions that webhooks brought and that were replaced before they could be read."""
        kept = keep_noted_versions(
            self._db,
            self._record,
            keys,
            batch=self._batch,
            held=self._held,
            annotators=self._annotators,
            run_id=self._run_id,
        )
        self._report.noted = kept.count
        self._report.problems += kept.problems

    def _withdraw(self, state: SyncState, *, full: bool) -> SyncState:
        """Tasks that Label Studio no longer has. Annotations that moved to a twin are written there first."""
        missing = missing_tasks(self._db, self._ls, self._record, batch=self._batch, full=full)
        twins = twins_of(self._ls, self._record, missing)
        for chunk in _chunked(self._by_id(twins)):
            state = self._sync(chunk, state)
        self._report.tasks_withdrawn = len(missing.gone)
        self._report.deleted += withdraw_tasks(
            self._db,
            self._project,
            self._record,
            missing.gone,
            shown=set(twins.values()),
            held=self._held,
            run_id=self._run_id,
        )
        kept = {task: why for task, why in state.quarantined.items() if task not in missing.task_ids}
        return replace(state, quarantined={**kept, **missing.moved})

    def _went_back(self, watermark: str) -> bool:
        """Whether Label Studio shows nothing as new as what was read last: no time tells then what else is older."""
        if max(self._seen.values(), default="") >= watermark:
            return False
        text = (
            f"it shows no change as late as {watermark}, which was read before: the task was deleted or moved, or "
            "Label Studio was restored to an older copy. The whole batch was compared"
        )
        self._report.problems.append(Note("Label Studio", text))
        return True

    def _changed(self, since: Any, retry: Sequence[int]) -> Iterator[Mapping[str, Any]]:
        """Changed tasks in the order of their times, which move the watermark; then quarantined ones, which do not."""
        for task in self._ls.iterate_changed(self._record.project_id, since, [in_batch(self._batch)]):
            self._seen[int(task["id"])] = format_time(parse_time(task["updated_at"]))
            yield task
        yield from self._by_id(retry)

    def _by_id(self, task_ids: Iterable[int]) -> Iterator[Mapping[str, Any]]:
        """Those of the tasks that stand in this batch."""
        for task in self._ls.tasks_by_id(self._record.project_id, task_ids):
            if task["data"].get("import_batch") == self._batch:
                yield task

    def _sync(self, tasks: Sequence[Mapping[str, Any]], state: SyncState) -> SyncState:
        """Look up the tasks once, whatever becomes of the query that writes them."""
        newest: dict[int, Mapping[str, Any]] = {int(task["id"]): task for task in tasks}
        resolved, unclear = resolve_tasks(self._db, self._record, list(newest.values()))
        shown = {int(task.raw["id"]): (task.guid, task.raw.get("annotations") or ()) for task in resolved}
        stored = stored_for(self._db, self._record, shown)
        changes = {
            task: task_change(self._record, annotations, stored[task], task_id=task, full=self._full)
            for task, (_, annotations) in shown.items()
        }
        return self._sync_chunk(_Chunk(newest, resolved, unclear, changes), state)

    def _sync_chunk(self, chunk: _Chunk, state: SyncState) -> SyncState:
        """Write a chunk; one that is refused, perhaps for its size, is split until the refused task is alone."""
        try:
            return self._sync_detail(chunk, state, Detail())
        except RefusedError as error:
            if len(chunk.tasks) == 1:
                return self._sync_less(chunk, state, error)
        ids = list(chunk.tasks)
        half = len(ids) // 2
        return self._sync_chunk(chunk.part(ids[half:]), self._sync_chunk(chunk.part(ids[:half]), state))

    def _sync_less(self, chunk: _Chunk, state: SyncState, refusal: RefusedError) -> SyncState:
        """Write less of a task that was refused; if that does not help, its forms were not the reason."""
        reason = (str(refusal).partition("): ")[2] or str(refusal))[:_REASON_CHARACTERS]
        regions = [region for mapped in self._tally.mapped for region in mapped.regions]
        tried: set[frozenset[str]] = {frozenset()}
        for detail in LESS:
            dropped = detail.dropped(regions)
            if dropped in tried:
                continue
            tried.add(dropped)
            try:
                return self._sync_detail(chunk, state, replace(detail, reason=reason))
            except RefusedError:
                continue
        raise refusal

    def _newest(self, tasks: Iterable[Mapping[str, Any]]) -> str:
        """How far the watermark may go when these are written; not to a time up to which nothing was read."""
        changed = [task for task in tasks if int(task["id"]) in self._seen]
        times = [min(self._seen[int(task["id"])], format_time(parse_time(task["updated_at"]))) for task in changed]
        return max(times, default="")

    def _sync_detail(self, chunk: _Chunk, state: SyncState, detail: Detail) -> SyncState:
        read_again = {int(task.raw["id"]) for task in chunk.resolved}
        kept = {task: why for task, why in state.quarantined.items() if task not in read_again}
        state = replace(state.moved(self._newest(chunk.tasks.values())), quarantined={**kept, **chunk.unclear})
        self._write(chunk, state, detail)
        self._count(chunk)
        return state

    def _write(self, chunk: _Chunk, state: SyncState, detail: Detail) -> None:
        self._tally = _Tally()
        resolved, changes = chunk.resolved, chunk.changes
        self._texts.prepare(
            (task.raw["data"], annotation) for task in resolved for annotation in changes[int(task.raw["id"])].current
        )
        old = old_versions(self._db, [k.guid for change in changes.values() for _, k in change.updated])
        query = Query()
        writer = AnnotationWriter(query, detail=detail)
        project = find_project(query, self._record)
        for task in resolved:
            self._write_task(writer, task, changes[int(task.raw["id"])], old, project)
        state.save(query, self._held.condition)
        reply = self._held.run(self._db, query)
        suspects = [written for place, written in writer.updates.items() if reply.count(place) != 1]
        suspects += [written for place, written in writer.creates.items() if reply.existed(place)]
        if suspects:
            self._check_overtaken(dict(suspects))

    def _write_task(
        self,
        writer: AnnotationWriter,
        task: ResolvedTask,
        change: TaskChange,
        old: Mapping[str, Mapping[str, Any]],
        project: int,
    ) -> None:
        state = task_state(task.raw.get("annotations") or ())
        if change.is_empty and state == task.recorded_state:
            return
        self._tally.tasks += 1
        context = self._context(writer.query, task, project)
        for annotation in change.created:
            mapped = self._mapped(annotation, task)
            writer.create(context, annotation, mapped)
            self._check_room(writer, annotation, mapped)
        for annotation, known in change.updated:
            mapped = self._mapped(annotation, task)
            writer.update(context, annotation, mapped, stored=known, old=dict(old[known.guid]))
            self._check_room(writer, annotation, mapped)
        for annotation, known in change.rewritten:
            mapped = self._mapped(annotation, task)
            writer.rewrite(context, annotation, mapped, known)
            self._check_room(writer, annotation, mapped)
        for known in change.removed:
            writer.bury(known, self._run_id)
        mark_task(writer.query, context, self._project.state, state)

    def _context(self, query: Query, task: ResolvedTask, project: int) -> TaskContext:
        reference, medium = add_task(
            query,
            self._record,
            project=project,
            task_id=int(task.raw["id"]),
            created_at=format_time(parse_time(task.raw["created_at"])),
            batch=self._batch,
            medium=task.medium,
            run_id=self._run_id,
        )
        return TaskContext(
            record=self._record,
            batch=self._batch,
            task_id=int(task.raw["id"]),
            medium=task.medium,
            medium_reference=medium,
            task_reference=reference,
            annotators=self._annotators,
            run_id=self._run_id,
        )

    def _mapped(self, annotation: Mapping[str, Any], task: ResolvedTask) -> MappedAnnotation:
        data = task.raw["data"]
        medium = picture_of(task.medium, self._texts.text(data, annotation))
        if self._config is not None:
            tags = tags_showing(task.guid, self._config, data)
            medium = replace(medium, shown_fps=self._config.frame_rates(data), shown_as=tags)
        mapped = map_annotation(annotation.get("result") or [], medium)
        self._tally.add(int(annotation["id"]), mapped)
        return mapped

    def _check_room(self, writer: AnnotationWriter, annotation: Mapping[str, Any], mapped: MappedAnnotation) -> None:
        """What does not fit into a query of one task stays out of it; several tasks are split.

        Raises:
            RefusedError: several tasks are too much for one query; nothing was sent.
        """
        left_out, detail = writer.regions.left_out, writer.detail
        if left_out and self._tally.tasks > 1:
            raise RefusedError("These tasks are too large for one query together.")
        number = int(annotation["id"])
        self._tally.note(number, (f"{what}: in its JSON only, they do not fit into one query" for what in left_out))
        left_out.clear()
        if detail.dropped(mapped.regions):
            self._tally.note(number, [f"without its {detail.missing}, as ApertureDB refused them: {detail.reason}"])

    def _count(self, chunk: _Chunk) -> None:
        self._report.tasks_read += len(chunk.tasks)
        for change in chunk.changes.values():
            self._report.created += len(change.created)
            self._report.updated += len(change.updated)
            self._report.deleted += len(change.removed)
            self._report.unchanged += change.unchanged
            self._report.rewritten += len(change.rewritten)
        self._report.problems += self._tally.problems
        self._report.regions += self._tally.regions
        self._report.raw_kinds = dict(Counter(self._report.raw_kinds) + self._tally.raw)

    def _check_overtaken(self, written: Mapping[str, str]) -> None:
        """`written` (GUID -> content hash) were not as they had been read.

        If they are now what we wrote, the query was only sent twice, because its reply was lost. Else another
        process wrote them meanwhile, and their regions are a mixture.
        """
        hashes = {guid: known.content_hash for guid, known in annotations_by_guid(self._db, written).items()}
        overtaken = [guid for guid, hash_ in written.items() if hashes.get(guid) != hash_]
        if overtaken:
            self._invalidate({guid: hashes.get(guid, "") for guid in overtaken})

    def _invalidate(self, hashes: Mapping[str, str]) -> None:
        """Another writer was quicker: mark the hashes, so that the next sync writes these again."""
        query = Query()
        for guid, hash_ in hashes.items():
            condition, doubtful = equal(names.LS_GUID, guid), {"LS_content_hash": doubtful_hash(hash_)}
            body = {"with_class": names.ANNOTATION, "constraints": condition, "properties": doubtful}
            query.add("UpdateEntity", body)
        replace(load_state(self._db, self._held.key), window_total=-1, watermark="").save(query)
        self._db.run(query)
        raise TransientError(
            f"{len(hashes)} annotations of batch {self._batch!r} were changed by another process during the sync. "
            "Run it again; it will read them anew."
        )


def mark_task(query: Query, context: TaskContext, state_property: str, state: str) -> None:
    """Write the state of a task, and of its medium in this project."""
    query.add("UpdateEntity", {"ref": context.task_reference, "properties": {"LS_state": state}})
    kind = context.medium.kind
    query.add(f"Update{kind}", {"ref": context.medium_reference, "properties": {state_property: state}})


def task_state(annotations: Sequence[Mapping[str, Any]]) -> str:
    """open, done or skipped, from the annotations that Label Studio holds."""
    if any(not annotation.get("was_cancelled") for annotation in annotations):
        return "done"
    return "skipped" if annotations else "open"


def _chunked(tasks: Iterator[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """A chunk ends with the task that fills it: none is read that is not in it, so the watermark can follow."""
    chunk: list[Mapping[str, Any]] = []
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
