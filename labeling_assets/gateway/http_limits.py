"""HTTP/1.1 as uvicorn speaks it, with a limit for headers: neither endless nor for ever.

Uvicorn's parser in C has no limit of its own. A body is limited by whoever reads it.
"""

import asyncio
from asyncio.events import TimerHandle
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from labeling_assets.gateway.joined_writes import JoinedWrites

HEADER_BYTES: Final = 32 * 1024
HEADER_SECONDS: Final = 20.0


class _HeaderTooLarge(Exception):
    """Ends the parser's work."""


class LimitedHttp(HttpToolsProtocol):
    """431 for headers above 32 kB, 408 for those that take longer than 20 seconds; then the connection is closed."""

    header_bytes = HEADER_BYTES
    header_seconds = HEADER_SECONDS

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._received = 0  # bytes of a header that is not complete
        self._in_header = self._ended_another = self._too_large = False
        self._timer: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        super().connection_made(JoinedWrites(transport, self.loop))  # type: ignore[arg-type]  # it is one in all it does
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._ended_another = False
        super().data_received(data)
        if self._in_header and not self.transport.is_closing():
            # How much of a piece belongs to the request before is not known, so such a piece does not count.
            self._received += 0 if self._ended_another else len(data)
            if self._received > self.header_bytes:
                self._refuse(431)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_header, self._received = True, 0
        if self._timer is None:
            self._wait()

    def on_headers_complete(self) -> None:
        self._in_header = False
        self._stop_waiting()
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > self.header_bytes:
            self._too_large = True
            raise _HeaderTooLarge
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._ended_another = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn answers when its parser gives up."""
        if self._too_large:
            self._refuse(431)
        else:
            super().send_400_response(msg)

    def _wait(self) -> None:
        self._timer = self.loop.call_later(self.header_seconds, self._refuse, 408)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: int) -> None:
        self._stop_waiting()
        if self.transport.is_closing():
            return
        if self._in_header or self._too_large:  # not on a connection that a browser opened in advance
            self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()
