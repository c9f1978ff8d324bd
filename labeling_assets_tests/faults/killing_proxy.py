"""A proxy in front of ApertureDB that kills the client, as kill -9 does, or hangs up, at one of its writing queries."""

import base64
import json
import os
import signal
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

_LENGTH: Final = struct.Struct("@I")
_WRITING: Final = (b'"Add', b'"Update', b'"Delete')
Moment = Literal["before", "after"]


class KillingProxy:
    """Kills the process `victim` at its writing query number `at`: before the server gets it, or after it is done.

    Without a victim it only hangs up: the answer is lost.
    """

    def __init__(self, key: str, *, at: int, moment: Moment) -> None:
        parts = json.loads(base64.b64decode(key))
        host, _, port = parts[2].partition(":")
        self._server = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        parts[2] = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.key = base64.b64encode(json.dumps(parts).encode()).decode()
        self.victim = 0
        self.writes = 0
        self._at, self._moment = at, moment
        self._counting = threading.Lock()

    def run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._server) as server:
            while (query := read_frame(client)) is not None:
                if self._is_the_one(query):
                    if self._moment == "after":
                        server.sendall(query)
                        read_frame(server)
                    if self.victim:
                        os.kill(self.victim, signal.SIGKILL)
                    return
                server.sendall(query)
                answer = read_frame(server)
                if answer is None:
                    return
                client.sendall(answer)

    def _is_the_one(self, query: bytes) -> bool:
        if not any(command in query for command in _WRITING):
            return False
        with self._counting:
            self.writes += 1
            return self.writes == self._at


def read_frame(connection: socket.socket) -> bytes | None:
    """Length and content of the next frame; None when the other side has gone."""
    try:
        head = _exactly(connection, _LENGTH.size)
        return head + _exactly(connection, _LENGTH.unpack(head)[0])
    except (EOFError, OSError):
        return None


def _exactly(connection: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        part = connection.recv(size - len(received))
        if not part:
            raise EOFError
        received += part
    return bytes(received)


@contextmanager
def killing_proxy(key: str, *, at: int, moment: Moment) -> Iterator[KillingProxy]:
    proxy = KillingProxy(key, at=at, moment=moment)
    thread = threading.Thread(target=proxy.run)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()
