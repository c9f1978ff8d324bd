"""Times of Label Studio that are behind what was read already: a row committed late, a clock set back."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from labeling_assets.stack.label_studio import LabelStudioServer
from labeling_assets.stack.label_studio_install import DATABASE_NAME
from labeling_assets.sync.sync_project import sync_project
from labeling_assets_tests.sync.world import World, box, outline, pictures

Stamp = Callable[[int, str], None]


@pytest.fixture
def stamp(label_studio_server: LabelStudioServer) -> Stamp:
    """`stamp(task, "-1 hour")` moves the times of a task and its newest annotation, as SQLite understands it."""

    def move(task: int, by: str) -> None:
        path = label_studio_server.data_dir / DATABASE_NAME
        with closing(sqlite3.connect(path, timeout=30)) as file, file:
            to = "strftime('%Y-%m-%d %H:%M:%f', updated_at, ?)"
            file.execute(f"UPDATE task SET updated_at = {to} WHERE id = ?", (by, task))
            newest = "(SELECT max(id) FROM task_completion WHERE task_id = ?)"
            file.execute(f"UPDATE task_completion SET updated_at = {to} WHERE id = {newest}", (by, task))

    return move


@pytest.fixture
def labelled(world: World) -> World:
    """Three tasks, two of them labelled, the second last; all is in sync."""
    world.hand_in(pictures(3))
    world.publish()
    for task in world.task_ids()[:2]:
        world.annotate(task, box(label="car"))
    sync_project(world.db, world.ls, world.project)
    return world


def edited_behind_the_newest(world: World, stamp: Stamp) -> None:
    """A second edit of the first task is stamped before the last change of the second, and committed after it."""
    first, second, _ = world.tasks()
    world.ls.update_annotation(first["annotations"][0]["id"], {"result": [box(label="dog")]})
    world.ls.update_annotation(second["annotations"][0]["id"], {})
    world.collect()
    world.ls.update_annotation(first["annotations"][0]["id"], {"result": [outline()]})
    stamp(first["id"], "-2 seconds")
    times = {task["id"]: task["updated_at"] for task in world.tasks()}
    assert times[first["id"]] < times[second["id"]]


def test_a_task_of_the_window_that_changed_again_and_was_committed_late_is_read(labelled: World, stamp: Stamp):
    """Neither the number of tasks in the window nor the newest of them shows it."""
    edited_behind_the_newest(labelled, stamp)
    report = labelled.collect()
    assert (report.idle, report.updated) == (False, 1)
    assert labelled.collect().idle


def test_a_look_at_the_whole_project_sees_it_too(labelled: World, stamp: Stamp):
    sync_project(labelled.db, labelled.ls, labelled.project)
    edited_behind_the_newest(labelled, stamp)
    (report,) = sync_project(labelled.db, labelled.ls, labelled.project)
    assert report.updated == 1
    assert sync_project(labelled.db, labelled.ls, labelled.project) == []


def test_what_is_done_under_a_clock_that_was_set_back_comes_with_the_next_full_comparison(
    labelled: World, stamp: Stamp
):
    """All of it is stamped an hour before what was read, where no incremental read looks."""
    third = labelled.task_ids()[2]
    stamp(third, "-1 hour")
    sync_project(labelled.db, labelled.ls, labelled.project)
    labelled.annotate(third, box(label="dog"))
    stamp(third, "-1 hour")
    assert sync_project(labelled.db, labelled.ls, labelled.project) == []
    (report,) = sync_project(labelled.db, labelled.ls, labelled.project, full=True)
    assert (report.created, labelled.boxes("dog")) == (1, 1)
    labelled.annotate(third, box("r2", label="dog"))  # and the clock is right again
    sync_project(labelled.db, labelled.ls, labelled.project)
    assert labelled.boxes("dog") == 2
