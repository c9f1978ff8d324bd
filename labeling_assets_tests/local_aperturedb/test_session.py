"""Logging in, tokens and their end."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from labeling_assets.local_aperturedb.errors import LocalServerError
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.local_aperturedb.session import Lifetimes

REJECTED = {"info": "Not Authenticated!", "status": -1}
STATUS = [{"GetStatus": {}}]


class Clock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def server(tmp_path, clock):
    with LocalServer(
        tmp_path / "db",
        username="ann",
        password="secret",
        personal_token="adbp_personal",
        lifetimes=Lifetimes(session=100, refresh=1000),
        clock=clock,
    ) as running:
        yield running


@pytest.fixture
def raw(server, connect):
    return connect(server)


def test_a_login_gives_two_tokens_and_their_lifetimes(raw):
    session = raw.log_in(username="ann", password="secret")
    assert session.pop("session_token").startswith("adbs_")
    assert session.pop("refresh_token").startswith("adbr_")
    assert session == {"refresh_token_expires_in": 1000, "session_token_expires_in": 100, "status": 0}


@pytest.mark.parametrize(
    ("credentials", "status"),
    [
        ({"token": "adbp_personal"}, 0),
        ({"username": "ann", "token": "adbp_personal"}, 0),
        ({"username": "", "token": "adbp_personal"}, 0),
        ({"username": "bob", "token": "adbp_personal"}, -1),
        ({"token": "adbp_other"}, -1),
        ({"username": "ann", "password": "wrong"}, -1),
        ({"username": "bob", "password": "secret"}, -1),
        ({"password": "secret"}, -1),
        ({"username": "ann", "password": "sécret"}, -1),
    ],
)
def test_who_may_log_in(raw, credentials, status):
    session = raw.log_in(**credentials)
    assert session["status"] == status
    assert status == 0 or session["info"]


@pytest.mark.parametrize(
    "given", [{}, {"username": "ann"}, {"username": "ann", "password": "secret", "token": "t"}, {"user": "ann"}, 7]
)
def test_malformed_logins_are_one_error_object(raw, given):
    assert raw.ask([{"Authenticate": given}])["status"] == -1


def test_a_login_is_alone_in_its_query(raw):
    answer = raw.ask([{"Authenticate": {"username": "ann", "password": "secret"}}, *STATUS])
    assert answer == {"info": "Authenticate must be the only command of its query", "status": -1}


@pytest.mark.parametrize("token", ["", "adbs_invented"])
def test_without_a_session_the_query_is_rejected_as_a_whole(raw, token):
    assert raw.ask(STATUS, token=token) == REJECTED


def test_rejected_commands_did_not_run(raw):
    assert raw.ask([{"AddEntity": {"class": "P"}}]) == REJECTED
    token = raw.log_in(username="ann", password="secret")["session_token"]
    answer = raw.ask([{"FindEntity": {"results": {"count": True}}}], token=token)
    assert answer[0]["FindEntity"]["count"] == 0


def test_a_session_expires(raw, clock):
    token = raw.log_in(username="ann", password="secret")["session_token"]
    clock.now += 99
    assert raw.ask(STATUS, token=token) != REJECTED
    clock.now += 1
    assert raw.ask(STATUS, token=token) == REJECTED


def test_a_refresh_token_gives_a_new_session_once(raw):
    refresh = {"refresh_token": raw.log_in(username="ann", password="secret")["refresh_token"]}
    session = raw.ask([{"RefreshToken": refresh}])[0]["RefreshToken"]
    assert raw.ask(STATUS, token=session["session_token"]) != REJECTED
    assert raw.ask([{"RefreshToken": refresh}])[0]["RefreshToken"]["status"] == -1


def test_a_refresh_token_expires(raw, clock):
    refresh = raw.log_in(username="ann", password="secret")["refresh_token"]
    clock.now += 1000
    assert raw.ask([{"RefreshToken": {"refresh_token": refresh}}])[0]["RefreshToken"]["status"] == -1


def test_the_client_logs_in_again_after_the_session_expired(server, client_of, clock):
    client = client_of(server)
    client.query(STATUS)
    clock.now += 5000
    answer, _ = client.query(STATUS)
    assert answer[0]["GetStatus"]["status"] == 0


def test_the_client_survives_a_restart_of_the_server(tmp_path, clock, client_of):
    with LocalServer(tmp_path / "again", clock=clock) as first:
        client = client_of(first)
        client.query([{"AddEntity": {"class": "P"}}])
    client.config.retry_max_attempts = 3
    with LocalServer(tmp_path / "again", port=first.port, clock=clock):
        answer, _ = client.query([{"FindEntity": {"results": {"count": True}}}])
    assert answer[0]["FindEntity"]["count"] == 1


def test_the_client_reports_a_wrong_password(server, client_of):
    server.password = "wrong"
    with pytest.raises(Exception, match="Authentication failed"):
        client_of(server).query(STATUS)


def test_a_key_with_a_personal_token_logs_in(server):
    from aperturedb.CommonLibrary import create_connector
    from aperturedb.Configuration import Configuration

    key = Configuration.create_aperturedb_key(server.host, server.port, "adbp_personal", False, False)
    answer, _ = create_connector(key=key).query(STATUS)
    assert answer[0]["GetStatus"]["status"] == 0


def test_a_connector_with_only_a_token_logs_in(server):
    from aperturedb.Connector import Connector

    answer, _ = Connector(server.host, server.port, token="adbp_personal", use_ssl=False).query(STATUS)
    assert answer[0]["GetStatus"]["status"] == 0


def test_a_personal_token_has_its_prefix(tmp_path):
    with pytest.raises(LocalServerError, match="begins with adbp_"):
        LocalServer(tmp_path / "other", personal_token="personal")
    LocalServer(tmp_path / "other").stop()


def test_clones_share_one_session_and_renew_it_once(server, client_of, clock):
    client = client_of(server)
    client.query(STATUS)
    clones = [client.clone() for _ in range(8)]
    clock.now += 150
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda clone: clone.query(STATUS)[0], clones))
    assert [answer[0]["GetStatus"]["status"] for answer in answers] == [0] * 8
    assert {clone.shared_data.session.session_token for clone in clones} == {client.shared_data.session.session_token}


def test_the_client_renews_before_the_session_ends(server, client_of):
    """It does so ten seconds early by its own clock; here it is told that the session is old."""
    client = client_of(server)
    client.query(STATUS)
    first = client.shared_data.session
    first.session_started -= 95
    client.query(STATUS)
    assert client.shared_data.session.session_token != first.session_token


@pytest.mark.parametrize("command", ["CreateUser", "UpdateRole", "RemoveUser", "GenerateToken", "GetUserDetails"])
def test_users_and_roles_are_refused_by_name(raw, command):
    token = raw.log_in(username="ann", password="secret")["session_token"]
    answer = raw.ask([{command: {}}], token=token)
    assert answer == {
        "info": f'JSON Command 1: command "{command}" is not supported by the local server',
        "status": -1,
    }
