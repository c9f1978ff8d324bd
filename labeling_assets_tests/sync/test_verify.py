"""Each check passes where all is well, and names the offender where it is not."""

from collections.abc import Callable
from typing import Any

import pytest

from labeling_assets import names
from labeling_assets.clients.constraints import all_of, equal
from labeling_assets.clients.query import Query
from labeling_assets.errors import DataError
from labeling_assets.sync.batch_rows import read_rows
from labeling_assets.sync.verify import (
    AnnotationOutcomes,
    verify_annotations,
    verify_media,
    verify_rows,
    verify_tasks,
)
from labeling_assets_tests.sync.world import BOXES, Stock, World, box, picture, pictures


def run(stock: Stock, command: str, body: dict[str, Any], blob: bytes | None = None) -> None:
    query = Query()
    query.add(command, body, blob)
    stock.db.run(query)


def annotations(world: World, **options: Any) -> AnnotationOutcomes:
    return verify_annotations(world.db, world.ls, world.project, "May", **options)


# Media


def test_media_with_guids_of_their_own_pass(stock: Stock):
    stock.hand_in(pictures(3))
    outcome = verify_media(stock.db, "May")
    assert (outcome.passed, outcome.looked_at, outcome.facts) == (True, 3, {"media": 3})


def test_a_guid_that_two_media_carry_is_named(stock: Stock):
    guids = stock.hand_in(pictures(3)).guids
    run(stock, "AddImage", {"properties": {"guid": guids[1]}}, picture(70))
    assert verify_media(stock.db, "May").offenders == [{"guid": guids[1], "problem": "2 media carry this GUID"}]


def test_a_medium_without_a_guid_is_named(stock: Stock):
    guids = stock.hand_in(pictures(2)).guids
    run(stock, "UpdateImage", {"constraints": equal("guid", guids[0]), "remove_props": ["guid"]})
    assert [it["problem"] for it in verify_media(stock.db, "May").offenders] == ["a Image of the batch has no GUID"]


def test_rows_that_are_media_pass(stock: Stock):
    stock.hand_in({"a.png": picture(0), "same.png": picture(0)})
    rows = read_rows(stock.inbox / "May")
    assert (verify_rows(stock.db, "May", rows).passed, verify_rows(stock.db, "May", rows).looked_at) == (True, 2)


def test_a_row_that_is_no_medium_is_named(stock: Stock):
    stock.hand_in({"a.png": picture(0), "bad.png": b"no picture"})
    (offender,) = verify_rows(stock.db, "May", read_rows(stock.inbox / "May")).offenders
    assert (offender["row"], offender["source"]) == (2, "bad.png")


def test_a_row_that_failed_now_and_was_a_medium_before_is_named(stock: Stock):
    stock.hand_in({"a.png": picture(0), "b.png": picture(1)})
    stock.hand_in({"b.png": b"no picture"})
    (offender,) = verify_rows(stock.db, "May", read_rows(stock.inbox / "May")).offenders
    assert (offender["row"], offender["source"]) == (2, "b.png")
    assert "the last import could not use it" in offender["problem"]
    stock.hand_in({"b.png": picture(1)})
    assert verify_rows(stock.db, "May", read_rows(stock.inbox / "May")).passed


# Tasks


def test_one_task_each_passes(published: World):
    outcome = verify_tasks(published.db, published.ls, published.project, "May")
    assert (outcome.passed, outcome.facts) == (True, {"tasks_label_studio": 3, "tasks_aperturedb": 3})


def test_a_second_task_of_a_medium_is_named(published: World):
    first = published.tasks()[0]
    published.ls.import_tasks(published.record.project_id, [{"data": first["data"]}])
    (offender,) = verify_tasks(published.db, published.ls, published.project, "May").offenders
    assert offender["guid"] == first["data"]["guid"]
    assert offender["problem"] == f"2 tasks: [{first['id']}, {published.task_ids()[-1]}]"


def test_a_task_that_is_gone_is_named(published: World):
    first = published.tasks()[0]
    published.ls.delete_task(first["id"])
    (offender,) = verify_tasks(published.db, published.ls, published.project, "May").offenders
    assert (offender["guid"], offender["problem"]) == (first["data"]["guid"], "no task in Label Studio")


def test_a_medium_that_never_got_a_task_is_named(published: World):
    published.hand_in({**pictures(3), "new.png": picture(50)})
    (offender,) = verify_tasks(published.db, published.ls, published.project, "May").offenders
    assert "it has no task" in offender["problem"]


def test_a_medium_without_a_media_type_is_named(published: World):
    guid = published.tasks()[0]["data"]["guid"]
    run(published, "UpdateImage", {"constraints": equal("guid", guid), "remove_props": ["LS_media_type"]})
    (offender,) = verify_tasks(published.db, published.ls, published.project, "May").offenders
    assert (offender["guid"], "no LS_media_type" in offender["problem"]) == (guid, True)


def test_media_whose_task_is_in_another_batch_pass(published: World):
    published.hand_in(pictures(1), batch="June")
    published.publish("June")
    assert verify_tasks(published.db, published.ls, published.project, "June").passed


def test_a_withdrawn_task_passes(published: World):
    published.ls.delete_task(published.task_ids()[0])
    published.collect()
    assert verify_tasks(published.db, published.ls, published.project, "May").passed


# Annotations


@pytest.fixture
def labelled(published: World) -> World:
    """A box on the first task, two annotations on the second; in sync."""
    first, second, _ = published.task_ids()
    published.annotate(first, box())
    published.annotate(second, box())
    published.annotate(second, box())
    published.collect()
    return published


def test_what_is_in_sync_passes(labelled: World):
    outcomes = annotations(labelled)
    for outcome in (outcomes.mapping, outcomes.links, outcomes.geometry, outcomes.vocabulary, outcomes.counts):
        assert outcome.offenders == []
    assert (outcomes.mapping.looked_at, outcomes.links.looked_at) == (3, 3)
    assert outcomes.counts.facts["tasks in Label Studio"] == outcomes.counts.facts["tasks in ApertureDB"] == 3


def test_a_medium_that_is_gone_is_named_by_its_annotations(labelled: World):
    first = labelled.tasks()[0]
    run(labelled, "DeleteImage", {"constraints": equal("guid", first["data"]["guid"])})
    problems = {(it["task"], it["problem"]) for it in annotations(labelled).mapping.offenders}
    assert (first["id"], "0 media in ApertureDB have this GUID") in problems


def test_two_media_of_one_guid_are_named_by_their_annotations(labelled: World):
    first = labelled.tasks()[0]
    run(labelled, "AddImage", {"properties": {"guid": first["data"]["guid"]}}, picture(70))
    problems = {(it["task"], it["problem"]) for it in annotations(labelled).mapping.offenders}
    assert (first["id"], "2 media in ApertureDB have this GUID") in problems


def test_a_box_beyond_the_picture_is_named(labelled: World):
    third = labelled.task_ids()[2]
    made = labelled.annotate(third, box("r9", x=90))
    labelled.collect()
    (offender,) = annotations(labelled).geometry.offenders
    assert (offender["task"], offender["annotation"], offender["region"]) == (third, made["id"], "r9")


def test_a_label_that_the_configuration_does_not_know_is_named(labelled: World):
    third = labelled.task_ids()[2]
    labelled.annotate(third, box("r9", label="cat"))
    labelled.collect()
    (offender,) = annotations(labelled).vocabulary.offenders
    assert (offender["task"], offender["region"]) == (third, "r9")
    assert offender["problem"].startswith("'label' has no label 'cat'; did you mean 'car'?")


def test_a_label_that_is_no_longer_in_the_configuration_is_listed_with_its_uses(labelled: World):
    """Also where nothing changed since."""
    labelled.annotate(labelled.task_ids()[2], box("r1"), box("r2"), box("r3", "dog"))
    labelled.collect()
    labelled.collect()
    labelled.rewrite(config=BOXES.replace('<Label value="car"/>', '<Label value="cart"/>'))
    (offender,) = annotations(labelled).vocabulary.offenders
    assert (offender["label"], offender["regions"]) == ("car", 5)
    assert offender["problem"] == "'label' has no label 'car'; did you mean 'cart'?"
    named = [text.split(" (")[0] for text in offender["first annotations"].split(", ")]
    theirs = [str(given["id"]) for task in labelled.tasks() for given in task["annotations"]]
    assert sorted(named) == sorted(theirs)
    assert offender["url"].startswith(labelled.record.url)


def test_labels_of_another_batch_are_not_listed(labelled: World):
    labelled.rewrite(config=BOXES.replace('<Label value="car"/>', '<Label value="cart"/>'))
    labelled.hand_in(pictures(1, first=7), batch="June")
    assert verify_annotations(labelled.db, labelled.ls, labelled.project, "June").vocabulary.offenders == []


def test_labels_that_come_with_the_task_are_any(make_world: Callable[..., World]):
    config = """<View><Image name="image" value="$image"/>
    <Choices name="given" toName="image" value="$options"/>
    <Choices name="fixed" toName="image"><Choice value="yes"/><Choice value="maybe"/></Choices></View>"""
    world = make_world(config=config, yaml="data: {options: column:LS_source_uri}\n")
    world.hand_in(pictures(1))
    world.publish()
    given = {"type": "choices", "to_name": "image"}
    world.annotate(
        world.task_ids()[0],
        {**given, "id": "c1", "from_name": "given", "value": {"choices": ["whatever"]}},
        {**given, "id": "c2", "from_name": "fixed", "value": {"choices": ["no"]}},
    )
    world.collect()
    (offender,) = annotations(world).vocabulary.offenders
    assert (offender["label"], offender["region"]) == ("no", "c2")


def test_a_configuration_that_was_changed_in_label_studio_is_told(labelled: World):
    config = BOXES.replace('<Label value="dog"/>', '<Label value="cat"/>')
    labelled.ls.update_project(labelled.record.project_id, label_config=config)
    (offender,) = annotations(labelled).vocabulary.offenders
    change = "'cat' added to 'label', 'dog' removed from 'label'"
    assert offender["problem"].startswith(f"the label configuration was changed in Label Studio: {change}; ")
    assert offender["url"] == f"{labelled.record.url}/settings/labeling"
    labelled.ls.update_project(labelled.record.project_id, label_config=BOXES)
    assert annotations(labelled).vocabulary.passed


def test_one_of_two_annotations_that_is_missing_in_aperturedb_is_named(labelled: World):
    second = labelled.tasks()[1]
    lost = all_of(equal("LS_annotation_id", second["annotations"][0]["id"]), equal("LS_task_id", second["id"]))
    run(labelled, "DeleteEntity", {"with_class": names.ANNOTATION, "constraints": lost})
    (offender,) = annotations(labelled).counts.offenders
    assert (offender["task"], offender["problem"]) == (second["id"], "1 of its annotations are only in Label Studio")


def test_an_annotation_that_is_only_in_aperturedb_is_named(labelled: World):
    second = labelled.tasks()[1]
    kept = labelled.stored(names.ANNOTATION, equal("LS_task_id", second["id"]))[0]
    wanted = ("LS_instance", "LS_project", "LS_batch", "LS_task_id", "LS_media_guid", "LS_content_hash", "LS_revision")
    extra = {name: kept[name] for name in wanted} | {
        names.LS_GUID: "not-in-label-studio",
        "LS_annotation_id": 1_000_000,
    }
    run(labelled, "AddEntity", {"class": names.ANNOTATION, "properties": extra})
    (offender,) = annotations(labelled).counts.offenders
    assert (offender["task"], offender["problem"]) == (second["id"], "1 of its annotations are only in ApertureDB")


def test_tasks_that_somebody_labels_after_the_sync_are_left_out(labelled: World):
    _, second, third = labelled.tasks()
    labelled.annotate(third["id"], box())
    labelled.ls.delete_annotation(second["annotations"][0]["id"])
    counts = annotations(labelled).counts
    assert (counts.offenders, counts.facts["tasks that changed after the sync"]) == ([], 2)
    assert counts.facts["tasks in Label Studio"] == 1


def test_tasks_that_only_one_side_has_are_counted(labelled: World):
    labelled.ls.delete_task(labelled.task_ids()[2])
    (offender,) = annotations(labelled).counts.offenders
    assert offender["problem"] == "2 tasks in Label Studio, 3 in ApertureDB"


def test_after_a_full_look_everything_was_looked_at(labelled: World):
    labelled.annotate(labelled.task_ids()[2], box())
    labelled.collect()
    assert annotations(labelled, full=True).mapping.looked_at == 4


def test_checks_before_the_first_task_say_what_to_do(world: World):
    with pytest.raises(DataError, match="materialize its tasks first"):
        annotations(world)
