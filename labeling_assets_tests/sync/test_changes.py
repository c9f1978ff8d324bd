"""What the sensor notices, at which cost, and when it asks for a run."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labeling_assets import names
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.query import Query
from labeling_assets.errors import DataError
from labeling_assets.sync.changes import Cursor, Pending, SyncRequest, miscounted, observe, plan, ready
from labeling_assets.sync.watermark import load_states
from labeling_assets_tests.sync.world import BOXES, World, box, picture

# The decision


def decide(cursor: Cursor, now: float, **known: object) -> tuple[Cursor, list[SyncRequest]]:
    """A plan with a quiet time of 30 s, a patience of 600 s and a partition for each batch."""
    given = {"finished": {}, "watermarks": {}, "in_flight": (), "known": tuple(cursor.pending), **known}
    busy, partitions = given.pop("in_flight"), given.pop("known")
    candidates = ready(cursor, in_flight=busy, known=partitions, now=now, min_interval_s=30, max_lag_s=600)
    return plan(cursor, candidates, now=now, **given)


def pending(
    batch: str = "May", *, mark: str = "m1", first: float = 1000, last: float = 1000, newest: str = ""
) -> Cursor:
    return Cursor(pending={batch: Pending(mark, first, last, newest)})


def asked(requests: Iterable[SyncRequest]) -> list[str]:
    return [request.batch for request in requests]


def test_a_batch_is_asked_for_when_it_was_quiet():
    assert decide(pending(), now=1029)[1] == []
    assert decide(pending(), now=1030)[1] == [SyncRequest("May", "May:m1:0:0")]


def test_a_batch_that_never_is_quiet_is_asked_for_after_the_longest_lag():
    assert asked(decide(pending(first=400, last=999), now=1000)[1]) == ["May"]
    assert asked(decide(pending(first=401, last=999), now=1000)[1]) == []


def test_a_batch_is_not_asked_for_while_a_run_of_it_is_in_flight():
    cursor, requests = decide(pending(), now=1100, in_flight=["May"])
    assert (asked(requests), list(cursor.pending)) == ([], ["May"])


def test_a_batch_without_a_partition_waits():
    cursor, requests = decide(pending(), now=1100, known=[])
    assert (asked(requests), list(cursor.pending)) == ([], ["May"])


def test_a_batch_stays_pending_until_a_sync_that_began_after_the_change_succeeded():
    assert list(decide(pending(), now=1100, finished={"May": 999.0})[0].pending) == ["May"]
    assert list(decide(pending(), now=1100, finished={"May": 1000.0})[0].pending) == ["May"]
    assert list(decide(pending(), now=1100, finished={"May": 1000.1})[0].pending) == []


def test_a_batch_stays_pending_until_its_watermark_shows_that_the_change_was_read():
    """The run may be on another machine, whose clock goes ahead."""
    waiting = pending(newest="2026-01-02")
    behind = decide(waiting, now=1100, finished={"May": 1000.2}, watermarks={"May": "2026-01-01"})[0]
    assert list(behind.pending) == ["May"]
    assert not decide(waiting, now=1100, finished={"May": 1000.2}, watermarks={"May": "2026-01-02"})[0].pending


def test_a_change_that_never_shows_in_the_watermark_is_done_in_the_end():
    """Its task was deleted before the sync."""
    waiting = pending(newest="2026-01-02")
    assert not decide(waiting, now=2000, finished={"May": 1300.1}, watermarks={"May": "2026-01-01"})[0].pending


def test_a_failed_run_is_asked_for_again_with_pauses_that_double():
    keys = [decide(pending(), now=1000 + waited)[1][0].run_key for waited in range(30, 7000)]
    new = [waited for waited, (before, key) in enumerate(itertools.pairwise(keys), start=31) if key != before]
    assert new == [60, 120, 240, 480, 960, 1920, 3600]


def test_another_change_is_another_run_key():
    first = decide(pending(mark="m1"), now=1030)[1][0].run_key
    assert decide(pending(mark="m2"), now=1030)[1][0].run_key != first


def test_the_longest_waiting_come_first_and_not_too_many():
    cursor = Cursor(pending={f"b{n}": Pending("m", 1000 - n, 1000 - n) for n in range(30)})
    cursor, requests = decide(cursor, now=2000)
    assert asked(requests) == [f"b{n}" for n in range(29, 9, -1)]
    assert len(cursor.pending) == 30


def test_batches_that_always_fail_do_not_hold_up_another():
    """Forty old batches fail at once at every attempt, more than one look asks for; a new one has its turn at once."""
    broken = {f"a{number:02}": Pending("m", 0, 0) for number in range(40)}
    cursor, now, runs = Cursor(pending=broken), 30.0, set()
    while now < 4 * 3600:
        cursor, requests = decide(cursor, now=now)
        runs |= set(requests)
        now += 30
    attempts = {sum(request.batch == batch for request in runs) for batch in broken}
    assert attempts <= {9, 10}  # after 0.5, 1, 2, 4, 8, 16 and 32 minutes, and every hour; of 40 some wait for a look
    cursor = replace(cursor, pending={**cursor.pending, "late": Pending("m", now - 30, now - 30)})
    assert asked(decide(cursor, now=now)[1])[0] == "late"


def test_a_batch_that_failed_comes_after_those_that_were_never_tried():
    tried, new = Pending("m1", 0, 0, asked=3, asked_key="May:old"), Pending("m1", 900, 900)
    assert asked(decide(Cursor(pending={"May": tried, "June": new}), now=1000)[1]) == ["June", "May"]


def test_a_request_that_is_repeated_is_counted_once():
    cursor, first = decide(pending(), now=1030)
    again, second = decide(cursor, now=1059)
    assert (again, second) == (cursor, first)
    assert cursor.pending["May"].asked == 1


def test_a_busy_batch_whose_syncs_succeed_does_not_lose_its_place():
    """It was read at 1500; what came at 2000 has waited since then, and no run of it has failed."""
    busy = Cursor(pending={"May": Pending("m9", 1000, 2000, asked=7, asked_key="May:m8")})
    cursor, _ = plan(busy, [], finished={"May": 1500.0}, watermarks={}, now=2100)
    assert cursor.pending["May"] == Pending("m9", 1500, 2000, asked=0, asked_key="May:m8")


times = st.floats(min_value=0, max_value=1e5)
batches = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d"]),
    st.builds(Pending, st.text(min_size=1, max_size=8), times, times, asked=st.integers(0, 9)),
)


@given(batches, st.dictionaries(st.sampled_from("abcd"), times), st.sets(st.sampled_from("abcd")), times)
def test_no_change_is_forgotten_and_nothing_is_asked_for_twice(waiting, finished, busy, now):
    cursor, requests = decide(Cursor(pending=waiting), now=now, finished=finished, in_flight=busy)
    done = {batch for batch, change in waiting.items() if finished.get(batch, 0.0) > change.last}
    assert set(cursor.pending) == set(waiting) - done
    assert len(set(asked(requests))) == len(requests)
    assert set(asked(requests)) <= set(cursor.pending) - busy


@given(batches, times)
def test_every_change_is_asked_for_in_the_end(waiting, finished_at):
    waiting = {batch: replace(change, first=min(change.first, change.last)) for batch, change in waiting.items()}
    requests = decide(Cursor(pending=waiting), now=2e5 + finished_at)[1]
    assert set(asked(requests)) == set(waiting)


steps = st.sampled_from(["save", "look", "note", "begin", "read", "finish"])
overtaken = [(move, 1.0) for move in ("begin", "read", "save", "look", "note", "finish", "look", "note")]


@given(st.lists(st.tuples(steps, st.floats(0.001, 200)), max_size=60), st.floats(-299, 299), st.booleans())
@example(overtaken, 299.0, False)
@example(overtaken, 299.0, True)
def test_a_batch_is_done_only_after_a_sync_that_read_what_was_seen(moves, ahead, deleted):
    """Saves, looks and syncs in any order; the clock of the run may go wrong, the saved task may be deleted."""
    now = saved = seen = synced = 0.0
    looked, began, read = None, None, None
    cursor, finished = Cursor(), {}

    def decided() -> Cursor:
        watermark = "" if deleted else f"{synced:012.3f}"
        return plan(cursor, [], finished=finished, watermarks={"May": watermark}, now=now)[0]

    for move, pause in moves:
        now += pause
        if move == "save":
            saved = now
        elif move == "look":
            looked = saved
        elif move == "note" and looked is not None:
            if looked > seen:
                seen = looked
                cursor = pending(first=now, last=now, newest=f"{seen:012.3f}")
            cursor, looked = decided(), None
            assert cursor.pending or seen <= synced
        elif move == "begin":
            began, read = now + ahead, None
        elif move == "read" and began is not None:
            read = saved
        elif move == "finish" and began is not None and read is not None:
            finished, synced, began, read = {"May": began}, read, None, None
    finished, synced = {"May": now + 601 + ahead}, saved
    assert not decided().pending


# Deleted tasks

some_tasks = st.lists(st.sampled_from(["b1", "b2", "b3"]), max_size=40)


def counting(there: set[int], asked: list[tuple[int, int]]) -> Callable[[int, int], int]:
    """Label Studio with these task ids."""

    def count(lowest: int, highest: int) -> int:
        asked.append((lowest, highest))
        return sum(lowest <= number <= highest for number in there)

    return count


@given(some_tasks, st.sets(st.integers(0, 39)), st.integers(8, 20))
def test_the_batches_of_deleted_tasks_are_found_whatever_one_look_may_cost(batches, deleted, limit):
    tasks = list(enumerate(batches, start=1))
    gone = {number for number, _ in tasks if number in deleted}
    count = counting({number for number, _ in tasks} - gone, [])
    found, next_id = set(), 1
    while next_id:
        wrong, next_id = miscounted([task for task in tasks if task[0] >= next_id], count, limit=limit)
        found |= wrong
    assert found == {batch for number, batch in tasks if number in gone}


def test_tasks_of_others_do_not_hide_deleted_ones():
    tasks = [(number, f"b{number // 20}") for number in range(100, 200, 2)]
    there = {number for number, _ in tasks} - {150} | {50, 251}
    assert miscounted(tasks, counting(there, [])) == ({"b7"}, 0)


def test_deleted_tasks_among_many_cost_few_requests():
    tasks = [(number, f"b{number // 500}") for number in range(1, 50_001)]
    asked: list[tuple[int, int]] = []
    gone = {1, 12_345, 23_456, 34_567, 50_000}
    found = miscounted(tasks, counting({number for number, _ in tasks} - gone, asked))
    assert found == ({"b0", "b24", "b46", "b69", "b100"}, 0)
    assert len(asked) < 70


# The cursor


@given(batches, st.text(), st.text(), st.dictionaries(st.text(), st.text()), st.booleans())
def test_a_cursor_survives_being_kept_as_text(waiting, since, window, digests, config_changed):
    cursor = Cursor("p", since, "s", window, 3, 4, 5, 6, config_changed, digests, waiting)
    assert Cursor.load(cursor.dump()) == cursor


@pytest.mark.parametrize("text", [None, "", "{", "[]", "3", '{"v": 0}', '{"v": 1}', '{"v": 1, "pending": 3}'])
def test_an_unreadable_cursor_is_an_empty_one(text: str | None):
    assert Cursor.load(text) == Cursor()


# The look


class Sensor:
    """A sensor of one project, with its memory."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.cursor = Cursor()
        self.requests = 0

    def look(self, *, now: float = 1000.0, unsynced: tuple[str, ...] = ()) -> set[str]:
        """The batches that changed since the last look."""
        world, before = self.world, self.world.ls.request_count
        states = load_states(world.db, world.record.key)
        cursor = replace(self.cursor, pending={})
        self.cursor = observe(
            world.db, world.ls, world.record, states, cursor=cursor, unsynced=unsynced, clock=lambda: now
        )
        self.requests = world.ls.request_count - before
        return set(self.cursor.pending)


@pytest.fixture
def sensor(world: World) -> Sensor:
    """Three batches of two tasks each, in sync, and a sensor that has seen it."""
    for number, batch in enumerate(("b1", "b2", "b3")):
        world.hand_in({"a.png": picture(2 * number), "b.png": picture(2 * number + 1)}, batch=batch)
        world.publish(batch)
        world.collect(batch)
    sensor = Sensor(world)
    sensor.look()
    return sensor


def test_an_idle_look_makes_two_requests_and_writes_nothing(sensor: Sensor):
    """It also tells, at no cost, that somebody changed the label configuration in Label Studio."""
    sensor.world.db.writes.clear()
    assert (sensor.look(), sensor.requests, sensor.world.db.writes) == (set(), 2, [])
    assert not sensor.cursor.config_changed
    world = sensor.world
    world.ls.update_project(world.record.project_id, label_config=BOXES.replace('"dog"', '"cat"'))
    assert (sensor.look(), sensor.requests, sensor.cursor.config_changed) == (set(), 2, True)


def test_only_the_batch_that_changed_is_pending(sensor: Sensor):
    sensor.world.annotate(sensor.world.task_ids()[2], box())
    assert sensor.look() == {"b2"}
    assert sensor.look() == set()


def test_a_change_that_comes_again_moves_only_the_last_time(sensor: Sensor):
    task = sensor.world.task_ids()[2]
    sensor.world.annotate(task, box())
    sensor.look(now=1000)
    first = sensor.cursor
    sensor.world.annotate(task, box())
    states = load_states(sensor.world.db, sensor.world.record.key)
    world = sensor.world
    cursor = observe(world.db, world.ls, world.record, states, cursor=first, clock=lambda: 1010)
    assert (cursor.pending["b2"].first, cursor.pending["b2"].last) == (1000, 1010)
    assert cursor.pending["b2"].mark != first.pending["b2"].mark


def test_a_change_is_noted_at_a_time_after_it_was_read(sensor: Sensor):
    """A sync that begins during the look may have read before the change."""
    world = sensor.world
    world.annotate(world.task_ids()[2], box())
    states = load_states(world.db, world.record.key)
    clock = lambda: float(world.ls.request_count)  # noqa: E731  # shorter than a function
    cursor = observe(world.db, world.ls, world.record, states, cursor=sensor.cursor, clock=clock)
    assert cursor.pending["b2"].last == clock()
    assert cursor.pending["b2"].newest == cursor.since


def test_a_lost_cursor_loses_no_change(sensor: Sensor):
    sensor.world.annotate(sensor.world.task_ids()[0], box())
    sensor.cursor = Cursor()
    assert sensor.look() == {"b1"}


def test_a_lost_cursor_costs_no_run(sensor: Sensor):
    sensor.cursor = Cursor()
    assert sensor.look() == set()


def test_a_task_that_somebody_put_into_another_batch_is_looked_for_in_its_own(sensor: Sensor):
    task = sensor.world.tasks()[2]
    sensor.world.ls.patch_task_data(task["id"], {**task["data"], "import_batch": "typo"})
    assert sensor.look() == {"b2"}
    assert [note.subject for note in sensor.world.collect("b2").quarantined] == [str(task["id"])]


def test_a_task_that_somebody_took_out_of_its_batch_is_looked_for_in_it(sensor: Sensor):
    task = sensor.world.tasks()[2]
    data = {key: value for key, value in task["data"].items() if key != "import_batch"}
    sensor.world.ls.patch_task_data(task["id"], data)
    assert sensor.look() == {"b2"}


def test_a_late_commit_inside_the_overlap_window_is_noticed(sensor: Sensor):
    """Label Studio stamps a row before it commits, so a row may appear behind newer ones: here both tasks of b1."""
    seen = {batch: digest for batch, digest in sensor.cursor.digests.items() if batch != "b1"}
    sensor.cursor = replace(sensor.cursor, digests=seen, window="as it was before")
    assert sensor.look() == {"b1"}
    assert sensor.look() == set()


def test_a_deleted_task_is_noticed(sensor: Sensor):
    sensor.world.ls.delete_task(sensor.world.task_ids()[0])
    assert sensor.look() == {"b1"}


def test_a_task_that_was_deleted_long_after_its_last_change_is_noticed(sensor: Sensor):
    """Beyond the overlap window only the number of tasks shows it."""
    task = sensor.world.task_ids()[0]
    sensor.world.ls.delete_task(task)
    project = sensor.world.ls.project(sensor.world.record.project_id)
    sensor.cursor = replace(sensor.cursor, window=sensor.world.ls.newest_change(project.id).digest)
    assert sensor.look() == {"b1"}


def test_a_search_for_deleted_tasks_goes_on_where_it_stopped(sensor: Sensor):
    world = sensor.world
    first, *_, last = world.task_ids()
    world.ls.delete_task(first)
    world.ls.delete_task(last)
    window = world.ls.newest_change(world.record.project_id).digest
    sensor.cursor = replace(sensor.cursor, window=window, counting=5, counted=first + 1)
    sensor.cursor = replace(sensor.cursor, since=str(world.tasks()[-1]["updated_at"]))
    assert sensor.look() == {"b3"}
    assert sensor.look() == {"b1", "b3"}


def test_tasks_that_were_published_cost_no_search(sensor: Sensor):
    sensor.world.hand_in({"c.png": picture(99)}, batch="b4")
    sensor.world.publish("b4")
    assert (sensor.look(), sensor.requests) == ({"b4"}, 3)


def test_a_batch_that_was_never_synced_is_pending(sensor: Sensor):
    assert sensor.look(unsynced=("b9",)) == {"b9"}


def test_a_restored_database_is_noticed(sensor: Sensor):
    """Its watermarks are older than those that were seen; Label Studio did not change."""
    world = sensor.world
    world.annotate(world.task_ids()[0], box())
    states = load_states(world.db, world.record.key)
    old = states["b1"]
    sensor.look()
    world.collect("b1")
    assert sensor.look() == set()
    query = Query()
    old.save(query)
    for name in (names.ANNOTATION,):
        query.add("DeleteEntity", {"with_class": name, "constraints": equal("LS_project", "cars")})
    world.db.run(query)
    assert "b1" in sensor.look()


def test_another_project_under_the_same_id_stops_the_sensor(sensor: Sensor):
    world = sensor.world
    record = replace(world.record, created_at="2020-01-01T00:00:00.000000Z")
    with pytest.raises(DataError, match="was rebuilt or restored"):
        observe(world.db, world.ls, record, {}, cursor=sensor.cursor)


def test_tasks_that_people_added_without_a_batch_cost_nothing_at_the_next_look(sensor: Sensor):
    project = sensor.world.record.project_id
    sensor.world.ls.import_tasks(project, [{"data": {"image": "http://elsewhere/x.png"}}])
    assert sensor.look() == set()
    assert (sensor.look(), sensor.requests) == (set(), 2)
