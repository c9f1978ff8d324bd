"""The sensors that look at servers: changes in Label Studio, media in ApertureDB; and the full comparison."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.query import Query
from labeling_assets.errors import ConfigurationError, TransientError
from labeling_assets.projects import load_project, load_projects
from labeling_assets.resources import ApertureDBResource, LabelStudioResource
from labeling_assets.sensors import changed_annotations_sensor, claim_sensor, new_batches_sensor
from labeling_assets.stack.label_studio import LabelStudioServer
from labeling_assets_tests.pipeline import (
    Pipeline,
    add_batch,
    box,
    materialized,
    metadata_of,
    pipelines,
)
from labeling_assets_tests.ticks import SensorExecutionData, asked, keys, launch, run_request, start_run, tick

pytest_plugins = ("labeling_assets_tests.pipeline_fixtures",)
pytestmark = pytest.mark.filterwarnings("error", "ignore::dagster.PreviewWarning")


@pytest.fixture
def pipeline(
    tmp_path: Path, instance: dg.DagsterInstance, label_studio_server: LabelStudioServer, label_studio_key: str
) -> Iterator[Pipeline]:
    with pipelines(tmp_path, label_studio_server, label_studio_key) as make:
        yield make(instance)


def home_resources(pipeline: Pipeline) -> dict[str, Any]:
    home = str(pipeline.settings.home)
    return {"aperturedb": ApertureDBResource(home=home), "label_studio": LabelStudioResource(home=home)}


@dataclass
class Watch:
    """The sensor of the project `cars`, at times that the test says, after the last sync in any case."""

    pipeline: Pipeline
    later: float = 0.0
    resources: dict[str, Any] | None = None

    def tick(self, cursor: str | None = None) -> SensorExecutionData:
        project = load_project(self.pipeline.settings.projects / "cars")
        clock = lambda: time.time() + self.later  # noqa: E731  # shorter than a function
        sensor = changed_annotations_sensor(project, self.pipeline.settings, clock=clock)
        resources = self.resources or home_resources(self.pipeline)
        return tick(sensor, self.pipeline.settings, self.pipeline.instance, cursor=cursor, resources=resources)

    def settled(self, *batches: str) -> str:
        """Sync these batches and tick until nothing is left to do. Returns the cursor."""
        ticked = self.tick()
        assert sorted(asked(ticked)) == sorted(batches)
        for batch in batches:
            self.pipeline.synced(batch)
        ticked = self.tick(ticked.cursor)
        assert asked(ticked) == {}
        return str(ticked.cursor)


@pytest.fixture
def watch(pipeline: Pipeline) -> Watch:
    return Watch(pipeline)


def test_an_inbox_goes_the_whole_way_by_its_sensor(pipeline: Pipeline) -> None:
    add_batch(pipeline.settings, "b1", 2)
    sensor = new_batches_sensor(load_projects(pipeline.settings.projects), pipeline.settings)
    first = tick(sensor, pipeline.settings, pipeline.instance)
    (result,) = launch(pipeline, "import_batch", first)
    assert materialized(result) == {"media", "cars/tasks"}
    assert asked(tick(sensor, pipeline.settings, pipeline.instance, cursor=first.cursor)) == {}


def test_a_failed_run_leaves_its_batch_to_be_asked_for(pipeline: Pipeline) -> None:
    add_batch(pipeline.settings, "b1", 0)
    (pipeline.settings.inbox / "b1" / "a.jpg").write_bytes(b"no picture")
    sensor = new_batches_sensor(load_projects(pipeline.settings.projects), pipeline.settings)
    first = tick(sensor, pipeline.settings, pipeline.instance)
    (result,) = launch(pipeline, "import_batch", first)
    assert not result.success
    assert set(asked(tick(sensor, pipeline.settings, pipeline.instance, cursor=first.cursor))) == {"b1"}


def test_a_project_without_tasks_is_nothing_to_watch(watch: Watch) -> None:
    assert "has no tasks yet" in str(watch.tick().skip_message)


def test_a_batch_that_was_never_synced_is_asked_for(watch: Watch) -> None:
    watch.pipeline.imported("b1", 1)
    assert set(asked(watch.tick())) == {"b1"}


def test_a_synced_batch_is_not_asked_for(watch: Watch) -> None:
    watch.pipeline.imported("b1", 1)
    cursor = watch.settled("b1")
    assert watch.tick(cursor).skip_message == "Nothing changed."


def test_only_the_batch_that_changed_is_asked_for(watch: Watch) -> None:
    watch.pipeline.imported("b1", 1)
    (task,) = watch.pipeline.imported("b2", 1)
    cursor = watch.settled("b1", "b2")
    watch.pipeline.label(task)
    assert set(asked(watch.tick(cursor))) == {"b2"}


def test_the_run_of_a_request_brings_the_change(watch: Watch) -> None:
    (task,) = watch.pipeline.imported("b1", 1)
    cursor = watch.settled("b1")
    watch.pipeline.label(task)
    (result,) = launch(watch.pipeline, "sync_cars", watch.tick(cursor))
    assert metadata_of(result, "cars/annotations")["created"] == 1


def test_a_deleted_annotation_is_a_change(watch: Watch) -> None:
    (task,) = watch.pipeline.imported("b1", 1)
    annotation = watch.pipeline.label(task)
    cursor = watch.settled("b1")
    watch.pipeline.ls.delete_annotation(annotation)
    assert set(asked(watch.tick(cursor))) == {"b1"}


def test_a_deleted_task_is_a_change(watch: Watch) -> None:
    task, _ = watch.pipeline.imported("b1", 2)
    cursor = watch.settled("b1")
    watch.pipeline.ls.delete_task(task["id"])
    assert set(asked(watch.tick(cursor))) == {"b1"}


def test_the_same_change_has_the_same_run_key(watch: Watch) -> None:
    (task,) = watch.pipeline.imported("b1", 1)
    cursor = watch.settled("b1")
    watch.pipeline.label(task)
    assert keys(watch.tick(cursor)) == keys(watch.tick(cursor)) != []


def test_another_change_has_another_run_key(watch: Watch) -> None:
    (task,) = watch.pipeline.imported("b1", 1)
    cursor = watch.settled("b1")
    annotation = watch.pipeline.label(task)
    first = watch.tick(cursor)
    watch.pipeline.ls.update_annotation(annotation, {"result": [box(30)]})
    assert keys(watch.tick(first.cursor)) != keys(first)


def test_a_change_during_a_run_is_asked_for_after_it(watch: Watch) -> None:
    """The run that is under way may have read before it."""
    (task,) = watch.pipeline.imported("b1", 1)
    cursor = watch.settled("b1")
    watch.pipeline.synced("b1")
    watch.pipeline.label(task)
    assert set(asked(watch.tick(cursor))) == {"b1"}


def test_a_batch_being_synced_is_not_asked_for(watch: Watch) -> None:
    watch.pipeline.imported("b1", 1)
    start_run(watch.pipeline.instance, watch.pipeline.settings, "sync_cars", "b1")
    ticked = watch.tick()
    assert (asked(ticked), ticked.skip_message) == ({}, "1 batches wait to become quiet.")


def test_a_change_that_was_noticed_before_a_run_began_is_left_to_that(watch: Watch) -> None:
    watch.pipeline.imported("b1", 1)
    first = watch.tick()
    start_run(watch.pipeline.instance, watch.pipeline.settings, "sync_cars", "b1", has_begun=True)
    assert asked(watch.tick(first.cursor)) == {}


def test_a_change_that_was_noticed_after_a_run_began_need_not_wait_for_its_end(watch: Watch) -> None:
    (task,) = watch.pipeline.imported("b1", 1)
    cursor = watch.settled("b1")
    start_run(watch.pipeline.instance, watch.pipeline.settings, "sync_cars", "b1", has_begun=True)
    watch.pipeline.label(task)
    assert set(asked(watch.tick(cursor))) == {"b1"}


def test_one_run_waits_behind_another_at_most(watch: Watch) -> None:
    (task,) = watch.pipeline.imported("b1", 1)
    cursor = watch.settled("b1")
    start_run(watch.pipeline.instance, watch.pipeline.settings, "sync_cars", "b1", has_begun=True)
    start_run(watch.pipeline.instance, watch.pipeline.settings, "sync_cars", "b1")
    watch.pipeline.label(task)
    assert asked(watch.tick(cursor)) == {}


def test_a_blocked_sync_is_asked_for_again_after_a_pause(watch: Watch) -> None:
    (task,) = watch.pipeline.imported("b1", 1)
    watch.pipeline.change_guid(task, "nonsense")
    first = watch.tick()
    launch(watch.pipeline, "sync_cars", first)
    watch.later = 61
    again = watch.tick(first.cursor)
    assert set(asked(again)) == {"b1"}
    assert keys(again) != keys(first)


def test_a_burst_is_waited_for(watch: Watch) -> None:
    watch.pipeline.add_project(min_interval_seconds=30, title=watch.pipeline.title())
    watch.pipeline.imported("b1", 1)
    first = watch.tick()
    watch.later = 31
    assert (asked(first), set(asked(watch.tick(first.cursor)))) == ({}, {"b1"})


def test_a_long_burst_is_not_waited_for(watch: Watch) -> None:
    watch.pipeline.add_project(min_interval_seconds=30, max_lag_seconds=40, title=watch.pipeline.title())
    (task,) = watch.pipeline.imported("b1", 1)
    first = watch.tick()
    watch.pipeline.label(task)
    watch.later = 41
    assert set(asked(watch.tick(first.cursor))) == {"b1"}


def test_a_partition_that_was_deleted_is_not_asked_for(watch: Watch) -> None:
    watch.pipeline.imported("b1", 1)
    watch.pipeline.instance.delete_dynamic_partition("import_batch", "b1")
    assert asked(watch.tick()) == {}


def counting_label_studio(pipeline: Pipeline, requests: list[str]) -> LabelStudioResource:
    stack = pipeline.settings.local_stack

    class Counting(LabelStudioResource):
        def connect(self) -> LabelStudio:
            note = lambda method, path, status, seconds: requests.append(f"{method} {path}")  # noqa: E731
            return LabelStudio(stack.label_studio_url, stack.label_studio_api_key, on_request=note)

    return Counting()


def test_an_idle_tick_makes_two_requests_for_any_number_of_batches(watch: Watch) -> None:
    batches = [f"b{number}" for number in range(4)]
    for batch in batches:
        watch.pipeline.imported(batch, 1)
    cursor = watch.settled(*batches)
    requests: list[str] = []
    watch.resources = home_resources(watch.pipeline) | {"label_studio": counting_label_studio(watch.pipeline, requests)}
    watch.tick(cursor)
    assert len(requests) == 2


def test_an_idle_tick_does_not_change_the_cursor(watch: Watch) -> None:
    watch.pipeline.imported("b1", 1)
    cursor = watch.settled("b1")
    assert json.loads(str(watch.tick(cursor).cursor)) == json.loads(cursor)


def test_a_lost_cursor_asks_for_nothing_that_is_in_sync(watch: Watch) -> None:
    watch.pipeline.imported("b1", 1)
    watch.settled("b1")
    assert asked(watch.tick(None)) == {}


def test_a_lost_cursor_loses_no_change(watch: Watch) -> None:
    (task,) = watch.pipeline.imported("b1", 1)
    watch.settled("b1")
    watch.pipeline.label(task)
    assert set(asked(watch.tick(None))) == {"b1"}


class Unreachable(LabelStudioResource):
    def connect(self) -> LabelStudio:
        return LabelStudio("http://127.0.0.1:9", "0" * 40, sleep=lambda _: None)


def test_a_label_studio_that_is_down_fails_the_tick(watch: Watch) -> None:
    watch.pipeline.imported("b1", 1)
    cursor = watch.settled("b1")
    stack = watch.pipeline.settings.local_stack
    watch.pipeline.db.one(
        "UpdateEntity",
        {
            "with_class": "LS_instance",
            "constraints": {"LS_url": ["==", stack.label_studio_url]},
            "properties": {"LS_url": "http://127.0.0.1:9"},
        },
    )
    watch.resources = home_resources(watch.pipeline) | {"label_studio": Unreachable()}
    with pytest.raises(TransientError, match="cannot be reached"):
        watch.tick(cursor)


def test_a_database_that_is_down_fails_the_tick(watch: Watch) -> None:
    watch.pipeline.imported("b1", 1)
    watch.pipeline.database.stop()
    with pytest.raises(TransientError, match=r"ApertureDB at .* cannot be reached"):
        watch.tick()


def test_a_wrong_token_fails_the_tick(watch: Watch) -> None:
    watch.pipeline.imported("b1", 1)
    stack = watch.pipeline.settings.local_stack
    watch.pipeline.settings.save_local_stack(stack.model_copy(update={"label_studio_api_key": "0" * 40}))
    with pytest.raises(ConfigurationError, match="token"):
        watch.tick()


# Media that ApertureDB holds.


def add_image(pipeline: Pipeline, **properties: object) -> None:
    """A picture that is nobody's batch."""
    folder = add_batch(pipeline.settings, "unused", 1, ready=False)
    query = Query()
    query.add("AddImage", {"properties": properties}, (folder / "00.png").read_bytes())
    pipeline.db.run(query)


def claim_tick(pipeline: Pipeline, cursor: str | None = None) -> SensorExecutionData:
    project = load_project(pipeline.settings.projects / "cars")
    sensor = claim_sensor(project, pipeline.settings)
    resources = {"aperturedb": home_resources(pipeline)["aperturedb"]}
    return tick(sensor, pipeline.settings, pipeline.instance, cursor=cursor, resources=resources)


@pytest.fixture
def claiming(pipeline: Pipeline) -> Pipeline:
    """A pipeline whose project claims pictures of a site."""
    pipeline.add_project(query=[["site", "==", "north"]], title=pipeline.title())
    return pipeline


def test_media_that_match_the_query_are_claimed(claiming: Pipeline) -> None:
    add_image(claiming, site="north")
    assert asked(claim_tick(claiming)) == {"claim-cars-0001": {"media", "cars/tasks"}}


def test_media_that_do_not_match_are_not_claimed(claiming: Pipeline) -> None:
    add_image(claiming, site="south")
    assert "no media that wait" in str(claim_tick(claiming).skip_message)


def test_claimed_media_become_tasks(claiming: Pipeline) -> None:
    add_image(claiming, site="north", guid="n-1")
    launch(claiming, "import_batch", claim_tick(claiming))
    assert [task["data"]["guid"] for task in claiming.tasks("claim-cars-0001")] == ["n-1"]


def test_claimed_media_are_not_claimed_again(claiming: Pipeline) -> None:
    add_image(claiming, site="north")
    first = claim_tick(claiming)
    launch(claiming, "import_batch", first)
    assert asked(claim_tick(claiming, first.cursor)) == {}


def test_media_that_come_later_are_the_next_batch(claiming: Pipeline) -> None:
    add_image(claiming, site="north")
    first = claim_tick(claiming)
    launch(claiming, "import_batch", first)
    add_image(claiming, site="north")
    assert set(asked(claim_tick(claiming, first.cursor))) == {"claim-cars-0002"}


def test_one_claim_is_under_way_at_a_time(claiming: Pipeline) -> None:
    add_image(claiming, site="north")
    start_run(claiming.instance, claiming.settings, "import_batch", "claim-cars-0001")
    assert claim_tick(claiming).skip_message == "1 media wait; a claim is running."


def test_the_same_claim_has_the_same_run_key(claiming: Pipeline) -> None:
    add_image(claiming, site="north")
    first = claim_tick(claiming)
    assert keys(claim_tick(claiming, first.cursor)) == keys(first)


# The full comparison.


def reconcile(pipeline: Pipeline) -> Any:
    repository = pipeline.definitions().get_repository_def()
    context = dg.build_schedule_context(instance=pipeline.instance, repository_def=repository)
    with context:
        return repository.get_schedule_def("reconcile_cars").evaluate_tick(context)


def test_reconcile_without_tasks_is_nothing_to_do(pipeline: Pipeline) -> None:
    assert reconcile(pipeline).skip_message == "There are no tasks yet."


def test_reconcile_asks_for_every_batch_with_tasks(pipeline: Pipeline) -> None:
    for batch in ("b1", "b2"):
        pipeline.imported(batch, 1)
    pipeline.instance.add_dynamic_partitions("import_batch", ["b3"])
    assert [request.partition_key for request in reconcile(pipeline).run_requests] == ["b1", "b2"]


def test_reconcile_leaves_out_batches_that_are_being_synced(pipeline: Pipeline) -> None:
    for batch in ("b1", "b2"):
        pipeline.imported(batch, 1)
    start_run(pipeline.instance, pipeline.settings, "sync_cars", "b1")
    assert [request.partition_key for request in reconcile(pipeline).run_requests] == ["b2"]


def test_reconcile_comes_after_everything_else_in_the_queue(pipeline: Pipeline) -> None:
    pipeline.imported("b1", 1)
    (request,) = reconcile(pipeline).run_requests
    assert request.tags["dagster/priority"] == "-1"


def test_reconcile_reads_everything_again(pipeline: Pipeline) -> None:
    pipeline.imported("b1", 3)
    pipeline.synced("b1")
    (request,) = reconcile(pipeline).run_requests
    result = run_request(pipeline, "sync_cars", request)
    values = metadata_of(result, "cars/annotations")
    assert (values["tasks read"], values["nothing to do"]) == (3, False)
    assert result.success
