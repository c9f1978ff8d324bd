"""The real server: as `up` starts it, and as all other tests get it."""

import contextlib
import http.server
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from labeling_assets.errors import ConfigurationError, ServiceError
from labeling_assets.stack.label_studio import Account, LabelStudioServer, PostgreSQL, personal_access_token
from labeling_assets.stack.label_studio_install import (
    DATABASE_NAME,
    LOG_NAME,
    VERSION,
    cache_directory,
    install,
    migrated_database,
    server_environment,
)


@pytest.fixture
def free_home(tmp_path: Path, label_studio_database: None) -> Path:
    return tmp_path / "label_studio"


def test_the_server_is_the_pinned_version(label_studio_server: LabelStudioServer):
    assert httpx.get(f"{label_studio_server.url}/api/version").json()["release"] == VERSION


def test_the_data_directory_is_for_its_owner_only(label_studio_server: LabelStudioServer):
    home = label_studio_server.data_dir
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (home, home / DATABASE_NAME, home / ".env")}
    assert modes == {home: 0o700, home / DATABASE_NAME: 0o600, home / ".env": 0o600}


def test_no_secret_is_in_the_log_or_among_the_arguments(label_studio_server: LabelStudioServer):
    account = label_studio_server.account
    log = (label_studio_server.data_dir / LOG_NAME).read_text()
    assert account.password not in log
    assert account.legacy_token not in log
    assert account.password not in " ".join(label_studio_server._arguments())
    assert account.password not in repr(account)


def test_the_password_of_a_database_is_not_shown():
    database = PostgreSQL("db.example.org", 5432, "labels", "label_studio", "only for PostgreSQL")
    assert "only for PostgreSQL" not in repr(database)
    assert database.variables()["POSTGRE_PASSWORD"] == "only for PostgreSQL"


@pytest.mark.usefixtures("label_studio_database")
def test_the_prepared_database_comes_without_a_key():
    assert not (migrated_database().parent / ".env").exists()


def test_every_home_signs_with_a_key_of_its_own(label_studio_server: LabelStudioServer, free_home: Path):
    with LabelStudioServer(free_home, Account.random()) as other:
        theirs = other.personal_access_token()
    with pytest.raises(ConfigurationError, match="password"):
        personal_access_token(label_studio_server.url, other.account, theirs)
    keys = {(server.data_dir / ".env").read_text() for server in (label_studio_server, other)}
    assert len(keys) == 2


def test_user_and_token_outlive_a_restart(free_home: Path):
    account = Account.random("owner@example.com")
    with LabelStudioServer(free_home, account) as first:
        token = first.personal_access_token()
    with LabelStudioServer(free_home, account) as second:
        assert second.personal_access_token(token) == token


def test_a_lost_token_is_replaced_and_the_old_one_ends(free_home: Path):
    with LabelStudioServer(free_home, Account.random()) as server:
        lost = server.personal_access_token()
        new = server.personal_access_token()
        answers = [
            httpx.post(f"{server.url}/api/token/refresh/", json={"refresh": token}).status_code for token in (lost, new)
        ]
    assert answers == [401, 200]


def test_a_wrong_password_is_a_configuration_error(label_studio_server: LabelStudioServer):
    wrong = Account(label_studio_server.account.username, "not the password", "")
    with pytest.raises(ConfigurationError, match="does not take the password of labeling@localhost"):
        personal_access_token(label_studio_server.url, wrong)


def test_nobody_can_sign_up(label_studio_server: LabelStudioServer):
    with httpx.Client(base_url=label_studio_server.url) as http:
        key = {"Authorization": f"Token {label_studio_server.account.legacy_token}"}
        before = http.get("/api/users/", headers=key).json()
        http.get("/user/signup/")
        form = {"email": "stranger@example.com", "password": "12345678aB!"}
        http.post("/user/signup/", data=form, headers={"X-CSRFToken": http.cookies["csrftoken"]})
        assert http.get("/api/users/", headers=key).json() == before


@pytest.fixture
def busy_port() -> Iterator[int]:
    """Something else that answers 200 to /health."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_busy_port_is_refused_by_name(free_home: Path, busy_port: int):
    server = LabelStudioServer(free_home, Account.random(), port=busy_port)
    with pytest.raises(ConfigurationError, match=f"cannot use port {busy_port}"):
        server.start()
    assert not server.alive


def test_a_port_that_is_taken_in_the_meantime_is_noticed(
    free_home: Path, busy_port: int, monkeypatch: pytest.MonkeyPatch
):
    """Label Studio itself moves to the next port and says nothing."""
    monkeypatch.setattr("labeling_assets.stack.label_studio._is_listening", lambda host, port: False)
    server = LabelStudioServer(free_home, Account.random(), port=busy_port)
    with pytest.raises(ConfigurationError, match=f"cannot use port {busy_port}"):
        server.start()
    assert not server.alive


def test_a_next_port_that_is_taken_as_well_is_noticed(free_home: Path, busy_port: int, monkeypatch: pytest.MonkeyPatch):
    """Then Label Studio ends."""
    monkeypatch.setattr("labeling_assets.stack.label_studio._is_listening", lambda host, port: False)
    with contextlib.ExitStack() as taken:
        with contextlib.suppress(OSError):  # somebody else has it already
            taken.enter_context(socket.create_server(("127.0.0.1", busy_port + 1)))
        server = LabelStudioServer(free_home, Account.random(), port=busy_port)
        with pytest.raises(ConfigurationError, match=f"cannot use port {busy_port}"):
            server.start()
        assert not server.alive


def test_a_broken_database_shows_the_log(free_home: Path):
    free_home.mkdir()
    (free_home / DATABASE_NAME).write_text("this is no database, " * 100)
    with pytest.raises(ServiceError, match="file is not a database"):
        LabelStudioServer(free_home, Account.random()).start()


def test_a_stopped_server_listens_no_more(free_home: Path):
    with LabelStudioServer(free_home, Account.random()) as server:
        assert server.alive
    with socket.socket() as probe:
        assert probe.connect_ex((server.host, server.port)) != 0


@pytest.mark.usefixtures("label_studio_database")
def test_an_installed_environment_is_used_again():
    said: list[str] = []
    assert (install(announce=said.append) / "bin" / "label-studio").exists()
    assert said == []


def test_the_cache_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("LABELING_ASSETS_CACHE", str(tmp_path))
    assert cache_directory() == tmp_path


def test_an_installation_that_fails_says_what_uv_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    with pytest.raises(ServiceError, match=r"(?s)cannot be installed.*uv says:.*label-studio"):
        install(cache=tmp_path / "cache")


def test_the_server_gets_nothing_of_the_callers_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Label Studio would take a plain USERNAME or DEBUG for a setting of its own."""
    for name in ("USERNAME", "DEBUG", "LABEL_STUDIO_DATABASE", "SECRET_KEY"):
        monkeypatch.setenv(name, "of the caller")
    assert "of the caller" not in server_environment(tmp_path).values()


def test_webhooks_to_this_machine_are_allowed(label_studio_server: LabelStudioServer, ls_project):
    body = {"project": ls_project().id, "url": "http://127.0.0.1:9/", "actions": ["ANNOTATION_CREATED"]}
    key = {"Authorization": f"Token {label_studio_server.account.legacy_token}"}
    assert httpx.post(f"{label_studio_server.url}/api/webhooks/", json=body, headers=key).status_code == 201
