"""Links, states, failures and CORS, over HTTP from a running gateway."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from labeling_assets.clients.aperturedb import ApertureDB, Object, Reply
from labeling_assets.clients.query import Query
from labeling_assets.errors import ConfigurationError, RefusedError, TransientError
from labeling_assets.gateway.app import create_app
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.media_urls import sign
from labeling_assets_tests.gateway.running import (
    LABEL_STUDIO,
    LINKS,
    SECRET,
    WatchedDatabase,
    add_medium,
    gateway_client,
    link,
)

SIGNATURE = sign("picture", SECRET)
EXPOSED = "Content-Length, Content-Range, Accept-Ranges, ETag"


class FailingDatabase(ApertureDB):
    """A database that answers every query with one error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def run(self, query: Query) -> Reply:
        raise self._error

    def check(self) -> Object:
        raise self._error


def test_a_signed_link_opens(gateway: httpx.Client) -> None:
    assert gateway.get(link("picture")).status_code == 200


def test_a_link_opens_for_the_audio_player_of_label_studio(gateway: httpx.Client) -> None:
    assert gateway.get(link("picture") + "&lsref=1").status_code == 200


def test_a_link_of_an_older_key_opens(gateway: httpx.Client) -> None:
    signature = sign("picture", "an older secret of a link key")
    assert gateway.get(f"/media/picture?k=old&s={signature}").status_code == 200


def test_the_links_of_tasks_open(gateway: httpx.Client) -> None:
    path = LINKS.link("picture").removeprefix("http://gateway.example.org")
    assert gateway.get(path).status_code == 200


REFUSED = [
    pytest.param("/media/picture", "no signature", id="bare"),
    pytest.param("/media/picture?k=k1", "no signature", id="key only"),
    pytest.param(f"/media/picture?s={SIGNATURE}", "no signature", id="signature only"),
    pytest.param(f"/media/picture?k=k1&s={SIGNATURE[:-1]}A", "bad signature", id="tampered"),
    pytest.param("/media/picture?k=k1&s=%C3%BC", "bad signature", id="not ASCII"),
    pytest.param(f"/media/recording?k=k1&s={SIGNATURE}", "bad signature", id="of another medium"),
    pytest.param(f"/media/picture?k=old&s={SIGNATURE}", "bad signature", id="of another key"),
    pytest.param(f"/media/picture?k=k9&s={SIGNATURE}", "unknown key id", id="unknown key"),
    pytest.param(f"/media/missing?k=k1&s={SIGNATURE}", "bad signature", id="medium that does not exist"),
]


@pytest.mark.parametrize(("path", "reason"), REFUSED)
def test_refused_links_all_look_the_same(gateway: httpx.Client, path: str, reason: str) -> None:
    answer = gateway.get(path)
    assert (answer.status_code, answer.json()) == (
        403,
        {"error": "This link is not valid.", "hint": "The log of the media gateway says why."},
    )


@pytest.mark.parametrize(("path", "reason"), REFUSED)
def test_the_log_says_why_a_link_was_refused(
    gateway: httpx.Client, path: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.get(path)
    assert reason in caplog.text


def test_a_refused_link_is_not_kept_by_browsers(gateway: httpx.Client) -> None:
    assert gateway.get("/media/picture").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("guid", ["missing", "mask", "no-role"])
def test_not_found(gateway: httpx.Client, guid: str) -> None:
    """Masks and payloads are Blobs like some media, and are not served."""
    answer = gateway.get(link(guid))
    assert (answer.status_code, answer.json()["error"]) == (404, "There is no such medium.")


def test_the_log_says_that_a_medium_is_missing(gateway: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    gateway.get(link("missing"))
    assert "Medium 'missing' is not in the database" in caplog.text


@pytest.mark.parametrize("path", ["/", "/media/", "/media/picture/", f"/media/a/b?k=k1&s={SIGNATURE}", "/other"])
def test_no_such_page(gateway: httpx.Client, path: str) -> None:
    answer = gateway.get(path)
    assert (answer.status_code, answer.json()) == (404, {"error": "Not Found"})


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_media_can_only_be_read(gateway: httpx.Client, method: str) -> None:
    answer = gateway.request(method, link("picture"))
    assert (answer.status_code, set(answer.headers["allow"].split(", "))) == (405, {"GET", "HEAD"})


def test_health(gateway: httpx.Client) -> None:
    answer = gateway.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"state": "up"})


def test_ready(gateway: httpx.Client) -> None:
    answer = gateway.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"state": "ready"})


def test_no_header_names_the_server_software(gateway: httpx.Client) -> None:
    assert "server" not in gateway.get("/healthz").headers


@pytest.fixture(scope="module")
def stopped_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A gateway whose database has gone away."""
    with LocalServer(tmp_path_factory.mktemp("stopped"), port=0) as server:
        database = ApertureDB(server.key)
        database.check()
    with database, gateway_client(database) as client:
        yield client


def test_a_database_that_is_down_is_worth_waiting_for(stopped_database: httpx.Client) -> None:
    answer = stopped_database.get(link("picture"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_not_ready_without_database(stopped_database: httpx.Client) -> None:
    assert stopped_database.get("/readyz").status_code == 503


def test_healthy_without_database(stopped_database: httpx.Client) -> None:
    assert stopped_database.get("/healthz").status_code == 200


def test_a_database_that_comes_back_is_used_again(tmp_path: Path) -> None:
    """Its sessions are lost with it: the gateway logs in again."""
    with LocalServer(tmp_path, port=0) as server:
        database = ApertureDB(server.key)
        add_medium(database, "survivor", b"here", mime_type="text/plain")
    with database, gateway_client(database) as client:
        down = client.get("/readyz").status_code
        with LocalServer(tmp_path, port=server.port):
            assert (down, client.get(link("survivor")).text) == (503, "here")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (TransientError("connection lost"), 503),
        (RefusedError("no such class", -1), 502),
        (ConfigurationError("the login was refused"), 502),
    ],
)
def test_failures_are_logged_and_not_told(error: Exception, status: int, caplog: pytest.LogCaptureFixture) -> None:
    with gateway_client(FailingDatabase(error)) as client:
        answer = client.get(link("picture"))
    assert (answer.status_code, str(error) in answer.text, str(error) in caplog.text) == (status, False, True)


def test_a_database_that_hangs_is_given_up(watched: WatchedDatabase) -> None:
    watched.gate.clear()
    with gateway_client(watched, timeout_s=0.2) as client:
        status = client.get(link("recording")).status_code
        watched.gate.set()
    assert status == 503


def test_a_slow_medium_does_not_hold_up_others(watched: WatchedDatabase) -> None:
    """While the bytes of one are waited for, another request is answered."""
    watched.gate.clear()
    with gateway_client(watched) as client, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(client.get, link("recording"))
        status = client.head(link("picture")).status_code
        waiting = not slow.done()
        watched.gate.set()
        assert (status, waiting, slow.result().status_code) == (200, True, 200)


def test_twenty_at_once_get_the_same_bytes(gateway: httpx.Client, recording: bytes) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(gateway.get, [link("recording")] * 20))
    assert [answer.content == recording for answer in answers] == [True] * 20


def test_one_read_is_enough_for_twenty_at_once(watched: WatchedDatabase) -> None:
    together = threading.Barrier(20)
    with gateway_client(watched) as client, ThreadPoolExecutor(20) as pool:

        def get(path: str) -> int:
            together.wait(20)
            return client.get(path).status_code

        statuses = list(pool.map(get, [link("recording")] * 20))
    assert (statuses, watched.byte_reads) == ([200] * 20, 1)


def test_label_studio_may_load_media(gateway: httpx.Client) -> None:
    headers = gateway.get(link("picture"), headers={"Origin": LABEL_STUDIO}).headers
    assert (
        headers["access-control-allow-origin"],
        headers["access-control-expose-headers"],
        headers["vary"],
    ) == (LABEL_STUDIO, EXPOSED, "Origin")


@pytest.mark.parametrize("guid", ["missing", "picture"])
def test_label_studio_may_read_errors(gateway: httpx.Client, guid: str) -> None:
    answer = gateway.get(link(guid), headers={"Origin": LABEL_STUDIO, "Range": "bytes=9999999-"})
    assert answer.headers["access-control-allow-origin"] == LABEL_STUDIO


@pytest.mark.parametrize(
    ("method", "asked", "status"),
    [
        ("HEAD", {}, 200),
        ("GET", {"Range": "bytes=0-0"}, 206),
        ("GET", {"If-None-Match": "*"}, 304),
        ("POST", {}, 405),
    ],
)
def test_every_answer_says_who_may_read_it(
    gateway: httpx.Client, method: str, asked: dict[str, str], status: int
) -> None:
    answer = gateway.request(method, link("picture"), headers={"Origin": LABEL_STUDIO, **asked})
    allowed = answer.headers["access-control-allow-origin"]
    assert (answer.status_code, allowed, answer.headers["vary"]) == (status, LABEL_STUDIO, "Origin")


@pytest.mark.parametrize("origin", [LABEL_STUDIO, "http://evil.example.org"])
def test_caches_know_that_a_preflight_depends_on_the_origin(gateway: httpx.Client, origin: str) -> None:
    assert preflight(gateway, origin).headers["vary"] == "Origin"


ELSEWHERE = [
    "http://labels.example.org",
    "https://labels.example.org:8080",
    "http://labels.example.org:8080.evil.example.org",
    "http://evil.example.org",
    "null",
]


@pytest.mark.parametrize("origin", ELSEWHERE)
def test_other_websites_get_no_cors_header(gateway: httpx.Client, origin: str) -> None:
    headers = gateway.get(link("picture"), headers={"Origin": origin}).headers
    assert [name for name in headers if name.startswith("access-control")] == []


@pytest.mark.parametrize("origin", [None, "http://evil.example.org"])
def test_caches_know_that_the_answer_depends_on_the_origin(gateway: httpx.Client, origin: str | None) -> None:
    assert gateway.get(link("picture"), headers={"Origin": origin} if origin else {}).headers["vary"] == "Origin"


def preflight(client: httpx.Client, origin: str) -> httpx.Response:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "range",
    }
    return client.options("/media/picture", headers=asked)


def test_label_studio_may_ask_for_parts(gateway: httpx.Client) -> None:
    answer = preflight(gateway, LABEL_STUDIO)
    names = ("allow-origin", "allow-methods", "allow-headers")
    assert (answer.status_code, [answer.headers[f"access-control-{name}"] for name in names]) == (
        204,
        [LABEL_STUDIO, "GET, HEAD", "Range"],
    )


@pytest.mark.parametrize("origin", ELSEWHERE)
def test_other_websites_may_not_ask(gateway: httpx.Client, origin: str) -> None:
    answer = preflight(gateway, origin)
    assert [name for name in answer.headers if name.startswith("access-control")] == []


def test_everybody_only_if_asked_for(aperturedb_key: str) -> None:
    with ApertureDB(aperturedb_key) as database, gateway_client(database, origins=("*",)) as client:
        headers = client.get(link("picture"), headers={"Origin": "http://anybody.example.org"}).headers
    assert headers["access-control-allow-origin"] == "*"


def test_a_wrong_origin_is_found_before_the_start() -> None:
    with pytest.raises(ConfigurationError, match="not an origin"):
        create_app(lambda: FailingDatabase(TransientError("never asked")), LINKS, ["labels.example.org"])
