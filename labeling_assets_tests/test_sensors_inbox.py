"""The sensor of the inbox: what lies there against what was materialized. No server."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from labeling_assets.projects import load_projects
from labeling_assets.sensors import new_batches_sensor
from labeling_assets.settings import Settings, load_settings
from labeling_assets.sync.inbox import inbox_batches
from labeling_assets_tests.pipeline import (
    add_batch,
    add_project,
    note_materialized,
    without_settings_of_the_shell,
)
from labeling_assets_tests.ticks import SensorExecutionData, asked, keys, start_run, tick

pytest_plugins = ("labeling_assets_tests.pipeline_fixtures",)
pytestmark = pytest.mark.filterwarnings("error", "ignore::dagster.PreviewWarning")


@dataclass
class Inbox:
    """An inbox, Dagster's memory, and a clock; no server, because this sensor needs none."""

    settings: Settings
    instance: dg.DagsterInstance
    now: float = 1_000_000.0

    def tick(self, cursor: str | None = None) -> SensorExecutionData:
        sensor = new_batches_sensor(load_projects(self.settings.projects), self.settings, clock=lambda: self.now)
        return tick(sensor, self.settings, self.instance, cursor=cursor)

    def done(self, batch: str, *assets: str) -> None:
        """As if a run had materialized these assets of a batch as it is now."""
        self.instance.add_dynamic_partitions("import_batch", [batch])
        signatures = {found.name: found.signature for found in inbox_batches(self.settings.inbox)[0]}
        for asset in assets:
            noted = {"inbox_signature": signatures.get(batch, "")} if asset == "media" else {}
            note_materialized(self.instance, asset, batch, **noted)


@pytest.fixture
def inbox(tmp_path: Path, instance: dg.DagsterInstance) -> Iterator[Inbox]:
    with without_settings_of_the_shell():
        settings = load_settings(home=tmp_path / "home")
        add_project(settings, "cars")
        yield Inbox(settings, instance)


def test_a_ready_folder_is_asked_for(inbox: Inbox) -> None:
    add_batch(inbox.settings, "b1")
    assert asked(inbox.tick()) == {"b1": {"media", "cars/tasks"}}


def test_a_new_batch_becomes_a_partition(inbox: Inbox) -> None:
    add_batch(inbox.settings, "b1")
    (change,) = inbox.tick().dynamic_partitions_requests or ()
    assert (change.partitions_def_name, change.partition_keys) == ("import_batch", ["b1"])


def test_a_manifest_is_a_batch(inbox: Inbox) -> None:
    inbox.settings.inbox.mkdir(parents=True)
    (inbox.settings.inbox / "b1.csv").write_text("url\nhttp://127.0.0.1:9/a.jpg\n")
    first = inbox.tick()
    inbox.now += 10
    assert asked(inbox.tick(first.cursor)) == {"b1": {"media", "cars/tasks"}}


def test_no_inbox_is_nothing_to_do(inbox: Inbox) -> None:
    assert inbox.tick().skip_message == f"Nothing new in {inbox.settings.inbox}."


def test_a_folder_that_may_still_grow_is_not_asked_for(inbox: Inbox) -> None:
    add_batch(inbox.settings, "b1", ready=False)
    first = inbox.tick()
    inbox.now += 9
    assert asked(inbox.tick(first.cursor)) == {}


def test_a_folder_that_stood_still_for_ten_seconds_is_asked_for(inbox: Inbox) -> None:
    add_batch(inbox.settings, "b1", ready=False)
    first = inbox.tick()
    inbox.now += 10
    assert asked(inbox.tick(first.cursor)) == {"b1": {"media", "cars/tasks"}}


def test_a_folder_that_grew_waits_again(inbox: Inbox) -> None:
    folder = add_batch(inbox.settings, "b1", ready=False)
    first = inbox.tick()
    inbox.now += 9
    (folder / "more.png").write_bytes(b"x")
    second = inbox.tick(first.cursor)
    inbox.now += 9
    assert asked(inbox.tick(second.cursor)) == {}


def test_the_same_cursor_gives_the_same_run_keys(inbox: Inbox) -> None:
    """A tick that Dagster evaluates twice asks for each run once."""
    add_batch(inbox.settings, "b1")
    cursor = inbox.tick().cursor
    assert keys(inbox.tick(cursor)) == keys(inbox.tick(cursor)) != []


def test_an_imported_batch_is_not_asked_for(inbox: Inbox) -> None:
    add_batch(inbox.settings, "b1")
    first = inbox.tick()
    inbox.done("b1", "media", "cars/tasks")
    assert asked(inbox.tick(first.cursor)) == {}


def test_a_lost_cursor_does_not_import_again(inbox: Inbox) -> None:
    add_batch(inbox.settings, "b1")
    inbox.done("b1", "media", "cars/tasks")
    assert asked(inbox.tick(None)) == {}


@pytest.mark.parametrize("cursor", ["", "no JSON", "{}", '{"v": 99}', "[1]", '{"v": 1, "seen": {"b1": []}}'])
def test_an_unreadable_cursor_is_a_new_one(inbox: Inbox, cursor: str) -> None:
    add_batch(inbox.settings, "b1")
    assert "b1" in asked(inbox.tick(cursor))


def test_a_failed_import_is_not_asked_for_at_once(inbox: Inbox) -> None:
    """The run key is the same, and Dagster starts no second run for it."""
    add_batch(inbox.settings, "b1")
    first = inbox.tick()
    inbox.now += 59
    assert keys(inbox.tick(first.cursor)) == keys(first)


def test_a_failed_import_is_asked_for_again_after_a_pause(inbox: Inbox) -> None:
    add_batch(inbox.settings, "b1")
    first = inbox.tick()
    inbox.now += 60
    again = inbox.tick(first.cursor)
    assert asked(again) == {"b1": {"media", "cars/tasks"}}
    assert keys(again) != keys(first)


def test_only_what_failed_is_asked_for_again(inbox: Inbox) -> None:
    add_batch(inbox.settings, "b1")
    first = inbox.tick()
    inbox.done("b1", "media")
    assert asked(inbox.tick(first.cursor)) == {"b1": {"cars/tasks"}}


def test_a_batch_in_flight_is_not_asked_for(inbox: Inbox) -> None:
    add_batch(inbox.settings, "b1")
    start_run(inbox.instance, inbox.settings, "import_batch", "b1")
    assert asked(inbox.tick()) == {}


def test_a_batch_that_somebody_materializes_by_hand_is_not_asked_for(inbox: Inbox) -> None:
    add_batch(inbox.settings, "b1")
    start_run(inbox.instance, inbox.settings, "__ASSET_JOB", "b1")
    assert asked(inbox.tick()) == {}


def test_a_batch_in_flight_does_not_hold_up_another(inbox: Inbox) -> None:
    add_batch(inbox.settings, "b1")
    add_batch(inbox.settings, "b2")
    start_run(inbox.instance, inbox.settings, "import_batch", "b1")
    assert set(asked(inbox.tick())) == {"b2"}


def test_a_bad_folder_name_is_told(inbox: Inbox) -> None:
    add_batch(inbox.settings, "spring 2026")
    assert "'spring 2026' cannot be the name of a batch" in str(inbox.tick().skip_message)


def test_a_bad_folder_name_does_not_hold_up_the_others(inbox: Inbox) -> None:
    add_batch(inbox.settings, "a,b")
    add_batch(inbox.settings, "b1")
    assert set(asked(inbox.tick())) == {"b1"}


def test_files_that_came_later_are_imported(inbox: Inbox) -> None:
    folder = add_batch(inbox.settings, "b1")
    first = inbox.tick()
    inbox.done("b1", "media", "cars/tasks")
    (folder / "more.png").write_bytes(b"x")
    second = inbox.tick(inbox.tick(first.cursor).cursor)
    assert asked(second) == {"b1": {"media", "cars/tasks"}}
    assert keys(second) != keys(first)


def test_a_removed_folder_is_nothing_to_do(inbox: Inbox) -> None:
    folder = add_batch(inbox.settings, "b1")
    first = inbox.tick()
    inbox.done("b1", "media", "cars/tasks")
    folder.rename(inbox.settings.home / "archive")
    assert asked(inbox.tick(first.cursor)) == {}


def test_only_projects_that_want_the_batch_get_tasks(inbox: Inbox) -> None:
    add_project(inbox.settings, "cars", batches=["street-*"])
    add_project(inbox.settings, "dogs", batches=["park-*"])
    add_batch(inbox.settings, "park-1")
    assert asked(inbox.tick()) == {"park-1": {"media", "dogs/tasks"}}


def test_a_claim_whose_tasks_failed_is_asked_for_again(inbox: Inbox) -> None:
    add_project(inbox.settings, "cars", batches=["street-*"])
    inbox.done("claim-cars-0001", "media")
    assert asked(inbox.tick()) == {"claim-cars-0001": {"cars/tasks"}}


def test_a_batch_that_no_project_wants_is_imported(inbox: Inbox) -> None:
    add_project(inbox.settings, "cars", batches=["street-*"])
    add_batch(inbox.settings, "park-1")
    assert asked(inbox.tick()) == {"park-1": {"media"}}


def test_a_project_that_came_later_gets_its_tasks(inbox: Inbox) -> None:
    add_batch(inbox.settings, "b1")
    inbox.done("b1", "media", "cars/tasks")
    cursor = inbox.tick().cursor
    add_project(inbox.settings, "dogs")
    assert asked(inbox.tick(cursor)) == {"b1": {"dogs/tasks"}}


def test_a_project_that_came_later_gets_tasks_of_a_removed_folder(inbox: Inbox) -> None:
    folder = add_batch(inbox.settings, "b1")
    inbox.done("b1", "media", "cars/tasks")
    folder.rename(inbox.settings.home / "archive")
    add_project(inbox.settings, "dogs")
    assert asked(inbox.tick(inbox.tick().cursor)) == {"b1": {"dogs/tasks"}}


def test_a_burst_of_batches_is_spread_over_ticks(inbox: Inbox) -> None:
    """Dagster submits a run in 0.2 s, and a tick has a minute."""
    for number in range(25):
        add_batch(inbox.settings, f"b{number:02}", 1)
    first = inbox.tick()
    for batch in asked(first):
        inbox.done(batch, "media", "cars/tasks")
    assert (len(asked(first)), len(asked(inbox.tick(first.cursor)))) == (20, 5)


def test_an_imported_batch_is_not_read_file_by_file_at_every_tick(inbox: Inbox) -> None:
    """The sensor lives as long as Dagster's code server. A file that was overwritten in place is seen later."""
    folder = add_batch(inbox.settings, "b1")
    inbox.now = time.time() + 10
    projects = load_projects(inbox.settings.projects)
    sensor = new_batches_sensor(projects, inbox.settings, clock=lambda: inbox.now)
    cursor = tick(sensor, inbox.settings, inbox.instance).cursor
    inbox.done("b1", "media", "cars/tasks")
    (folder / "00.png").write_bytes(b"another")
    second = tick(sensor, inbox.settings, inbox.instance, cursor=cursor)
    inbox.now += 300
    third = tick(sensor, inbox.settings, inbox.instance, cursor=second.cursor)
    assert (asked(second), asked(third)) == ({}, {"b1": {"media", "cars/tasks"}})
