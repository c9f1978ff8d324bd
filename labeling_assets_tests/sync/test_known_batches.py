"""Batches that ApertureDB knows and Dagster does not."""

import pytest

from labeling_assets.clients.aperturedb import Reply
from labeling_assets.clients.query import Query
from labeling_assets.sync.known_batches import batches_unknown_to
from labeling_assets_tests.sync.world import WatchedDatabase, World, pictures


@pytest.fixture
def two(published: World) -> World:
    """May and June have tasks, July has none yet."""
    for number, batch in enumerate(("June", "July"), start=1):
        published.hand_in(pictures(1, first=100 * number), batch=batch)
    published.publish("June")
    return published


def test_those_with_tasks_are_named(two: World):
    assert batches_unknown_to(set(), two.db, [two.project]) == ["June", "May"]
    assert batches_unknown_to({"May"}, two.db, [two.project]) == ["June"]


def test_a_project_that_does_not_want_them_is_not_asked(two: World):
    two.rewrite(yaml="batches: ['Ju*']")
    assert batches_unknown_to(set(), two.db, [two.project]) == ["June"]
    assert batches_unknown_to(set(), two.db, []) == []


class CountedQueries(WatchedDatabase):
    """Counts every query."""

    queries = 0

    def run(self, query: Query) -> Reply:
        self.queries += 1
        return super().run(query)


def test_where_dagster_knows_all_it_costs_one_query(two: World):
    with CountedQueries(two.db.key) as db:
        assert batches_unknown_to({"May", "June", "July"}, db, [two.project]) == []
        assert db.queries == 1
