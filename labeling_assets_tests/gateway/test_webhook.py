"""The inbox of webhooks, over HTTP: what is noted, what is refused, what stays while ApertureDB is away."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Object, Reply
from labeling_assets.clients.query import Query
from labeling_assets.errors import RefusedError, TransientError
from labeling_assets.gateway.note_spool import NoteForwarder, NoteSpool
from labeling_assets.gateway.webhook import Call, WebhookInbox
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.sync.webhook_notes import WebhookNote
from labeling_assets_tests.gateway.running import gateway_client

SECRET = "a secret of webhooks"
INSTANCE = "0b0f8a52-9d0a-5f0e-8a44-7b1f6d2c9e10"
PATH = f"/webhooks/label_studio/{INSTANCE}/cars"
HEADERS = {"X-Labeling-Assets-Secret": SECRET}
NOON = "2026-05-01T12:00:00.000000Z"
LIMIT = 50_000


@pytest.fixture
def database(tmp_path: Path) -> Iterator[ApertureDB]:
    with LocalServer(tmp_path / "aperturedb") as server, ApertureDB(server.key) as database:
        yield database


@dataclass
class Receiver:
    """A gateway with an inbox, and what came of a call."""

    client: httpx.Client
    folder: Path
    database: ApertureDB

    def post(self, body: object, path: str = PATH, **headers: str) -> httpx.Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(path, content=data, headers={**HEADERS, **headers})

    def waiting(self) -> int:
        """Calls that are on the disk and not in ApertureDB."""
        return len(NoteSpool(self.folder).waiting())

    def notes(self) -> list[Object]:
        """What ApertureDB has, once nothing waits any more."""
        until(lambda: not self.waiting())
        wanted = [names.KEY, "LS_instance", "LS_project", "LS_batch", "LS_action", "LS_data", "LS_mark"]
        return self.database.find("FindEntity", None, class_name=names.NOTE, properties=wanted)

    def carried(self) -> list[Any]:
        """The annotations of these notes, as text."""
        return [row["LS_data"] for row in self.notes() if row["LS_batch"] is not None]

    def mark(self) -> str:
        return next((str(row["LS_mark"]) for row in self.notes() if row["LS_mark"] is not None), "")


def until(happens: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def receiving(folder: Path, database: ApertureDB) -> Iterator[Receiver]:
    inbox = WebhookInbox(SECRET, folder, lambda: database, limit_bytes=LIMIT)
    with gateway_client(database, inbox=inbox) as client:
        yield Receiver(client, folder, database)


@pytest.fixture
def receiver(tmp_path: Path, database: ApertureDB) -> Iterator[Receiver]:
    with receiving(tmp_path / "notes", database) as receiver:
        yield receiver


def annotation(number: int = 1, **values: Any) -> dict[str, Any]:
    times = {"created_at": NOON, "updated_at": NOON}
    return {"id": number, "project": 7, "task": 9, "result": [], "completed_by": 1, **times, **values}


def call(given: object, task: object = None, action: str = "ANNOTATION_UPDATED") -> dict[str, Any]:
    task = task or {"id": 9, "data": {"guid": "g", "import_batch": "May"}}
    project = {"id": 7, "token": "token-that-nobody-may-see", "task_data_password": "password-that-nobody-may-see"}
    return {"action": action, "annotation": given, "task": task, "project": project}


def test_an_annotation_is_noted_with_its_batch(receiver: Receiver) -> None:
    assert receiver.post(call(annotation())).status_code == 204
    (row,) = [row for row in receiver.notes() if row["LS_batch"] is not None]
    assert (row["LS_instance"], row["LS_project"], row["LS_batch"]) == (INSTANCE, "cars", "May")
    assert (row["LS_action"], json.loads(str(row["LS_data"]))) == ("ANNOTATION_UPDATED", annotation())


def test_secrets_of_the_project_are_not_kept(receiver: Receiver) -> None:
    receiver.post(call(annotation()))
    assert "nobody-may-see" not in json.dumps(receiver.notes())


def test_each_of_many_annotations_has_its_batch(receiver: Receiver) -> None:
    tasks = [{"id": 9, "data": {"import_batch": "May"}}, {"id": 10, "data": {"import_batch": "June"}}]
    receiver.post(call([annotation(1), annotation(2, task=10)], tasks, "ANNOTATIONS_CREATED"))
    assert sorted(str(row["LS_batch"]) for row in receiver.notes() if row["LS_batch"]) == ["June", "May"]


def test_a_doubled_call_is_noted_once(receiver: Receiver) -> None:
    for _ in range(2):
        receiver.post(call(annotation()))
    assert len(receiver.carried()) == 1


BARE = [
    pytest.param({"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 3}]}, id="deleted"),
    pytest.param({"action": "ANNOTATION_CREATED"}, id="without a payload"),
    pytest.param(call(annotation(), {"id": 9, "data": {"text": "x"}}), id="task of a person"),
    pytest.param(call("no annotation"), id="no annotation"),
    pytest.param(call(annotation(task=[9])), id="no task id"),
]


@pytest.mark.parametrize("body", BARE)
def test_a_call_that_carries_nothing_wakes_all_the_same(receiver: Receiver, body: object) -> None:
    assert receiver.post(body).status_code == 204
    first = receiver.mark()
    receiver.post(body)
    assert (receiver.carried(), first not in ("", receiver.mark())) == ([], True)


FORGED = [
    pytest.param({"X-Labeling-Assets-Secret": "a guess"}, PATH, 403, id="wrong"),
    pytest.param({"X-Labeling-Assets-Secret": "é" * 20}, PATH, 403, id="not ASCII"),
    pytest.param({"X-Labeling-Assets-Secret": ""}, PATH, 403, id="none"),
    pytest.param({}, f"/webhooks/label_studio/{INSTANCE}/..", 404, id="no project"),
    pytest.param({}, "/webhooks/label_studio/home/cars", 404, id="no instance"),
]


@pytest.mark.parametrize(("headers", "path", "status"), FORGED)
def test_a_forged_call_leaves_nothing(receiver: Receiver, headers: dict[str, Any], path: str, status: int) -> None:
    raw = {name: value.encode() for name, value in {**HEADERS, **headers}.items()}
    answer = receiver.client.post(path, content=b"{}", headers=raw)
    assert (answer.status_code, receiver.folder.exists(), receiver.notes()) == (status, False, [])


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b"[" * 40_000, b"\xff"])
def test_what_is_no_webhook_is_refused(receiver: Receiver, body: bytes) -> None:
    assert (receiver.post(body).status_code, receiver.notes()) == (400, [])


def test_a_call_that_is_too_large_wakes_and_is_not_kept(receiver: Receiver) -> None:
    answer = receiver.post(call(annotation(result=["x" * LIMIT])))
    assert (answer.status_code, bool(receiver.mark()), receiver.carried()) == (413, True, [])


def test_a_stream_without_a_length_is_limited_too(receiver: Receiver) -> None:
    answer = receiver.client.post(PATH, content=iter([b" " * LIMIT, b"{}"]), headers=HEADERS)
    assert answer.status_code == 413


def test_a_large_annotation_becomes_a_blob(receiver: Receiver) -> None:
    receiver.post(call(annotation(result=["x" * 40_000])))
    assert receiver.carried() == [None]
    assert receiver.database.count("FindBlob", None) == 1


def test_without_an_inbox_there_is_no_such_address(database: ApertureDB) -> None:
    with gateway_client(database) as client:
        assert client.post(PATH, json={}, headers=HEADERS).status_code == 404


class Away(ApertureDB):
    """A database that lets nobody in before `back`, and refuses one annotation."""

    def __init__(self, database: ApertureDB, *, refused: str = "") -> None:
        self._database, self._refused = database, refused
        self.back = False

    def run(self, query: Query) -> Reply:
        if self._refused and self._refused in str(query.commands):
            raise RefusedError("no")
        if not self.back:
            raise TransientError("away")
        return self._database.run(query)


def test_answers_come_at_once_while_the_database_is_away_and_notes_survive(
    tmp_path: Path, database: ApertureDB
) -> None:
    folder, seconds = tmp_path / "notes", []
    with receiving(folder, Away(database)) as receiver:
        for number in range(10):
            began = time.perf_counter()
            assert receiver.post(call(annotation(number))).status_code == 204
            seconds.append(time.perf_counter() - began)
    assert (len(NoteSpool(folder).waiting()), sorted(seconds)[4] < 0.1) == (10, True)
    with receiving(folder, database) as receiver:
        assert len(receiver.carried()) == 10


def test_a_disk_that_takes_nothing_is_a_503(tmp_path: Path, database: ApertureDB) -> None:
    (tmp_path / "file").touch()
    with receiving(tmp_path / "file", database) as receiver:
        assert receiver.post(call(annotation())).status_code == 503


def test_a_note_that_is_refused_holds_up_no_other(tmp_path: Path, database: ApertureDB) -> None:
    spool, away = NoteSpool(tmp_path), Away(database, refused="poison")
    for number, text in enumerate(("first", "poison", "last")):
        notes = Call(INSTANCE, "cars").notes(json.dumps(call(annotation(number, result=[text]))).encode())
        spool.put(notes, str(number))
    away.back = True
    forwarder = NoteForwarder(spool, lambda: away)
    forwarder.start()
    until(lambda: len(spool.waiting()) == 1)
    forwarder.close()
    assert "poison" in spool.waiting()[0].read_text()


def test_files_of_the_spool_are_for_their_owner_and_bad_ones_are_dropped(tmp_path: Path) -> None:
    spool = NoteSpool(tmp_path / "notes")
    spool.put([WebhookNote(INSTANCE, "cars", "a", "m", NOON)], "1")
    (path,) = spool.waiting()
    assert path.stat().st_mode & 0o077 == 0
    path.write_text("{")
    assert spool.read(path) == []
