"""Who may see a medium, asked by a proxy: with real sessions of a real Label Studio."""

import asyncio
import dataclasses
from collections.abc import Iterator

import httpx
import pytest

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.errors import ConfigurationError, TransientError
from labeling_assets.gateway.link_gate import LinkGate
from labeling_assets.gateway.sessions import KEEP_S, LabelStudioSessions, MediaAccess
from labeling_assets.stack.label_studio import LabelStudioServer
from labeling_assets_tests.gateway.running import LINKS, WatchedDatabase, gateway_client
from labeling_assets_tests.sync.served_files import served

LINK = "/gateway" + dataclasses.replace(LINKS, base_url="").for_project("cars").link("picture")


class CountingSessions(LabelStudioSessions):
    """Counts the questions to Label Studio."""

    questions = 0

    async def _ask(self, key: str, cookie: str) -> bool:
        self.questions += 1
        return await super()._ask(key, cookie)


@pytest.fixture(scope="session")
def cookie(label_studio_server: LabelStudioServer) -> str:
    """The header of somebody who has just logged in."""
    account = label_studio_server.account
    with httpx.Client(base_url=label_studio_server.url, trust_env=False) as http:
        http.get("/user/login/").raise_for_status()
        form = {"email": account.username, "password": account.password}
        http.post("/user/login/", data=form, headers={"X-CSRFToken": http.cookies["csrftoken"]})
        return "; ".join(f"{name}={value}" for name, value in http.cookies.items())


@pytest.fixture(scope="module")
def client(label_studio_server: LabelStudioServer, aperturedb_key: str) -> Iterator[httpx.Client]:
    with ApertureDB(aperturedb_key) as database:
        access = MediaAccess(LabelStudioSessions(label_studio_server.url), LinkGate(LINKS, lambda: database))
        with gateway_client(database, parts=[access]) as client:
            yield client


def ask(client: httpx.Client, link: str, cookie: str = "") -> int:
    headers = {"X-Original-URI": link.encode(), **({"Cookie": cookie.encode()} if cookie else {})}
    return client.get("/auth/media", headers=headers).status_code


def test_a_session_with_a_link_may(client: httpx.Client, cookie: str) -> None:
    assert ask(client, LINK, cookie) == 204


@pytest.mark.parametrize("wrong", ["", "sessionid=", "sessionid=invented", "other=1; csrftoken=x", "ü"])
def test_without_a_session_nobody_may(client: httpx.Client, wrong: str) -> None:
    assert ask(client, LINK, wrong) == 401


def test_a_session_that_was_tampered_with_may_not(client: httpx.Client, cookie: str) -> None:
    assert ask(client, LINK, cookie.replace("sessionid=", "sessionid=x")) == 401


@pytest.mark.parametrize(
    "link",
    [
        pytest.param(LINK[:-1], id="tampered"),
        pytest.param(LINK.partition("?")[0], id="not signed"),
        pytest.param(LINK.replace("picture", "film"), id="of another medium"),
        pytest.param("", id="none"),
        pytest.param("/gateway/healthz", id="another page"),
        pytest.param(LINK.replace("/media/", "/media/x/../"), id="a way back"),
        pytest.param(LINK.replace("/gateway/", "/gateway/../gateway/"), id="a way back before"),
        pytest.param(LINK.replace("/gateway/", "/./"), id="a dot"),
        pytest.param(LINK.replace("/gateway/", "//"), id="an empty part"),
        pytest.param(LINK.replace("picture", "%70icture"), id="encoded"),
        pytest.param(LINK.replace("picture", "picture/"), id="a slash at the end"),
        pytest.param(f"http://x{LINK}", id="a whole address"),
    ],
)
def test_a_link_that_does_not_open_is_refused_to_everybody(client: httpx.Client, cookie: str, link: str) -> None:
    assert ask(client, link, cookie) == 403


def test_the_log_names_no_session(client: httpx.Client, cookie: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG", logger="labeling_assets"):
        assert (ask(client, LINK, cookie), ask(client, LINK[:-1], cookie)) == (204, 403)
    assert "bad signature, key 'k1.cars'" in caplog.text
    secret = cookie.partition("sessionid=")[2].partition(";")[0]
    assert (len(secret) > 20, secret in caplog.text) == (True, False)


def test_a_page_full_of_media_asks_once(label_studio_server: LabelStudioServer, cookie: str) -> None:
    sessions = CountingSessions(label_studio_server.url)

    async def fifty() -> list[bool]:
        return await asyncio.gather(*(sessions.is_logged_in(cookie) for _ in range(50)))

    assert (asyncio.run(fifty()), sessions.questions) == ([True] * 50, 1)


def test_what_label_studio_said_counts_for_some_seconds(label_studio_server: LabelStudioServer, cookie: str) -> None:
    now = [100.0]
    sessions = CountingSessions(label_studio_server.url, clock=lambda: now[0])

    async def story() -> list[int]:
        counts = []
        for later in (0, KEEP_S - 0.1, KEEP_S):
            now[0] = 100.0 + later
            assert (await sessions.is_logged_in(cookie), await sessions.is_logged_in("a=b")) == (True, False)
            counts.append(sessions.questions)
        return counts

    assert asyncio.run(story()) == [2, 2, 4]


def test_a_label_studio_that_is_away_is_worth_waiting_for(watched: WatchedDatabase) -> None:
    access = MediaAccess(LabelStudioSessions("http://127.0.0.1:9"), LinkGate(LINKS, lambda: watched))
    with gateway_client(watched, parts=[access]) as client:
        assert ask(client, LINK, "sessionid=x") == 503
    with pytest.raises(TransientError, match="does not say who is logged in"):
        asyncio.run(LabelStudioSessions("http://127.0.0.1:9").is_logged_in("a=b"))


@pytest.mark.parametrize("answer", [b"[]", b"{}", b'{"id": null}', b"<html>", None])
def test_what_is_no_label_studio_is_named(answer: bytes | None) -> None:
    files = {} if answer is None else {"api/current-user/whoami": answer}
    with served(files) as url, pytest.raises(ConfigurationError, match="set LABEL_STUDIO_URL"):
        asyncio.run(LabelStudioSessions(url).is_logged_in("a=b"))


def test_a_busy_label_studio_is_worth_waiting_for() -> None:
    with served({}) as url, pytest.raises(TransientError, match="answered 503"):
        asyncio.run(LabelStudioSessions(f"{url}/busy").is_logged_in("a=b"))
