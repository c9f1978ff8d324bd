"""The bytes of registered media: streamed from the file or the web server that they stayed at, part by part.

Only from places that the settings allow, whatever ApertureDB says, and only as long as they are the bytes that were
registered.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator
from typing import Final, Self

import httpx

from labeling_assets.clients.s3 import MOUNT, AsyncS3Transport, request_url
from labeling_assets.errors import InputError, RefusedError, TransientError
from labeling_assets.gateway.bodies import PIECE_BYTES, Content, FileBody, Medium, Piece
from labeling_assets.gateway.content_types import UNKNOWN
from labeling_assets.gateway.ranges import Part
from labeling_assets.gateway.records import Record
from labeling_assets.media_sources import MediaSources
from labeling_assets.sync.register_media import answer_version, file_version

_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,20})-([0-9]{1,20})/([0-9]{1,20})\Z")
_REDIRECTS: Final = 3
_TIMEOUT: Final = httpx.Timeout(60, connect=10, pool=10)
# Each is a browser that plays a video.
_CONNECTIONS: Final = httpx.Limits(max_connections=200, max_keepalive_connections=20)


class SourceReader:
    """Opens the sources that are allowed. For one event loop, in which it is closed."""

    def __init__(self, allowed: MediaSources) -> None:
        self._allowed = allowed
        self._http: httpx.AsyncClient | None = None

    async def open(self, record: Record) -> Content:
        """A registered medium. A web server is not asked before a part is wanted.

        Raises:
            RefusedError: they may not be read, are gone, or are other bytes than those that were registered.
        """
        uri = record.stored_at or ""
        if record.size_bytes is None or record.sha256 is None:
            raise RefusedError(f"Medium {record.guid!r} was not registered by this package: it lacks size or SHA-256.")
        medium = Medium(record.content_type or UNKNOWN, record.size_bytes, record.sha256)
        try:
            if uri.startswith("file:"):
                return Content(medium, await asyncio.to_thread(self._file, record, uri))
            self._allowed.check_url(uri)
        except InputError as error:
            raise RefusedError(f"Medium {record.guid!r} cannot be streamed from {uri!r}: {error}.") from error
        return Content(medium, _WebBody(self._client(), self._allowed, record))

    def _file(self, record: Record, uri: str) -> FileBody:
        path = self._allowed.path_of(uri)
        try:
            body = FileBody.open(path)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from error
        if file_version(body.status) != record.stored_version:
            raise RefusedError(_changed(record))
        return body

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            stores = {MOUNT: AsyncS3Transport(limits=_CONNECTIONS)}
            self._http = httpx.AsyncClient(timeout=_TIMEOUT, limits=_CONNECTIONS, follow_redirects=False, mounts=stores)
        return self._http

    async def close(self) -> None:
        """Hang up."""
        if self._http is not None:
            await self._http.aclose()


class _WebBody:
    """A file of a web server; each part is a request of its own."""

    def __init__(self, http: httpx.AsyncClient, allowed: MediaSources, record: Record) -> None:
        self._http = http
        self._allowed = allowed
        self._record = record

    async def pieces(self, part: Part) -> AsyncGenerator[Piece, None]:
        """As they come; from a server without ranges what stands before the part is read and dropped.

        Raises:
            RefusedError: the server has other bytes by now, or does not give them.
            TransientError: it does not give them now, or not to their end.
        """
        left = part.length
        try:
            async with self._answer(part) as (answer, skipped):
                async for piece in answer.aiter_raw(PIECE_BYTES):
                    wanted = memoryview(piece)[skipped : skipped + left]
                    skipped = max(0, skipped - len(piece))
                    left -= len(wanted)
                    if wanted:
                        yield wanted
                    if not left:
                        return
        except httpx.HTTPError as error:
            raise TransientError(f"{self._record.stored_at} gives nothing: {error or type(error).__name__}.") from error
        raise TransientError(f"{self._record.stored_at} broke off {left:,} bytes before the end of the part.")

    @contextlib.asynccontextmanager
    async def _answer(self, part: Part) -> AsyncGenerator[tuple[httpx.Response, int], None]:
        """The answer that has the part, and how many bytes stand before it."""
        headers = {"Range": f"bytes={part.first}-{part.last}", "Accept-Encoding": "identity"}
        url = httpx.URL(request_url(self._record.stored_at or ""))
        for _ in range(_REDIRECTS + 1):
            async with self._http.stream("GET", url, headers=headers) as answer:
                if answer.next_request is None:
                    yield answer, self._checked(answer, part)
                    return
                url = answer.next_request.url
                try:
                    self._allowed.check_url(str(url))
                except InputError as error:
                    raise RefusedError(f"{self._record.stored_at} leads to {str(url)!r}: {error}.") from error
        raise RefusedError(f"{self._record.stored_at} leads on and on.")

    def _checked(self, answer: httpx.Response, part: Part) -> int:
        record, status = self._record, answer.status_code
        if status in (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS) or answer.is_server_error:
            raise TransientError(f"{record.stored_at} answered {status}.")
        if status not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
            if status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise RefusedError(_changed(record))
            reason = f"{status} {answer.reason_phrase}".rstrip()
            raise RefusedError(f"{record.stored_at} answered {reason}: put the file back, or withdraw the medium.")
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise RefusedError(f"{record.stored_at} is sent compressed, so no part of it can be told.")
        if answer_version(answer.headers) != record.stored_version:
            raise RefusedError(_changed(record))
        if status == httpx.codes.OK:
            if answer.headers.get("content-length") not in (None, str(record.size_bytes)):
                raise RefusedError(_changed(record))
            return part.first
        given = _CONTENT_RANGE.match(answer.headers.get("content-range", ""))
        if given is None or [int(number) for number in given.groups()] != [part.first, part.last, record.size_bytes]:
            raise RefusedError(_changed(record))
        return 0

    def again(self) -> Self:
        """The same file."""
        return self

    async def close(self) -> None:
        """Nothing is held between two parts."""


def _changed(record: Record) -> str:
    return (
        f"{record.stored_at} is not what it was when medium {record.guid!r} was registered: put the old file back, or "
        "hand it in again, which finds out whether only its date changed."
    )
