"""The sensor of pushed batches: what was closed against what was materialized."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.errors import TransientError
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.projects import load_projects
from labeling_assets.resources import ApertureDBResource
from labeling_assets.sensors import closed_batches_sensor
from labeling_assets.settings import LocalStack, Settings, load_settings
from labeling_assets.stack.label_studio import LabelStudioServer
from labeling_assets.sync.batch_rows import read_rows
from labeling_assets.sync.ingest_media import ingest_media
from labeling_assets.sync.pushed_batches import close_batch, closed_mark
from labeling_assets_tests.pipeline import (
    add_project,
    metadata_of,
    note_materialized,
    pipelines,
    without_settings_of_the_shell,
)
from labeling_assets_tests.sync.world import picture, write_files
from labeling_assets_tests.ticks import SensorExecutionData, asked, keys, launch, start_run, tick

pytest_plugins = ("labeling_assets_tests.pipeline_fixtures",)
pytestmark = pytest.mark.filterwarnings("error", "ignore::dagster.PreviewWarning")


@dataclass
class Desk:
    """A database into which media are pushed, and Dagster's memory."""

    settings: Settings
    instance: dg.DagsterInstance
    server: LocalServer
    db: ApertureDB
    now: float = 1_000_000.0

    def push(self, batch: str, number: int = 0, **options: Any) -> None:
        folder = write_files(self.settings.home / "elsewhere" / f"{batch}{number}", {f"{number}.png": picture(number)})
        projects = load_projects(self.settings.projects)
        ingest_media(self.db, read_rows(folder), batch=batch, projects=projects, **options)

    def close(self, batch: str, number: int = 0) -> None:
        self.push(batch, number)
        close_batch(self.db, batch)

    def tick(self, cursor: str | None = None) -> SensorExecutionData:
        sensor = closed_batches_sensor(load_projects(self.settings.projects), self.settings, clock=lambda: self.now)
        resources = {"aperturedb": ApertureDBResource(home=str(self.settings.home))}
        return tick(sensor, self.settings, self.instance, cursor=cursor, resources=resources)

    def done(self, batch: str) -> None:
        """As if a run had imported the batch as it is closed now."""
        self.instance.add_dynamic_partitions("import_batch", [batch])
        note_materialized(self.instance, "media", batch, closed_mark=closed_mark(self.db, batch))
        note_materialized(self.instance, "cars/tasks", batch)


@pytest.fixture
def desk(tmp_path: Path, instance: dg.DagsterInstance) -> Iterator[Desk]:
    with (
        without_settings_of_the_shell(),
        LocalServer(tmp_path / "aperturedb") as server,
        ApertureDB(server.key) as database,
    ):
        settings = load_settings(home=tmp_path / "home")
        settings.save_local_stack(LocalStack(aperturedb_key=server.key))
        add_project(settings, "cars")
        yield Desk(settings, instance, server, database)


def test_a_closed_batch_is_asked_for(desk: Desk) -> None:
    desk.close("May")
    assert asked(desk.tick()) == {"May": {"media", "cars/tasks"}}


def test_it_becomes_a_partition(desk: Desk) -> None:
    desk.close("May")
    (change,) = desk.tick().dynamic_partitions_requests or ()
    assert (change.partitions_def_name, change.partition_keys) == ("import_batch", ["May"])


def test_an_open_batch_waits(desk: Desk) -> None:
    desk.push("May")
    assert desk.tick().skip_message == "No batch was closed since the last look."


def test_an_imported_batch_is_not_asked_for_again(desk: Desk) -> None:
    desk.close("May")
    first = desk.tick()
    desk.done("May")
    assert asked(desk.tick(first.cursor)) == {}


def test_a_batch_that_is_closed_with_more_media_is_asked_for_again(desk: Desk) -> None:
    desk.close("May")
    desk.done("May")
    first = desk.tick()
    desk.close("May", 1)
    assert asked(desk.tick(first.cursor)) == {"May": {"media", "cars/tasks"}}


def test_more_media_in_a_batch_that_is_not_closed_again_wait(desk: Desk) -> None:
    desk.close("May")
    desk.done("May")
    first = desk.tick()
    desk.push("May", 1)
    assert asked(desk.tick(first.cursor)) == {}


def test_a_lost_cursor_asks_for_nothing_that_is_done(desk: Desk) -> None:
    desk.close("May")
    desk.done("May")
    assert asked(desk.tick()) == {}


def test_a_batch_that_is_being_imported_is_not_asked_for(desk: Desk) -> None:
    desk.close("May")
    desk.instance.add_dynamic_partitions("import_batch", ["May"])
    start_run(desk.instance, desk.settings, "import_batch", "May")
    assert asked(desk.tick()) == {}


def test_a_failed_import_is_asked_for_again_under_another_key(desk: Desk) -> None:
    desk.close("May")
    first = desk.tick()
    desk.now += 60
    second = desk.tick(first.cursor)
    assert asked(second) == asked(first)
    assert keys(second) != keys(first)


def test_a_batch_that_dagster_imported_and_forgot_is_asked_for(desk: Desk) -> None:
    """Also where it knows as many others, which ApertureDB does not have."""
    desk.push("May", run_id="a run")
    desk.push("June", 1)
    desk.instance.add_dynamic_partitions("import_batch", ["never imported", "nor this"])
    assert asked(desk.tick()) == {"May": {"media", "cars/tasks"}}


def test_a_batch_that_dagster_knows_is_left_to_the_other_sensors(desk: Desk) -> None:
    desk.push("May", run_id="a run")
    desk.instance.add_dynamic_partitions("import_batch", ["May"])
    assert asked(desk.tick()) == {}


def test_a_database_that_is_away_is_no_empty_one(desk: Desk) -> None:
    desk.close("May")
    first = desk.tick()
    desk.done("May")
    desk.server.stop()
    with pytest.raises(TransientError, match="cannot be reached"):
        desk.tick(first.cursor)


def test_what_was_pushed_and_closed_becomes_tasks_and_is_done(
    tmp_path: Path, instance: dg.DagsterInstance, label_studio_server: LabelStudioServer, label_studio_key: str
) -> None:
    with pipelines(tmp_path, label_studio_server, label_studio_key) as make:
        pipeline = make(instance)
        desk = Desk(pipeline.settings, instance, pipeline.database, pipeline.db)
        desk.close("May")
        first = desk.tick()
        (result,) = launch(pipeline, "import_batch", first)
        assert (result.success, len(pipeline.tasks("May"))) == (True, 1)
        assert metadata_of(result, "media")["closed_mark"] == closed_mark(pipeline.db, "May")
        assert asked(desk.tick(first.cursor)) == {}
