"""Dagster of the local stack: its configuration, its three processes, and questions to its GraphQL end point.

Webserver and daemon share one code server, on a socket that only the owner of the home can use: whoever reaches a
code server can run code. It reloads the definitions when the UI asks for it.
"""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from labeling_assets.errors import ConfigurationError, RefusedError, ServiceError, TransientError
from labeling_assets.settings import LocalStack, Settings
from labeling_assets.stack.home import HOST, port_of
from labeling_assets.stack.processes import ManagedProcess
from labeling_assets.stack.services import ChildService, log_path

DEFINITIONS: Final = "labeling_assets.definitions"
LOCATION: Final = "labeling_assets"

_START_TIMEOUT_S: Final = 120.0
_UNREACHABLE: Final = "DagsterUserCodeUnreachableError"
_INSTANCE: Final[Mapping[str, Any]] = {
    "telemetry": {"enabled": False},
    "nux": {"enabled": False},
    # 5 s by default, which is most of the latency of a small run.
    "run_queue": {"dequeue_interval_seconds": 1, "max_user_code_failure_retries": 2},
    "concurrency": {
        "pools": {"default_limit": 2},
        "runs": {
            "max_concurrent_runs": 2,
            # One writer per batch at a time.
            "tag_concurrency_limits": [
                {"key": "dagster/partition", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
            ],
        },
    },
    "run_monitoring": {"enabled": True, "start_timeout_seconds": 180, "poll_interval_seconds": 30},
    # Only for crashed run workers; assets retry what is worth it themselves.
    "run_retries": {"enabled": True, "max_retries": 2, "retry_on_asset_or_op_failure": False},
    "sensors": {"use_threads": True, "num_workers": 4},
    "schedules": {"use_threads": True, "num_workers": 2},
    "retention": {
        "sensor": {"purge_after_days": {"skipped": 2, "success": 30, "failure": 30}},
        "schedule": {"purge_after_days": {"skipped": 2, "success": 30, "failure": 30}},
    },
}
LOCATIONS_QUESTION: Final = """{ workspaceOrError { ... on Workspace { locationEntries {
  loadStatus locationOrLoadError { __typename ... on PythonError { message causes { message } } } } } } }"""


def write_configuration(settings: Settings, socket: Path) -> None:
    """`dagster.yaml` (an existing one is the user's and is kept) and the workspace of this start."""
    folder = _folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)  # logs of runs say what is in the media
    if not (folder / "dagster.yaml").exists():
        text = "# Made by `labeling-assets up`; yours to change.\n" + yaml.safe_dump(dict(_INSTANCE), sort_keys=False)
        (folder / "dagster.yaml").write_text(text)
    server = {"grpc_server": {"socket": str(socket), "location_name": LOCATION}}
    _workspace(settings).write_text(yaml.safe_dump({"load_from": [server]}))


def make_storage(settings: Settings, environment: Mapping[str, str]) -> None:
    """Dagster's databases, at the first start: of two processes that make them at the same time one fails.

    Raises:
        ServiceError: Dagster cannot make them; with its own words.
    """
    if (_folder(settings) / "schedules" / "schedules.db").exists():
        return
    made = subprocess.run(
        [sys.executable, "-m", "dagster", "instance", "info"], env=environment, capture_output=True, text=True
    )
    if made.returncode:
        raise ServiceError(f"Dagster cannot make its storage in {_folder(settings)}: {made.stderr[-2000:]}")


def code_server(
    settings: Settings, environment: Mapping[str, str], socket: Path, *, definitions: str = DEFINITIONS
) -> ChildService:
    """Loads the definitions and runs the runs."""
    arguments = ["code-server", "start", "--socket", str(socket), "--module-name", definitions]
    process = _dagster(settings, environment, "Dagster code server", ["dagster", *arguments])
    return ChildService(process, str(socket), lambda _: socket.exists(), _START_TIMEOUT_S)


def webserver(settings: Settings, stack: LocalStack, environment: Mapping[str, str]) -> ChildService:
    """The UI; ready when it shows the definitions. Raises ConfigurationError when they cannot be loaded."""
    port = str(port_of(stack.dagster_url))
    arguments = ["--host", HOST, "--port", port, "--workspace", str(_workspace(settings))]
    process = _dagster(settings, environment, "Dagster", ["dagster_webserver", *arguments])
    ui = DagsterUI(stack.dagster_url)
    return ChildService(process, stack.dagster_url, lambda _: ui.is_loaded(), _START_TIMEOUT_S)


def daemon(settings: Settings, environment: Mapping[str, str]) -> ChildService:
    """Sensors, schedules and the run queue. Start it last: a sensor that finds no server fails its tick."""
    process = _dagster(
        settings, environment, "Dagster daemon", ["dagster._daemon", "run", "--workspace", str(_workspace(settings))]
    )
    return ChildService(process, "sensors, schedules, run queue", _daemon_runs, _START_TIMEOUT_S)


class DagsterUI:
    """The GraphQL end point of the webserver."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False, transport=transport)

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """The `data` of the answer.

        Raises:
            TransientError: the webserver does not answer, or with an error.
            RefusedError: it does not understand the question.
        """
        try:
            answer = self._http.post("/graphql", json={"query": query, "variables": variables})
            if answer.status_code == httpx.codes.BAD_REQUEST:
                raise RefusedError(f"Dagster does not understand a question: {answer.text}", answer.status_code)
            body: dict[str, Any] = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise TransientError(f"Dagster at {self._http.base_url} does not answer: {error}") from error
        if body.get("errors"):
            raise TransientError(f"Dagster refused a question: {body['errors'][0].get('message')}")
        data: dict[str, Any] = body["data"]
        return data

    def is_loaded(self) -> bool:
        """Whether the webserver runs and has loaded the definitions.

        Raises:
            ConfigurationError: they cannot be loaded; the message is Python's.
        """
        try:
            entries = self.ask(LOCATIONS_QUESTION)["workspaceOrError"].get("locationEntries", [])
        except TransientError:
            return False
        for entry in entries:
            loaded = entry["locationOrLoadError"] or {}
            if loaded.get("__typename") == "PythonError" and _UNREACHABLE not in loaded["message"]:
                raise ConfigurationError(f"Dagster cannot load the definitions: {innermost(loaded)}")
        return bool(entries) and all(
            (entry["locationOrLoadError"] or {}).get("__typename") == "RepositoryLocation" for entry in entries
        )


def innermost(error: Mapping[str, Any] | None) -> str:
    """The message of the exception that began it all."""
    if error is None:
        return "(no message)"
    message: str = [error, *(error.get("causes") or [])][-1]["message"]
    return message.strip()


def _folder(settings: Settings) -> Path:
    return settings.home.absolute() / "dagster"


def _workspace(settings: Settings) -> Path:
    return _folder(settings) / "workspace.yaml"


def _dagster(settings: Settings, environment: Mapping[str, str], name: str, arguments: list[str]) -> ManagedProcess:
    log_name = name.lower().replace(" ", "_")
    return ManagedProcess(
        name, [sys.executable, "-m", *arguments], env=environment, log_path=log_path(settings, log_name)
    )


def _daemon_runs(process: ManagedProcess) -> bool:
    return "configured with the following daemons" in process.log_text()
