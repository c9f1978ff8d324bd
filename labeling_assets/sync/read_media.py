"""Rows of a batch to bytes, facts and GUIDs; what cannot be read is noted by row."""

import json
import math
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import httpx

from labeling_assets import names
from labeling_assets.errors import ConfigurationError, InputError, TransientError
from labeling_assets.identity import checked_guid, content_guid, sha256_of
from labeling_assets.media_sources import NOWHERE, MediaSources
from labeling_assets.projects import Project
from labeling_assets.sync.batch_rows import Row
from labeling_assets.sync.download import Downloads
from labeling_assets.sync.facts.media_facts import media_facts
from labeling_assets.sync.facts.record import MediaFacts
from labeling_assets.sync.media_store import kind_of
from labeling_assets.sync.register_media import Origin, Registered, only_registered, register_file
from labeling_assets.sync.report import IngestReport, Note

Cell = str | float | bool
# So many rows without an answer: the server is down, and trying the others would take hours.
_TRANSIENT_LIMIT: Final = 50


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is taken of media that somebody hands in; None takes what can be read.

    `media_types` as in `MediaFacts`; `picture_pixels` is the largest width times height of a picture.
    """

    media_types: frozenset[str] | None = None
    picture_pixels: int | None = None

    def refuse_others(self, facts: MediaFacts) -> None:
        """Raises InputError: it is of another type."""
        if self.media_types is not None and facts.media_type not in self.media_types:
            named = f"{facts.media_type} ({facts.mime_type})"
            raise InputError(f"it is {named}, and only {', '.join(sorted(self.media_types))} are taken here.")


ANYTHING: Final = Accepted()


@dataclass(frozen=True, slots=True)
class PreparedMedium:
    """A row whose bytes were read and understood; `columns` are its metadata in their types.

    `data` are the bytes to store; where they stay at `origin`, those of a marker. `repeats` is the earlier row of this
    run that brought the same bytes, if there is one.
    """

    row: Row
    data: bytes
    facts: MediaFacts
    sha256: str
    guid: str
    columns: Mapping[str, Cell]
    origin: Origin | None = None
    repeats: Row | None = None

    @property
    def kind(self) -> str:
        """Image, Video or Blob: as what ApertureDB stores it."""
        return "Blob" if self.origin else kind_of(self.facts.media_type)

    @property
    def size_bytes(self) -> int:
        """Of the medium, wherever its bytes are."""
        return self.origin.size_bytes if self.origin else len(self.data)

    @property
    def subject(self) -> str:
        """How reports name the row."""
        return self.row.subject


@dataclass(frozen=True, slots=True)
class BatchRules:
    """What the projects of a batch agree on: where GUIDs come from, and types of columns that are not text."""

    guid_source: str
    column_types: Mapping[str, str]

    @classmethod
    def of(cls, projects: Sequence[Project], batch: str) -> "BatchRules":
        """The rules of a batch.

        Raises:
            ConfigurationError: its projects disagree; media are shared, so they must not.
        """
        return cls(_guid_source(projects, batch), _column_types(projects, batch))


def _guid_source(projects: Sequence[Project], batch: str) -> str:
    """Where GUIDs come from: media are shared, so the projects of a batch must agree."""
    sources = {project.guid for project in projects} or {"content"}
    if len(sources) > 1:
        named = ", ".join(f"{project.slug}: {project.guid}" for project in projects)
        raise ConfigurationError(
            f"The projects of batch {batch!r} disagree on where GUIDs come from ({named}). "
            "Give them the same `guid` in project.yaml, or keep the batch out of one with `batches`."
        )
    return sources.pop()


def _column_types(projects: Sequence[Project], batch: str) -> dict[str, str]:
    types: dict[str, str] = {}
    for project in projects:
        for column, kind in project.columns.items():
            if types.setdefault(column, kind) != kind:
                raise ConfigurationError(
                    f"The projects of batch {batch!r} disagree on the type of column {column!r}: "
                    f"{types[column]} and {kind}. Make `columns` in their project.yaml agree."
                )
    return types


def typed(value: str, kind: str, name: str) -> str | float | bool:
    """A cell of a manifest as the project types its column.

    Raises:
        InputError: it is no such value.
    """
    if kind == "text":
        return value
    try:
        if kind == "number":
            number = float(value)
            if not math.isfinite(number):  # JSON has neither, so no query could hold them
                raise ValueError(value)
            return number
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[value.strip().lower()]
    except (ValueError, KeyError) as error:
        raise InputError(f"column {name!r} holds {json.dumps(value)}, which is no {kind}.") from error


class MediaReader:
    """Rows to bytes and facts; what cannot be read is noted and left out.

    Media above `size_limit` bytes are registered: their bytes stay where they are, if `sources` allows that.
    `transient` are those of the failed rows that may be read later; after 50 of them it stops.
    """

    def __init__(
        self,
        http: httpx.Client,
        size_limit: int,
        rules: BatchRules,
        report: IngestReport,
        *,
        accepted: Accepted = ANYTHING,
        sources: MediaSources = NOWHERE,
    ) -> None:
        self._accepted = accepted
        self._downloads = Downloads(http, size_limit, sources)
        self._limit = size_limit
        self._sources = sources
        self._rules = rules
        self._report = report
        self.transient: list[Note] = []
        self._first: dict[str, PreparedMedium] = {}  # sha256 -> what brought these bytes, without the bytes
        self._guids: dict[str, str] = {}  # guid -> sha256

    def read(self, rows: Sequence[Row]) -> Iterator[PreparedMedium]:
        """The usable rows, one at a time, so that only a chunk of them is in memory."""
        for row in rows:
            try:
                prepared = self._prepare(row)
            except InputError as error:
                self._report.failed.append(Note(row.subject, str(error)))
                continue
            except TransientError as error:
                self.transient.append(Note(row.subject, str(error)))
                self._report.failed.append(self.transient[-1])
                if len(self.transient) == _TRANSIENT_LIMIT:
                    return
                continue
            yield prepared

    def _prepare(self, row: Row) -> PreparedMedium:
        if row.problem:
            raise InputError(row.problem)
        data, facts, sha256, origin = self._read(row)
        self._accepted.refuse_others(facts)
        first = self._first.get(sha256)
        if first is not None:
            text = f"same bytes as {first.subject}; kept once"
            self._report.duplicates.append(Note(row.subject, text))
            return replace(first, row=row, data=data, origin=origin, repeats=first.row)
        guid = self._guid(row, sha256)
        if self._guids.setdefault(guid, sha256) != sha256:
            raise InputError(f"its GUID {guid!r} stands in an earlier row with other bytes: make the GUIDs unique.")
        prepared = PreparedMedium(row, data, facts, sha256, guid, self._columns(row), origin)
        if facts.warning:
            self._report.warnings.append(Note(row.subject, facts.warning))
        self._first[sha256] = replace(prepared, data=b"")
        return prepared

    def _columns(self, row: Row) -> dict[str, Cell]:
        used = {names.GUID, self._rules.guid_source.removeprefix("column:")}
        types = self._rules.column_types
        return {
            name: typed(value, types.get(name, "text"), name) for name, value in row.columns.items() if name not in used
        }

    def _guid(self, row: Row, sha256: str) -> str:
        source = self._rules.guid_source
        if source.startswith("column:"):
            column = source.removeprefix("column:")
            if column not in row.columns:
                raise InputError(f"its column {column!r} is empty or missing, and the GUID is to come from there.")
            return checked_guid(row.columns[column])
        return str(uuid.uuid4()) if source == "minted" else content_guid(sha256)

    def _read(self, row: Row) -> tuple[bytes, MediaFacts, str, Origin | None]:
        """The bytes to store, facts and digest of the medium, and where its bytes stay if it is only registered."""
        read = self._file(row) if row.url is None else self._downloads.get(row.url)
        if isinstance(read, Registered):
            return read.marker, read.facts, read.sha256, read.origin
        facts = media_facts(read, row.source, picture_pixels=self._accepted.picture_pixels)
        return read, facts, sha256_of(read), None

    def _file(self, row: Row) -> bytes | Registered:
        assert row.path is not None
        try:
            if row.path.stat().st_size > self._limit:
                return self._registered(row, row.path)
            return row.path.read_bytes()
        except FileNotFoundError as error:
            raise InputError(
                f"there is no file {row.source}: correct the path (it is relative to the batch)."
            ) from error
        except OSError as error:
            raise InputError(f"{row.source} cannot be read ({error.strerror or error}): correct the path.") from error

    def _registered(self, row: Row, path: Path) -> Registered:
        try:
            real = self._sources.path_of(path.absolute().as_uri())
        except InputError as error:
            raise only_registered(self._limit, error) from error
        return register_file(real, row.source)
