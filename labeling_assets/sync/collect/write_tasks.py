"""Compared tasks as queries to ApertureDB: many tasks in one, split where the server refuses it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Final, Self

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Reply
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.label_studio_query import format_time, parse_time
from labeling_assets.clients.query import Query
from labeling_assets.errors import LabelingAssetsError, RefusedError, TransientError
from labeling_assets.mapping.annotation import MappedAnnotation, map_annotation
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.projects import Project
from labeling_assets.sync.collect.compare_tasks import TaskChunk
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.lease import Lease
from labeling_assets.sync.read_texts import TextReader
from labeling_assets.sync.report import CollectReport, Note
from labeling_assets.sync.resolve_tasks import ResolvedTask
from labeling_assets.sync.shown_medium import picture_of, tags_showing
from labeling_assets.sync.stored_annotations import TaskChange, annotations_by_guid, doubtful_hash, old_versions
from labeling_assets.sync.task_record import add_task, find_project
from labeling_assets.sync.watermark import SyncState, load_state
from labeling_assets.sync.write_annotation import AnnotationWriter
from labeling_assets.sync.write_regions import LESS, Detail, TaskContext

_REASON_CHARACTERS: Final = 500


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
class _Built:
    """A chunk as one query, the sync state before and after it."""

    chunk: TaskChunk
    before: SyncState
    after: SyncState
    query: Query
    writer: AnnotationWriter
    tally: _Tally


class TaskWriter:
    """Writes chunks, each with the sync state in one query, while the lease is held; counts into the report.

    A chunk is sent by a thread while the next one is compared and built: at most one is under way, and they are
    written in their order. In a `with`, the last one has been written at its end.
    """

    def __init__(
        self,
        db: ApertureDB,
        project: Project,
        record: ProjectRecord,
        report: CollectReport,
        config: LabelConfig | None,
        *,
        held: Lease,
        annotators: Mapping[int, str],
        run_id: str,
    ) -> None:
        self._db, self._project, self._record, self._report = db, project, record, report
        self._config, self._batch = config, report.batch
        self._held, self.run_id = held, run_id
        self._annotators = annotators
        self._texts = TextReader(db, project)
        self._tally = _Tally()
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="write-tasks")
        self._sent: tuple[_Built, Future[Reply]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            # What was begun is looked at in any case: another process may have written the same.
            with nullcontext() if error is None else suppress(LabelingAssetsError):
                self.finish()
        finally:
            self._sender.shutdown()

    def write(self, chunk: TaskChunk, state: SyncState) -> SyncState:
        """Begin to write a chunk and the state that is true with it; returns that state.

        A chunk that is refused, perhaps for its size, is split until the refused task is alone. What is wrong with one
        chunk may be raised with the next one, or by `finish`.
        """
        try:
            built = self._build(chunk, state, Detail())
        except RefusedError as error:
            self.finish()
            return self._split(chunk, state, error, self._tally)
        self.finish()
        self._sent = built, self._sender.submit(self._held.run, self._db, built.query)
        return built.after

    def finish(self) -> None:
        """Wait until all is written that was begun.

        Raises:
            RefusedError: ApertureDB takes a task in no form.
            TransientError: ApertureDB or the lease went away, or another process wrote the same.
        """
        if self._sent is None:
            return
        (built, future), self._sent = self._sent, None
        try:
            self._check(built, future.result())
        except RefusedError as error:
            self._split(built.chunk, built.before, error, built.tally)

    def finish_before(self, task_ids: Iterable[int]) -> None:
        """The same, if one of these tasks is being written: it must not be compared with what was there before."""
        if self._sent is not None and not self._sent[0].chunk.tasks.keys().isdisjoint(task_ids):
            self.finish()

    def _split(self, chunk: TaskChunk, state: SyncState, refusal: RefusedError, tally: _Tally) -> SyncState:
        """Write what was refused in parts, or less of it."""
        if len(chunk.tasks) == 1:
            return self._write_less(chunk, state, refusal, tally)
        ids = list(chunk.tasks)
        half = len(ids) // 2
        for part in (ids[:half], ids[half:]):
            state = self.write(chunk.part(part), state)
            self.finish()
        return state

    def _write_less(self, chunk: TaskChunk, state: SyncState, refusal: RefusedError, tally: _Tally) -> SyncState:
        """Write less of a task that was refused; if that does not help, its forms were not the reason."""
        reason = (str(refusal).partition("): ")[2] or str(refusal))[:_REASON_CHARACTERS]
        regions = [region for mapped in tally.mapped for region in mapped.regions]
        tried: set[frozenset[str]] = {frozenset()}
        for detail in LESS:
            dropped = detail.dropped(regions)
            if dropped in tried:
                continue
            tried.add(dropped)
            try:
                built = self._build(chunk, state, replace(detail, reason=reason))
                self._check(built, self._held.run(self._db, built.query))
            except RefusedError:
                continue
            return built.after
        raise refusal

    def _build(self, chunk: TaskChunk, state: SyncState, detail: Detail) -> _Built:
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
        after = replace(state.moved(chunk.newest), quarantined=chunk.quarantined(state.quarantined))
        after.save(query, self._held.condition)
        return _Built(chunk, state, after, query, writer, self._tally)

    def _check(self, built: _Built, reply: Reply) -> None:
        """Was it written as it was meant?"""
        writer = built.writer
        suspects = [written for place, written in writer.updates.items() if reply.count(place) != 1]
        suspects += [written for place, written in writer.creates.items() if reply.existed(place)]
        if suspects:
            self._check_overtaken(dict(suspects))
        self._count(built)

    def _write_task(
        self,
        writer: AnnotationWriter,
        task: ResolvedTask,
        change: TaskChange,
        old: Mapping[str, Mapping[str, Any]],
        project: int,
    ) -> None:
        if not is_written(task, change):
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
            writer.remove(known, self.run_id, erase=self._project.allow_deletions)
        state = task_state(task.raw.get("annotations") or ())
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
            run_id=self.run_id,
        )
        return TaskContext(
            record=self._record,
            batch=self._batch,
            task_id=int(task.raw["id"]),
            medium=task.medium,
            medium_reference=medium,
            task_reference=reference,
            annotators=self._annotators,
            run_id=self.run_id,
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

    def _count(self, built: _Built) -> None:
        for change in built.chunk.changes.values():
            self._report.created += len(change.created)
            self._report.updated += len(change.updated)
            self._report.deleted += len(change.removed)
            self._report.unchanged += change.unchanged
            self._report.rewritten += len(change.rewritten)
        self._report.problems += built.tally.problems
        self._report.regions += built.tally.regions
        self._report.raw_kinds = dict(Counter(self._report.raw_kinds) + built.tally.raw)

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


def is_written(task: ResolvedTask, change: TaskChange) -> bool:
    """Whether anything of a task is to be written: an annotation, or its own state."""
    return not change.is_empty or task_state(task.raw.get("annotations") or ()) != task.recorded_state


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
