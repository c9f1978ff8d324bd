"""Below a path of another server, whether its proxy takes the path away or not."""

import dataclasses

import httpx
import pytest

from labeling_assets.gateway.app import create_app
from labeling_assets.gateway.prefix import prefix_of
from labeling_assets_tests.gateway.running import LINKS, WatchedDatabase, link, running_gateway

PUBLIC = "https://labels.example.org/data/gateway"


@pytest.fixture
def below(watched: WatchedDatabase):
    """A gateway whose public address has a path."""
    links = dataclasses.replace(LINKS, base_url=PUBLIC)
    app = create_app(lambda: watched, links, ())
    with running_gateway(app) as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.mark.parametrize(
    ("url", "prefix"),
    [(PUBLIC, "/data/gateway"), (f"{PUBLIC}/", "/data/gateway"), ("http://127.0.0.1:8090", ""), ("http://a/", "")],
)
def test_the_prefix_is_the_path_of_the_public_address(url: str, prefix: str) -> None:
    assert prefix_of(url) == prefix


@pytest.mark.parametrize("prefix", ["", "/data/gateway"])
def test_both_paths_open(below: httpx.Client, prefix: str) -> None:
    assert below.get(prefix + link("picture")).status_code == 200


@pytest.mark.parametrize(
    "path", ["/data/media/picture", "/data/gatewaymedia/picture", "/data/gateway/data/gateway/healthz"]
)
def test_other_paths_do_not(below: httpx.Client, path: str) -> None:
    assert below.get(path).status_code == 404


def test_links_are_those_of_the_public_address(below: httpx.Client) -> None:
    assert below.get("/openapi.json").json()["servers"] == [{"url": PUBLIC}]


@pytest.mark.parametrize("header", ["X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "Host", "Forwarded"])
def test_no_header_changes_a_link(below: httpx.Client, header: str) -> None:
    answer = below.get("/openapi.json", headers={header: "evil.example.org"})
    assert "evil" not in answer.text
    assert answer.json()["servers"] == [{"url": PUBLIC}]
