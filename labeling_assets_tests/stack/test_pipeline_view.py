"""Questions to Dagster are ones that it understands, and its answers are read right."""

import json
from typing import Any

import graphql
import httpx
import pytest
from dagster_graphql.schema import create_schema

from labeling_assets.stack import dagster, pipeline_view
from labeling_assets.stack.dagster import DagsterUI
from labeling_assets.stack.pipeline_view import Check, PipelineView, Run

QUESTIONS = {
    "locations": dagster.LOCATIONS_QUESTION,
    "assets": pipeline_view.ASSETS_QUESTION,
    "runs": pipeline_view.RUNS_QUESTION,
    "log": pipeline_view.LOG_QUESTION,
    "sensors": pipeline_view.SENSORS_QUESTION,
    "checks": pipeline_view.checks_question(2),
}
SCHEMA = create_schema().graphql_schema


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_dagster_understands_the_question(question: str) -> None:
    assert graphql.validate(SCHEMA, graphql.parse(question)) == []


class Webserver:
    """Answers each question with what a test put under its first word after `query`, or its first field."""

    def __init__(self, **answers: Any) -> None:
        self._answers = answers

    def view(self) -> PipelineView:
        ui = DagsterUI("http://127.0.0.1:1", httpx.MockTransport(self._answer))
        return PipelineView(ui, project="photos", batch="b1", since=0)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        question = json.loads(request.content)["query"]
        [key] = [key for key in self._answers if key in question]
        return httpx.Response(200, json={"data": self._answers[key]})


def node(path: list[str], *, seconds: float | None = None, checks: dict[str, bool] | None = None) -> dict[str, Any]:
    """`checks` is name -> whether it is partitioned."""
    return {
        "assetKey": {"path": path},
        "assetMaterializations": [] if seconds is None else [{"timestamp": str(int(seconds * 1000)), "runId": "r"}],
        "assetChecksOrError": {
            "checks": [
                {"name": name, "partitionDefinition": {"name": "import_batch"} if partitioned else None}
                for name, partitioned in (checks or {}).items()
            ]
        },
    }


def test_only_materialized_assets_have_a_time() -> None:
    nodes = [node(["media"], seconds=12.5), node(["photos", "tasks"])]
    assert Webserver(assetNodes={"assetNodes": nodes}).view().materialized() == {"media": 12.5}


def test_a_check_that_never_ran_has_not_passed() -> None:
    nodes = [node(["media"], checks={"ran": True, "never": True, "of all batches": False})]
    ran = {"runId": "r", "status": "SUCCEEDED", "evaluation": {"success": True, "description": None}}
    view = Webserver(assetNodes={"assetNodes": nodes}, assetCheckExecutions={"c0": [ran], "c1": []}).view()
    assert view.checks() == [Check("media: ran", "SUCCEEDED", ""), Check("media: never", "NEVER RUN", "")]
    assert [check.passed for check in view.checks()] == [True, False]


def test_runs_are_failed_or_unfinished_or_neither() -> None:
    results = [{"runId": s, "jobName": "j", "status": s} for s in ("FAILURE", "QUEUED", "SUCCESS")]
    runs = Webserver(runsOrError={"runsOrError": {"results": results}}).view().runs()
    assert [(run.is_failed, run.is_unfinished) for run in runs] == [(True, False), (False, True), (False, False)]


def test_the_cause_of_a_failed_step_is_told() -> None:
    error = {"message": "outer", "causes": [{"message": "the file is gone\n"}]}
    events = [{"__typename": "ExecutionStepFailureEvent", "stepKey": "media", "error": error}]
    view = Webserver(logsForRun={"logsForRun": {"events": events}}).view()
    assert view.why_failed(Run("r", "j", "FAILURE")) == "media: the file is gone"


def test_sensors_that_fail_or_are_off_are_named() -> None:
    failed = {"status": "FAILURE", "error": {"message": "no server\n"}}
    running = {"status": "STARTED", "error": None}
    sensors = [
        {"name": "one", "sensorState": {"status": "RUNNING", "ticks": [running, failed]}},
        {"name": "two", "sensorState": {"status": "STOPPED", "ticks": []}},
        {"name": "three", "sensorState": {"status": "RUNNING", "ticks": [{"status": "SKIPPED", "error": None}]}},
    ]
    view = Webserver(repositoriesOrError={"repositoriesOrError": {"nodes": [{"sensors": sensors}]}}).view()
    assert view.sensor_errors() == ["sensor one: no server", "sensor two is stopped"]
