import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from labeling_assets.stack.label_studio import LabelStudioServer
from labeling_assets_tests.pipeline import (
    CONFIG,
    DATABASE_PASSWORD,
    LINK_SECRET,
    Pipeline,
    add_batch,
    box,
    checks_of,
    choice,
    materialized,
    messages_of,
    metadata_of,
    pipelines,
    version_of,
)

pytest_plugins = ("labeling_assets_tests.pipeline_fixtures",)
pytestmark = pytest.mark.filterwarnings("error", "ignore::dagster.PreviewWarning")


@dataclass
class History:
    """A batch of eight pictures, one of them twice, and a broken one: imported twice, labelled, synced twice."""

    pipeline: Pipeline
    imported: dg.ExecuteInProcessResult
    imported_again: dg.ExecuteInProcessResult
    synced: dg.ExecuteInProcessResult
    idle: dg.ExecuteInProcessResult


@pytest.fixture(scope="module")
def history(
    tmp_path_factory: pytest.TempPathFactory, label_studio_server: LabelStudioServer, label_studio_key: str
) -> Iterator[History]:
    with pipelines(tmp_path_factory.mktemp("history"), label_studio_server, label_studio_key) as make:
        pipeline = make()
        folder = add_batch(pipeline.settings, "b1", 8)
        (folder / "99.png").write_bytes((folder / "00.png").read_bytes())
        (folder / "broken.jpg").write_bytes(b"no picture")
        imported, again = pipeline.import_batch("b1"), pipeline.import_batch("b1")
        for task in pipeline.tasks("b1")[:7]:
            pipeline.label(task, box(), choice("indoors"))
        yield History(pipeline, imported, again, pipeline.sync("b1"), pipeline.sync("b1"))


def test_media_counts_what_it_did_by_row(history: History) -> None:
    values = metadata_of(history.imported, "media")
    counts = {name: values[name] for name in ("rows", "created", "known", "duplicates", "failed")}
    assert counts == {"rows": 10, "created": 8, "known": 0, "duplicates": 1, "failed": 1}


def test_media_has_the_row_count_that_dagster_shows(history: History) -> None:
    assert metadata_of(history.imported, "media")["dagster/partition_row_count"] == 8


def test_media_names_the_rows_that_failed(history: History) -> None:
    ((event,), name) = history.imported.asset_materializations_for_node("media"), "failed rows"
    table = event.metadata[name]
    assert isinstance(table, dg.TableMetadataValue)
    assert "broken.jpg" in str(table.records[0].data["what"])


def test_an_unreadable_picture_does_not_fail_the_run(history: History) -> None:
    assert history.imported.success


def test_tasks_counts_and_links_to_the_project(history: History) -> None:
    values = metadata_of(history.imported, "cars/tasks")
    assert (values["media"], values["created"], values["dagster/partition_row_count"]) == (8, 8, 8)
    assert re.fullmatch(r"http://\S+/projects/\d+", values["Label Studio project"])


@pytest.mark.parametrize("asset", ["media", "cars/tasks"])
def test_a_second_import_creates_nothing(history: History, asset: str) -> None:
    assert metadata_of(history.imported_again, asset)["created"] == 0


@pytest.mark.parametrize("asset", ["media", "cars/tasks"])
def test_a_second_import_has_the_same_data_version(history: History, asset: str) -> None:
    assert version_of(history.imported_again, asset) == version_of(history.imported, asset)


def test_annotations_counts_what_it_did(history: History) -> None:
    values = metadata_of(history.synced, "cars/annotations")
    counts = {name: values[name] for name in ("created", "updated", "deleted", "unchanged", "regions written")}
    assert counts == {"created": 7, "updated": 0, "deleted": 0, "unchanged": 0, "regions written": 14}


def test_annotations_tells_the_cost(history: History) -> None:
    values = metadata_of(history.synced, "cars/annotations")
    assert 2 <= values["Label Studio requests"] <= 6
    assert 0 < values["seconds"] < 60


def test_annotations_shows_six_pictures(history: History) -> None:
    gallery = metadata_of(history.synced, "cars/annotations")["pictures"]
    assert len(re.findall(r"!\[car[^]]*\]\(data:image/jpeg;base64,/9j/[A-Za-z0-9+/=]+\)", gallery)) == 6


def test_each_picture_links_to_its_task(history: History) -> None:
    gallery = metadata_of(history.synced, "cars/annotations")["pictures"]
    linked = {int(task) for task in re.findall(r"\]\(http://\S+/projects/\d+/data\?task=(\d+)\)", gallery)}
    assert len(linked) == 6
    assert linked <= {task["id"] for task in history.pipeline.tasks("b1")}


def test_annotations_has_the_row_count_that_dagster_shows(history: History) -> None:
    assert metadata_of(history.synced, "cars/annotations")["dagster/partition_row_count"] == 7


def test_an_idle_sync_makes_two_requests(history: History) -> None:
    assert metadata_of(history.idle, "cars/annotations")["Label Studio requests"] == 2


def test_an_idle_sync_says_so(history: History) -> None:
    assert metadata_of(history.idle, "cars/annotations")["nothing to do"] is True


@pytest.mark.parametrize("asset", ["cars/annotations", "cars/dataset"])
def test_an_idle_sync_keeps_the_data_version(history: History, asset: str) -> None:
    assert version_of(history.idle, asset) == version_of(history.synced, asset)


def contents(pipeline: Pipeline) -> list[str]:
    """Everything that the ApertureDB server has stored."""
    (file,) = (pipeline.settings.home / "aperturedb").glob("*.sqlite")
    with closing(sqlite3.connect(file)) as connection:
        return list(connection.iterdump())


def test_an_idle_sync_writes_nothing(pipeline: Pipeline) -> None:
    (task,) = pipeline.imported("b1", 1)
    pipeline.label(task)
    pipeline.synced("b1")
    before = contents(pipeline)
    assert metadata_of(pipeline.sync("b1"), "cars/annotations")["nothing to do"] is True
    assert contents(pipeline) == before != []


def test_a_change_gives_another_data_version(pipeline: Pipeline) -> None:
    (task,) = pipeline.imported("b1", 1)
    annotation = pipeline.label(task, box())
    before = pipeline.sync("b1")
    pipeline.ls.update_annotation(annotation, {"result": [box(label="dog")]})
    after = pipeline.sync("b1")
    assert version_of(after, "cars/annotations") != version_of(before, "cars/annotations")
    assert version_of(after, "cars/dataset") != version_of(before, "cars/dataset")


@pytest.fixture(scope="module")
def table(history: History) -> pd.DataFrame:
    return pd.read_parquet(metadata_of(history.synced, "cars/dataset")["dagster/uri"])


def test_dataset_has_one_row_for_each_region_and_task_label(table: pd.DataFrame) -> None:
    assert table["kind"].value_counts().to_dict() == {"box": 7, "choices": 7}


def test_dataset_names_medium_batch_and_label(table: pd.DataFrame, history: History) -> None:
    guids = {task["data"]["guid"] for task in history.pipeline.tasks("b1")[:7]}
    assert set(table["media_guid"]) == guids
    assert set(table["batch"]) == {"b1"}
    assert set(table["label"]) >= {"car"}


def test_dataset_has_pixels_of_the_stored_picture(table: pd.DataFrame) -> None:
    """10 and 20 percent of 200, 10 and 25 percent of 120."""
    first = table[table["kind"] == "box"].iloc[0]
    assert [first[f"{name}_px"] for name in ("x", "y", "width", "height")] == [20, 12, 40, 30]


def test_dataset_previews_its_first_rows(history: History) -> None:
    lines = metadata_of(history.synced, "cars/dataset")["preview"].splitlines()
    assert lines[0].startswith("| media_guid")
    assert len(lines) == 2 + 10


def test_dataset_describes_its_columns(history: History, table: pd.DataFrame) -> None:
    schema = metadata_of(history.synced, "cars/dataset")["dagster/column_schema"]
    assert [column.name for column in schema.columns] == list(table.columns)


@pytest.mark.parametrize("run", ["imported", "synced"])
def test_no_secret_is_in_the_event_log(history: History, label_studio_key: str, run: str) -> None:
    log = repr(history.pipeline.instance.all_logs(getattr(history, run).run_id))
    secrets = [label_studio_key, DATABASE_PASSWORD, LINK_SECRET, history.pipeline.database.key]
    assert [secret for secret in secrets if secret in log] == []
    assert "ASSET_MATERIALIZATION" in log


def test_every_check_of_a_good_batch_passes(history: History) -> None:
    assert [name for name, check in checks_of(history.synced).items() if not check.passed] == []
    assert len(checks_of(history.synced)) == 5


def test_a_batch_without_labels_gives_an_empty_dataset(pipeline: Pipeline) -> None:
    pipeline.imported("b1", 1)
    result = pipeline.sync("b1")
    assert metadata_of(result, "cars/dataset")["dagster/partition_row_count"] == 0
    assert result.success


def test_a_full_sync_reads_every_task_again(pipeline: Pipeline) -> None:
    pipeline.imported("b1", 3)
    pipeline.synced("b1")
    result = pipeline.run("sync_cars", "b1", run_config={"ops": {"cars__annotations": {"config": {"full": True}}}})
    assert metadata_of(result, "cars/annotations")["tasks read"] == 3


# What goes wrong.


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """The one failure of a run that was not tried again."""
    assert not [event for event in result.all_events if event.is_step_up_for_retry]
    return messages_of(result)


def test_a_wrong_token_is_not_tried_again(pipeline: Pipeline) -> None:
    add_batch(pipeline.settings, "b1", 1)
    stack = pipeline.settings.local_stack
    pipeline.settings.save_local_stack(stack.model_copy(update={"label_studio_api_key": "0" * 40}))
    message = failure_of(pipeline.import_batch("b1"))
    assert "Batch 'b1': Label Studio at" in message
    assert "token" in message


def test_a_refused_token_is_not_in_the_event_log(pipeline: Pipeline) -> None:
    add_batch(pipeline.settings, "b1", 1)
    token = "f1e2d3c4b5" * 4
    stack = pipeline.settings.local_stack
    pipeline.settings.save_local_stack(stack.model_copy(update={"label_studio_api_key": token}))
    result = pipeline.import_batch("b1")
    assert token not in repr(pipeline.instance.all_logs(result.run_id))


def test_a_wrong_database_password_is_not_tried_again(pipeline: Pipeline) -> None:
    pipeline.database.password = "another"
    stack = pipeline.settings.local_stack
    pipeline.settings.save_local_stack(stack.model_copy(update={"aperturedb_key": pipeline.database.key}))
    add_batch(pipeline.settings, "b1", 1)
    assert "refused the login" in failure_of(pipeline.import_batch("b1", "media"))


def test_a_label_configuration_that_does_not_parse_is_not_tried_again(pipeline: Pipeline) -> None:
    pipeline.add_project(config="<View><Image></View>")
    add_batch(pipeline.settings, "b1", 1)
    result = pipeline.import_batch("b1")
    assert "label" in failure_of(result)
    assert materialized(result) == {"media"}


def test_a_missing_label_configuration_names_the_file(pipeline: Pipeline) -> None:
    (pipeline.settings.projects / "cars" / "label_config.xml").unlink()
    add_batch(pipeline.settings, "b1", 1)
    assert "label_config.xml is missing" in failure_of(pipeline.import_batch("b1"))


def test_an_empty_folder_is_not_tried_again(pipeline: Pipeline) -> None:
    add_batch(pipeline.settings, "b1", 0)
    result = pipeline.import_batch("b1")
    assert "is empty: put media files" in failure_of(result)
    assert materialized(result) == set()


def test_a_batch_that_is_nowhere_says_where_it_was_looked_for(pipeline: Pipeline) -> None:
    assert "There is no batch 'b1'" in failure_of(pipeline.import_batch("b1", "media"))


def test_a_manifest_without_the_needed_column_names_it(pipeline: Pipeline) -> None:
    folder = add_batch(pipeline.settings, "b1", 0)
    (folder / "manifest.csv").write_text("file,colour\na.png,red\n")
    assert "no column 'path' or 'url' (its columns: file, colour)" in failure_of(pipeline.import_batch("b1", "media"))


def test_annotations_before_tasks_says_what_to_do(pipeline: Pipeline) -> None:
    assert "materialize its tasks first" in failure_of(pipeline.sync("b1"))


def asset_of(pipeline: Pipeline, key: str) -> dg.AssetsDefinition:
    return pipeline.definitions().resolve_assets_def(dg.AssetKey.from_user_string(key))


def test_a_database_that_is_down_is_worth_another_try(pipeline: Pipeline) -> None:
    add_batch(pipeline.settings, "b1", 1)
    pipeline.database.stop()
    resources: Any = pipeline.definitions().resources
    context = dg.build_asset_context(partition_key="b1")
    with pytest.raises(dg.Failure, match=r"Batch 'b1': ApertureDB at .* cannot be reached") as caught:
        asset_of(pipeline, "media")(context, aperturedb=resources["aperturedb"])
    assert caught.value.allow_retries is True


def test_another_label_configuration_is_not_applied_to_labels_in_use(pipeline: Pipeline) -> None:
    (task,) = pipeline.imported("b1", 1)
    pipeline.label(task, box(label="dog"))
    pipeline.synced("b1")
    pipeline.add_project(config=CONFIG.replace('<Label value="dog"/>', ""), title=pipeline.title())
    assert "dog" in failure_of(pipeline.import_batch("b1"))
