"""HTTP answers: a medium, a part of it, its headers only, and errors as JSON."""

from collections.abc import AsyncIterator, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from labeling_assets.gateway.etags import etag, if_range_holds
from labeling_assets.gateway.media import Content, Medium
from labeling_assets.gateway.ranges import NoPart, Part, requested_part

_CHUNK_BYTES: Final = 256 * 1024


def error(
    status: int, message: str, hint: str | None = None, *, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """A short JSON body. Why exactly is in the log: the reader of this may be anybody."""
    body = {"error": message} if hint is None else {"error": message, "hint": hint}
    return JSONResponse(body, status, headers={"Cache-Control": "no-store", **(headers or {})})


def not_modified(sha256: str, *, max_age_s: int) -> Response:
    """304, without a body."""
    return Response(status_code=304, headers={"ETag": etag(sha256), "Cache-Control": _cache_control(max_age_s)})


def headers_only(medium: Medium, *, max_age_s: int) -> Response:
    """The answer to HEAD: the headers of the whole."""
    return Response(headers={**_headers(medium, max_age_s), "Content-Length": str(medium.size_bytes)})


def bytes_asked_for(request: Request, content: Content, *, max_age_s: int) -> Response:
    """200 with the whole, 206 with one part, or 416."""
    medium, wanted = content.medium, None
    if if_range_holds(request.headers.get("if-range"), etag(medium.sha256)):
        wanted = request.headers.get("range")
    part = requested_part(wanted, medium.size_bytes)
    if part is NoPart.UNSATISFIABLE:
        unit = {"Content-Range": f"bytes */{medium.size_bytes}", "Accept-Ranges": "bytes"}
        return error(416, "This range lies outside of the medium.", headers=unit)
    headers, status = _headers(medium, max_age_s), 200
    if isinstance(part, Part):
        status = 206
        headers["Content-Range"] = f"bytes {part.first}-{part.last}/{medium.size_bytes}"
    else:
        part = Part(0, medium.size_bytes - 1)
    headers["Content-Length"] = str(part.length)
    return StreamingResponse(_chunks(content.data, part), status, headers=headers)


async def _chunks(data: bytes, part: Part) -> AsyncIterator[bytes]:
    """In pieces, so that a slow reader holds one piece and not a copy of the whole."""
    view = memoryview(data)
    for start in range(part.first, part.last + 1, _CHUNK_BYTES):
        yield bytes(view[start : min(start + _CHUNK_BYTES, part.last + 1)])


def _headers(medium: Medium, max_age_s: int) -> dict[str, str]:
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


def _cache_control(max_age_s: int) -> str:
    return f"private, max-age={max_age_s}"
