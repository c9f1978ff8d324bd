"""A large batch is read from a snapshot the first time; what comes of it is what comes of the list."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.sync.collect import read_tasks
from labeling_assets.sync.watermark import load_state
from labeling_assets_tests.faults.contents import contents
from labeling_assets_tests.sync.world import World, box, outline


@pytest.fixture
def large(published: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Three tasks are many: one labelled, one labelled and skipped, one open."""
    monkeypatch.setattr(read_tasks, "SNAPSHOT_FROM", 3)
    first, second, _ = published.task_ids()
    published.annotate(first, box(), lead_time=2.5)
    published.annotate(second, outline())
    published.annotate(second, was_cancelled=True)
    return published


def stored(world: World) -> list[Any]:
    return [(row["LS_guid"], json.loads(row["LS_data"]), row["LS_content_hash"]) for row in world.annotations()]


def test_a_large_batch_is_read_from_a_snapshot_the_first_time(large: World):
    report = large.collect()
    assert (report.read_by, report.created, report.regions) == ("snapshot", 3, 2)
    assert load_state(large.db, large.record.sync_key("May")).watermark == max(t["updated_at"] for t in large.tasks())


def test_after_a_snapshot_the_next_sync_has_nothing_to_do(large: World):
    large.collect()
    assert large.collect().idle


def test_a_snapshot_gives_what_the_list_gives(large: World, monkeypatch: pytest.MonkeyPatch):
    large.collect()
    by_snapshot, before = stored(large), contents(large.db)
    monkeypatch.setattr(read_tasks, "SNAPSHOT_FROM", 4)
    report = large.collect(full=True)
    assert (report.read_by, report.unchanged, report.updated) == ("list", 3, 0)
    assert (stored(large), contents(large.db)) == (by_snapshot, before)


def test_a_small_batch_is_listed(large: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(read_tasks, "SNAPSHOT_FROM", 4)
    assert large.collect().read_by == "list"


def test_later_syncs_list_what_changed(large: World):
    large.collect()
    large.annotate(large.task_ids()[2], box())
    report = large.collect()
    assert (report.read_by, report.created) == ("list", 1)


class During(httpx.BaseTransport):
    """Calls a function when the first request with such an end has been answered, or answers it with an error."""

    def __init__(self, end: str, then: Any) -> None:
        self._real, self._end, self._then = httpx.HTTPTransport(), end, then

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._real.handle_request(request)
        if self._then is not None and request.method == "GET" and request.url.path.endswith(self._end):
            then, self._then = self._then, None
            response.read()
            return then() or response
        return response


@pytest.fixture
def seen_during(large: World, label_studio_key: str) -> Iterator[Any]:
    """`seen_during(end, then)` gives the world a client that calls `then` in the middle of its reading."""
    made: list[LabelStudio] = []
    people = large.ls

    def use(end: str, then: Any) -> LabelStudio:
        made.append(LabelStudio(people.url, label_studio_key, transport=During(end, then)))
        large.ls = made[-1]
        return people

    yield use
    for client in made:
        client.close()


def test_what_changes_while_the_snapshot_is_read_is_not_lost(large: World, seen_during: Any):
    task = large.task_ids()[2]
    people = large.ls
    seen_during("/download", lambda: people.create_annotation(task, {"result": [box()]}) and None)
    report = large.collect()
    assert (report.read_by, report.created) == ("snapshot", 4)
    assert large.collect().idle


def test_tasks_are_read_again_after_a_snapshot_only_if_they_may_have_changed(
    large: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(read_tasks, "_SETTLED", timedelta(0))
    tasks = len(large.task_ids())
    report = large.collect()
    assert (report.read_by, report.tasks_read) == ("snapshot", tasks)


def test_without_a_snapshot_the_tasks_are_listed_and_the_report_says_why(large: World, seen_during: Any):
    seen_during("/download", lambda: httpx.Response(404, json={"detail": "gone"}))
    report = large.collect()
    assert (report.read_by, report.created) == ("list", 3)
    assert "no snapshot could be read" in report.problems[0].text
