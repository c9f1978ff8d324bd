"""Media of a batch into ApertureDB: each distinct medium once, connected to its batch, marked as new."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import all_of, any_of, equal, missing, one_of
from labeling_assets.clients.query import Query
from labeling_assets.clients.s3 import MOUNT, S3Transport
from labeling_assets.errors import InputError, RefusedError, TransientError
from labeling_assets.identity import sha256_of
from labeling_assets.media_sources import NOWHERE, MediaSources
from labeling_assets.projects import Project
from labeling_assets.sync.batch_rows import Row
from labeling_assets.sync.database import prepare_database
from labeling_assets.sync.media_store import (
    FACTS,
    ROLE,
    STORED_AT,
    STORED_VERSION,
    Medium,
    find_media,
    media_of_batch,
)
from labeling_assets.sync.read_media import ANYTHING, Accepted, BatchRules, MediaReader, PreparedMedium
from labeling_assets.sync.report import IngestReport, Note, Placed, Progress

# One query is one transaction: big enough to be quick, small enough to be tried again (facts: 32 to 100 images).
_CHUNK_MEDIA: Final = 48
_CHUNK_BYTES: Final = 24 * 2**20
_FAILED_NOTED: Final = 1000


def ingest_media(
    db: ApertureDB,
    rows: Sequence[Row],
    *,
    batch: str,
    projects: Sequence[Project],
    size_limit_bytes: int = 200_000_000,
    sources: MediaSources = NOWHERE,
    run_id: str = "",
    progress: Progress = lambda _: None,
) -> IngestReport:
    """Put the media of `rows` into ApertureDB. Running it again changes nothing.

    A row that cannot be used is reported in `failed` and does not stop the others; the same bytes twice are one
    medium, reported in `duplicates`; media that ApertureDB has already are connected to the batch as well. What is
    larger than the limit is registered if it lies where `sources` allows it.

    Raises:
        InputError: no row could be used, or the manifest has GUIDs that the projects do not ask for.
        TransientError: ApertureDB went away, or a web server would not give some of the files now; what was written
            stays, and a second run goes on from there.
    """
    started = time.monotonic()
    with httpx.Client(timeout=60, follow_redirects=True, mounts={MOUNT: S3Transport()}) as http:
        report, transient = ingest_rows(
            db,
            rows,
            batch=batch,
            projects=projects,
            http=http,
            size_limit_bytes=size_limit_bytes,
            sources=sources,
            run_id=run_id,
            progress=progress,
        )
    _note_failed(db, batch, rows, report)
    if transient:
        raise TransientError(
            f"{len(transient)} rows of batch {batch!r} could not be downloaded now. Run it again later; what "
            "could be used is in ApertureDB:\n" + "\n".join(f"  - {n.subject}: {n.text}" for n in transient)
        )
    if rows and len(report.failed) == len(rows):
        raise InputError(
            f"No row of batch {batch!r} could be used:", tuple(f"{n.subject}: {n.text}" for n in report.failed[:50])
        )
    report.guids = sorted(medium.guid for medium in media_of_batch(db, batch, properties=(names.GUID,)))
    report.seconds = time.monotonic() - started
    return report


def ingest_rows(
    db: ApertureDB,
    rows: Sequence[Row],
    *,
    batch: str,
    projects: Sequence[Project],
    http: httpx.Client,
    size_limit_bytes: int,
    accepted: Accepted = ANYTHING,
    sources: MediaSources = NOWHERE,
    run_id: str = "",
    progress: Progress = lambda _: None,
) -> tuple[IngestReport, list[Note]]:
    """Put the media of some rows of a batch into ApertureDB. Also those of `failed` that may be read later.

    Args:
        db: Where they go.
        rows: Files and addresses, with their metadata.
        batch: The batch they belong to.
        projects: Those of the home folder.
        http: Downloads what rows give as an address.
        size_limit_bytes: Largest medium.
        accepted: What of the rest is taken.
        sources: Where larger media may stay.
        run_id: Written to what this call adds.
        progress: Gets a line for each few media.

    Raises:
        InputError: a row has a GUID that the projects do not ask for.
        ConfigurationError: the projects of the batch disagree.
        TransientError: ApertureDB went away.
    """
    concerned = [project for project in projects if project.wants(batch)]
    prepare_database(db, tuple(project.state for project in concerned))
    report = IngestReport(batch, rows=len(rows))
    rules = BatchRules.of(concerned, batch)
    _refuse_unused_guids(rows, rules, batch)
    writer = MediaWriter(db, batch, concerned, rules, report, run_id=run_id)
    reader = MediaReader(http, size_limit_bytes, rules, report, accepted=accepted, sources=sources)
    for chunk in chunked(reader.read(rows)):
        writer.write(chunk)
        progress(f"{report.created + report.known} of {len(rows)} media")
    return report, reader.transient


def _refuse_unused_guids(rows: Sequence[Row], rules: BatchRules, batch: str) -> None:
    setting = f"column:{names.GUID}"
    if rules.guid_source != setting and any(names.GUID in row.columns for row in rows):
        raise InputError(
            f"The manifest of batch {batch!r} has a column {names.GUID!r}, but GUIDs come from {rules.guid_source!r}: "
            f"set `guid: {setting}` in project.yaml to use it, or rename the column."
        )


def failed_mark(source: str) -> str:
    """What `LS_failed` holds of a row: a property is no place for a thousand long URLs."""
    return sha256_of(source.encode())[:16]


def _note_failed(db: ApertureDB, batch: str, rows: Sequence[Row], report: IngestReport) -> None:
    """Keep which rows failed last: an edge of an earlier run under the same name does not prove the contrary."""
    failed = {note.subject for note in report.failed}
    marks = list(dict.fromkeys(failed_mark(row.source) for row in rows if row.subject in failed))[:_FAILED_NOTED]
    condition = equal(names.KEY, batch)
    (held,) = db.find("FindEntity", condition, class_name=names.BATCH, properties=["LS_failed"])
    if json.loads(held["LS_failed"] or "[]") != marks:
        body = {"with_class": names.BATCH, "constraints": condition, "properties": {"LS_failed": json.dumps(marks)}}
        db.one("UpdateEntity", body)


def chunked(prepared: Iterable[PreparedMedium]) -> Iterator[list[PreparedMedium]]:
    """Lists of media that fit into one query, read as they are asked for."""
    chunk: list[PreparedMedium] = []
    size = 0
    for medium in prepared:
        if chunk and (len(chunk) >= _CHUNK_MEDIA or size + len(medium.data) > _CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(medium)
        size += len(medium.data)
    if chunk:
        yield chunk


class MediaWriter:
    """Writes chunks of media, one query a chunk; a refused chunk is split until the refused row is alone.

    `state` is what media without a mark of the projects get: `open` where the task is there before the medium.
    """

    def __init__(
        self,
        db: ApertureDB,
        batch: str,
        projects: Sequence[Project],
        rules: BatchRules,
        report: IngestReport,
        *,
        run_id: str,
        state: str = "new",
    ) -> None:
        self._db = db
        self._batch = batch
        self._projects = projects
        self._state = state
        self._rules = rules
        self._report = report
        self._run = {"LS_run_id": run_id} if run_id else {}
        self._foreign: dict[str, str] = {}  # guid -> sha256 of media that somebody else stored under it
        condition = equal(names.KEY, batch)
        if not db.count("FindEntity", condition, class_name=names.BATCH):
            body = {"class": names.BATCH, "properties": {names.KEY: batch}, "if_not_found": condition}
            db.one("AddEntity", body)

    def write(self, chunk: Sequence[PreparedMedium]) -> None:
        completed = {key for medium in chunk for key in self._completed(medium)}
        known = _known(self._db, chunk, (*FACTS, *sorted(completed)))
        try:
            usable = [medium for medium in chunk if self._usable(medium, known)]
            self._write(usable, known)
        except RefusedError as error:
            if len(chunk) == 1:
                self._report.failed.append(Note(chunk[0].subject, str(error)))
                return
            self.write(chunk[: len(chunk) // 2])
            self.write(chunk[len(chunk) // 2 :])

    def _usable(self, medium: PreparedMedium, known: Mapping[str, Medium]) -> bool:
        held = known.get(medium.guid)
        if held is None or medium.sha256 in known or self._sha256(held) == medium.sha256:
            return True
        text = f"its GUID {medium.guid!r} already names another medium in ApertureDB: make the GUIDs unique."
        note = Note(medium.subject, text)
        if note not in self._report.failed:
            self._report.failed.append(note)
        return False

    def _sha256(self, held: Medium) -> str:
        """From its properties, or from its bytes if somebody else stored it; empty if they are not one file."""
        if held.properties.get("LS_sha256"):
            return str(held.properties["LS_sha256"])
        if held.guid not in self._foreign:
            query = Query()
            query.add(f"Find{held.kind}", {"constraints": equal(names.GUID, held.guid), "blobs": True})
            blobs = self._db.run(query).blobs
            self._foreign[held.guid] = sha256_of(blobs[0]) if len(blobs) == 1 else ""
        return self._foreign[held.guid]

    def _write(self, chunk: Sequence[PreparedMedium], known: Mapping[str, Medium]) -> None:
        query = Query()
        source = query.reference()
        condition = equal(names.KEY, self._batch)
        query.add("FindEntity", {"_ref": source, "with_class": names.BATCH, "constraints": condition})
        places: dict[str, int] = {}  # sha256 -> place of the command that adds or finds the medium
        added: dict[int, PreparedMedium] = {}
        connected = self._connected(chunk, known)
        for medium in chunk:
            held = known.get(medium.sha256) or known.get(medium.guid)
            there = held is not None and self._edge(medium, held) in connected
            if held and there and not self._lacking(medium, held) and not _moved(medium, held):
                continue
            if medium.sha256 not in places:
                places[medium.sha256] = self._add(query, medium, held)
                if held is None:
                    added[places[medium.sha256]] = medium
            query.connect(
                names.BATCH_MEDIA,
                self._edge(medium, held),
                source=source,
                destination=query.commands[places[medium.sha256]][1]["_ref"],
                LS_batch=self._batch,
                LS_row=medium.row.number,
                LS_source_uri=medium.row.source,
                **self._run,
            )
        created = set()
        if places:
            reply = self._db.run(query)
            created = {place for place in added if not reply.existed(place)}
        self._count(chunk, created, added)
        self._place(chunk, known, {added[place].row.number for place in created})
        self._note_unused_guids(chunk, known)

    def _place(self, chunk: Sequence[PreparedMedium], known: Mapping[str, Medium], created: set[int]) -> None:
        for medium in chunk:
            held = known.get(medium.sha256) or known.get(medium.guid)
            number, guid = medium.row.number, held.guid if held else medium.guid
            self._report.placed[number] = Placed(guid, medium.sha256, number in created)

    def _edge(self, medium: PreparedMedium, held: Medium | None) -> str:
        return f"{self._batch}|{held.guid if held else medium.guid}|{medium.row.source}"

    def _connected(self, chunk: Sequence[PreparedMedium], known: Mapping[str, Medium]) -> set[str]:
        """The keys of the edges from the batch to known media that are there already."""
        held = [(medium, known.get(medium.sha256) or known.get(medium.guid)) for medium in chunk]
        edges = [self._edge(medium, there) for medium, there in held if there]
        if not edges:
            return set()
        condition = one_of(names.KEY, edges)
        rows = self._db.find("FindConnection", condition, class_name=names.BATCH_MEDIA, properties=[names.KEY])
        return {str(row[names.KEY]) for row in rows}

    def _note_unused_guids(self, chunk: Sequence[PreparedMedium], known: Mapping[str, Medium]) -> None:
        """The same bytes stay the medium they are, whatever a manifest calls them later."""
        for medium in chunk if self._rules.guid_source.startswith("column:") else ():
            held = known.get(medium.sha256)
            if held is not None and held.guid != medium.guid and medium.repeats is None:
                text = f"same bytes as the medium {held.guid!r}; the GUID {medium.guid!r} is not used"
                self._report.duplicates.append(Note(medium.subject, text))

    def _add(self, query: Query, medium: PreparedMedium, held: Medium | None) -> int:
        """Add the medium, or refer to the one that is there: its bytes need not travel again."""
        reference = query.reference()
        if held is not None:
            body = {"_ref": reference, "constraints": equal(names.GUID, held.guid), "blobs": False}
            place = query.add(f"Find{held.kind}", body)
            for key, value in self._lacking(medium, held).items():
                condition = all_of(equal(names.GUID, held.guid), missing(key))
                query.add(f"Update{held.kind}", {"constraints": condition, "properties": {key: value}})
            if moved := _moved(medium, held):
                query.add(f"Update{held.kind}", {"constraints": equal(names.GUID, held.guid), "properties": moved})
            return place
        body = {
            "_ref": reference,
            "properties": {names.GUID: medium.guid, **self._properties(medium)},
            "if_not_found": equal(names.GUID, medium.guid),
        }
        return query.add(f"Add{medium.kind}", body, medium.data)

    def _completed(self, medium: PreparedMedium) -> dict[str, Any]:
        """The facts, metadata and marks that a known medium is given where it lacks them; what it has stays."""
        marks = {p.state: self._state for p in self._projects if medium.facts.media_type in p.taken_types}
        return {**medium.facts.properties(), **medium.columns, **marks}

    def _lacking(self, medium: PreparedMedium, held: Medium) -> dict[str, Any]:
        foreign = not held.properties.get("LS_sha256")
        values = self._properties(medium) if foreign else self._completed(medium)
        if foreign:  # whose bytes are in ApertureDB
            values = {key: value for key, value in values.items() if key not in (STORED_AT, STORED_VERSION)}
        return {key: value for key, value in values.items() if held.properties.get(key) is None}

    def _properties(self, medium: PreparedMedium) -> dict[str, Any]:
        values: dict[str, Any] = {
            ROLE: "media",
            "LS_sha256": medium.sha256,
            "LS_size_bytes": medium.size_bytes,
            "LS_source_uri": medium.row.source,
            "LS_imported_at": {"_date": datetime.now(UTC).isoformat()},
            **self._run,
        }
        return values | _stored_elsewhere(medium) | self._completed(medium)

    def _count(self, chunk: Sequence[PreparedMedium], created: set[int], added: Mapping[int, PreparedMedium]) -> None:
        self._report.created += len(created)
        distinct = [medium for medium in chunk if medium.repeats is None]
        self._report.known += len(distinct) - len(created)
        self._report.registered += sum(added[place].origin is not None for place in created)
        self._report.bytes_stored += sum(added[place].size_bytes for place in created if not added[place].origin)
        for medium in distinct:
            kind = medium.facts.media_type
            self._report.media_types[kind] = self._report.media_types.get(kind, 0) + 1


def _stored_elsewhere(medium: PreparedMedium) -> dict[str, Any]:
    origin = medium.origin
    return {} if origin is None else {STORED_AT: origin.uri, STORED_VERSION: origin.version}


def _moved(medium: PreparedMedium, held: Medium) -> dict[str, Any]:
    """Where the bytes of a registered medium were found now, if that is another place than it has noted."""
    now = _stored_elsewhere(medium)
    noted = {key: held.properties.get(key) for key in now}
    return now if held.properties.get(STORED_AT) is not None and noted != now else {}


def _known(db: ApertureDB, chunk: Sequence[PreparedMedium], properties: Sequence[str]) -> dict[str, Medium]:
    """GUID and SHA-256 -> the medium that ApertureDB has already."""
    condition = any_of(
        one_of(names.GUID, [medium.guid for medium in chunk]),
        one_of("LS_sha256", [medium.sha256 for medium in chunk]),
    )
    found: dict[str, Medium] = {}
    foreign = all_of(one_of(names.GUID, [medium.guid for medium in chunk]), missing(ROLE))  # other people's blobs
    blobs = db.find("FindBlob", foreign, properties=list(properties), blobs=False)
    others = [Medium(str(blob[names.GUID]), "Blob", blob) for blob in blobs]
    for medium in [*find_media(db, condition, properties), *others]:
        found.setdefault(medium.guid, medium)
        if medium.properties.get("LS_sha256"):
            found.setdefault(str(medium.properties["LS_sha256"]), medium)
    return found
