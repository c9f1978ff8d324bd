"""The gateway below a path of another server, whether the proxy takes the path away or not."""

from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

_TYPES: Final = ("http", "websocket")


def prefix_of(public_url: str) -> str:
    """The path of the public address, without a slash at its end: `/gateway`, or nothing."""
    return urlsplit(public_url).path.rstrip("/")


class Prefix:
    """Takes a path with the prefix and one without it for the same."""

    def __init__(self, app: ASGIApp, *, prefix: str) -> None:
        self._app, self._prefix = app, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in _TYPES and self._prefix:
            path = scope["path"]
            if not path.startswith(f"{self._prefix}/"):
                scope["path"] = self._prefix + path
            # The routes are looked up in what follows it.
            scope["root_path"] = self._prefix
        await self._app(scope, receive, send)
