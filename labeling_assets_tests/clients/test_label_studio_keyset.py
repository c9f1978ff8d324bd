"""The keyset readers against a list in memory; test_label_studio.py has them against the real server."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from labeling_assets.clients.label_studio_keyset import by_id, by_update
from labeling_assets.clients.label_studio_query import Filter, format_time, parse_time
from labeling_assets.clients.label_studio_records import Task, TaskPage

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MATCHES: dict[str, Callable[[Any, Any], bool]] = {
    "greater": lambda found, value: found > value,
    "greater_or_equal": lambda found, value: found >= value,
    "equal": lambda found, value: found == value,
}


class Tasks:
    """Tasks by id, each with the minute of its last change; answers as the server does, ties in any order."""

    def __init__(self, minutes: dict[int, int], *, page_size: int) -> None:
        self.minutes = minutes
        self.page_size = page_size
        self.requests = 0
        self.after: dict[int, Callable[[], None]] = {}

    def first_page(self, filters: Sequence[Filter], ordering: str) -> TaskPage:
        found = [task for task in map(self.task, self.minutes) if all(matches(task, item) for item in filters)]
        # The largest id first among ties: the server promises no order there.
        found.sort(key=lambda task: (task["updated_at"], -task["id"]) if "updated_at" in ordering else (task["id"],))
        self.requests += 1
        self.after.pop(self.requests, lambda: None)()
        return TaskPage(found[: self.page_size], len(found))

    def task(self, task_id: int) -> Task:
        return {"id": task_id, "updated_at": format_time(NOON + timedelta(minutes=self.minutes[task_id]))}


def matches(task: Task, condition: Filter) -> bool:
    found, value = task[condition.column], condition.value
    if condition.type == "Datetime":
        found, value = parse_time(found), parse_time(str(value))
    return MATCHES[condition.operator](found, value)


def ids(tasks: Tasks, since_minute: int = 0) -> list[int]:
    return [task["id"] for task in by_update(tasks.first_page, NOON + timedelta(minutes=since_minute))]


@pytest.mark.parametrize("page_size", [1, 2, 3, 5, 100])
def test_every_task_comes_once_in_the_order_of_changes(page_size: int):
    tasks = Tasks({1: 5, 2: 3, 3: 4, 4: 1, 5: 2}, page_size=page_size)
    assert ids(tasks) == [4, 5, 2, 3, 1]


@pytest.mark.parametrize("page_size", [1, 2, 3, 6, 7, 8])
def test_more_ties_than_a_page_holds_all_come_once(page_size: int):
    tasks = Tasks({1: 0, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 2}, page_size=page_size)
    found = ids(tasks)
    assert (found[0], sorted(found[1:7]), found[7:]) == (1, [2, 3, 4, 5, 6, 7], [8])


def test_the_lower_bound_is_included():
    assert ids(Tasks({1: 0, 2: 1, 3: 2}, page_size=10), since_minute=1) == [2, 3]


def test_nothing_new_costs_one_request():
    tasks = Tasks({1: 0}, page_size=10)
    assert ids(tasks, since_minute=1) == []
    assert tasks.requests == 1


def test_a_task_deleted_while_reading_hides_no_other():
    tasks = Tasks(dict.fromkeys(range(1, 7), 0) | {number: number for number in range(1, 7)}, page_size=2)
    tasks.after[1] = lambda: tasks.minutes.pop(1) and None
    assert ids(tasks) == [1, 2, 3, 4, 5, 6]


def test_a_task_changed_while_reading_comes_later():
    tasks = Tasks({1: 1, 2: 2, 3: 3, 4: 4}, page_size=2)
    tasks.after[1] = lambda: tasks.minutes.update({3: 9})
    assert ids(tasks) == [1, 2, 4, 3]


def test_a_task_changed_after_it_was_read_comes_again():
    tasks = Tasks({1: 1, 2: 2, 3: 3}, page_size=2)
    tasks.after[1] = lambda: tasks.minutes.update({1: 9})
    assert ids(tasks) == [1, 2, 3, 1]


def test_by_id_reads_all_in_the_order_of_ids():
    tasks = Tasks({3: 1, 1: 2, 2: 3}, page_size=2)
    assert [task["id"] for task in by_id(tasks.first_page)] == [1, 2, 3]
