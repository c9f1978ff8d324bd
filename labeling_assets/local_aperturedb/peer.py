"""One client's socket, and when it may be closed from outside."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Final

from labeling_assets.local_aperturedb.limits import Limits

_CHUNK_BYTES: Final = 1 << 20
_LINGER_SECONDS: Final = 10
_LINGER_STALL_SECONDS: Final = 2


class Peer:
    """`waiting_since` is when the last answer was finished, and None while a request runs."""

    def __init__(self, sock: socket.socket, limits: Limits) -> None:
        self.socket = sock
        self.limits = limits
        self.waiting_since: float | None = time.monotonic()
        self._lock = threading.Lock()
        self._over = False

    @property
    def is_over(self) -> bool:
        """No further request may be read."""
        return self._over

    def start_tls(self, context: ssl.SSLContext) -> None:
        self.socket.settimeout(self.limits.stall_seconds)
        with self._lock:
            # The handshake only afterwards, so that `end` always finds the socket that is open.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.socket.do_handshake()

    def wait(self, receive: Callable[[], bool]) -> bool:
        """What `receive` says when a request begins. Raises TimeoutError when none does for too long.

        The timeout of the socket stays that of a stalled request as far as possible: setting it is a system call.
        """
        idle, stall = self.limits.idle_seconds, self.limits.stall_seconds
        deadline = time.monotonic() + idle
        self._set_timeout(min(idle, stall))
        while True:
            try:
                begun = receive()
            except TimeoutError:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise
                self._set_timeout(min(left, stall))
            else:
                self._set_timeout(stall)
                return begun

    def _set_timeout(self, seconds: float) -> None:
        if self.socket.gettimeout() != seconds:
            self.socket.settimeout(seconds)

    def begin(self) -> bool:
        """A whole request was read; whether it may run."""
        with self._lock:
            self.waiting_since = None
            return not self._over

    def done(self) -> None:
        """The request was answered."""
        with self._lock:
            self.waiting_since = time.monotonic()

    def end_waiting(self) -> bool:
        """Close, unless a request runs."""
        with self._lock:
            if self.waiting_since is None:
                return False
            self._over = True
            self._shut(socket.SHUT_RDWR)
            return True

    def end(self, *, how: int) -> None:
        """SHUT_RD lets the running request finish and be answered; SHUT_RDWR cuts it off."""
        with self._lock:
            self._over = True
            self._shut(how)

    def send(self, content: bytes) -> None:
        """In pieces, because a timeout of Python is for all that is given to `sendall`."""
        view = memoryview(content)
        for start in range(0, len(content), _CHUNK_BYTES):
            self.socket.sendall(view[start : start + _CHUNK_BYTES])

    def linger(self, unread: int) -> None:
        """Take what the client still sends: closing before would destroy the answer that is on its way to it."""
        self._shut(socket.SHUT_WR)
        self.socket.settimeout(_LINGER_STALL_SECONDS)
        deadline = time.monotonic() + _LINGER_SECONDS
        while unread > 0 and time.monotonic() < deadline:
            chunk = self.socket.recv(min(unread, _CHUNK_BYTES))
            if not chunk:
                return
            unread -= len(chunk)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.close()

    def _shut(self, how: int) -> None:
        with contextlib.suppress(OSError):  # already closed
            # Not the method of SSLSocket: that one forgets the encryption, and the answer would go out in plain text.
            socket.socket.shutdown(self.socket, how)
