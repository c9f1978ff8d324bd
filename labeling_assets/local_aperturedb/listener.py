"""Sockets: one thread accepts on all ports, one thread serves each connection."""

import contextlib
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import Final, cast

from labeling_assets.local_aperturedb.limits import Limits, possible_connections
from labeling_assets.local_aperturedb.peer import Peer

_LOG: Final = logging.getLogger(__name__)
_GRACE_SECONDS: Final = 20
_MOMENT_SECONDS: Final = 0.002
_PAUSE_SECONDS: Final = 0.05
_BACKLOG: Final = 1024

Serve = Callable[[Peer], None]


class Listener:
    """Listens from `open` on, serves from `start` until `stop`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._room = possible_connections(limits.connections)
        self._doors: list[tuple[socket.socket, Serve]] = []
        self._wake, self._woken = socket.socketpair()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._peers: dict[Peer, threading.Thread] = {}
        self._acceptor = threading.Thread(target=self._accept, name="aperturedb-accept", daemon=True)

    def open(self, host: str, port: int, serve: Serve) -> int:
        """Listen on a port, 0 for a free one; the port. Raises OSError."""
        door = socket.create_server((host, port), backlog=_BACKLOG)
        door.setblocking(False)
        self._doors.append((door, serve))
        return int(door.getsockname()[1])

    def start(self) -> None:
        self._acceptor.start()

    def stop(self) -> None:
        """Close every connection; a query that is running finishes and is answered."""
        self._stopping.set()
        self._wake.send(b"x")
        self._acceptor.join()
        self._close_doors()
        with self._lock:
            peers = dict(self._peers)
        # Only the reading half, so that answers can still go out; then what a client does not take is cut off.
        for how in (socket.SHUT_RD, socket.SHUT_RDWR):
            _end(peers, how=how)

    def abandon(self) -> None:
        """Instead of `start`: give the ports back."""
        self._close_doors()

    def _close_doors(self) -> None:
        for sock in (*(door for door, _ in self._doors), self._wake, self._woken):
            sock.close()

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            for door, serve in self._doors:
                selector.register(door, selectors.EVENT_READ, serve)
            while not self._stopping.is_set():
                for key, _ in selector.select():
                    if key.data is not None:
                        self._admit(cast(socket.socket, key.fileobj), key.data)

    def _admit(self, door: socket.socket, serve: Serve) -> None:
        try:
            accepted, _ = door.accept()
        except (BlockingIOError, ConnectionError):  # gone again before it was accepted
            return
        except OSError as error:
            _LOG.warning("cannot accept a connection: %s", error)
            # A closed connection is gone in a moment; without one, this would spin until something else is closed.
            self._stopping.wait(_MOMENT_SECONDS if self._make_room() else _PAUSE_SECONDS)
            return
        with self._lock:
            full = len(self._peers) >= self._room
        if full and not self._make_room():
            _LOG.warning("refused a connection: all %d are busy", self._room)
            accepted.close()
            return
        self._serve_in_thread(accepted, serve)

    def _make_room(self) -> bool:
        """Close the connection that has waited longest."""
        with self._lock:
            waiting = [(peer.waiting_since, peer) for peer in self._peers if not peer.is_over]
        longest = sorted((pair for pair in waiting if pair[0] is not None), key=lambda pair: pair[0] or 0)
        return any(peer.end_waiting() for _, peer in longest)

    def _serve_in_thread(self, accepted: socket.socket, serve: Serve) -> None:
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = Peer(accepted, self._limits)
        thread = threading.Thread(target=self._serve, args=(peer, serve), name="aperturedb-connection", daemon=True)
        with self._lock:
            self._peers[peer] = thread
        try:
            thread.start()
        except RuntimeError:  # no more threads; the next client may have better luck
            _LOG.exception("a connection was refused")
            self._forget(peer)
            self._make_room()

    def _serve(self, peer: Peer, serve: Serve) -> None:
        try:
            serve(peer)
        except OSError as error:  # also a timeout, and what goes wrong in TLS
            _LOG.debug("a connection broke: %s", error)
        except Exception:  # noqa: BLE001  # our bug, which must end only this connection
            _LOG.exception("a connection failed inside the server")
        finally:
            self._forget(peer)

    def _forget(self, peer: Peer) -> None:
        peer.close()
        with self._lock:
            self._peers.pop(peer, None)


def _end(peers: dict[Peer, threading.Thread], *, how: int) -> None:
    for peer in peers:
        peer.end(how=how)
    deadline = time.monotonic() + _GRACE_SECONDS
    for thread in peers.values():
        with contextlib.suppress(RuntimeError):  # was never started
            thread.join(max(0, deadline - time.monotonic()))
