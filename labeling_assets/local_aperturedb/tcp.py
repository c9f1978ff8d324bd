"""The TCP transport: one thread accepts, one thread serves each connection."""

import contextlib
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

from labeling_assets.local_aperturedb import messages, wire
from labeling_assets.local_aperturedb.errors import QueryError
from labeling_assets.local_aperturedb.query import failure
from labeling_assets.local_aperturedb.wire import Message

_LOG: Final = logging.getLogger(__name__)
_HELLO_SECONDS: Final = 30
_GRACE_SECONDS: Final = 20
_BACKLOG: Final = 128


class TcpServer:
    """Listens from the constructor on, serves from `start` until `stop`. `limit` is the largest message in bytes."""

    def __init__(self, answer: Callable[[Message], Message], *, host: str, port: int, limit: int) -> None:
        self._answer = answer
        self._limit = limit
        self._listener = socket.create_server((host, port), backlog=_BACKLOG)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._acceptor = threading.Thread(target=self._accept, name="aperturedb-accept", daemon=True)

    def start(self) -> None:
        self._acceptor.start()

    def stop(self) -> None:
        """Close every connection; a query that is running finishes and is answered."""
        self._wake.send(b"x")
        self._acceptor.join()
        with self._lock:
            connections = dict(self._connections)
        # Only the reading half, so that answers can still go out; then what a client does not take is cut off.
        _end(connections, how=socket.SHUT_RD)
        _end(connections, how=socket.SHUT_RDWR)
        for sock in (self._listener, self._wake, self._woken):
            sock.close()

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._woken in ready:
                    return
                with contextlib.suppress(OSError):  # gone again before it was accepted
                    self._start(self._listener.accept()[0])

    def _start(self, connection: socket.socket) -> None:
        connection.setblocking(True)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        thread = threading.Thread(target=self._serve, args=(connection,), name="aperturedb-connection", daemon=True)
        with self._lock:
            self._connections[connection] = thread
        try:
            thread.start()
        except RuntimeError:  # no more threads; the next client may have better luck
            _LOG.exception("a connection was refused")
            connection.close()
            with self._lock:
                del self._connections[connection]

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                if self._greet(connection):
                    while self._serve_one(connection):
                        pass
        except OSError as error:
            _LOG.debug("a connection broke: %s", error)
        finally:
            with self._lock:
                self._connections.pop(connection, None)

    def _greet(self, connection: socket.socket) -> bool:
        connection.settimeout(_HELLO_SECONDS)
        agreed = wire.negotiate(connection, allowed=wire.PROTOCOL_TCP)
        connection.settimeout(None)
        return agreed == wire.PROTOCOL_TCP

    def _serve_one(self, connection: socket.socket) -> bool:
        """Whether to go on."""
        try:
            payload = wire.read_frame(connection, limit=self._limit)
        except wire.FrameTooLarge as error:
            # What follows cannot be skipped cheaply, so this connection is over.
            text = messages.MESSAGE_TOO_LARGE.format(size=error.size, limit=self._limit)
            wire.write_frame(connection, wire.encode(failure(QueryError(text))))
            return False
        if payload is None:
            return False
        try:
            answer = self._answer(wire.decode(payload))
        except QueryError as error:
            answer = failure(error)
        wire.write_frame(connection, wire.encode(answer))
        return True


def _end(connections: dict[socket.socket, threading.Thread], *, how: int) -> None:
    for connection in connections:
        with contextlib.suppress(OSError):  # already closed
            connection.shutdown(how)
    deadline = time.monotonic() + _GRACE_SECONDS
    for thread in connections.values():
        thread.join(max(0, deadline - time.monotonic()))
