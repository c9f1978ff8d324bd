"""The webhook of a project in a real Label Studio, and a real gateway that it calls."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.gateway.app import create_app
from labeling_assets.gateway.webhook import WebhookInbox
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.settings import WebhookTarget
from labeling_assets.sync.register_webhook import ACTIONS, register_webhook
from labeling_assets.sync.report import Note
from labeling_assets.sync.webhook_notes import News, news_of
from labeling_assets_tests.gateway.running import running_gateway
from labeling_assets_tests.sync.world import LINKS, World, box

SECRET = "a secret of webhooks"


def register(world: World, base_url: str, secret: str = SECRET) -> list[Note]:
    return register_webhook(world.db, world.ls, world.project, WebhookTarget(base_url, secret))


@contextmanager
def listening(folder: Path, key: str) -> Iterator[str]:
    """A gateway that Label Studio reaches, with a connection of its own."""
    with ApertureDB(key) as database:
        inbox = WebhookInbox(SECRET, folder, lambda: database)
        with running_gateway(create_app(lambda: database, LINKS, (), inbox=inbox)) as url:
            yield url


@pytest.fixture
def heard(published: World, aperturedb: LocalServer, tmp_path: Path) -> Iterator[World]:
    """What people do in the project comes to the gateway."""
    with listening(tmp_path / "notes", aperturedb.key) as url:
        assert register(published, url) == []
        yield published


def news(world: World, after: str) -> News:
    """The news with another mark than `after`: a forwarder brings them after the answer."""
    deadline = time.monotonic() + 10
    while (found := news_of(world.db, world.record)).mark == after:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def edit(world: World, *labels: str) -> int:
    """An annotation with one label after the other. Returns its id when all calls are noted."""
    mark = news_of(world.db, world.record).mark
    made = int(world.annotate(world.task_ids()[0], box(label=labels[0]))["id"])
    mark = news(world, mark).mark
    for label in labels[1:]:
        world.ls.update_annotation(made, {"result": [box(label=label)]})
        mark = news(world, mark).mark
    return made


def labels_of(world: World) -> list[str]:
    """The labels of the versions that webhooks brought, oldest first."""
    rows = sorted(world.stored(names.REVISION), key=lambda row: str(row["LS_updated_at"]))
    return ["dog" if '"dog"' in str(row["LS_data"]) else "car" for row in rows if row.get("LS_noted")]


def test_every_version_between_two_syncs_is_kept(heard: World):
    edit(heard, "car", "dog", "car", "dog")
    report = heard.collect()
    assert (report.created, report.noted, report.problems) == (1, 3, [])
    assert (labels_of(heard), heard.boxes("dog"), heard.boxes("car")) == (["car", "dog", "car"], 1, 0)
    heard.db.writes.clear()
    report = heard.collect()
    assert (report.idle, report.requests, heard.db.writes) == (True, 2, [])


def test_a_version_that_was_read_is_no_second_one(heard: World):
    made = edit(heard, "car")
    heard.collect()
    heard.ls.update_annotation(made, {"result": [box(label="dog")]})
    assert news(heard, "").batches <= {"May"}
    heard.collect()
    assert (labels_of(heard), len(heard.stored(names.REVISION))) == ([], 1)


def test_an_annotation_that_came_and_went_is_kept(heard: World):
    made = edit(heard, "car")
    mark = news_of(heard.db, heard.record).mark
    heard.ls.delete_annotation(made)
    news(heard, mark)
    report = heard.collect()
    (row,) = heard.stored(names.REVISION)
    assert (report.noted, heard.annotations(), row["LS_annotation_id"]) == (1, [], made)
    assert row["LS_media_guid"] == heard.tasks()[0]["data"]["guid"]


def test_a_note_that_comes_after_the_sync_is_used_by_the_next(heard: World):
    """Late and reordered calls: the note of the first version is withheld until the second was read."""
    edit(heard, "car", "dog")
    rows = [row for row in heard.stored(names.NOTE) if "LS_data" in row]
    late = next(row for row in rows if '"dog"' not in str(row["LS_data"]))
    del late["_uniqueid"]
    heard.db.one("DeleteEntity", {"with_class": names.NOTE, "constraints": {names.KEY: ["==", late[names.KEY]]}})
    assert heard.collect().noted == 0
    for _ in range(2):  # and doubled
        heard.db.one("AddEntity", {"class": names.NOTE, "properties": late})
        heard.collect()
    assert labels_of(heard) == ["car"]


def test_a_gateway_that_is_away_costs_nothing_but_time(published: World):
    assert register(published, "http://127.0.0.1:9") == []
    published.annotate(published.task_ids()[0], box())
    assert (published.collect().created, published.boxes("car")) == (1, 1)


def test_invented_notes_change_nothing_that_is_current(published: World):
    published.annotate(published.task_ids()[0], box())
    published.collect()
    record, before = published.record, published.annotations()
    shared = {"LS_instance": record.instance, "LS_project": record.slug, "LS_batch": "May"}
    time_ = "2026-05-01T12:00:00Z"
    lies = (
        "no json",
        "[]",
        '{"id": 1, "project": 999999}',
        f'{{"id": "x", "project": {record.project_id}, "task": 1, "result": []}}',
        f'{{"id": 5, "project": {record.project_id}, "task": 1, "result": [], "created_at": "{time_}", '
        f'"updated_at": "{time_}", "completed_by": 77}}',
    )
    for number, lie in enumerate(lies):
        properties = {**shared, names.KEY: f"lie {number}", "LS_data": lie}
        published.db.one("AddEntity", {"class": names.NOTE, "properties": properties})
    report = published.collect()
    assert (report.noted, len(report.problems), published.annotations()) == (1, 4, before)
    assert published.stored(names.NOTE) == []
    assert published.stored(names.REVISION)[0]["LS_annotator"] == "user 77"


def test_registering_again_repairs_and_never_doubles(published: World):
    project = published.record.project_id
    register(published, "http://127.0.0.1:9")
    requests = published.ls.request_count
    register(published, "http://127.0.0.1:9")
    assert published.ls.request_count == requests + 1
    (hook,) = published.ls.webhooks(project)
    body = {key: hook[key] for key in ("headers", "send_payload", "send_for_all_actions", "is_active")}
    published.ls.create_webhook(project, {**body, "url": hook["url"], "actions": []})
    published.ls.create_webhook(project, {**body, "url": "http://127.0.0.1:9/other", "actions": []})
    published.ls.update_webhook(hook["id"], {"is_active": False}, actions=["TASKS_CREATED"])
    register(published, "http://127.0.0.1:10", "a newer secret")
    ours, other = published.ls.webhooks(project)
    assert (ours["id"], ours["is_active"], set(ours["actions"])) == (hook["id"], True, set(ACTIONS))
    assert ours["url"].startswith("http://127.0.0.1:10/webhooks/label_studio/")
    assert (ours["headers"], other["url"]) == (
        {"X-Labeling-Assets-Secret": "a newer secret"},
        "http://127.0.0.1:9/other",
    )


def test_a_refused_address_is_reported_with_what_to_set_and_stops_nothing(published: World):
    """Label Studio gives the same answer to a scheme it does not like as to a private address."""
    (note,) = register(published, "ftp://127.0.0.1")
    assert "USE_DEFAULT_BANNED_SUBNETS=false" in note.text
    assert "answered 403" in note.text
    (note,) = register(published, "http://gateway.invalid")
    assert "Nothing is lost" in note.text


def test_nothing_is_sent_when_webhooks_are_off(published: World):
    requests = published.ls.request_count
    assert register_webhook(published.db, published.ls, published.project, None) == []
    assert published.ls.request_count == requests
