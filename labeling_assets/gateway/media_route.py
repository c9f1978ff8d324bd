"""What a request for a medium gets once its link was found valid: preconditions first, as RFC 9110 orders them."""

import logging

from starlette.requests import Request
from starlette.responses import Response

from labeling_assets.errors import InputError
from labeling_assets.gateway import responses
from labeling_assets.gateway.derivatives import Derivative, DerivativeReader
from labeling_assets.gateway.etags import etag, match_names, none_match_names
from labeling_assets.gateway.media import MediaReader

_log = logging.getLogger(__name__)


async def medium_asked_for(
    request: Request, reader: MediaReader, guid: str, *, derivatives: DerivativeReader, max_age_s: int
) -> Response:
    """200, 206, 304, 400, 404, 412 or 416; raises what `MediaReader` raises."""
    try:
        wanted = Derivative.asked_for(request.query_params)
    except InputError as error:
        return responses.error(400, str(error))
    if wanted is not None:
        return await _derivative(request, reader, guid, wanted, derivatives=derivatives, max_age_s=max_age_s)
    headers = request.headers
    conditional = "if-none-match" in headers or "if-match" in headers
    record = await reader.record(guid, for_bytes=request.method == "GET" and not conditional)
    if record is None:
        return _not_found(guid)
    if conditional:
        sha256 = await reader.sha256(record)
        if sha256 is None:
            return _not_found(guid)
        answered = _precondition(request, sha256, max_age_s=max_age_s)
        if answered is not None:
            return answered
    if request.method == "HEAD":
        medium = await reader.medium(record)
        return responses.headers_only(medium, max_age_s=max_age_s) if medium else _not_found(guid)
    content = await reader.content(record)
    if content is None:
        return _not_found(guid)
    path = reader.accel_path(content)
    if path is not None:
        await content.body.close()
        return responses.sent_by_proxy(content.medium, path, max_age_s=max_age_s)
    return await responses.bytes_asked_for(request, content, max_age_s=max_age_s)


async def _derivative(
    request: Request,
    reader: MediaReader,
    guid: str,
    wanted: Derivative,
    *,
    derivatives: DerivativeReader,
    max_age_s: int,
) -> Response:
    record = await reader.record(guid)
    if record is None:
        return _not_found(guid)
    content = await derivatives.content(record, wanted)
    if content is None:
        _log.warning("Medium %r is no picture in ApertureDB, or lacks its size or the region of %s", guid, wanted)
        return responses.error(404, "There is no such picture.", "The log of the media gateway says why.")
    answered = _precondition(request, content.medium.sha256, max_age_s=max_age_s)
    if answered is not None:
        return answered
    if request.method == "HEAD":
        return responses.headers_only(content.medium, max_age_s=max_age_s)
    return await responses.bytes_asked_for(request, content, max_age_s=max_age_s)


def _precondition(request: Request, sha256: str, *, max_age_s: int) -> Response | None:
    """The answer if the bytes are those that the client has, or not those that it wants (section 13.2.2)."""
    match, none_match = request.headers.get("if-match"), request.headers.get("if-none-match")
    if match is not None and not match_names(match, etag(sha256)):
        return responses.precondition_failed()
    if none_match_names(none_match, etag(sha256)):
        return responses.not_modified(sha256, max_age_s=max_age_s)
    return None


def _not_found(guid: str) -> Response:
    _log.warning("Medium %r is not in the database", guid)
    return responses.error(404, "There is no such medium.", "It is not in ApertureDB, or not any more.")
