"""A gateway on a free port, and a database that tells what was asked of it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from starlette.applications import Starlette

from labeling_assets.clients.aperturedb import ApertureDB, Reply
from labeling_assets.clients.query import Query
from labeling_assets.gateway.app import create_app
from labeling_assets.gateway.serve import AnnouncingServer
from labeling_assets.identity import sha256_of
from labeling_assets.media_urls import MediaLinks, sign
from labeling_assets.names import LINK_RULE

SECRET = "a secret of the tests"
LINKS = MediaLinks("http://gateway.example.org", {"old": "an older secret of a link key", "k1": SECRET}, "k1")
LABEL_STUDIO = "http://labels.example.org:8080"


class WatchedDatabase(ApertureDB):
    """A connection that counts its queries about media and those that brought bytes, and can hold back those for bytes.

    Which links do not open is asked every other second, and not counted.
    """

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.queries = 0
        self.byte_reads = 0
        self.gate = threading.Event()
        self.gate.set()

    def run(self, query: Query) -> Reply:
        if any(body.get("blobs") for _, body in query.commands):
            assert self.gate.wait(20)
        reply = super().run(query)
        self.queries += not any(body.get("with_class") == LINK_RULE for _, body in query.commands)
        self.byte_reads += bool(reply.blobs)
        return reply


@contextmanager
def running_gateway(app: Starlette) -> Iterator[str]:
    """The address of a real server that runs the application in a thread."""
    ready = threading.Event()
    server = AnnouncingServer(app, ready.set)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            assert ready.wait(20)
            yield f"http://{host}:{port}"
        finally:
            server.should_exit = True
            thread.join(20)


@contextmanager
def gateway_client(
    database: ApertureDB, *, origins: tuple[str, ...] = (LABEL_STUDIO,), **options: Any
) -> Iterator[httpx.Client]:
    """A browser in front of a gateway for this database."""
    app = create_app(lambda: database, LINKS, origins, **options)
    with running_gateway(app) as url, httpx.Client(base_url=url, timeout=20) as client:
        yield client


def link(guid: str) -> str:
    """The path and query of a valid link."""
    return f"/media/{guid}?k=k1&s={sign(guid, SECRET)}"


def add_medium(database: ApertureDB, guid: str, data: bytes, *, mime_type: str, command: str = "AddBlob") -> None:
    """A medium as this package registers it."""
    properties = {
        "guid": guid,
        "LS_role": "media",
        "LS_mime_type": mime_type,
        "LS_size_bytes": len(data),
        "LS_sha256": sha256_of(data),
    }
    add_object(database, data, properties, command=command)


def add_object(database: ApertureDB, data: bytes, properties: dict[str, object], *, command: str = "AddBlob") -> None:
    """Bytes with any properties."""
    query = Query()
    query.add(command, {"properties": properties}, data)
    database.run(query)
