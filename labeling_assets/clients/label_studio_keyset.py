"""Reading many tasks without page numbers, which lose rows whenever others are updated or deleted meanwhile.

Every request asks for the first page beyond what was seen; `total` of the answer, never its length, says whether
there is more (the server may cap a page silently).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from labeling_assets.clients.label_studio_query import (
    Filter,
    id_above,
    parse_time,
    updated_after,
    updated_at,
    updated_since,
)
from labeling_assets.clients.label_studio_records import Task, TaskPage

FirstPage = Callable[[Sequence[Filter], str], TaskPage]
"""Filters and ordering in, the first page of the tasks that match out."""


def by_id(first_page: FirstPage, filters: Sequence[Filter] = ()) -> Iterator[Task]:
    """Every task that matches, in the order of ids."""
    bound: list[Filter] = []
    while True:
        page = first_page([*bound, *filters], "tasks:id")
        yield from page.tasks
        if _is_last(page):
            return
        bound = [id_above(page.tasks[-1]["id"])]


def by_update(first_page: FirstPage, since: datetime | None, filters: Sequence[Filter] = ()) -> Iterator[Task]:
    """Every task that matches with `updated_at` of `since` or later, in that order, each state of a task once."""
    seen: set[tuple[int, str]] = set()
    bound = [] if since is None else [updated_since(since)]
    while True:
        page = first_page([*bound, *filters], "tasks:updated_at")
        yield from _unseen(page.tasks, seen)
        if _is_last(page):
            return
        first, last = (parse_time(page.tasks[end]["updated_at"]) for end in (0, -1))
        if first == last:
            # A bulk action gave 1,200 tasks the same microsecond: only ids tell them apart.
            yield from _unseen(by_id(first_page, [updated_at(last), *filters]), seen)
            bound = [updated_after(last)]
        else:
            bound = [updated_since(last)]
        # What comes again can only be tasks of the last moment.
        seen = {(task_id, time) for task_id, time in seen if parse_time(time) == last}


def _is_last(page: TaskPage) -> bool:
    return not page.tasks or page.total <= len(page.tasks)


def _unseen(tasks: Iterable[Task], seen: set[tuple[int, str]]) -> Iterator[Task]:
    for task in tasks:
        state = task["id"], task["updated_at"]
        if state not in seen:
            seen.add(state)
            yield task
