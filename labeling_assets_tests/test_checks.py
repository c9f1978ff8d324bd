import pytest

from labeling_assets.clients.query import Query
from labeling_assets_tests.pipeline import (
    Pipeline,
    add_batch,
    box,
    checks_of,
    materialized,
    metadata_of,
    offenders_of,
)

pytest_plugins = ("labeling_assets_tests.pipeline_fixtures",)
pytestmark = pytest.mark.filterwarnings("error", "ignore::dagster.PreviewWarning")

MAPPING = "every_annotation_maps_to_one_medium"


# media


def test_a_file_that_is_no_medium_is_named(pipeline: Pipeline) -> None:
    (add_batch(pipeline.settings, "b1", 1) / "broken.jpg").write_bytes(b"no picture")
    check = checks_of(pipeline.import_batch("b1"))["every_row_is_a_medium"]
    assert not check.passed
    assert [row["source"] for row in offenders_of(check)] == ["broken.jpg"]


def test_a_file_that_is_no_medium_does_not_stop_the_tasks(pipeline: Pipeline) -> None:
    (add_batch(pipeline.settings, "b1", 1) / "broken.jpg").write_bytes(b"no picture")
    assert materialized(pipeline.import_batch("b1")) == {"media", "cars/tasks"}


def add_twin(pipeline: Pipeline, guid: str) -> None:
    """Another medium with the GUID of one of ours, as another program may add it."""
    query = Query()
    query.add("AddBlob", {"properties": {"guid": guid, "LS_role": "media"}}, b"other bytes")
    pipeline.db.run(query)


def test_a_guid_that_two_media_carry_is_named(pipeline: Pipeline) -> None:
    (task,) = pipeline.imported("b1", 1)
    guid = task["data"]["guid"]
    add_twin(pipeline, guid)
    check = pipeline.check("media", "b1")["guids_are_unique"]
    assert offenders_of(check) == [{"guid": guid, "problem": "2 media carry this GUID"}]


def test_a_guid_that_two_media_carry_stops_the_tasks(pipeline: Pipeline) -> None:
    (task,) = pipeline.imported("b1", 1)
    add_twin(pipeline, task["data"]["guid"])
    assert materialized(pipeline.import_batch("b1")) == {"media"}


# tasks


def test_a_second_task_for_a_medium_is_named_with_a_link(pipeline: Pipeline) -> None:
    (task,) = pipeline.imported("b1", 1)
    pipeline.ls.import_tasks(pipeline.project_id(), [{"data": task["data"]}])
    check = pipeline.check("cars/tasks", "b1")["one_task_per_medium"]
    (offender,) = offenders_of(check)
    assert offender["guid"] == task["data"]["guid"]
    assert offender["url"].endswith(f"/data?task={offender['task']}")
    assert check.metadata["first offender"].value == offender["url"]


def test_a_task_that_is_gone_is_named(pipeline: Pipeline) -> None:
    first, _ = pipeline.imported("b1", 2)
    pipeline.ls.delete_task(first["id"])
    check = pipeline.check("cars/tasks", "b1")["one_task_per_medium"]
    assert [row["guid"] for row in offenders_of(check)] == [first["data"]["guid"]]


# annotations


def test_a_changed_guid_is_named_with_its_task(pipeline: Pipeline) -> None:
    first, _ = pipeline.imported("b1", 2)
    pipeline.label(first)
    pipeline.synced("b1")
    pipeline.change_guid(first, "nonsense")
    check = checks_of(pipeline.sync("b1"))[MAPPING]
    (offender,) = offenders_of(check)
    assert (offender["task"], offender["guid"]) == (str(first["id"]), "nonsense")
    assert f"task {first['id']}, guid nonsense: " in str(check.description)


def test_a_changed_guid_links_to_the_task(pipeline: Pipeline) -> None:
    (task,) = pipeline.imported("b1", 1)
    pipeline.change_guid(task, "nonsense")
    check = checks_of(pipeline.sync("b1"))[MAPPING]
    assert str(check.metadata["first offender"].value).endswith(f"/data?task={task['id']}")


def test_a_changed_guid_stops_the_dataset(pipeline: Pipeline) -> None:
    (task,) = pipeline.imported("b1", 1)
    pipeline.change_guid(task, "nonsense")
    assert materialized(pipeline.sync("b1")) == {"cars/annotations"}


def test_a_guid_of_another_medium_of_the_batch_stops_the_dataset(pipeline: Pipeline) -> None:
    first, second = pipeline.imported("b1", 2)
    pipeline.change_guid(first, second["data"]["guid"])
    assert materialized(pipeline.sync("b1")) == {"cars/annotations"}


def test_guid_and_link_changed_together_stop_the_dataset(pipeline: Pipeline) -> None:
    """ApertureDB remembers which medium a task was made for."""
    first, second = pipeline.imported("b1", 2)
    pipeline.ls.patch_task_data(first["id"], second["data"])
    assert materialized(pipeline.sync("b1")) == {"cars/annotations"}


def test_a_changed_guid_does_not_stop_another_batch(pipeline: Pipeline) -> None:
    (task,) = pipeline.imported("b1", 1)
    pipeline.imported("b2", 1)
    pipeline.change_guid(task, "nonsense")
    pipeline.sync("b1")
    assert "cars/dataset" in materialized(pipeline.sync("b2"))


def test_what_blocked_is_gone_when_the_guid_is_put_right(pipeline: Pipeline) -> None:
    (task,) = pipeline.imported("b1", 1)
    pipeline.label(task)
    pipeline.change_guid(task, "nonsense")
    pipeline.sync("b1")
    pipeline.change_guid(task, task["data"]["guid"])
    result = pipeline.sync("b1")
    assert metadata_of(result, "cars/dataset")["dagster/partition_row_count"] == 1


def test_the_check_alone_sees_a_change_that_no_sync_has_seen(pipeline: Pipeline) -> None:
    """It reads the live systems, not what the sync noted."""
    (task,) = pipeline.imported("b1", 1)
    pipeline.synced("b1")
    assert pipeline.check("cars/annotations", "b1")[MAPPING].passed
    pipeline.change_guid(task, "nonsense")
    assert not pipeline.check("cars/annotations", "b1")[MAPPING].passed


def test_a_link_that_names_another_medium_is_named(pipeline: Pipeline) -> None:
    first, second = pipeline.imported("b1", 2)
    pipeline.ls.patch_task_data(first["id"], {**first["data"], "image": second["data"]["image"]})
    check = checks_of(pipeline.sync("b1"))["guid_and_link_agree"]
    (offender,) = offenders_of(check)
    assert offender["task"] == str(first["id"])
    assert second["data"]["guid"] in offender["problem"]


def labelled(pipeline: Pipeline, check: str, *results: dict[str, object]) -> list[dict[str, object]]:
    """The offenders of a check after one task was labelled like this."""
    (task,) = pipeline.imported("b1", 1)
    pipeline.label(task, *results)
    return offenders_of(checks_of(pipeline.sync("b1"))[check])


def test_a_box_outside_the_picture_is_named(pipeline: Pipeline) -> None:
    (offender,) = labelled(pipeline, "regions_inside_media", box(region="in"), box(95, 20, region="out"))
    assert offender["region"] == "out"
    assert str(offender["url"]).startswith("http")


def test_a_box_up_to_the_border_is_inside(pipeline: Pipeline) -> None:
    assert labelled(pipeline, "regions_inside_media", box(80, 20)) == []


def test_an_unknown_label_is_named_with_the_nearest_one(pipeline: Pipeline) -> None:
    (offender,) = labelled(pipeline, "labels_known", box(label="dogg"))
    assert "'dogg'" in str(offender["problem"])
    assert "dog" in str(offender["problem"]).replace("dogg", "")


def test_a_box_outside_the_picture_does_not_stop_the_dataset(pipeline: Pipeline) -> None:
    (task,) = pipeline.imported("b1", 1)
    pipeline.label(task, box(95, 20))
    assert "cars/dataset" in materialized(pipeline.sync("b1"))


def test_counts_that_differ_are_named_with_both_numbers(pipeline: Pipeline) -> None:
    first, _ = pipeline.imported("b1", 2)
    pipeline.label(first)
    pipeline.synced("b1")
    pipeline.ls.delete_task(first["id"])
    offenders = offenders_of(pipeline.check("cars/annotations", "b1")["counts_agree"])
    assert "0 tasks with annotations in Label Studio, 1 in ApertureDB" in [row["problem"] for row in offenders]


def test_counts_agree_while_somebody_labels(pipeline: Pipeline) -> None:
    first, second = pipeline.imported("b1", 2)
    pipeline.label(first)
    pipeline.synced("b1")
    pipeline.label(second)
    assert pipeline.check("cars/annotations", "b1")["counts_agree"].passed


def test_counts_show_both_sides_when_they_agree(pipeline: Pipeline) -> None:
    pipeline.imported("b1", 2)
    check = checks_of(pipeline.sync("b1"))["counts_agree"]
    assert check.passed
    assert (check.metadata["tasks in Label Studio"].value, check.metadata["tasks in ApertureDB"].value) == (2, 2)


def test_a_check_alone_belongs_to_its_batch(pipeline: Pipeline) -> None:
    pipeline.imported("b1", 1)
    assert {check.partition for check in pipeline.check("cars/tasks", "b1").values()} == {"b1"}


def test_a_check_belongs_to_its_batch(pipeline: Pipeline) -> None:
    pipeline.imported("b1", 1)
    assert {check.partition for check in checks_of(pipeline.sync("b1")).values()} == {"b1"}
