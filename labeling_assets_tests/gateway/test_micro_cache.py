"""One answer for a second of the same requests. Times are those of a clock that the tests hold."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from labeling_assets.gateway import micro_cache
from labeling_assets.gateway.micro_cache import MicroCache
from labeling_assets_tests.gateway.running import LABEL_STUDIO, WatchedDatabase, gateway_client, link


@dataclass
class Application:
    """Answers with a number that grows with every request that reaches it."""

    status: int = 200
    pieces: int = 1
    size_bytes: int = 0
    requests: int = 0
    sent: list[Message] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests += 1
        scope["endpoint"] = self
        await send({"type": "http.response.start", "status": self.status, "headers": [(b"x-number", b"1")]})
        body = str(self.requests).encode().ljust(self.size_bytes)
        for piece in range(self.pieces):
            await send({"type": "http.response.body", "body": body, "more_body": piece < self.pieces - 1})


@dataclass
class Clock:
    now_s: float = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(micro_cache, "time", clock)
    return clock


def ask(cache: MicroCache, **scope: Any) -> bytes:
    """What a request gets."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asked = {"type": "http", "method": "GET", "path": "/media/a", "query_string": b"k=k1&s=x", "headers": [], **scope}
    asyncio.run(cache(asked, None, send))  # type: ignore[arg-type]  # nothing is received
    return b"".join(message.get("body", b"") for message in sent)


def test_the_same_request_gets_the_same_answer(clock: Clock) -> None:
    cache = MicroCache(Application())
    assert [ask(cache) for _ in range(3)] == [b"1", b"1", b"1"]


def test_after_a_second_it_is_worked_out_again(clock: Clock) -> None:
    cache = MicroCache(Application())
    ask(cache)
    clock.now_s += 1
    assert ask(cache) == b"2"


@pytest.mark.parametrize(
    "other",
    [
        {"path": "/media/b"},
        {"query_string": b"k=k1&s=y"},
        {"headers": [(b"origin", b"http://labels.example.org")]},
        {"headers": [(b"range", b"bytes=0-1")]},
        {"headers": [(b"if-none-match", b"*")]},
        {"headers": [(b"if-match", b"*")]},
        {"method": "HEAD"},
    ],
)
def test_another_request_gets_its_own(clock: Clock, other: dict[str, Any]) -> None:
    cache = MicroCache(Application())
    assert [ask(cache), ask(cache, **other), ask(cache)] == [b"1", b"2", b"1"]


@pytest.mark.parametrize(
    "application",
    [Application(status=404), Application(status=206), Application(pieces=2), Application(size_bytes=256 * 1024 + 1)],
)
def test_other_answers_are_not_kept(clock: Clock, application: Application) -> None:
    cache = MicroCache(application)
    ask(cache)
    ask(cache)
    assert application.requests == 2


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/projects/cars/tasks.json", "/media", "/batches/media/media", "/projects/media/tasks.json"],
)
def test_other_routes_are_not_kept(clock: Clock, path: str) -> None:
    application = Application()
    cache = MicroCache(application)
    ask(cache, path=path)
    ask(cache, path=path)
    assert application.requests == 2


def test_metrics_learn_the_route(clock: Clock) -> None:
    application = Application()
    cache = MicroCache(application)
    ask(cache)
    scope = {"type": "http", "method": "GET", "path": "/media/a", "query_string": b"k=k1&s=x", "headers": []}

    async def send(message: Message) -> None:
        pass

    asyncio.run(cache(scope, None, send))  # type: ignore[arg-type]
    assert (application.requests, scope["endpoint"]) == (1, application)


@pytest.mark.parametrize(("path", "requests"), [("/media/a", 1), ("/tools/gateway/media/a", 1), ("/other/media/a", 2)])
def test_media_are_known_with_and_without_the_prefix(clock: Clock, path: str, requests: int) -> None:
    application = Application()
    cache = MicroCache(application, prefix="/tools/gateway")
    ask(cache, path=path)
    ask(cache, path=path)
    assert application.requests == requests


# In a gateway


def test_a_medium_that_is_asked_for_again_has_all_its_headers(gateway: httpx.Client) -> None:
    first, second = (gateway.get(link("picture"), headers={"Origin": LABEL_STUDIO}) for _ in range(2))
    assert (second.content, dict(second.headers) | {"date": ""}) == (first.content, dict(first.headers) | {"date": ""})


def test_each_website_gets_its_own_headers(gateway: httpx.Client) -> None:
    allowed = gateway.get(link("note"), headers={"Origin": LABEL_STUDIO}).headers
    others = gateway.get(link("note"), headers={"Origin": "http://evil.example.org"}).headers
    assert ("access-control-allow-origin" in allowed, "access-control-allow-origin" in others) == (True, False)


def test_every_request_is_logged_and_counted(watched: WatchedDatabase, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "labeling_assets"), gateway_client(watched) as client:
        for _ in range(3):
            client.get(link("note"))
        shown = client.get("/metrics").text
    assert caplog.text.count("GET '/media/note' 200") == 3
    assert 'labeling_gateway_requests_total{method="GET",route="/media/{guid}",status="200"} 3.0' in shown
