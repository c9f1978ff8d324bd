"""Settings: the environment before the file, local by default, secrets for their owner only."""

import stat
from pathlib import Path

import pytest

from labeling_assets.errors import ConfigurationError
from labeling_assets.settings import LocalStack, Settings, load_settings, write_private


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory; nothing in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("APERTUREDB_KEY", "LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY", "LABELING_ASSETS_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_without_any_everything_is_local(home: Path):
    settings = load_settings()
    assert (settings.inbox, settings.projects) == (Path("labeling_home/inbox"), Path("labeling_home/projects"))
    assert (settings.sensors, settings.media_size_limit_mb, settings.local_stack) == ("off", 200, LocalStack())


def test_the_environment_comes_before_the_file(home: Path, monkeypatch: pytest.MonkeyPatch):
    (home / "labeling_assets.yaml").write_text("home: from_file\ngateway_url: http://file\n")
    monkeypatch.setenv("LABELING_ASSETS_HOME", "from_environment")
    settings = load_settings()
    assert (settings.home, settings.gateway_url) == (Path("from_environment"), "http://file")


def test_the_two_products_own_names_are_understood(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("APERTUREDB_KEY", "key")
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://ls:8080/")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "token")
    settings = load_settings()
    assert (settings.database_key(), settings.label_studio()) == ("key", ("http://ls:8080", "token"))


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"sensors": "maybe"}, "sensors: Input should be 'on' or 'off'"),
        ({"hoem": "x"}, "hoem: Extra inputs are not permitted"),
        ({"media_size_limit_mb": 0}, "media_size_limit_mb: Input should be greater than 0"),
    ],
)
def test_a_wrong_setting_is_named(home: Path, values: dict[str, object], named: str):
    with pytest.raises(ConfigurationError) as refused:
        load_settings(**values)
    assert named in str(refused.value)
    assert "labeling_assets.yaml" in str(refused.value)


def test_secrets_are_not_shown(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "very-secret")
    assert "very-secret" not in repr(load_settings())


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (Settings.database_key, "No ApertureDB: set APERTUREDB_KEY, or start the local server"),
        (Settings.label_studio, "No Label Studio: set LABEL_STUDIO_URL"),
        (Settings.links, "No media gateway: set LABELING_ASSETS_GATEWAY_URL"),
    ],
)
def test_what_is_not_there_is_named(home: Path, ask: object, message: str):
    with pytest.raises(ConfigurationError, match=message):
        ask(load_settings())  # type: ignore[operator]


def test_registered_media_may_stay_in_the_inbox_and_where_the_settings_say(home: Path):
    sources = load_settings(media_sources=("/data/videos",)).registered_media
    assert sources.folders == (Path("labeling_home/inbox").resolve(), Path("/data/videos"))


def test_the_local_token_is_not_sent_to_another_label_studio(home: Path):
    settings = load_settings(label_studio_url="http://elsewhere")
    settings.save_local_stack(LocalStack(label_studio_url="http://local", label_studio_api_key="local token"))
    with pytest.raises(ConfigurationError, match="set LABEL_STUDIO_API_KEY"):
        settings.label_studio()


def test_what_the_local_stack_wrote_is_used(home: Path):
    settings = load_settings()
    settings.save_local_stack(LocalStack(aperturedb_key="k", label_studio_url="http://ls", label_studio_api_key="t"))
    assert (settings.database_key(), settings.label_studio()) == ("k", ("http://ls", "t"))


def test_a_link_key_is_made_once_and_stays(home: Path):
    settings = load_settings(gateway_url="http://gateway")
    link = settings.links().link("g-1")
    assert load_settings(gateway_url="http://gateway").links().link("g-1") == link


def test_the_last_link_key_signs_unless_one_is_named(home: Path):
    keys = {"old": "an old secret key", "new": "a new secret key"}
    assert load_settings(gateway_url="http://g", link_keys=keys).links().signing_key == "new"
    assert load_settings(gateway_url="http://g", link_keys=keys, link_signing_key="old").links().signing_key == "old"


def test_private_files_are_for_their_owner_only(tmp_path: Path):
    path = tmp_path / "new" / "secret.json"
    write_private(path, "1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    write_private(path, "2", exclusive=True)
    assert path.read_text() == "1"
    write_private(path, "3")
    assert (path.read_text(), list(path.parent.iterdir())) == ("3", [path])


def test_webhooks_that_are_off_go_nowhere_and_need_no_secret(home: Path):
    assert load_settings().webhook() is None
    assert not (home / "labeling_home").exists()


def test_webhooks_go_to_the_gateway_with_a_secret_that_stays(home: Path):
    settings = load_settings(webhooks="on", gateway_url="http://gateway/")
    first = settings.webhook()
    assert first is not None
    assert (first.base_url, first == settings.webhook(), len(first.secret)) == ("http://gateway", True, 43)
    assert stat.S_IMODE((settings.home / "webhook_secret").stat().st_mode) == 0o600
    assert first.secret not in repr(first)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({}, "LABELING_ASSETS_WEBHOOK_URL"),
        ({"webhook_url": "http://g", "webhook_secret": "short"}, "at least 12 characters"),
        ({"webhook_url": "http://g", "webhook_secret": "line\nbreaks do no good"}, "ASCII"),
    ],
)
def test_webhooks_that_cannot_work_are_named(home: Path, values: dict[str, object], named: str):
    with pytest.raises(ConfigurationError, match=named):
        load_settings(webhooks="on", **values).webhook()
