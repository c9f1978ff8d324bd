"""A home folder keeps its addresses and secrets, and belongs to one `up` at a time."""

import socket
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.errors import ConfigurationError
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.settings import LocalStack, Settings
from labeling_assets.stack.home import child_environment, locked, port_of, prepare
from labeling_assets.stack.processes import free_port


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def test_addresses_and_secrets_stay(settings: Settings) -> None:
    first, _ = prepare(settings)
    second, warnings = prepare(settings)
    assert second == first
    assert warnings == []


def test_every_home_has_its_own_secrets(tmp_path: Path) -> None:
    one, _ = prepare(Settings(home=tmp_path / "one"))
    other, _ = prepare(Settings(home=tmp_path / "other"))
    assert one.aperturedb_password != other.aperturedb_password
    assert one.label_studio_password != other.label_studio_password
    assert one.label_studio_legacy_token != other.label_studio_legacy_token


def test_secrets_are_for_the_owner_only(settings: Settings) -> None:
    prepare(settings)
    assert stat.S_IMODE((settings.home / "local_stack.json").stat().st_mode) == 0o600


def test_everything_listens_on_this_machine_only(settings: Settings) -> None:
    stack, _ = prepare(settings)
    assert all(
        url.startswith("http://127.0.0.1:") for url in (stack.label_studio_url, stack.gateway_url, stack.dagster_url)
    )


def test_a_token_of_label_studio_survives(settings: Settings) -> None:
    stack, _ = prepare(settings)
    settings.save_local_stack(stack.model_copy(update={"label_studio_api_key": "token"}))
    assert prepare(settings)[0].label_studio_api_key == "token"


def test_a_port_that_is_taken_is_replaced(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        settings.save_local_stack(LocalStack(dagster_url=f"http://127.0.0.1:{taken}"))
        stack, warnings = prepare(settings)
    assert port_of(stack.dagster_url) != taken
    assert warnings == []


def test_a_new_port_of_the_gateway_is_a_warning(settings: Settings) -> None:
    """Tasks have links to the old one."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        settings.save_local_stack(LocalStack(gateway_url=f"http://127.0.0.1:{taken}"))
        _, [warning] = prepare(settings)
    assert str(taken) in warning


def test_the_key_opens_the_server(settings: Settings, tmp_path: Path) -> None:
    settings.save_local_stack(LocalStack(aperturedb_port=free_port()))
    stack, _ = prepare(settings)
    server = LocalServer(
        tmp_path / "data",
        host="127.0.0.1",
        port=stack.aperturedb_port,
        username=stack.aperturedb_username,
        password=stack.aperturedb_password,
    )
    with server, ApertureDB(stack.aperturedb_key) as db:
        assert db.check()["status"] == 0


def test_a_token_without_an_address_is_refused(settings: Settings) -> None:
    lone = settings.model_copy(update={"label_studio_api_key": SecretStr("0" * 40)})
    with pytest.raises(ConfigurationError, match="LABEL_STUDIO_URL is not"):
        prepare(lone)


def test_an_address_without_a_token_is_refused(settings: Settings) -> None:
    lone = settings.model_copy(update={"label_studio_url": "http://ls.example.org"})
    with pytest.raises(ConfigurationError, match="set LABEL_STUDIO_API_KEY"):
        prepare(lone)


def test_a_home_belongs_to_one(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(ConfigurationError, match="already runs"), locked(tmp_path):
        pass


def test_a_home_is_free_afterwards(tmp_path: Path) -> None:
    with locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


def test_children_get_the_home_and_sensors_that_are_on(settings: Settings) -> None:
    environment = child_environment(settings)
    assert environment["LABELING_ASSETS_HOME"] == str(settings.home.absolute())
    assert environment["DAGSTER_HOME"] == str(settings.home.absolute() / "dagster")
    assert environment["LABELING_ASSETS_SENSORS"] == "on"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({}, "on", id="local"),
        pytest.param({"webhooks": "off"}, "off", id="switched off"),
        pytest.param({"label_studio_url": "http://ls", "label_studio_api_key": "k"}, "off", id="another Label Studio"),
    ],
)
def test_webhooks_are_on_for_the_local_label_studio(tmp_path: Path, values: dict[str, str], expected: str) -> None:
    environment = child_environment(Settings(home=tmp_path, **values))
    assert environment["LABELING_ASSETS_WEBHOOKS"] == expected
