"""The body of a push: files of a form as they arrive, or addresses in JSON. Both become rows of a batch.

Nothing that a client says becomes a path: a file is stored under a number, and its name is a text.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header
from starlette.requests import Request

from labeling_assets.errors import InputError
from labeling_assets.sync.batch_rows import Row, columns_problem, shown_url

ROWS: Final = 1000
JSON_BYTES: Final = 16 * 2**20
_FIELD_BYTES: Final = 64 * 1024
_FIELDS: Final = 100
_PARTS: Final = 20 * ROWS
_LONGEST_NAME: Final = 500
_PIECE_TIMEOUT_S: Final = 60.0
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")


class TooLarge(Exception):
    """The body is larger than what is taken."""


class TooSlow(Exception):
    """Nothing came for a minute."""


class Unsupported(Exception):
    """The body is of a type that is not taken."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Largest body and largest file, in bytes."""

    body_bytes: int
    file_bytes: int


def rows_of(request: Request, folder: Path, limits: Limits) -> AsyncGenerator[Row]:
    """The rows of a push, each as soon as it is complete; files lie in `folder` until somebody removes them.

    Raises:
        Unsupported: the body is neither a form nor JSON.
        InputError: it is not what it says it is.
        TooLarge: it is larger than allowed.
        TooSlow: it stopped to come.
        starlette.requests.ClientDisconnect: the client went away.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind == "application/json":
        return _json_rows(request)
    if kind == "multipart/form-data" and options.get("boundary"):
        return _Form(options["boundary"], folder, limits).rows(request)
    raise Unsupported(kind)


def name_problem(name: str) -> str:
    """Why a file cannot have this name; empty if it can. Folders are fine, ways out of them are not."""
    parts = name.split("/")
    if not name or len(name) > _LONGEST_NAME:
        return f"its name has {len(name)} characters: use 1 to {_LONGEST_NAME}."
    if _CONTROL.search(name) or any(part in ("", ".", "..") for part in parts):
        return "its name is no plain file name: leave out '\\', '..', control characters and a '/' at the beginning."
    return ""


async def _pieces(request: Request, limit_bytes: int) -> AsyncIterator[bytes]:
    """The body piece by piece, which is given up as soon as it is too large or too slow."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > limit_bytes:
        raise TooLarge(f"The body has {length[:20]} bytes, at most {limit_bytes} are taken.")
    received = 0
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(_PIECE_TIMEOUT_S):
                piece = await anext(stream, None)
        except TimeoutError as error:
            raise TooSlow(f"Nothing came for {_PIECE_TIMEOUT_S:g} s.") from error
        if piece is None:
            return
        received += len(piece)
        if received > limit_bytes:
            raise TooLarge(f"The body has more than {limit_bytes} bytes, which is the limit.")
        if piece:
            yield piece


async def _json_rows(request: Request) -> AsyncGenerator[Row]:
    body = b"".join([piece async for piece in _pieces(request, JSON_BYTES)])
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError(f"The body is no JSON: {error}.") from error
    media = given.get("media") if isinstance(given, Mapping) else None
    if not isinstance(media, list) or not media:
        raise InputError('The body must be {"media": [{"url": "https://..."}, ...]}, with at least one medium.')
    if len(media) > ROWS:
        raise InputError(f"The body names {len(media)} media; send at most {ROWS} at once.")
    for number, entry in enumerate(media, start=1):
        yield _url_row(number, entry)


def _url_row(number: int, entry: object) -> Row:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("url"), str):
        return Row(number, "", problem='it is no object with a "url".')
    url = entry["url"].strip()
    source = _CONTROL.sub("", shown_url(url))[:_LONGEST_NAME]
    columns = {str(key): _cell(value) for key, value in entry.items() if key != "url" and value is not None}
    problem = _columns_problem(columns)
    if None in columns.values():
        problem = problem or "its fields must be texts, numbers or truth values."
    if _CONTROL.search(url):
        problem = problem or "there are control characters in its url."
    if problem:
        return Row(number, source, problem=problem)
    return Row(number, source, url=url, columns={key: value for key, value in columns.items() if value})


def _cell(value: object) -> str | None:
    """As a cell of a manifest; None if it cannot be one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) and "\0" not in str(value) else None


def _columns_problem(columns: Mapping[str, Any]) -> str:
    if {"path", "url"} & columns.keys():
        return "path and url cannot be fields of a medium: send the file, or its address as JSON."
    return columns_problem(columns)


@dataclass(slots=True)
class _Part:
    """A part of the form that is being read: a file on the disk, or a field in memory."""

    segment: MultipartSegment
    path: Path | None
    size: int = 0
    text: bytearray = field(default_factory=bytearray)


class _Form:
    """Files and fields of a form. A field counts for all files after it; the same field again replaces it."""

    def __init__(self, boundary: str, folder: Path, limits: Limits) -> None:
        self._folder, self._limits = folder, limits
        self._columns: dict[str, str] = {}
        self._unused: set[str] = set()  # fields without a file after them
        self._rows = 0
        self._part: _Part | None = None
        self._boundary = boundary

    async def rows(self, request: Request) -> AsyncGenerator[Row]:
        try:
            with PushMultipartParser(self._boundary, max_segment_count=_PARTS) as parser:
                async for piece in _pieces(request, self._limits.body_bytes):
                    for event in parser.parse(piece):
                        row = await self._take(event)
                        if row is not None:
                            yield row
        except ParserLimitReached as error:
            raise TooLarge(f"The form is too large: {error}.") from error
        except MultipartError as error:
            raise InputError(f"The body is no form that can be read: {error}.") from error
        if self._rows and self._unused:
            named = ", ".join(sorted(self._unused))[:_LONGEST_NAME]
            raise InputError(f"No file follows the fields {named}: send fields before the files that they are for.")
        if not self._rows:
            raise InputError("The form holds no file: send at least one, such as curl -F file=@a.png.")

    async def _take(self, event: MultipartSegment | bytes | bytearray | None) -> Row | None:
        if isinstance(event, MultipartSegment):
            self._begin(event)
        elif event is not None:
            await self._add(event)
        else:
            return self._end()
        return None

    def _begin(self, segment: MultipartSegment) -> None:
        path = None
        if segment.filename is not None:
            self._rows += 1
            if self._rows > ROWS:
                raise TooLarge(f"The form has more than {ROWS} files: send fewer at once.")
            path = self._folder / str(self._rows)
            path.touch(0o600)
        self._part = _Part(segment, path)

    async def _add(self, data: bytes | bytearray) -> None:
        part = self._part
        assert part is not None
        part.size += len(data)
        if part.path is None:
            part.text += data
            if part.size > _FIELD_BYTES:
                raise TooLarge(f"The field {part.segment.name or '':.100} has more than {_FIELD_BYTES} bytes.")
        elif part.size <= self._limits.file_bytes:  # the rest of a file that is too large is read and forgotten
            await asyncio.to_thread(_append, part.path, data)

    def _end(self) -> Row | None:
        part = self._part
        assert part is not None
        self._part = None
        if part.path is None:
            self._set(part.segment.name or "", part.text)
            return None
        self._unused.clear()
        name = part.segment.filename or ""
        problem = name_problem(name) or _columns_problem(self._columns)
        if part.size > self._limits.file_bytes:
            problem = problem or f"it has more than {self._limits.file_bytes / 1e6:g} MB, which is the limit."
        source = _CONTROL.sub("", name)[:_LONGEST_NAME]
        if problem:
            part.path.unlink()
            return Row(self._rows, source, problem=problem)
        return Row(self._rows, source, path=part.path, columns=dict(self._columns))

    def _set(self, name: str, text: bytearray) -> None:
        try:
            value = text.decode()
        except UnicodeDecodeError as error:
            raise InputError(f"The field {name[:100]!r} is not UTF-8: send texts as UTF-8.") from error
        if "\0" in value:
            raise InputError(f"There is a NUL character in the field {name[:100]!r}.")
        self._columns.pop(name, None)
        self._unused.add(name)
        if value:
            self._columns[name] = value
        if len(self._columns) > _FIELDS:
            raise TooLarge(f"The form has more than {_FIELDS} fields.")


def _append(path: Path, data: bytes | bytearray) -> None:
    with path.open("ab") as file:
        file.write(data)
