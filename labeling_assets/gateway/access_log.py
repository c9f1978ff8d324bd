"""One line per request: method, path, status, bytes, time, client. Never the query, in which links are signed."""

import logging
import time

from starlette.types import ASGIApp, Receive, Scope, Send

from labeling_assets.gateway.sent import counted

_log = logging.getLogger(__name__)

_LONGEST_PATH = 300


class AccessLog:
    """Logs at level INFO when the answer has been sent or given up."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        sent, counting_send = counted(scope, send)

        try:
            await self._app(scope, receive, counting_send)
        finally:
            if _log.isEnabledFor(logging.INFO):
                took_ms = (time.perf_counter() - started) * 1000
                # As a literal: the path is decoded and may hold line breaks.
                path = repr(scope["path"][:_LONGEST_PATH])
                client = (scope.get("client") or ("unknown",))[0]
                _write(scope["method"], path, sent.status, sent.size_bytes, took_ms, client)


def _write(*values: object) -> None:
    """As `_log.info`, without its look for the line of code that calls, which takes as long as the rest."""
    line = "%s %s %d %d bytes %.1f ms from %r"
    _log.handle(logging.LogRecord(_log.name, logging.INFO, __file__, 0, line, values, None))
