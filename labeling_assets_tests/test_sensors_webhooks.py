"""The sensor of changed annotations where webhooks are on: it looks at once when one came, and not more often else."""

import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from labeling_assets.projects import load_project
from labeling_assets.resources import ApertureDBResource
from labeling_assets.sensors import changed_annotations_sensor
from labeling_assets.settings import Settings, load_settings
from labeling_assets.stack.label_studio import LabelStudioServer
from labeling_assets.sync.labeling_project import recorded_project
from labeling_assets.sync.webhook_notes import WebhookNote, news_of, send_notes
from labeling_assets_tests.pipeline import Pipeline, metadata_of, pipelines
from labeling_assets_tests.test_sensors import counting_label_studio
from labeling_assets_tests.ticks import SensorExecutionData, asked, keys, launch, tick

pytest_plugins = ("labeling_assets_tests.pipeline_fixtures",)
pytestmark = pytest.mark.filterwarnings("error", "ignore::dagster.PreviewWarning")


class Watch:
    """A project that waits for half an hour of quiet, polled every ten minutes; `later` is the clock of the sensor."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline, self.later = pipeline, 0.0
        self.project = load_project(pipeline.settings.projects / "cars")
        self.requests: list[str] = []
        self.cursor: str | None = None

    @property
    def settings(self) -> Settings:
        return load_settings(home=self.pipeline.settings.home, webhooks="on")

    def tick(self) -> SensorExecutionData:
        sensor = changed_annotations_sensor(self.project, self.settings, clock=lambda: time.time() + self.later)
        self.requests.clear()
        resources = {
            "aperturedb": ApertureDBResource(home=str(self.settings.home)),
            "label_studio": counting_label_studio(self.pipeline, self.requests),
        }
        ticked = tick(sensor, self.settings, self.pipeline.instance, cursor=self.cursor, resources=resources)
        self.cursor = ticked.cursor
        return ticked

    def call(self, mark: str, annotation: dict[str, object] | None = None) -> None:
        """What a gateway brings to ApertureDB."""
        record = recorded_project(self.pipeline.db, self.pipeline.ls, self.project)
        assert record is not None
        batch = "b1" if annotation else ""
        note = WebhookNote(record.instance, "cars", "a", mark, "2026-05-01T12:00:00Z", batch, annotation)
        send_notes(self.pipeline.db, [note])


@pytest.fixture
def watch(
    tmp_path: Path, instance: dg.DagsterInstance, label_studio_server: LabelStudioServer, label_studio_key: str
) -> Iterator[Watch]:
    with pipelines(tmp_path, label_studio_server, label_studio_key) as make:
        pipeline = make(instance, min_interval_seconds=1800, max_lag_seconds=7200, poll_seconds=600)
        pipeline.imported("b1", 2)
        pipeline.synced("b1")
        watch = Watch(pipeline)
        watch.tick()
        watch.later = 301.0  # more than clocks may differ
        yield watch


def test_label_studio_is_asked_when_a_call_came_and_when_it_is_time(watch: Watch) -> None:
    watch.pipeline.label(watch.pipeline.tasks("b1")[0])
    assert (asked(watch.tick()), watch.requests) == ({}, [])
    watch.call("m1")
    assert (asked(watch.tick()), len(watch.requests) > 2) == ({}, True)
    watch.call("m2")
    assert (asked(watch.tick()), len(watch.requests)) == ({}, 2)
    assert (asked(watch.tick()), watch.requests) == ({}, [])
    watch.later += 600
    assert (asked(watch.tick()), len(watch.requests)) == ({}, 2)


def test_a_call_brings_a_run_at_once_and_its_sync_uses_the_note(watch: Watch) -> None:
    made = watch.pipeline.label(watch.pipeline.tasks("b1")[0])
    given = watch.pipeline.ls.annotation(made)
    watch.call("m1", {**given, "result": []})
    watch.later += 1800
    ticked = watch.tick()
    assert list(asked(ticked)) == ["b1"]
    (result,) = launch(watch.pipeline, "sync_cars", ticked)
    values = metadata_of(result, "cars/annotations")
    assert (result.success, values["created"], values["versions from webhooks"]) == (True, 1, 1)
    record = recorded_project(watch.pipeline.db, watch.pipeline.ls, watch.project)
    assert record is not None
    assert news_of(watch.pipeline.db, record).batches == frozenset()


def test_calls_in_a_row_are_one_run_in_an_interval(watch: Watch) -> None:
    """The batch was synced five minutes ago: what a call brought waits until half an hour is over, asked for once."""
    watch.pipeline.label(watch.pipeline.tasks("b1")[0])
    for mark in ("m1", "m2"):
        watch.call(mark)
        assert asked(watch.tick()) == {}
    watch.later = 1801.0
    first = watch.tick()
    assert list(asked(first)) == ["b1"]
    assert len(set(keys(first) + keys(watch.tick()))) == 1
