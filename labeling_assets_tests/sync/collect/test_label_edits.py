"""`allow_label_edits: false`: what came from ApertureDB stays what it was, and the edit is told."""

import json
from typing import Any

import pytest

from labeling_assets import names
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.query import Query
from labeling_assets.sync.push.push_labels import push_labels
from labeling_assets.sync.push.report import PushRequest
from labeling_assets.sync.report import CollectReport
from labeling_assets_tests.sync.world import World, box

POLICY = "allow_label_edits: false"


@pytest.fixture
def pushed(published: World) -> World:
    """A model's boxes on the first two pictures were pushed as annotations; no sync has seen them."""
    query = Query()
    for row in published.media(names.GUID)[:2]:
        key = f"{row[names.GUID]}|m1"
        properties = {names.LS_GUID: key, "LS_model_version": "m1", "LS_data": json.dumps([box()])}
        image, said = query.reference(), query.reference()
        query.add("FindImage", {"_ref": image, "constraints": equal(names.GUID, row[names.GUID]), "blobs": False})
        query.add("AddEntity", {"_ref": said, "class": names.PREDICTION, "properties": properties})
        query.connect(names.ANNOTATION_IMAGE, key, source=said, destination=image)
    published.db.run(query)
    published.rewrite(yaml=POLICY)
    request = PushRequest("annotations", "predictions", published.project.slug)
    assert push_labels(published.db, published.ls, published.project, request, sleep=lambda _: None).created == 2
    return published


def sent(world: World) -> list[dict[str, Any]]:
    return [annotation for task in world.tasks() for annotation in task["annotations"]]


def edit(world: World, annotation: dict[str, Any]) -> None:
    world.ls.update_annotation(annotation["id"], {"result": [box(label="dog")]})


def held(world: World) -> list[tuple[str, str]]:
    return [(row["LS_source"], json.loads(row["LS_data"])["result"][0]["id"]) for row in world.annotations()]


def refusals(report: CollectReport) -> list[str]:
    return [note.subject for note in report.problems if "allow_label_edits is false" in note.text]


def test_an_edit_of_what_was_pushed_is_not_taken_over(pushed: World):
    first, _ = sent(pushed)
    assert pushed.collect().created == 2
    edit(pushed, first)
    report = pushed.collect()
    assert (report.updated, refusals(report)) == (0, [f"annotation {first['id']}"])
    assert held(pushed) == [("imported", "r1"), ("imported", "r1")]
    assert pushed.boxes("dog") == 0


def test_an_edit_before_the_first_sync_is_not_taken_over(pushed: World):
    first, second = sent(pushed)
    edit(pushed, first)
    report = pushed.collect()
    assert (report.created, refusals(report)) == (1, [f"annotation {first['id']}"])
    assert [row["LS_annotation_id"] for row in pushed.annotations()] == [second["id"]]


def test_the_edit_is_taken_over_when_the_policy_allows_it(pushed: World):
    first, _ = sent(pushed)
    pushed.collect()
    edit(pushed, first)
    pushed.collect()
    pushed.rewrite()
    assert pushed.collect(full=True).updated == 1
    assert pushed.boxes("dog") == 1


def test_what_people_drew_themselves_may_be_edited(pushed: World):
    third = pushed.task_ids()[2]
    own = pushed.annotate(third, box())
    imported = pushed.annotate(third, box(), import_id=7)  # brought by somebody else
    pushed.collect()
    for annotation in (own, imported):
        edit(pushed, annotation)
    report = pushed.collect()
    assert (report.updated, refusals(report), pushed.boxes("dog")) == (2, [], 2)


def test_what_was_pushed_may_be_deleted(pushed: World):
    first, _ = sent(pushed)
    pushed.collect()
    pushed.ls.delete_annotation(first["id"])
    assert pushed.collect().deleted == 1
