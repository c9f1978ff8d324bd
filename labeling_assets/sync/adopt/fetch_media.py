"""Media that ApertureDB does not have, or has under another link: fetched from where the tasks show them."""

from collections.abc import Mapping, Sequence
from typing import Final

import httpx

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import all_of, any_of, missing, one_of
from labeling_assets.clients.label_studio import TaskRow
from labeling_assets.clients.query import Query
from labeling_assets.errors import TransientError
from labeling_assets.media_sources import MediaSources
from labeling_assets.projects import Project
from labeling_assets.sync.adopt import project_adoption_report as found
from labeling_assets.sync.adopt.find_task_media import TaskMedium, guid_problem, type_problem
from labeling_assets.sync.adopt.project_adoption_report import ProjectAdoption
from labeling_assets.sync.adopt.task_files import TaskFiles
from labeling_assets.sync.batch_rows import Row
from labeling_assets.sync.ingest_media import MediaWriter, chunked
from labeling_assets.sync.lease import Lease
from labeling_assets.sync.media_store import Medium, find_media
from labeling_assets.sync.read_media import BatchRules, MediaReader, PreparedMedium
from labeling_assets.sync.report import IngestReport

_WANTED: Final = (names.GUID, "LS_sha256", "LS_media_type")


class Fetcher:
    """Fetches files of tasks, a few at a time; with a lease it stores what is new, without it only counts.

    `ingest`: whether media that ApertureDB does not have are to be stored; else their tasks are left alone.
    """

    def __init__(
        self,
        db: ApertureDB,
        project: Project,
        files: TaskFiles,
        http: httpx.Client,
        report: ProjectAdoption,
        *,
        size_limit_bytes: int,
        sources: MediaSources,
        ingest: bool,
        held: Lease | None,
    ) -> None:
        self._db, self._project, self._files, self._report = db, project, files, report
        self._ingest, self._held = ingest, held
        self._rows = IngestReport(report.batch)
        self._rules = BatchRules.of([project], report.batch)
        self._reader = MediaReader(http, size_limit_bytes, self._rules, self._rows, sources=sources)
        self._writers: dict[str, MediaWriter] = {}
        self._coming: dict[str, tuple[str, str]] = {}  # SHA-256 -> GUID and type of media that this run stores

    def fetch(self, tasks: Sequence[TaskRow], batches: Mapping[int, str]) -> list[TaskMedium]:
        """The tasks whose files are media, with those; `batches` has the import batch of each task.

        Raises:
            TransientError: too many files cannot be had now; what was done stays, and a second run goes on.
        """
        by_id = {task.id: task for task in tasks}
        rows = [row for task in tasks if (row := self._row(task)) is not None]
        left = {row.subject: row.number for row in rows}
        settled: list[TaskMedium] = []
        for chunk in chunked(self._reader.read(rows)):
            settled += self._settle(chunk, by_id, batches)
            for prepared in chunk:
                left.pop(prepared.subject, None)
            if self._held is not None:
                self._held.run(self._db, Query())
        for note in self._rows.failed:
            if note.subject in left:
                self._report.refuse(found.UNREADABLE, left.pop(note.subject), note.text)
        self._rows.failed.clear()
        if left:
            waiting = self._reader.transient
            raise TransientError(
                f"{len(waiting)} files could not be fetched now, so the others were not tried. Run it again later; "
                f"what was done stays. The first: {waiting[0].subject}: {waiting[0].text}"
            )
        return settled

    def _row(self, task: TaskRow) -> Row | None:
        link = self._files.link(task.data)
        if link is None:
            key = f"data.{self._files.key} is not a link" if self._files.key else "its data has no link"
            self._report.refuse(found.NO_LINK, task.id, f"nothing matches it, and {key}")
            return None
        source = self._rules.guid_source
        column = source.removeprefix("column:") if source.startswith("column:") else None
        value = task.data.get(column) if column is not None else None
        columns = {column: str(value)} if column is not None and isinstance(value, str | int) else {}
        return self._files.row(task.id, link, columns)

    def _settle(
        self, chunk: Sequence[PreparedMedium], by_id: Mapping[int, TaskRow], batches: Mapping[int, str]
    ) -> list[TaskMedium]:
        by_bytes, by_guid = self._held_media(chunk)
        settled: list[TaskMedium] = []
        new: dict[str, list[PreparedMedium]] = {}
        for prepared in chunk:
            task = by_id[prepared.row.number]
            held = by_bytes.get(prepared.sha256)
            guid = held.guid if held else self._coming.get(prepared.sha256, (prepared.guid, ""))[0]
            media_type = str(held.properties["LS_media_type"]) if held else prepared.facts.media_type
            known = held is not None or prepared.sha256 in self._coming
            if self._refused(task, guid, media_type, known=known, taken=by_guid):
                continue
            kind = held.kind if held else prepared.kind
            settled.append(TaskMedium(task, guid, kind, "hash" if known else "ingested", ingested=not known))
            if not known:
                self._coming[prepared.sha256] = (guid, media_type)
                new.setdefault(batches[task.id], []).append(prepared)
        return self._stored(settled, new)

    def _refused(self, task: TaskRow, guid: str, media_type: str, *, known: bool, taken: Mapping[str, Medium]) -> bool:
        """Whether a task is left alone, which is then noted."""
        problem = guid_problem(task, guid)
        if problem:
            self._report.refuse(found.CONTRADICTORY, task.id, problem)
        elif media_type not in self._project.taken_types:
            self._report.refuse(found.OTHER_TYPE, task.id, type_problem(self._project, guid, media_type))
        elif known:
            return False
        elif not self._ingest:
            self._report.refuse(found.UNMATCHED, task.id, "no medium has these bytes")
        elif guid in taken:
            self._report.refuse(found.CONTRADICTORY, task.id, f"its GUID {guid!r} already names another medium")
        else:
            return False
        return True

    def _held_media(self, chunk: Sequence[PreparedMedium]) -> tuple[dict[str, Medium], dict[str, Medium]]:
        """The media of ApertureDB with these bytes, by SHA-256, and with these GUIDs, by GUID."""
        bytes_ = one_of("LS_sha256", [prepared.sha256 for prepared in chunk])
        guids = one_of(names.GUID, [prepared.guid for prepared in chunk])
        media = find_media(self._db, all_of(any_of(bytes_, guids), missing("LS_duplicate_of")), _WANTED)
        by_bytes = {str(m.properties["LS_sha256"]): m for m in reversed(media) if m.properties.get("LS_sha256")}
        return by_bytes, {medium.guid: medium for medium in media}

    def _stored(self, settled: Sequence[TaskMedium], new: Mapping[str, Sequence[PreparedMedium]]) -> list[TaskMedium]:
        """Store what is new; what ApertureDB refused is noted and left out."""
        added = [prepared for some in new.values() for prepared in some]
        lost: set[str] = set()
        if self._held is not None and added:
            for batch, some in new.items():
                self._writer(batch).write(some)
            there, _ = self._held_media(added)
            lost = {prepared.guid for prepared in added if prepared.sha256 not in there}
            self._coming = {sha: coming for sha, coming in self._coming.items() if coming[0] not in lost}
        why = {note.subject: note.text for note in self._rows.failed}
        for prepared in added:
            if prepared.guid not in lost:
                self._count(prepared)
        for medium in settled:
            if medium.guid in lost:
                subject = next((p.subject for p in added if p.guid == medium.guid), "")
                self._report.refuse(found.UNREADABLE, medium.task.id, why.get(subject, "ApertureDB did not take it"))
        return [medium for medium in settled if medium.guid not in lost]

    def _count(self, prepared: PreparedMedium) -> None:
        self._report.ingested += 1
        if prepared.origin is not None:
            self._report.registered += 1
        else:
            self._report.bytes_ingested += prepared.size_bytes

    def _writer(self, batch: str) -> MediaWriter:
        if batch not in self._writers:
            self._writers[batch] = MediaWriter(
                self._db, batch, [self._project], self._rules, self._rows, run_id="", state="open"
            )
        return self._writers[batch]
