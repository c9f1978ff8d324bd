from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from labeling_assets.clients.constraints import Dialect
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.errors import ConfigurationError
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.resources import ApertureDBResource, LabelStudioResource, MediaLinksResource
from labeling_assets.settings import LocalStack, load_settings
from labeling_assets_tests.pipeline import without_settings_of_the_shell

pytestmark = pytest.mark.filterwarnings("error", "ignore::dagster.PreviewWarning")

TOKEN = "0123456789" * 4


@pytest.fixture(autouse=True)
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder and an environment that say nothing."""
    monkeypatch.chdir(tmp_path)
    with without_settings_of_the_shell():
        yield


def local_stack(home: Path, **values: str) -> str:
    load_settings(home=home).save_local_stack(LocalStack(**values))
    return str(home)


def test_a_key_that_is_given_is_used(tmp_path: Path) -> None:
    with LocalServer(tmp_path / "db", port=0) as server, ApertureDBResource(key=server.key).connect() as db:
        assert db.check()["status"] == 0


def test_without_a_key_the_settings_say(tmp_path: Path) -> None:
    with LocalServer(tmp_path / "db", port=0) as server:
        home = local_stack(tmp_path / "home", aperturedb_key=server.key)
        with ApertureDBResource(home=home).connect() as db:
            assert db.check()["status"] == 0


def test_without_any_database_the_message_says_what_to_set() -> None:
    with pytest.raises(ConfigurationError, match="set APERTUREDB_KEY, or start the local server"):
        ApertureDBResource(home="home").connect()


def test_the_dialect_of_the_settings_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELING_ASSETS_APERTUREDB_DIALECT", "legacy")
    with LocalServer(tmp_path / "db", port=0) as server, ApertureDBResource(key=server.key).connect() as db:
        assert db.dialect is Dialect.LEGACY


def test_a_dialect_that_is_given_is_used(tmp_path: Path) -> None:
    with (
        LocalServer(tmp_path / "db", port=0) as server,
        ApertureDBResource(key=server.key, dialect="legacy").connect() as db,
    ):
        assert db.dialect is Dialect.LEGACY


def test_an_unknown_dialect_is_named() -> None:
    with pytest.raises(ConfigurationError, match="aperturedb_dialect"):
        ApertureDBResource(key="k", dialect="newest").connect()


def test_asking_for_label_studio_sends_nothing() -> None:
    with LabelStudioResource(url="http://127.0.0.1:9/", api_key=TOKEN).connect() as client:
        assert (client.url, client.request_count) == ("http://127.0.0.1:9", 0)


def test_label_studio_of_the_settings(tmp_path: Path) -> None:
    home = local_stack(tmp_path / "home", label_studio_url="http://127.0.0.1:9", label_studio_api_key=TOKEN)
    with LabelStudioResource(home=home).connect() as client:
        assert client.url == "http://127.0.0.1:9"


def test_an_address_alone_is_not_used_with_the_key_of_another_server(tmp_path: Path) -> None:
    home = local_stack(tmp_path / "home", label_studio_url="http://127.0.0.1:9", label_studio_api_key=TOKEN)
    with pytest.raises(ConfigurationError, match="set LABEL_STUDIO_API_KEY"):
        LabelStudioResource(home=home, url="http://labels.example").connect()


def test_what_is_given_counts_more_than_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:8")
    with LabelStudioResource(url="http://127.0.0.1:9", api_key=TOKEN).connect() as client:
        assert client.url == "http://127.0.0.1:9"


def test_without_label_studio_the_message_says_what_to_set() -> None:
    with pytest.raises(ConfigurationError, match="set LABEL_STUDIO_URL"):
        LabelStudioResource(home="home").connect()


def test_links_are_signed_with_the_key_that_is_given() -> None:
    links = MediaLinksResource(base_url="http://gateway", link_keys={"k9": "a secret of some length"}).links()
    assert links.link("a").startswith("http://gateway/media/a?k=k9&s=")


def test_links_to_a_given_gateway_use_the_key_of_the_home(tmp_path: Path) -> None:
    given = MediaLinksResource(home=str(tmp_path), base_url="http://gateway").links()
    assert given.link("a") == load_settings(home=tmp_path, gateway_url="http://gateway").links().link("a")


def test_without_a_gateway_the_message_says_what_to_set() -> None:
    with pytest.raises(ConfigurationError, match="set LABELING_ASSETS_GATEWAY_URL"):
        MediaLinksResource(home="home").links()


def test_a_resource_shows_the_name_of_a_variable_and_not_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_TOKEN", TOKEN)
    resource = LabelStudioResource(url="http://127.0.0.1:9", api_key=dg.EnvVar("THE_TOKEN"))
    assert "THE_TOKEN" in repr(resource)
    assert TOKEN not in repr(resource)


def test_a_variable_is_read_when_the_resource_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = LabelStudioResource(url=dg.EnvVar("THE_URL"), api_key=dg.EnvVar("THE_TOKEN"))
    monkeypatch.setenv("THE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("THE_TOKEN", TOKEN)
    found: list[str] = []

    @dg.asset
    def url(label_studio: LabelStudioResource) -> None:
        client: LabelStudio = label_studio.connect()
        found.append(client.url)

    assert dg.materialize([url], resources={"label_studio": resource}).success
    assert found == ["http://127.0.0.1:9"]


def test_a_resource_of_the_home_holds_no_secret(tmp_path: Path) -> None:
    home = local_stack(tmp_path / "home", label_studio_url="http://127.0.0.1:9", label_studio_api_key=TOKEN)
    resource = LabelStudioResource(home=home)
    resource.connect().close()
    assert TOKEN not in resource.model_dump_json()
