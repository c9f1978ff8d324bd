"""Tasks that are gone: deleted, made again under the same id, moved to another batch."""

from typing import Any

from labeling_assets import names
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.query import Query
from labeling_assets.sync.collect_annotations import plan_annotations
from labeling_assets.sync.verify import verify_annotations
from labeling_assets_tests.sync.world import World, box, picture


def made_again(world: World) -> int:
    """The newest task was labelled, synced, deleted, imported again with the same data, and labelled again."""
    task = world.tasks()[-1]
    world.annotate(task["id"], box(label="car"))
    world.collect()
    world.ls.delete_task(task["id"])
    (again,) = world.ls.import_tasks(world.record.project_id, [{"data": task["data"]}])
    assert again == task["id"]
    world.annotate(again, box(label="dog"))
    return again


def test_a_task_that_was_made_again_with_its_id_and_medium_is_another_one(published: World):
    again = made_again(published)
    report = published.collect()
    assert (report.created, report.deleted, report.tasks_withdrawn) == (1, 1, 1)
    assert (published.boxes("car"), published.boxes("dog")) == (0, 1)
    states = [row["LS_state"] for row in published.stored(names.TASK, equal("LS_task_id", again))]
    assert sorted(states) == ["done", "withdrawn"]
    assert published.collect().idle


def test_it_is_planned_as_it_is_synced(published: World):
    made_again(published)
    plan = plan_annotations(published.db, published.ls, published.project, batch="May")
    assert plan.counts == {"create": 1, "update": 0, "rewrite": 0, "delete": 1, "withdraw": 1}


# Moved to another batch


def moved(world: World) -> dict[str, Any]:
    """A task of May that names June; it is labelled after that. Returns what it was."""
    world.hand_in({"b.png": picture(50)}, batch="June")
    world.publish("June")
    task = world.tasks()[0]
    world.annotate(task["id"], box(label="car"))
    world.collect()
    world.collect("June")
    world.ls.patch_task_data(task["id"], {**task["data"], "import_batch": "June"})
    world.annotate(task["id"], box(label="dog"))
    return task


def test_nothing_of_a_task_that_names_another_batch_is_written_in_either(published: World):
    task = moved(published)
    for batch in ("May", "June"):
        (note,) = published.collect(batch).quarantined
        assert (note.subject, note.text) == (str(task["id"]), "its data.import_batch was changed from 'May' to 'June'")
    assert (published.boxes("car"), published.boxes("dog")) == (1, 0)


def test_both_batches_are_clear_when_it_is_repaired(published: World):
    task = moved(published)
    published.collect()
    published.collect("June")
    published.ls.patch_task_data(task["id"], task["data"])
    assert [published.collect(batch).quarantined for batch in ("May", "June")] == [[], []]
    assert [row["LS_batch"] for row in published.annotations()] == ["May", "May"]
    assert [published.collect(batch).idle for batch in ("May", "June")] == [True, True]


def test_the_checks_of_both_batches_name_it(published: World):
    task = moved(published)
    for batch in ("May", "June"):
        published.collect(batch)
        outcomes = verify_annotations(published.db, published.ls, published.project, batch)
        (offender,) = outcomes.mapping.offenders
        assert (offender["task"], offender["problem"]) == (
            task["id"],
            "its data.import_batch was changed from 'May' to 'June'",
        )


# An annotation that moved to another medium


def media_of(world: World, annotation_guid: str) -> list[str]:
    """The GUIDs of the media that an annotation is connected to."""
    query = Query()
    annotation, condition = query.reference(), equal(names.LS_GUID, annotation_guid)
    query.add("FindEntity", {"_ref": annotation, "with_class": names.ANNOTATION, "constraints": condition})
    edge = {"ref": annotation, "connection_class": names.ANNOTATION_IMAGE, "direction": "out"}
    query.add("FindImage", {"is_connected_to": edge, "results": {"list": [names.GUID]}, "blobs": False})
    return [str(row[names.GUID]) for row in world.db.run(query).objects(1)]


def test_an_annotation_that_was_moved_to_another_medium_is_connected_to_that(published: World):
    """ "Remove Duplicated Tasks" moved it to a task whose data a person had written over, and then repaired."""
    first, second, _ = published.tasks()
    published.annotate(first["id"], box())
    published.annotate(second["id"], box())
    published.collect()
    published.ls.patch_task_data(first["id"], second["data"])
    published.ls.run_action(published.record.project_id, "remove_duplicates", published.task_ids())
    published.ls.patch_task_data(first["id"], first["data"])
    published.collect()
    assert [row["LS_task_id"] for row in published.annotations()] == [first["id"]] * 2
    for row in published.annotations():
        assert media_of(published, row[names.LS_GUID]) == [row["LS_media_guid"]] == [first["data"]["guid"]]
