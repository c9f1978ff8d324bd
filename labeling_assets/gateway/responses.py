"""HTTP answers: a medium, parts of it, its headers only, and errors as JSON."""

import asyncio
import contextlib
import functools
import logging
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from labeling_assets.errors import TransientError
from labeling_assets.gateway.bodies import PIECE_BYTES, Body, Content, Medium, MemoryBody, Piece
from labeling_assets.gateway.etags import etag, if_range_holds
from labeling_assets.gateway.ranges import NoPart, Part, requested_parts

_log = logging.getLogger(__name__)

Header = tuple[bytes, bytes]


def error(
    status: int, message: str, hint: str | None = None, *, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """A short JSON body. Why exactly is in the log: the reader of this may be anybody."""
    body = {"error": message} if hint is None else {"error": message, "hint": hint}
    return JSONResponse(body, status, headers={"Cache-Control": "no-store", **(headers or {})})


def not_modified(sha256: str, *, max_age_s: int) -> Response:
    """304, without a body."""
    return Response(status_code=304, headers={"ETag": etag(sha256), "Cache-Control": _cache_control(max_age_s)})


def precondition_failed() -> Response:
    """412: `If-Match` names other bytes."""
    return error(412, "These are not the bytes that If-Match names.")


def headers_only(medium: Medium, *, max_age_s: int) -> Response:
    """The answer to HEAD: the headers of the whole."""
    answer = Response()
    answer.raw_headers = [*_headers(medium, max_age_s), _header("Content-Length", str(medium.size_bytes))]
    return answer


def sent_by_proxy(medium: Medium, path: str, *, max_age_s: int) -> Response:
    """An answer without bytes: the server before the gateway sends those at `path` of its own, or a range of them."""
    headers = _headers_of(medium, max_age_s)
    del headers["Accept-Ranges"]  # nginx says it, and would say it twice
    return Response(headers={**headers, "X-Accel-Redirect": path})


async def bytes_asked_for(request: Request, content: Content, *, max_age_s: int) -> Response:
    """200 with the whole, 206 with one or several parts, or 416."""
    medium, wanted = content.medium, None
    if if_range_holds(request.headers.get("if-range"), etag(medium.sha256)):
        wanted = request.headers.get("range")
    parts = requested_parts(wanted, medium.size_bytes)
    if parts is NoPart.UNSATISFIABLE:
        await content.body.close()
        unit = {"Content-Range": f"bytes */{medium.size_bytes}", "Accept-Ranges": "bytes"}
        return error(416, "This range lies outside of the medium.", headers=unit)
    headers = _headers(medium, max_age_s)
    if isinstance(parts, NoPart):
        whole = [(b"", Part(0, medium.size_bytes - 1))] if medium.size_bytes else []
        return BodyResponse(200, headers, content.body, whole)
    if len(parts) == 1:
        place = _header("Content-Range", _content_range(parts[0], medium.size_bytes))
        return BodyResponse(206, [*headers, place], content.body, [(b"", parts[0])])
    boundary = secrets.token_hex(16)
    labelled = [(_part_head(boundary, medium, part), part) for part in parts]
    several = replace(medium, content_type=f"multipart/byteranges; boundary={boundary}")
    headers = _named(_headers_of(several, max_age_s))
    return BodyResponse(206, headers, content.body, labelled, end=f"\r\n--{boundary}--\r\n".encode())


class BodyResponse(Response):
    """Parts of a body, each after some bytes of its own, streamed: never more than a piece is in memory."""

    def __init__(
        self,
        status: int,
        headers: Sequence[Header],
        body: Body,
        parts: Sequence[tuple[bytes, Part]],
        *,
        end: bytes = b"",
    ) -> None:
        self.status_code = status
        self.background = None
        self._body = body
        self._parts = parts
        self._end = end
        self._length = sum(len(head) + part.length for head, part in parts) + len(end)
        self.raw_headers = [*headers, (b"content-length", b"%d" % self._length)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. Where the bytes end too soon, or the client hangs up, the connection is closed.

        Raises:
            TransientError: there is not even a first piece; nothing was sent.
        """
        at_hand = self._at_hand()
        if at_hand is not None:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": at_hand, "more_body": False})
            return
        gone = asyncio.ensure_future(_disconnected(receive)) if self._length > PIECE_BYTES else None
        try:
            async with contextlib.aclosing(self._pieces()) as pieces:
                first = await anext(pieces, b"")
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await self._send(first, pieces, send=send, gone=gone)
        finally:
            await self._body.close()
            if gone is not None:
                gone.cancel()

    def _at_hand(self) -> Piece | None:
        """All of the answer, if it is one small part of what is in memory: that needs no stream."""
        if not isinstance(self._body, MemoryBody) or len(self._parts) != 1 or self._length > PIECE_BYTES:
            return None
        part = self._parts[0][1]
        return self._body.data if part.length == len(self._body.data) else self._body.view(part)

    async def _pieces(self) -> AsyncGenerator[Piece, None]:
        for head, part in self._parts:
            if head:
                yield head
            async with contextlib.aclosing(self._body.pieces(part)) as pieces:
                async for piece in pieces:
                    yield piece
        if self._end:
            yield self._end

    async def _send(
        self, first: Piece, others: AsyncGenerator[Piece, None], *, send: Send, gone: "asyncio.Future[None] | None"
    ) -> None:
        left = self._length - len(first)
        await send({"type": "http.response.body", "body": first, "more_body": left > 0})
        try:
            async for piece in others:
                if gone is not None and gone.done():
                    return
                left -= len(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
        except TransientError as error:
            # The status is sent already: an answer that is too short is all that can be said.
            _log.error("An answer was broken off: %s", error)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _content_range(part: Part, size_bytes: int) -> str:
    return f"bytes {part.first}-{part.last}/{size_bytes}"


def _part_head(boundary: str, medium: Medium, part: Part) -> bytes:
    content_range = _content_range(part, medium.size_bytes)
    lines = f"--{boundary}", f"Content-Type: {medium.content_type}", f"Content-Range: {content_range}", "", ""
    return ("\r\n" + "\r\n".join(lines)).encode("latin-1")


@functools.lru_cache(maxsize=4096)
def _headers(medium: Medium, max_age_s: int) -> tuple[Header, ...]:
    """Made once for a medium that is asked for again and again."""
    return _named(_headers_of(medium, max_age_s))


def _headers_of(medium: Medium, max_age_s: int) -> dict[str, str]:
    headers = {
        "Content-Type": medium.content_type,
        "ETag": etag(medium.sha256),
        "Accept-Ranges": "bytes",
        "Cache-Control": _cache_control(max_age_s),
        "Content-Disposition": "inline",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",  # the link is the permission
    }
    # Opened directly, HTML and SVG would run scripts here. Browsers refuse to show a PDF in a sandbox, and run no
    # script of a PDF in the page's origin.
    if medium.content_type != "application/pdf":
        headers["Content-Security-Policy"] = "sandbox"
    return headers


def _named(headers: Mapping[str, str]) -> tuple[Header, ...]:
    return tuple(_header(name, value) for name, value in headers.items())


def _header(name: str, value: str) -> Header:
    return name.lower().encode("latin-1"), value.encode("latin-1")


def _cache_control(max_age_s: int) -> str:
    return f"private, max-age={max_age_s}"
