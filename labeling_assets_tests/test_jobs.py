import pytest

from labeling_assets_tests.pipeline import Pipeline, add_batch, box, checks_of, materialized, metadata_of

pytest_plugins = ("labeling_assets_tests.pipeline_fixtures",)
pytestmark = pytest.mark.filterwarnings("error", "ignore::dagster.PreviewWarning")

BATCHES = ("b1", "b2", "b3")


def test_import_makes_media_and_the_tasks_of_every_project(pipeline: Pipeline) -> None:
    pipeline.add_project("dogs")
    add_batch(pipeline.settings, "b1", 1)
    pipeline.import_batch("b1")
    assert {key.to_user_string() for key in pipeline.instance.get_asset_keys()} == {"media", "cars/tasks", "dogs/tasks"}


def test_one_project_can_be_imported_without_the_other(pipeline: Pipeline) -> None:
    pipeline.add_project("dogs")
    pipeline.imported("b1", 1)
    assert materialized(pipeline.import_batch("b1", "dogs/tasks")) == {"dogs/tasks"}


def test_a_sync_is_of_one_project(pipeline: Pipeline) -> None:
    pipeline.add_project("dogs")
    pipeline.imported("b1", 1)
    assert materialized(pipeline.sync("b1", "dogs")) == {"dogs/annotations", "dogs/dataset"}


def test_labels_of_one_project_are_not_those_of_another(pipeline: Pipeline) -> None:
    pipeline.add_project("dogs")
    pipeline.imported("b1", 1)
    pipeline.label(pipeline.tasks("b1", "dogs")[0], box(label="dog"))
    rows = {slug: metadata_of(pipeline.sync("b1", slug), f"{slug}/dataset")["labels"] for slug in ("cars", "dogs")}
    assert rows == {"cars": {}, "dogs": {"dog": 1}}


def test_three_batches_go_the_whole_way_side_by_side(pipeline: Pipeline) -> None:
    for number, batch in enumerate(BATCHES, start=1):
        add_batch(pipeline.settings, batch, 3)
        assert pipeline.import_batch(batch).success
        for task in pipeline.tasks(batch)[:number]:
            pipeline.label(task)
    results = {batch: pipeline.sync(batch) for batch in BATCHES}
    rows = [metadata_of(results[batch], "cars/dataset")["dagster/partition_row_count"] for batch in BATCHES]
    assert rows == [1, 2, 3]
    assert all(check.passed for result in results.values() for check in checks_of(result).values())


def test_a_broken_batch_leaves_the_others_alone(pipeline: Pipeline) -> None:
    for batch in BATCHES:
        for task in pipeline.imported(batch, 1):
            pipeline.label(task)
            if batch == "b2":
                pipeline.change_guid(task, "nonsense")
    built = {batch for batch in BATCHES if "cars/dataset" in materialized(pipeline.sync(batch))}
    assert built == {"b1", "b3"}


def test_a_medium_in_two_batches_gets_one_task(pipeline: Pipeline) -> None:
    pipeline.imported("b1", 2)
    (pipeline.settings.inbox / "b1").rename(pipeline.settings.inbox / "b2")
    result = pipeline.import_batch("b2")
    assert metadata_of(result, "cars/tasks")["known"] == 2
    assert len(pipeline.tasks("b2")) == 0


def test_a_batch_whose_folder_was_removed_can_be_synced(pipeline: Pipeline) -> None:
    (task,) = pipeline.imported("b1", 1)
    pipeline.label(task)
    (pipeline.settings.inbox / "b1").rename(pipeline.settings.home / "archive")
    assert metadata_of(pipeline.sync("b1"), "cars/annotations")["created"] == 1
