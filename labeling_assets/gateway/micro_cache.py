"""The same answer to the same request, for a second: pictures that many ask for are worked out once.

What was denied, deleted or has ended in the meantime is therefore sent for a second more.
"""

import time
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from labeling_assets.gateway.byte_cache import ByteCache

_PATH: Final = "/media/"
LONGEST_S: Final = 1.0
_LARGEST_BYTES: Final = 256 * 1024
_KEPT_BYTES: Final = 64 * 2**20
# Ask for something else than the whole, or for nothing if it is known.
_CONDITIONS: Final = frozenset((b"range", b"if-range", b"if-match", b"if-none-match"))

Key = tuple[str, bytes, bytes]


@dataclass(slots=True)
class _Answer:
    """What was sent, and where the router found it; the body is the one in the cache of media, not a copy."""

    until_s: float
    endpoint: Any
    start: Message
    body: Message = field(default_factory=dict)


class MicroCache:
    """Keeps small answers with status 200 to plain requests for media, by path, query and origin, for `age_s`.

    `prefix` is the path that the gateway has at its public address; requests come with and without it. No other route
    may fall under these: its answers may be for those only who have a token.
    """

    def __init__(self, app: ASGIApp, *, age_s: float = LONGEST_S, prefix: str = "") -> None:
        self._app = app
        self._folders = (_PATH, f"{prefix}{_PATH}")
        self._age_s = age_s
        self._kept: ByteCache[Key, _Answer] = ByteCache(_KEPT_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = self._key(scope)
        if key is None:
            await self._app(scope, receive, send)
            return
        kept = self._kept.get(key)
        if kept is not None and time.monotonic() < kept.until_s:
            scope["endpoint"] = kept.endpoint  # as the router would
            await send(kept.start)
            await send(kept.body)
            return
        until_s = time.monotonic() + self._age_s
        await self._app(scope, receive, _Keeper(self._kept, key, scope, send, until_s=until_s))

    def _key(self, scope: Scope) -> Key | None:
        """None for a request that has an answer of its own."""
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(self._folders):
            return None
        origin = b""
        for name, value in scope["headers"]:
            if name in _CONDITIONS:
                return None
            if name == b"origin":
                origin = value
        return scope["path"], scope["query_string"], origin


class _Keeper:
    """Sends an answer, and keeps it if it is small and comes in one piece."""

    def __init__(self, kept: ByteCache[Key, _Answer], key: Key, scope: Scope, send: Send, *, until_s: float) -> None:
        self._kept, self._key, self._scope, self._send, self._until_s = kept, key, scope, send, until_s
        self._answer: _Answer | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            self._answer = _Answer(self._until_s, self._scope.get("endpoint"), message)
        elif message["type"] == "http.response.body" and self._answer is not None:
            size_bytes = len(message.get("body", b""))
            if not message.get("more_body") and size_bytes <= _LARGEST_BYTES:
                self._answer.body = message
                self._kept.put(self._key, self._answer, size_bytes=size_bytes)
            self._answer = None
        await self._send(message)
