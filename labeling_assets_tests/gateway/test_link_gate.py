"""Denied media and retired keys, noticed by a running gateway within seconds."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from labeling_assets.clients.aperturedb import ApertureDB, Reply
from labeling_assets.clients.query import Query
from labeling_assets.errors import TransientError
from labeling_assets.gateway.link_gate import FRESH_S, STALE_S, LinkGate
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.media_urls import MediaLinks
from labeling_assets.sync.link_rules import allow_medium, deny_medium, retire, take_back_retirement
from labeling_assets_tests.gateway.running import LINKS, add_medium, gateway_client
from labeling_assets_tests.link_parts import query_of
from labeling_assets_tests.waiting import eventually

REFUSED = {"error": "This link is not valid.", "hint": "The log of the media gateway says why."}
OPEN = {"k": "k1", "s": query_of(LINKS.link("a"))["s"]}


class SlowDatabase(ApertureDB):
    """Counts the questions, and answers while its gate is open."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.asked = 0
        self.gate = threading.Event()
        self.gate.set()
        self.broken = False

    def run(self, query: Query) -> Reply:
        self.asked += 1
        assert self.gate.wait(20)
        if self.broken:
            raise TransientError("ApertureDB is away")
        return super().run(query)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SlowDatabase]:
    with LocalServer(tmp_path / "aperturedb") as server, SlowDatabase(server.key) as db:
        add_medium(db, "a", b"bytes", mime_type="text/plain")
        yield db


@pytest.fixture
def client(database: SlowDatabase) -> Iterator[httpx.Client]:
    with gateway_client(database) as client:
        yield client


def path(guid: str, links: MediaLinks = LINKS) -> str:
    return links.link(guid).removeprefix("http://gateway.example.org")


def test_a_denied_medium_closes_while_the_gateway_runs_and_opens_again(
    client: httpx.Client, database: SlowDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    assert client.get(path("a")).status_code == 200
    deny_medium(database, "a", "a face")
    eventually(lambda: client.get(path("a")).status_code == 403, within_s=STALE_S + 2)
    answer = client.get(path("a", LINKS.for_project("cars")))
    assert (answer.status_code, answer.json()) == (403, REFUSED)
    assert "Refused a link to medium 'a': the medium was denied (a face)" in caplog.text
    allow_medium(database, "a")
    eventually(lambda: client.get(path("a")).status_code == 200, within_s=STALE_S + 2)


def test_a_retired_key_closes_its_links_and_no_others(
    client: httpx.Client, database: SlowDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    cars, dogs = LINKS.for_project("cars"), LINKS.for_project("dogs")
    retire(database, "k1.cars")
    answer = client.get(path("a", cars))
    assert (answer.status_code, answer.json()) == (403, REFUSED)
    assert "Refused a link to medium 'a': key 'k1.cars' was retired" in caplog.text
    assert client.get(path("a", dogs)).status_code == 200
    take_back_retirement(database, "k1.cars")
    eventually(lambda: client.get(path("a", cars)).status_code == 200, within_s=STALE_S + 2)


def test_an_expired_link_is_refused_and_the_log_says_what_to_do(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    past = MediaLinks(LINKS.base_url, LINKS.keys, "k1", project="cars", lifetime_s=60, clock=lambda: 1e9)
    answer = client.get(path("a", past))
    assert (answer.status_code, answer.json()) == (403, REFUSED)
    assert "expired at 2001-09-09T" in caplog.text
    assert "key 'k1.cars'" in caplog.text
    assert "labeling-assets links refresh" in caplog.text


def test_a_link_with_a_lifetime_opens(client: httpx.Client) -> None:
    living = MediaLinks(LINKS.base_url, LINKS.keys, "k1", project="cars", lifetime_s=60)
    assert client.get(path("a", living)).text == "bytes"


class Clock:
    """A time that stands still."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_strangers_send_costs_no_question(database: SlowDatabase) -> None:
    gate = LinkGate(LINKS, lambda: database)
    before = database.asked
    for query in ({}, {"k": "k1", "s": "x"}, {"k": "k9", "s": "x"}):
        assert asyncio.run(gate.refusal("a", query)) is not None
    assert database.asked == before


def test_a_hundred_requests_at_once_ask_once(database: SlowDatabase) -> None:
    gate = LinkGate(LINKS, lambda: database)
    before = database.asked

    async def all_at_once() -> list[str | None]:
        return await asyncio.gather(*(gate.refusal("a", OPEN) for _ in range(100)))

    assert asyncio.run(all_at_once()) == [None] * 100
    assert database.asked == before + 1


def test_no_request_waits_while_the_rules_are_fresh_or_are_read_again(database: SlowDatabase) -> None:
    clock = Clock()
    gate = LinkGate(LINKS, lambda: database, clock=clock)

    async def story() -> list[int]:
        await gate.refusal("a", OPEN)
        before = database.asked
        database.gate.clear()
        clock.now = FRESH_S
        await gate.refusal("a", OPEN)
        fresh = database.asked - before
        clock.now = STALE_S
        await asyncio.wait_for(gate.refusal("a", OPEN), 10)
        await asyncio.to_thread(eventually, lambda: database.asked == before + 1)
        database.gate.set()
        return [fresh, database.asked - before]

    assert asyncio.run(story()) == [0, 1]


def test_old_rules_are_not_trusted(database: SlowDatabase) -> None:
    """A medium that was denied while ApertureDB was away must not open."""
    clock = Clock()
    gate = LinkGate(LINKS, lambda: database, clock=clock)

    async def story() -> None:
        await gate.refusal("a", OPEN)
        database.broken = True
        clock.now = STALE_S + 0.1
        with pytest.raises(TransientError, match="away"):
            await gate.refusal("a", OPEN)
        database.broken = False
        assert await gate.refusal("a", OPEN) is None

    asyncio.run(story())
