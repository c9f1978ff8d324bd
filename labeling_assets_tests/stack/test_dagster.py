"""What `up` writes for Dagster, and what it reads from its GraphQL end point."""

import os
import stat
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
import yaml

from labeling_assets.errors import ConfigurationError, ServiceError, TransientError
from labeling_assets.settings import Settings
from labeling_assets.stack.dagster import DagsterUI, make_storage, write_configuration


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def test_dagster_takes_the_configuration(settings: Settings) -> None:
    write_configuration(settings, settings.home / "socket")
    with dg.DagsterInstance.from_config(str(settings.home / "dagster")) as instance:
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        assert (queue.max_concurrent_runs, queue.tag_concurrency_limits) == (
            2,
            [{"key": "dagster/partition", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}],
        )
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 2
        assert instance.telemetry_enabled is False


def test_a_configuration_of_the_user_is_kept(settings: Settings) -> None:
    (settings.home / "dagster").mkdir()
    (settings.home / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    write_configuration(settings, settings.home / "socket")
    assert (settings.home / "dagster" / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"


def test_the_workspace_names_the_socket(settings: Settings) -> None:
    write_configuration(settings, settings.home / "socket")
    [entry] = yaml.safe_load((settings.home / "dagster" / "workspace.yaml").read_text())["load_from"]
    assert entry["grpc_server"]["socket"] == str(settings.home / "socket")


def test_logs_of_runs_are_for_the_owner_only(settings: Settings) -> None:
    write_configuration(settings, settings.home / "socket")
    assert stat.S_IMODE((settings.home / "dagster").stat().st_mode) == 0o700


def test_the_storage_is_made_once(settings: Settings) -> None:
    write_configuration(settings, settings.home / "socket")
    environment = {**os.environ, "DAGSTER_HOME": str(settings.home / "dagster")}
    make_storage(settings, environment)
    made = settings.home / "dagster" / "schedules" / "schedules.db"
    assert made.exists()
    make_storage(settings, {})  # would fail without DAGSTER_HOME


def test_storage_that_cannot_be_made_is_told(settings: Settings) -> None:
    write_configuration(settings, settings.home / "socket")
    (settings.home / "dagster" / "dagster.yaml").write_text("storage: {nonsense: {}}\n")
    with pytest.raises(ServiceError, match="nonsense"):
        make_storage(settings, {**os.environ, "DAGSTER_HOME": str(settings.home / "dagster")})


def ui(*, status: int = 200, **body: Any) -> DagsterUI:
    """A webserver that answers every question with this."""
    transport = httpx.MockTransport(lambda request: httpx.Response(status, json=body))
    return DagsterUI("http://127.0.0.1:1", transport)


def workspace(location: dict[str, Any] | None) -> dict[str, Any]:
    return {"workspaceOrError": {"locationEntries": [{"loadStatus": "LOADED", "locationOrLoadError": location}]}}


def test_definitions_are_loaded() -> None:
    assert ui(data=workspace({"__typename": "RepositoryLocation"})).is_loaded()


@pytest.mark.parametrize(
    "location",
    [None, {"__typename": "PythonError", "message": "DagsterUserCodeUnreachableError: no socket", "causes": []}],
    ids=["loading", "code server not there yet"],
)
def test_definitions_are_not_loaded_yet(location: dict[str, Any] | None) -> None:
    assert not ui(data=workspace(location)).is_loaded()


def test_definitions_that_cannot_be_loaded_are_an_error_with_its_cause() -> None:
    error = {"__typename": "PythonError", "message": "outer", "causes": [{"message": "middle"}, {"message": "inner"}]}
    with pytest.raises(ConfigurationError, match="cannot load the definitions: inner"):
        ui(data=workspace(error)).is_loaded()


def test_a_webserver_that_starts_is_not_an_error() -> None:
    assert not ui(status=502).is_loaded()


def test_a_refused_question_says_why() -> None:
    with pytest.raises(TransientError, match="no such field"):
        ui(errors=[{"message": "no such field"}]).ask("{ nonsense }")
