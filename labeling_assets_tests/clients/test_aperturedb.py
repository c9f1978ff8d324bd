"""The client of ApertureDB against a running server."""

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import Dialect, compare, equal, one_of
from labeling_assets.clients.query import Query
from labeling_assets.errors import ConfigurationError, RefusedError, TransientError
from labeling_assets.local_aperturedb.server import LocalServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalServer]:
    with LocalServer(tmp_path / "aperturedb") as server:
        yield server


@pytest.fixture
def db(server: LocalServer) -> Iterator[ApertureDB]:
    with ApertureDB(server.key) as db:
        yield db


def key(address: str, *, password: str = "admin", flags: int = 0) -> str:
    return base64.b64encode(json.dumps([2, flags, address, None, "admin", password]).encode()).decode()


def add(db: ApertureDB, count: int, class_name: str = "A") -> None:
    query = Query()
    for number in range(count):
        query.add("AddEntity", {"class": class_name, "properties": {"n": number}})
    db.run(query)


def test_it_answers(db: ApertureDB):
    assert db.check()["status"] == 0


def test_the_dialect_is_asked_once(db: ApertureDB):
    assert db.dialect is Dialect.EXPRESSION
    assert db.dialect is db.dialect


@pytest.mark.parametrize("dialect", ["legacy", "expression", "auto"])
def test_each_dialect_finds_the_same(server: LocalServer, dialect: str):
    with ApertureDB(server.key, dialect=dialect) as db:
        add(db, 5)
        found = db.find("FindEntity", compare("n", ">=", 3), class_name="A", properties=["n"])
    assert sorted(row["n"] for row in found) == [3, 4]


def test_all_pages_are_found(db: ApertureDB):
    add(db, 5003)
    found = db.find("FindEntity", None, class_name="A", properties=["n"])
    assert sorted(row["n"] for row in found) == list(range(5003))


def test_a_count(db: ApertureDB):
    add(db, 3)
    assert db.count("FindEntity", one_of("n", [0, 2, 9]), class_name="A") == 2
    assert db.count("FindEntity", None, class_name="A") == 3


def test_a_query_without_commands_is_not_sent(db: ApertureDB):
    assert db.run(Query()).answers == ()


def test_what_a_query_found_counted_and_brought(db: ApertureDB):
    query = Query()
    added = query.add("AddBlob", {"properties": {"k": 1}, "if_not_found": equal("k", 1)}, b"bytes")
    found = query.add("FindBlob", {"constraints": equal("k", 1), "blobs": True, "results": {"list": ["k"]}})
    updated = query.add("UpdateBlob", {"constraints": equal("k", 1), "properties": {"m": 2}})
    first, again = db.run(query), db.run(query)
    assert (first.existed(added), again.existed(added)) == (False, True)
    assert (again.objects(found)[0]["k"], again.count(updated), again.blobs) == (1, 1, (b"bytes",))


def test_a_refused_query_does_nothing_and_says_why(db: ApertureDB):
    query = Query()
    query.add("AddEntity", {"class": "A", "properties": {"n": 1}})
    query.add("AddEntity", {"class": "A", "properties": {"n": "one"}})
    with pytest.raises(RefusedError, match=r"ApertureDB at 127\.0\.0\.1:\d+ refused AddEntity \(status") as refused:
        db.run(query)
    assert refused.value.status is not None
    assert db.count("FindEntity", None, class_name="A") == 0


def test_threads_share_a_client(db: ApertureDB):
    counts: list[int] = []
    add(db, 3)

    def look() -> None:
        counts.extend(db.count("FindEntity", None, class_name="A") for _ in range(20))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [3] * 160


def test_a_client_that_was_closed_connects_again(db: ApertureDB):
    add(db, 1)
    db.close()
    assert db.count("FindEntity", None, class_name="A") == 1


def test_a_key_that_is_none_is_named():
    with pytest.raises(ConfigurationError, match="APERTUREDB_KEY is not a key of ApertureDB"):
        ApertureDB("no key")


def test_a_wrong_password_is_named(server: LocalServer):
    refused = pytest.raises(ConfigurationError, match=r"refused the login.*Check the credentials in APERTUREDB_KEY")
    with ApertureDB(key(f"127.0.0.1:{server.port}", password="wrong")) as db, refused:
        db.check()


def test_a_server_that_is_not_there_is_worth_another_try():
    began = time.monotonic()
    with ApertureDB(key("127.0.0.1:9")) as db, pytest.raises(TransientError, match=r"127\.0\.0\.1:9 cannot be reached"):
        db.check()
    assert time.monotonic() - began < 20


def test_a_host_that_does_not_exist_is_worth_another_try():
    with ApertureDB(key("no-such-host.invalid:55555")) as db, pytest.raises(TransientError, match="cannot be reached"):
        db.check()


def test_a_server_that_stopped_is_worth_another_try_and_its_successor_is_found(tmp_path: Path):
    with LocalServer(tmp_path / "db") as server:
        db = ApertureDB(server.key)
        add(db, 2)
    with pytest.raises(TransientError, match="cannot be reached"):
        db.check()
    with LocalServer(tmp_path / "db", port=server.port):
        assert db.count("FindEntity", None, class_name="A") == 2
    db.close()


def test_a_port_where_something_else_listens_is_named():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=_hang_up, args=(listener,), daemon=True)
        thread.start()
        refused = pytest.raises(TransientError, match="Is it running, and does APERTUREDB_KEY name it")
        with ApertureDB(key(f"127.0.0.1:{port}")) as db, refused:
            db.check()


def _hang_up(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.close()
