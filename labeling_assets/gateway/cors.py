"""Which websites may load media (CORS).

Starlette's own middleware is not used: it sends Access-Control-Expose-Headers to origins that are not allowed, and
answers a preflight with 200 and a text.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from labeling_assets.errors import ConfigurationError

_log = logging.getLogger(__name__)

ANY: Final = "*"
_LOOPBACK: Final = ("127.0.0.1", "localhost")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_PREFLIGHT_HEADERS: Final = {
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Allow-Headers": "Range",
    "Access-Control-Max-Age": "600",
}
_EXPOSED: Final = "Content-Length, Content-Range, Accept-Ranges, ETag"


class Cors:
    """Adds CORS headers for the allowed origins, `Vary: Origin` always, and answers preflights."""

    def __init__(self, app: ASGIApp, *, origins: frozenset[str]) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        allowed = self._allowed(headers.get("origin"))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(MutableHeaders(scope=message), allowed)
            await send(message)

        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await _preflight(allowed)(scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)

    def _allowed(self, origin: str | None) -> str | None:
        if origin is None or ANY in self._origins:
            return ANY if origin is not None else None
        return origin if origin in self._origins else None


def _preflight(allowed: str | None) -> Response:
    # 403 only for the access log: the browser refuses for lack of the headers.
    return Response(status_code=204, headers=_PREFLIGHT_HEADERS) if allowed else Response(status_code=403)


def _add_headers(headers: MutableHeaders, allowed: str | None) -> None:
    if "vary" in headers:
        headers.add_vary_header("Origin")
    else:
        headers.append("Vary", "Origin")
    if allowed:
        headers["Access-Control-Allow-Origin"] = allowed
        headers["Access-Control-Expose-Headers"] = _EXPOSED


def origins_for(settings_origins: Sequence[str], label_studio_url: str | None) -> tuple[str, ...]:
    """The origins that may load media: those of the settings, else that of Label Studio.

    A loopback address is given in both spellings, `127.0.0.1` and `localhost`, as people open either.

    Raises:
        ConfigurationError: one of them is no http(s) address, or has a path.
    """
    if settings_origins:
        origins = [normalised_origin(origin) for origin in settings_origins]
    else:
        origins = [_origin_of(label_studio_url)] if label_studio_url else []
    return tuple(dict.fromkeys(spelling for origin in origins for spelling in _spellings(origin)))


def checked_origins(origins: Iterable[str]) -> frozenset[str]:
    """The origins as browsers send them; `*` stays and is warned about."""
    checked = frozenset(normalised_origin(origin) for origin in origins)
    if ANY in checked:
        _log.warning("Every website may load media from this gateway, because its origins hold '*'")
    return checked


def normalised_origin(text: str) -> str:
    """`scheme://host[:port]` as browsers send it: lower case, no default port, no slash at the end.

    Raises:
        ConfigurationError: it is not that.
    """
    if text == ANY:
        return ANY
    origin = _origin_of(text)
    if urlsplit(text).path not in ("", "/"):
        raise ConfigurationError(f"{text!r} is not an origin: leave out what follows the host and port ({origin}).")
    return origin


def _origin_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError(f"{url!r} is not an address: {error}.") from error
    if parts.scheme not in _DEFAULT_PORTS or not host or ANY in host:
        raise ConfigurationError(
            f"{url!r} is not an origin: write it as https://labels.example.org or http://host:8080."
        )
    host = f"[{host}]" if ":" in host else host
    shown_port = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{host}{shown_port}"


def _spellings(origin: str) -> tuple[str, ...]:
    host = urlsplit(origin).hostname
    if host not in _LOOPBACK:
        return (origin,)
    return tuple(origin.replace(f"//{host}", f"//{name}", 1) for name in _LOOPBACK)
