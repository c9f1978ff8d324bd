"""How far Dagster is with one batch of one labeling project, asked as its UI asks."""

from dataclasses import dataclass
from typing import Any, Final

from labeling_assets.stack.dagster import DagsterUI, innermost

ASSETS_QUESTION: Final = """query Assets($keys: [AssetKeyInput!], $batch: String!) { assetNodes(assetKeys: $keys) {
  assetKey { path }
  assetMaterializations(partitions: [$batch], limit: 1) { timestamp runId }
  assetChecksOrError { ... on AssetChecks { checks { name partitionDefinition { name } } } } } }"""
RUNS_QUESTION: Final = """query Runs($filter: RunsFilter!) { runsOrError(filter: $filter, limit: 200) {
  ... on Runs { results { runId jobName status } } } }"""
LOG_QUESTION: Final = """query Log($run: ID!) { logsForRun(runId: $run, limit: 1000) { ... on EventConnection { events {
  __typename
  ... on ExecutionStepFailureEvent { stepKey error { message causes { message } } }
  ... on RunFailureEvent { message error { message causes { message } } } } } } }"""
SENSORS_QUESTION: Final = """{ repositoriesOrError { ... on RepositoryConnection { nodes { sensors { name
  sensorState { status ticks(limit: 2) { status error { message } } } } } } } }"""
_EXECUTION: Final = "{ runId status evaluation { success description } }"
_UNFINISHED: Final = frozenset({"QUEUED", "NOT_STARTED", "MANAGED", "STARTING", "STARTED", "CANCELING"})
_FAILED: Final = frozenset({"FAILURE", "CANCELED"})


@dataclass(frozen=True, slots=True)
class Check:
    """A check of the batch and its newest evaluation; `status` is Dagster's, or NEVER RUN."""

    name: str
    status: str
    description: str

    @property
    def passed(self) -> bool:
        """Its newest evaluation found nothing."""
        return self.status == "SUCCEEDED"


@dataclass(frozen=True, slots=True)
class Run:
    """A run for the batch."""

    id: str
    job: str
    status: str

    @property
    def is_failed(self) -> bool:
        """It failed, or somebody cancelled it."""
        return self.status in _FAILED

    @property
    def is_unfinished(self) -> bool:
        """It waits or runs."""
        return self.status in _UNFINISHED


class PipelineView:
    """One batch of one labeling project.

    Args:
        ui: The webserver.
        project: Prefix of the project's assets.
        batch: The partition.
        since: Only runs created later count, in seconds since 1970.
    """

    def __init__(self, ui: DagsterUI, *, project: str, batch: str, since: float) -> None:
        self._ui = ui
        self._batch = batch
        self._since = since
        self._keys = [["media"], *([project, name] for name in ("tasks", "annotations", "dataset"))]

    def materialized(self) -> dict[str, float]:
        """Asset -> time of its newest materialization of the batch, in seconds since 1970."""
        found = {}
        for node in self._nodes():
            if events := node["assetMaterializations"]:
                found["/".join(node["assetKey"]["path"])] = int(events[0]["timestamp"]) / 1000
        return found

    def runs(self) -> list[Run]:
        """The runs for the batch, the newest first."""
        condition = {"tags": [{"key": "dagster/partition", "value": self._batch}], "createdAfter": self._since}
        results = self._ui.ask(RUNS_QUESTION, filter=condition)["runsOrError"].get("results", [])
        return [Run(run["runId"], run["jobName"], run["status"]) for run in results]

    def checks(self) -> list[Check]:
        """Every check that is made for each batch, with its newest evaluation for this one."""
        found = [
            (node["assetKey"]["path"], check["name"])
            for node in self._nodes()
            for check in node["assetChecksOrError"].get("checks", [])
            if check["partitionDefinition"] is not None
        ]
        if not found:
            return []
        variables: dict[str, Any] = {"batch": self._batch}
        for place, (path, name) in enumerate(found):
            variables |= {f"k{place}": {"path": path}, f"n{place}": name}
        answers = self._ui.ask(checks_question(len(found)), **variables)
        return [_check(f"{'/'.join(path)}: {name}", answers[f"c{place}"]) for place, (path, name) in enumerate(found)]

    def why_failed(self, run: Run) -> str:
        """The errors of a run, the innermost of each step."""
        events = self._ui.ask(LOG_QUESTION, run=run.id)["logsForRun"].get("events", [])
        steps = [event for event in events if event["__typename"] == "ExecutionStepFailureEvent"]
        lines = [f"{event['stepKey']}: {innermost(event['error'])}" for event in steps]
        if not lines:
            lines = [
                innermost(event["error"]) if event["error"] else event["message"]
                for event in events
                if event["__typename"] == "RunFailureEvent"
            ]
        return "\n".join(lines) or "(no error in its log)"

    def sensor_errors(self) -> list[str]:
        """Sensors that are off, or whose last finished tick failed."""
        errors = []
        for node in self._ui.ask(SENSORS_QUESTION)["repositoriesOrError"].get("nodes", []):
            for sensor in node["sensors"]:
                state = sensor["sensorState"]
                if state["status"] != "RUNNING":
                    errors.append(f"sensor {sensor['name']} is {state['status'].lower()}")
                ended = [tick for tick in state["ticks"] if tick["status"] != "STARTED"]
                if ended and ended[0]["error"]:
                    errors.append(f"sensor {sensor['name']}: {ended[0]['error']['message'].strip()}")
        return errors

    def _nodes(self) -> list[dict[str, Any]]:
        nodes: list[dict[str, Any]] = self._ui.ask(
            ASSETS_QUESTION, keys=[{"path": path} for path in self._keys], batch=self._batch
        )["assetNodes"]
        return nodes


def checks_question(count: int) -> str:
    """Asks for the newest execution of `count` checks; their keys and names are the variables k0, n0, k1, ..."""
    variables = ", ".join(f"$k{place}: AssetKeyInput!, $n{place}: String!" for place in range(count))
    asked = " ".join(
        f"c{place}: assetCheckExecutions(assetKey: $k{place}, checkName: $n{place}, partition: $batch, limit: 1) "
        f"{_EXECUTION}"
        for place in range(count)
    )
    return f"query Checks($batch: String!, {variables}) {{ {asked} }}"


def _check(name: str, executions: list[dict[str, Any]]) -> Check:
    if not executions:
        return Check(name, "NEVER RUN", "")
    newest = executions[0]
    return Check(name, newest["status"], (newest["evaluation"] or {}).get("description") or "")
