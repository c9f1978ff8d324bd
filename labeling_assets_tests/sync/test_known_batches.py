"""Batches that ApertureDB holds and Dagster does not know."""

import time

import pytest

from labeling_assets.clients.aperturedb import Reply
from labeling_assets.clients.query import Query
from labeling_assets.sync.known_batches import forgotten_batches
from labeling_assets.sync.lease import PUBLISHING, lease
from labeling_assets_tests.sync.world import Stock, WatchedDatabase, World, pictures

BATCHES = {"July", "June", "May"}


@pytest.fixture
def two(published: World) -> World:
    """May and June have tasks, July has none yet."""
    for number, batch in enumerate(("June", "July"), start=1):
        published.hand_in(pictures(1, first=100 * number), batch=batch)
    published.publish("June")
    return published


def forgotten(stock: Stock, unknown: set[str], *, now: float = 0.0) -> list[str]:
    return sorted(forgotten_batches(stock.db, [stock.project], unknown, now=now or time.time()))


def test_those_with_tasks_are_named(two: World):
    assert forgotten(two, BATCHES) == ["June", "May"]
    assert forgotten(two, {"June", "July"}) == ["June"]


def test_one_that_dagster_imported_is_named_before_it_has_tasks(stock: Stock):
    stock.hand_in(pictures(1), run_id="a run of Dagster")
    stock.hand_in(pictures(1, first=100), batch="June")
    assert forgotten(stock, BATCHES) == ["May"]


def test_a_project_that_does_not_want_them_is_not_asked(two: World):
    two.rewrite(yaml="batches: ['Ju*']")
    assert forgotten(two, BATCHES) == ["June"]
    assert forgotten_batches(two.db, [], BATCHES, now=time.time()) == set()


def test_tasks_in_another_project_do_not_count(two: World):
    other = two.project.model_copy(update={"slug": "dogs"})
    assert forgotten_batches(two.db, [other], BATCHES, now=time.time()) == set()


def test_while_somebody_publishes_to_the_project_they_wait(two: World):
    """An adoption takes half an hour, and a run would fail for its lease."""
    with lease(two.db, f"{two.record.key}|{PUBLISHING}"):
        assert forgotten(two, BATCHES) == []
        assert forgotten(two, BATCHES, now=time.time() + 3600) == ["June", "May"]
    assert forgotten(two, BATCHES) == ["June", "May"]


class CountedQueries(WatchedDatabase):
    """Counts every query."""

    queries = 0

    def run(self, query: Query) -> Reply:
        self.queries += 1
        return super().run(query)


@pytest.mark.parametrize(("unknown", "queries"), [(set(), 0), (BATCHES, 1)])
def test_where_dagster_knows_all_nothing_is_asked(two: World, unknown: set[str], queries: int):
    with CountedQueries(two.db.key, "expression") as two.db:
        forgotten(two, unknown)
        assert two.db.queries == queries
