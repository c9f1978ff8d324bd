"""Ticks of sensors, as Dagster's daemon and code server make them, and what follows from them."""

from collections.abc import Mapping

import dagster as dg
from dagster._core.definitions.sensor_definition import SensorExecutionData

from labeling_assets.definitions import build_definitions
from labeling_assets.settings import Settings
from labeling_assets_tests.pipeline import Pipeline

__all__ = ["SensorExecutionData", "asked", "keys", "launch", "run_request", "start_run", "tick"]


def tick(
    sensor: dg.SensorDefinition,
    settings: Settings,
    instance: dg.DagsterInstance,
    *,
    cursor: str | None = None,
    resources: Mapping[str, object] | None = None,
) -> SensorExecutionData:
    """What the daemon gets from the code server: run requests that are checked, and the new cursor."""
    repository = build_definitions(settings).get_repository_def()
    context = dg.build_sensor_context(
        instance=instance,
        instance_ref=instance.get_ref(),
        cursor=cursor,
        repository_def=repository,
        resources=dict(resources or {}),
    )
    with context:
        return sensor.evaluate_tick(context)


def asked(ticked: SensorExecutionData) -> dict[str, set[str]]:
    """Batch -> assets of the run requests."""
    return {
        str(request.partition_key): {key.to_user_string() for key in request.asset_selection or ()}
        for request in ticked.run_requests or ()
    }


def keys(ticked: SensorExecutionData) -> list[str | None]:
    return [request.run_key for request in ticked.run_requests or ()]


def launch(pipeline: Pipeline, job: str, ticked: SensorExecutionData) -> list[dg.ExecuteInProcessResult]:
    """Do what the daemon does with a tick: add the partitions, run the runs."""
    for change in ticked.dynamic_partitions_requests or ():
        pipeline.instance.add_dynamic_partitions(change.partitions_def_name, list(change.partition_keys))
    return [run_request(pipeline, job, request) for request in ticked.run_requests or ()]


def run_request(pipeline: Pipeline, job: str, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
    assets = [key.to_user_string() for key in request.asset_selection or ()]
    return pipeline.run(job, str(request.partition_key), *assets, run_config=request.run_config)


def start_run(
    instance: dg.DagsterInstance, settings: Settings, job: str, batch: str, *, has_begun: bool = False
) -> None:
    """A run that does not end, and perhaps has not begun: that is when it has a time."""
    run = instance.create_run_for_job(
        build_definitions(settings).get_repository_def().get_job(job),
        status=dg.DagsterRunStatus.STARTING if has_begun else dg.DagsterRunStatus.STARTED,
        tags={"dagster/partition": batch},
    )
    if has_begun:
        instance.report_dagster_event(dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, job), run.run_id)
