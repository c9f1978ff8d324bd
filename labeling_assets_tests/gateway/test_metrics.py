"""Numbers for Prometheus: by route, and without anything that a caller chose."""

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from labeling_assets.gateway.metrics import Metrics
from labeling_assets_tests.gateway.running import WatchedDatabase, gateway_client, link

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture
def gateway(watched: WatchedDatabase):
    """A gateway of its own, so that the numbers are those of one test."""
    with gateway_client(watched) as client:
        yield client


def settled(gateway: httpx.Client) -> str:
    """The numbers when no other request is running: a client has its answer a moment before it is counted."""
    for _ in range(1000):
        text = gateway.get("/metrics").text
        if "labeling_gateway_requests_running 1.0" in text:
            return text
    raise AssertionError(text)


def samples(gateway: httpx.Client, name: str) -> dict[tuple[str, ...], float]:
    """The values of a number, by its labels in the order of their names."""
    families = text_string_to_metric_families(settled(gateway))
    found = [sample for family in families for sample in family.samples if sample.name == name]
    return {tuple(sample.labels.values()): sample.value for sample in found}


def test_requests_are_counted_by_route_method_and_status(gateway: httpx.Client) -> None:
    gateway.get(link("picture"))
    gateway.get(link("recording"))
    gateway.head(link("picture"))
    gateway.get("/media/picture")
    counted = samples(gateway, "labeling_gateway_requests_total")
    assert counted["GET", "/media/{guid}", "200"] == 2
    assert counted["HEAD", "/media/{guid}", "200"] == 1
    assert counted["GET", "/media/{guid}", "403"] == 1


def test_sent_bytes_are_counted(gateway: httpx.Client, picture: bytes) -> None:
    gateway.get(link("picture"))
    assert samples(gateway, "labeling_gateway_sent_bytes_total")["/media/{guid}",] == len(picture)


def test_times_are_in_buckets(gateway: httpx.Client) -> None:
    gateway.get("/healthz")
    assert samples(gateway, "labeling_gateway_request_seconds_count")["/healthz",] == 1


def test_the_request_that_asks_is_running(gateway: httpx.Client) -> None:
    assert samples(gateway, "labeling_gateway_requests_running") == {(): 1}


def test_the_process_is_measured(gateway: httpx.Client) -> None:
    assert samples(gateway, "process_resident_memory_bytes")[()] > 10_000_000


def test_nothing_that_a_caller_chose_is_a_label(gateway: httpx.Client) -> None:
    """Else anybody could make as many series as he likes."""
    for path in ("/nothing/one", "/nothing/two", "/media/secret-guid"):
        gateway.get(path)
    gateway.request("BREW", "/healthz")
    text = settled(gateway)
    assert [word for word in ("nothing", "secret-guid", "BREW") if word in text] == []
    assert 'route="other",status="404"' in text


def test_the_newer_format_is_given_when_asked_for(gateway: httpx.Client) -> None:
    answer = gateway.get("/metrics", headers={"Accept": OPEN_METRICS})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_two_gateways_of_a_process_count_on_their_own() -> None:
    first, second = Metrics(), Metrics()
    first.count_pushed("created")
    assert second.registry.get_sample_value("labeling_gateway_pushed_media_total", {"status": "created"}) is None
