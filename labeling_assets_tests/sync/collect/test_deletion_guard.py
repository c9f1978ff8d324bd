"""What may go from a batch at once, and what has to be said for more."""

from collections.abc import Callable

import pytest

from labeling_assets import names
from labeling_assets.errors import DataError, ProjectGoneError
from labeling_assets.sync.collect.deletion_guard import DeletionGuard
from labeling_assets.sync.labeling_project import recorded_project
from labeling_assets.sync.watermark import load_state
from labeling_assets_tests.sync.world import World, box, pictures


def guard(annotations: int, removed: int = 0, *, share: float = 0.1, allowed: bool = False) -> DeletionGuard:
    return DeletionGuard(
        "cars", "May", share=share, allowed=allowed, removed=removed, annotations=lambda: annotations - removed
    )


@pytest.mark.parametrize(
    ("gone", "of", "share"),
    [(10, 11, 0.1), (20, 200, 0.1), (200, 200, 1), (10, 200, 0)],
    ids=["ten of few", "a tenth", "all, without a limit", "ten, whatever the limit"],
)
def test_so_much_may_go(gone: int, of: int, share: float):
    guard(of, share=share).annotations(gone)
    guard(of, share=share).tasks(gone, of)


@pytest.mark.parametrize(
    ("gone", "of", "share"),
    [(11, 11, 0.1), (21, 200, 0.1), (11, 200, 0)],
    ids=["eleven of few", "more than a tenth", "more than ten without a share"],
)
def test_so_much_may_not_go(gone: int, of: int, share: float):
    for check in (lambda: guard(of, share=share).annotations(gone), lambda: guard(of, share=share).tasks(gone, of)):
        with pytest.raises(DataError, match=f"At least {gone} of {of}"):
            check()


def test_it_counts_over_the_chunks_of_a_sync():
    counting = guard(100)
    counting.annotations(6)
    with pytest.raises(DataError, match="At least 12 of 100 annotations of batch 'May'"):
        counting.annotations(6)


def test_it_goes_on_with_the_count_of_a_sync_that_was_stopped():
    with pytest.raises(DataError, match="At least 11 of 100"):
        guard(100, removed=10).annotations(1)


def test_a_person_may_allow_it():
    guard(100, allowed=True).annotations(100)


@pytest.fixture
def labelled(make_world: Callable[..., World]) -> World:
    """Twelve pictures, each with a label that ApertureDB has."""
    world = make_world()
    world.hand_in(pictures(12))
    world.publish()
    for task in world.task_ids():
        world.annotate(task, box())
    world.collect()
    return world


def test_a_bulk_deletion_of_annotations_stops_the_sync_every_time(labelled: World):
    labelled.ls.run_action(labelled.record.project_id, "delete_tasks_annotations", labelled.task_ids())
    for _ in range(2):
        with pytest.raises(DataError, match="At least 12 of 12 annotations"):
            labelled.collect()
        assert labelled.boxes("car") == 12
    assert labelled.collect(allow_mass_deletion=True).deleted == 12
    assert load_state(labelled.db, labelled.record.sync_key("May")).removed == 0
    assert labelled.collect().idle


def test_deleted_tasks_stop_the_sync_every_time(labelled: World):
    labelled.ls.delete_tasks_bulk(labelled.record.project_id, labelled.task_ids()[1:])
    for full in (False, True):
        with pytest.raises(DataError, match="At least 11 of 12 tasks"):
            labelled.collect(full=full)
        assert labelled.boxes("car") == 12
    report = labelled.collect(allow_mass_deletion=True)
    assert (report.tasks_withdrawn, report.deleted, labelled.boxes("car")) == (11, 11, 1)


def test_what_was_labelled_meanwhile_is_brought_before_the_sync_stops(labelled: World):
    first, *others = labelled.task_ids()
    labelled.ls.delete_tasks_bulk(labelled.record.project_id, others)
    labelled.annotate(first, box(label="dog"))
    with pytest.raises(DataError, match="At least 11 of 12 tasks"):
        labelled.collect()
    assert labelled.boxes("dog") == 1


def test_the_project_may_allow_more(labelled: World):
    labelled.rewrite(yaml="max_deleted_share: 1")
    labelled.ls.run_action(labelled.record.project_id, "delete_tasks_annotations", labelled.task_ids())
    assert labelled.collect().deleted == 12


def test_a_project_that_is_gone_keeps_its_labels_until_a_person_says_otherwise(labelled: World):
    record = labelled.record
    labelled.ls.delete_project(record.project_id)
    with pytest.raises(ProjectGoneError, match="--allow-mass-deletion"):
        labelled.collect(full=True)
    assert labelled.boxes("car") == 12
    report = labelled.collect(full=True, allow_mass_deletion=True)
    assert (report.tasks_withdrawn, report.deleted, labelled.boxes("car")) == (12, 12, 0)
    assert all("LS_deleted_at" in row for row in labelled.annotations())
    assert recorded_project(labelled.db, labelled.ls, labelled.project) is None


def test_after_a_project_was_given_up_the_next_import_makes_a_new_one(labelled: World):
    old = labelled.record
    labelled.ls.delete_project(old.project_id)
    labelled.collect(allow_mass_deletion=True)
    labelled.hand_in(pictures(2, first=100), batch="June")
    assert labelled.publish("June").created == 2
    assert labelled.record.created_at != old.created_at
    labelled.annotate(labelled.task_ids()[0], box())
    assert labelled.collect("June").created == 1
    assert labelled.db.count("FindEntity", None, class_name=names.PROJECT) == 1
