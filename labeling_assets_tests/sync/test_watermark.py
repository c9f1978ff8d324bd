"""How far a batch is in sync."""

from datetime import UTC, datetime, timedelta

from labeling_assets import names
from labeling_assets.clients.label_studio import Probe
from labeling_assets.clients.query import Query
from labeling_assets.sync.lease import lease
from labeling_assets.sync.watermark import SyncState, load_state, load_states
from labeling_assets_tests.sync.world import WatchedDatabase

NOON = "2026-05-01T12:00:00.000000Z"
EARLIER = "2026-05-01T11:59:30.000000Z"
LONG_AGO = "2026-05-01T11:58:59.999999Z"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_a_sync_begins_a_minute_before_the_watermark():
    assert SyncState("k", watermark=NOON).since == at(NOON) - timedelta(seconds=60)
    assert SyncState("k").since is None


def test_a_watermark_never_goes_back():
    state = SyncState("k", watermark=NOON)
    assert state.moved(EARLIER).watermark == NOON
    assert state.moved("2026-05-01T12:00:00.000001Z").watermark == "2026-05-01T12:00:00.000001Z"


def test_the_window_is_the_minute_before_the_watermark():
    state = SyncState("k", watermark=NOON).closed({1: LONG_AGO, 2: EARLIER, 3: NOON})
    assert state.window_total == 2
    assert state.matches(Probe.of([(2, at(EARLIER)), (3, at(NOON))]))


def test_a_window_that_is_the_same_matches():
    state = SyncState("k", watermark=NOON).closed({2: EARLIER, 3: NOON})
    assert state.matches(Probe(2, ((3, at(NOON)), (2, at(EARLIER)))))


def test_a_task_that_came_late_or_went_does_not_match():
    state = SyncState("k", watermark=NOON).closed({2: EARLIER, 3: NOON})
    assert not state.matches(Probe.of([(3, at(NOON)), (4, at(EARLIER)), (2, at(EARLIER))]))
    assert not state.matches(Probe.of([(3, at(NOON))]))


def test_a_task_that_changed_and_came_late_behind_a_newer_one_does_not_match():
    state = SyncState("k", watermark=NOON).closed({2: EARLIER, 3: NOON})
    assert not state.matches(Probe.of([(3, at(NOON)), (2, at(NOON) - timedelta(seconds=1))]))


def test_which_of_many_tasks_of_one_moment_a_probe_names_does_not_matter():
    """A bulk action gave them one time; the server lists some of them."""
    state = SyncState("k", watermark=NOON).closed({7: NOON, **dict.fromkeys(range(100, 300), EARLIER)})
    last = tuple((task, at(EARLIER)) for task in range(220, 244))
    assert state.matches(Probe(201, ((7, at(NOON)), *last)))
    assert not state.matches(Probe(201, ((8, at(NOON)), *last)))


def test_a_newer_task_does_not_match():
    state = SyncState("k", watermark=NOON).closed({3: NOON})
    assert not state.matches(Probe.of([(3, at(NOON) + timedelta(microseconds=1))]))


def test_a_batch_without_tasks_matches_none():
    state = SyncState("k").closed({})
    assert state.matches(Probe.of([]))
    assert not state.matches(Probe.of([(1, at(NOON))]))


def test_an_open_window_matches_nothing():
    assert not SyncState("k").matches(Probe.of([]))
    assert not SyncState("k", watermark=NOON).moved(NOON).matches(Probe.of([]))


def stored(database: WatchedDatabase, *states: SyncState) -> None:
    query = Query()
    for state in states:
        query.add("AddEntity", {"class": names.SYNC, "properties": {names.KEY: state.key}})
        state.save(query)
    database.run(query)


def test_a_state_is_kept(database: WatchedDatabase):
    state = SyncState("p|May", NOON, 2, "a digest", EARLIER, 4, 5, {7: "its data names no medium"})
    stored(database, state)
    assert load_state(database, "p|May") == state


def test_without_a_state_there_is_an_empty_one(database: WatchedDatabase):
    assert load_state(database, "p|May") == SyncState("p|May")


def test_the_states_of_a_project_are_those_of_its_batches(database: WatchedDatabase):
    may, june = SyncState("p|May", NOON), SyncState("p|June", EARLIER)
    stored(database, may, june, SyncState("p2|May", NOON))
    database.one("AddEntity", {"class": names.SYNC, "properties": {names.KEY: "p|/publish"}})
    assert load_states(database, "p") == {"May": may, "June": june}


def test_the_state_of_a_writer_that_lost_its_lease_is_not_saved(database: WatchedDatabase):
    now = [0.0]
    with lease(database, "k", clock=lambda: now[0]) as late:
        now[0] = 500.0
        with lease(database, "k", clock=lambda: now[0]) as held:
            for writer, watermark in ((held, NOON), (late, EARLIER)):
                query = Query()
                SyncState("k", watermark=watermark).save(query, writer.condition)
                database.run(query)
    assert load_state(database, "k").watermark == NOON
