"""What the tests of the local server share: a server, the official client, and a raw connection."""

import json
import os
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from labeling_assets.local_aperturedb import wire
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.local_aperturedb.store import Store, Transaction
from labeling_assets_tests.certificates import make_certificate

os.environ["ADB_LOG_FILE"] = ""


class RawClient:
    """A connection without the official client, for what that one would never send."""

    def __init__(self, server: LocalServer, *, hello: bytes | None = struct.pack("@II", 1, 1)) -> None:
        self.socket = socket.create_connection((server.host, server.port), timeout=10)
        if hello is not None:
            wire.write_frame(self.socket, hello)

    def read(self) -> bytes | None:
        return wire.read_frame(self.socket, limit=2**31)

    def ask(self, query: object, *, token: str = "", blobs: list[bytes] | None = None) -> Any:
        text = query if isinstance(query, str) else json.dumps(query)
        wire.write_frame(self.socket, wire.encode(wire.Message(text, blobs or [], token)))
        return self.answer()

    def answer(self) -> Any:
        payload = self.read()
        assert payload is not None, "the server closed the connection"
        return json.loads(wire.decode(payload).json)

    def log_in(self, **credentials: str) -> Any:
        return self.ask([{"Authenticate": credentials}])[0]["Authenticate"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalServer]:
    with LocalServer(tmp_path / "aperturedb") as running:
        yield running


@pytest.fixture
def connect() -> Iterator[Callable[..., RawClient]]:
    """`connect(server)`: a raw connection that has greeted."""
    opened: list[RawClient] = []

    def connect(server: LocalServer, *, hello: bytes | None = struct.pack("@II", 1, 1)) -> RawClient:
        opened.append(RawClient(server, hello=hello))
        if hello is not None:
            opened[-1].read()
        return opened[-1]

    yield connect
    for connection in opened:
        connection.socket.close()


@pytest.fixture
def client_of() -> Callable[[LocalServer], Any]:
    """`client_of(server)`: the official client, which here neither waits nor repeats."""

    def client_of(server: LocalServer) -> Any:
        from aperturedb.Connector import Connector

        return Connector(
            server.host,
            server.port,
            user=server.username,
            password=server.password,
            use_ssl=False,
            retry_interval_seconds=0,
            retry_max_attempts=1,
        )

    return client_of


@pytest.fixture
def client(server: LocalServer, client_of: Callable[[LocalServer], Any]) -> Any:
    return client_of(server)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "store")
    yield opened
    opened.close()


@pytest.fixture
def transaction(store: Store) -> Iterator[Transaction]:
    """A transaction that writes."""
    with store.writing() as running:
        yield running
