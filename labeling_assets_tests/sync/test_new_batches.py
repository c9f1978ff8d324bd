"""Which batches of the inbox are imported, when, and in which order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling_assets.sync.inbox import InboxBatch
from labeling_assets.sync.new_batches import (
    ImportRequest,
    InboxCursor,
    Seen,
    attempt,
    finish,
    observed,
    plan_imports,
)

MAY = InboxBatch("May", "s1", ready=False)


def keys(seen: Seen, batch: InboxBatch = MAY, **options: object) -> list[str]:
    given = {"lacking": {"May": ("media", "cars/tasks")}, "in_flight": (), "now": 1010.0, **options}
    return [request.run_key for request in plan_imports(InboxCursor({"May": seen}), [batch], **given)[1]]


def test_a_batch_is_imported_when_it_did_not_change_for_ten_seconds():
    assert keys(Seen("s1", 1000.0), now=1009.9) == []
    assert keys(Seen("s1", 1000.0), now=1010.0) == ["May:s1:media+cars/tasks:1000:0"]


def test_a_batch_that_is_ready_is_imported_at_once():
    assert keys(Seen("s1", 1000.0), InboxBatch("May", "s1", ready=True), now=1000.0) == [
        "May:s1:media+cars/tasks:1000:0"
    ]


def test_a_batch_that_is_done_is_not_imported_again():
    assert keys(Seen("s1", 1000.0, done=True)) == []


def test_a_batch_is_not_asked_for_while_a_run_of_it_is_in_flight():
    assert keys(Seen("s1", 1000.0), in_flight=["May"]) == []


def test_a_failed_import_is_asked_for_again_with_pauses_that_double():
    assert [attempt(waited) for waited in (0, 59, 60, 119, 120, 239, 240, 480, 960)] == [0, 0, 1, 1, 2, 2, 3, 4, 5]


def test_a_change_makes_a_batch_that_was_done_a_new_one():
    done = InboxCursor({"May": Seen("s1", 1000.0, done=True)})
    assert observed(done, [MAY], now=1100.0) == done
    changed = observed(done, [InboxBatch("May", "s2", ready=False)], now=1100.0)
    assert changed.seen["May"] == Seen("s2", 1100.0)


def test_a_batch_that_was_removed_is_forgotten():
    assert observed(InboxCursor({"May": Seen("s1", 1000.0)}), [], now=1100.0).seen == {}


def test_only_what_is_finished_is_marked_as_done():
    cursor = finish(InboxCursor({"May": Seen("s1", 1.0), "June": Seen("s2", 2.0)}), ["May", "other"])
    assert (cursor.seen["May"].done, cursor.seen["June"].done) == (True, False)


def ready(*names: str) -> list[InboxBatch]:
    return [InboxBatch(name, "s", ready=True) for name in names]


def imports(
    cursor: InboxCursor, batches: list[InboxBatch], *, now: float, in_flight: tuple[str, ...] = ()
) -> tuple[InboxCursor, list[ImportRequest]]:
    """A look at the inbox: these batches lack their media."""
    lacking = {batch.name: ("media",) for batch in batches}
    return plan_imports(observed(cursor, batches, now=now), batches, lacking=lacking, in_flight=in_flight, now=now)


def test_not_too_many_at_once():
    batches = ready(*(f"b{number:02}" for number in range(30)))
    cursor, first = imports(InboxCursor(), batches, now=0.0)
    _, second = imports(cursor, batches, now=10.0)
    assert [request.batch for request in first] == [f"b{number:02}" for number in range(20)]
    assert [request.batch for request in second][:10] == [f"b{number:02}" for number in range(20, 30)]


def test_imports_that_always_fail_do_not_hold_up_another():
    """Twenty batches fail at once at every attempt; one that is handed in later has its turn at the next look."""
    broken = ready(*(f"a{number:02}" for number in range(20)))
    cursor, now = InboxCursor(), 0.0
    for _ in range(400):
        cursor, requests = imports(cursor, broken, now=now)
        assert len(requests) == 20
        now += 10
    _, requests = imports(cursor, [*broken, *ready("late")], now=now)
    assert requests[0].batch == "late"


def test_a_request_that_is_repeated_is_counted_once():
    cursor, first = imports(InboxCursor(), ready("May"), now=0.0)
    again, second = imports(cursor, ready("May"), now=10.0)
    assert (second, again) == (first, cursor)
    assert cursor.seen["May"].asked == 1


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 4000)), min_size=1, max_size=20))
def test_every_batch_has_its_turn_whatever_fails(bursts: list[tuple[int, int]]):
    """Batches come in bursts and every import fails at once: each is asked for within as many looks as it takes."""
    cursor, now, names, asked = InboxCursor(), 0.0, [], set()
    for size, pause in bursts:
        names += [f"b{len(names) + number}" for number in range(size)]
        for _ in range(-(-len(set(names) - asked) // 20)):
            cursor, requests = imports(cursor, ready(*names), now=now)
            asked |= {request.batch for request in requests}
            now += 10
        assert asked == set(names)
        now += pause


@given(
    st.dictionaries(st.text(), st.builds(Seen, st.text(), st.floats(0, 1e9), st.booleans(), st.integers(0), st.text()))
)
def test_a_cursor_survives_being_kept_as_text(seen):
    assert InboxCursor.load(InboxCursor(seen).dump()) == InboxCursor(seen)


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"v": 0}', '{"v": 2}', '{"v": 2, "seen": 3}'])
def test_an_unreadable_cursor_is_an_empty_one(text: str | None):
    assert InboxCursor.load(text) == InboxCursor()
