"""What the local ApertureDB server is measured against: a server that does nothing, and SQLite that only stores."""

import os
import socketserver
import sqlite3
import struct
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from aperturedb.queryMessage import queryMessage

_LOGIN = """[{"Authenticate": {"status": 0, "session_token": "adbs_x", "refresh_token": "adbr_x",
    "session_token_expires_in": 3600, "refresh_token_expires_in": 86400}}]"""
_LENGTH = struct.Struct("@I")


def message(text: str, blobs: list[bytes]) -> bytes:
    made = queryMessage()
    made.json = text
    made.blobs.extend(blobs)
    return bytes(made.SerializeToString())


class _Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        self._send(self._read() or b"")  # the hello, echoed
        while (asked := self._read()) is not None:
            login = len(asked) < 200 and b"Authenticate" in asked
            self._send(message(_LOGIN, []) if login else self.server.canned)  # type: ignore[attr-defined]

    def _read(self) -> bytes | None:
        head = self.rfile.read(_LENGTH.size)
        return self.rfile.read(_LENGTH.unpack(head)[0]) if head else None

    def _send(self, payload: bytes) -> None:
        self.request.sendall(_LENGTH.pack(len(payload)) + payload)


def serve_nothing(control: Connection) -> None:
    """Sends its port; what comes over `control` is the answer to everything from then on, None ends it."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Handler, bind_and_activate=True)
    server.daemon_threads = True
    server.canned = b""  # type: ignore[attr-defined]
    import threading

    threading.Thread(target=server.serve_forever, daemon=True).start()
    control.send(server.server_address[1])
    while (canned := control.recv()) is not None:
        server.canned = canned  # type: ignore[attr-defined]
        control.send("ready")


class Files:
    """SQLite in WAL mode with the same durability as the server, and a folder of files."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._database = sqlite3.connect(folder / "floor.sqlite", isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "CREATE TABLE object (id INTEGER PRIMARY KEY, owner INTEGER, guid TEXT, props TEXT)",
            "CREATE INDEX object_guid ON object (guid)",
            "CREATE INDEX object_owner ON object (owner)",
        ):
            self._database.execute(statement)

    def add(self, rows: list[tuple[int | None, str, str]], blobs: list[bytes]) -> None:
        """One transaction; rows are (owner, guid, properties)."""
        self._database.execute("BEGIN IMMEDIATE")
        self._database.executemany("INSERT INTO object (owner, guid, props) VALUES (?, ?, ?)", rows)
        for (_, guid, _), blob in zip(rows, blobs, strict=False):
            with (self._folder / guid).open("wb") as file:
                file.write(blob)
                file.flush()
                os.fsync(file.fileno())
        self._database.execute("COMMIT")

    def find(self, guids: list[str], *, files: bool = False) -> list[Any]:
        marks = ",".join("?" * len(guids))
        rows = self._database.execute(f"SELECT * FROM object WHERE guid IN ({marks})", guids).fetchall()  # noqa: S608  # question marks
        return [(row, (self._folder / row[2]).read_bytes()) for row in rows] if files else rows

    def owned(self) -> list[Any]:
        sql = "SELECT o.*, p.* FROM object o JOIN object p ON p.owner = o.id ORDER BY o.id, p.id"
        return self._database.execute(sql).fetchall()

    def close(self) -> None:
        self._database.close()


def connect(port: int) -> Any:
    from aperturedb.Connector import Connector

    return Connector("127.0.0.1", port, "admin", "admin", use_ssl=False)
