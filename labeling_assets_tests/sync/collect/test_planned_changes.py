"""A plan says what a sync does, and a sync with a plan does that and nothing else."""

import json

import pytest

from labeling_assets.errors import DataError, InputError
from labeling_assets.sync.collect.planned_changes import BatchPlan, load_plans
from labeling_assets.sync.collect_annotations import collect_annotations, plan_annotations
from labeling_assets.sync.report import CollectReport
from labeling_assets.sync.sync_project import plan_project, sync_project
from labeling_assets_tests.faults.contents import contents
from labeling_assets_tests.sync.world import World, box, outline, pictures


@pytest.fixture
def changed(world: World) -> World:
    """One annotation to create, one to update, one to delete, one task withdrawn with its annotation."""
    world.hand_in(pictures(5))
    world.publish()
    tasks = world.task_ids()
    made = [world.annotate(task, box()) for task in tasks[:3]]
    world.collect()
    world.ls.update_annotation(made[0]["id"], {"result": [box(label="dog")]})
    world.ls.delete_annotation(made[1]["id"])
    world.ls.delete_task(tasks[2])
    world.annotate(tasks[3], outline())
    return world


def plan(world: World, **options: bool) -> BatchPlan:
    return plan_annotations(world.db, world.ls, world.project, batch="May", **options)


def apply(world: World, agreed: BatchPlan) -> CollectReport:
    return collect_annotations(world.db, world.ls, world.project, batch="May", full=agreed.full, agreed=agreed)


def test_a_plan_counts_what_the_sync_then_does(changed: World):
    found = plan(changed)
    assert found.counts == {"create": 1, "update": 1, "rewrite": 0, "delete": 2, "withdraw": 1}
    report = apply(changed, found)
    assert (report.created, report.updated, report.deleted, report.tasks_withdrawn) == (1, 1, 2, 1)
    assert report.problems == []
    assert plan(changed).changes == []


def test_a_plan_writes_nothing(changed: World):
    before, writes = contents(changed.db), len(changed.db.writes)
    plan(changed)
    plan(changed, full=True)
    assert (contents(changed.db), changed.db.writes[writes:]) == (before, [])


def test_a_plan_names_annotations_and_tasks(changed: World):
    found = plan(changed)
    third = changed.annotations()[2]
    assert str(found.first("withdraw")[0]) == f"withdraw task {third['LS_task_id']}"
    deleted = f"delete annotation {third['LS_annotation_id']} of task {third['LS_task_id']}"
    assert deleted in map(str, found.first("delete"))


def test_what_is_not_in_the_plan_is_not_done(changed: World):
    agreed = plan(changed)
    changed.annotate(changed.task_ids()[0], box("late"))
    with pytest.raises(DataError, match=r"does not have 1 changes that are due now \(create annotation \d+ of task"):
        apply(changed, agreed)
    assert len(changed.annotations()) == 3
    assert apply(changed, plan(changed)).created == 2


def test_a_task_that_was_deleted_after_the_plan_is_not_withdrawn(changed: World):
    agreed = plan(changed)
    changed.ls.delete_task(changed.task_ids()[-1])
    with pytest.raises(DataError, match="withdraw task"):
        apply(changed, agreed)
    assert plan(changed).counts["withdraw"] == 2


def test_what_is_no_longer_due_is_told(changed: World):
    agreed = plan(changed)
    (created,) = agreed.first("create")
    changed.ls.delete_annotation(created.annotation_id)
    report = apply(changed, agreed)
    assert [note.subject for note in report.problems] == [str(created)]


def test_annotations_that_moved_to_a_twin_are_planned_as_they_are_synced(published: World):
    first = published.task_ids()[0]
    twin = published.ls.import_tasks(published.record.project_id, [{"data": published.tasks()[0]["data"]}])[0]
    published.annotate(twin, box())
    published.annotate(first, outline())
    published.collect()
    published.ls.run_action(published.record.project_id, "remove_duplicates", [first, twin])
    agreed = plan(published)
    assert agreed.counts == {"create": 0, "update": 1, "rewrite": 0, "delete": 0, "withdraw": 1}
    report = apply(published, agreed)
    assert (report.updated, report.deleted, report.tasks_withdrawn) == (1, 0, 1)


def test_a_plan_says_that_the_sync_would_stop(world: World):
    world.hand_in(pictures(12))
    world.publish()
    for task in world.task_ids():
        world.annotate(task, box())
    world.collect()
    world.ls.run_action(world.record.project_id, "delete_tasks_annotations", world.task_ids())
    found = plan(world)
    assert found.counts["delete"] == 12
    assert "At least 12 of 12 annotations" in found.stops


def test_a_plan_survives_its_way_through_a_file(changed: World):
    found = plan(changed, full=True)
    (read,) = load_plans(json.dumps([found.as_json()]), "plan.json").values()
    assert (read.changes, read.full, read.batch) == (found.changes, True, "May")


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[1]", '[{"project": "p", "batch": "b", "full": false, "changes": [{"action": "explode"}]}]'],
    ids=["empty", "no list", "no plan", "unknown action"],
)
def test_what_is_no_plan_is_refused_by_name(text: str):
    with pytest.raises(InputError, match=r"plan\.json is no plan"):
        load_plans(text if text != "{}" else '{"a": 1}', "plan.json")


def test_a_project_is_planned_for_the_batches_that_changed(changed: World):
    changed.hand_in(pictures(2, first=100), batch="June")
    changed.publish("June")
    for batch in ("May", "June"):
        changed.collect(batch)
    assert plan_project(changed.db, changed.ls, changed.project) == []
    changed.annotate(changed.task_ids()[-1], box())
    writes = len(changed.db.writes)
    (found,) = plan_project(changed.db, changed.ls, changed.project)
    assert (found.batch, found.counts["create"], changed.db.writes[writes:]) == ("June", 1, [])
    agreed = {found.batch: found}
    (report,) = sync_project(changed.db, changed.ls, changed.project, agreed=agreed)
    assert (report.batch, report.created) == ("June", 1)
