"""When the sensor looks, and what it need not wait for: pure functions."""

import pytest

from labeling_assets.sync.changes import Cursor, Pending
from labeling_assets.sync.webhook_notes import News
from labeling_assets.sync.webhook_wake import Wake, due

LOOKED = Wake(looked_at=1000.0, mark="m1")


@pytest.mark.parametrize(
    ("news", "pending", "now", "looks"),
    [
        pytest.param(News("m1"), (), 1010.0, False, id="nothing"),
        pytest.param(News("m1"), (), 1030.0, True, id="time to poll"),
        pytest.param(News("m2"), (), 1001.0, True, id="a call"),
        pytest.param(News("m1", frozenset({"May"})), (), 1001.0, True, id="a note that nobody fetches"),
        pytest.param(News("m1", frozenset({"May"})), ("May",), 1001.0, False, id="a note that waits for its sync"),
        pytest.param(News("m1"), (), 900.0, True, id="a clock that went back"),
    ],
)
def test_it_looks_when_something_came_or_time_is_over(news, pending, now, looks):
    assert LOOKED.is_due(news, pending, now=now, poll_s=30) is looks


def test_without_webhooks_every_tick_looks():
    assert Wake(looked_at=1000.0).is_due(News(), (), now=1000.0, poll_s=0)


def test_it_is_remembered_beside_the_cursor():
    cursor, wake = Cursor(project="p", pending={"May": Pending("m", 1, 2)}), Wake(5.0, "m", frozenset({"May"}))
    text = wake.dump_into(cursor.dump())
    assert (Cursor.load(text), Wake.load(text)) == (cursor, wake)


@pytest.mark.parametrize("text", [None, "", "{}", "[]", '{"wake": {}}', "no json"])
def test_a_cursor_without_it_is_a_new_one(text):
    assert Wake.load(text) == Wake()


def cursor(**pending: float) -> Cursor:
    return Cursor(pending={batch: Pending("m", first, first) for batch, first in pending.items()})


def test_only_what_a_call_brought_need_not_wait():
    before, after = cursor(May=900), cursor(May=900, June=1000)
    assert LOOKED.after_look(News("m2"), before, after, now=1).woken == {"June"}
    assert LOOKED.after_look(News("m1"), before, after, now=1).woken == set()
    assert LOOKED.after_look(News("m2", frozenset({"May", "other"})), before, after, now=1).woken == {"May", "June"}


def due_at(now: float, woken: set[str], synced_at: float = 0.0) -> list[str]:
    found = due(
        cursor(May=1000, June=1000),
        woken,
        lambda batch: synced_at,
        in_flight=(),
        known=("May", "June"),
        now=now,
        min_interval_s=30,
        max_lag_s=600,
        limit=10,
    )
    return list(found)


def test_a_woken_batch_is_due_at_once_and_others_when_quiet():
    assert (due_at(1001, {"May"}), due_at(1030, {"May"})) == (["May"], ["May", "June"])


def test_a_woken_batch_is_not_synced_more_often_than_its_interval():
    assert (due_at(1001, {"May"}, synced_at=990), due_at(1020, {"May"}, synced_at=990)) == ([], ["May"])
