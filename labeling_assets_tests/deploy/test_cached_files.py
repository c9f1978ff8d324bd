"""deploy/nginx/cached_files.conf: nginx sends what the gateway has on its disk, as the gateway would."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets_tests.deploy.conftest import FILM, Site, site

NOWHERE = "http://127.0.0.1:9"  # no Label Studio is asked
FROM_LABEL_STUDIO = {"Origin": NOWHERE}
# What says who sent it, and when.
_OF_THE_SENDER = {"server", "date", "connection", "content-length"}


@pytest.fixture(scope="module")
def host(nginx: str, media: ApertureDB, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site("cached_files.conf", media, tmp_path_factory.mktemp("cached"), label_studio=NOWHERE, accel=True) as host:
        yield host


def sent_by_gateway(host: Site, guid: str) -> httpx.Response:
    """What the gateway answers to nginx."""
    return httpx.get(host.link(guid).replace(host.url, host.gateway), headers=FROM_LABEL_STUDIO)


def test_the_gateway_sends_no_bytes_of_a_film(host: Site) -> None:
    answer = sent_by_gateway(host, "film")
    assert answer.headers["x-accel-redirect"].startswith("/cached_media/")
    assert (answer.status_code, answer.content) == (200, b"")


def test_nginx_sends_them(host: Site) -> None:
    answer = host.client.get(host.link("film"))
    assert (answer.status_code, answer.content) == (200, FILM)
    assert "x-accel-redirect" not in answer.headers


@pytest.mark.parametrize("guid", ["film", "page"])
def test_with_the_headers_of_the_gateway(nginx: str, media: ApertureDB, host: Site, guid: str, tmp_path: Path) -> None:
    """Type, tag, CORS, and what keeps a page from running scripts."""
    with site("one_host.conf", media, tmp_path, label_studio=NOWHERE) as plain:
        wanted = plain.client.get(plain.link(guid), headers=FROM_LABEL_STUDIO)
    answer = host.client.get(host.link(guid), headers=FROM_LABEL_STUDIO)
    assert {name: value for name, value in answer.headers.items() if name not in _OF_THE_SENDER} == {
        name: value for name, value in wanted.headers.items() if name not in _OF_THE_SENDER
    }
    assert "access-control-allow-origin" in answer.headers


@pytest.mark.parametrize(
    ("asked", "content_range"),
    [
        ("bytes=0-0", "bytes 0-0/3000000"),
        ("bytes=1000000-1999999", "bytes 1000000-1999999/3000000"),
        ("bytes=-10", "bytes 2999990-2999999/3000000"),
        ("bytes=2999999-", "bytes 2999999-2999999/3000000"),
    ],
)
def test_parts(host: Site, asked: str, content_range: str) -> None:
    answer = host.client.get(host.link("film"), headers={"Range": asked})
    first, last = content_range.removeprefix("bytes ").partition("/")[0].split("-")
    assert (answer.status_code, answer.headers["content-range"]) == (206, content_range)
    assert answer.content == FILM[int(first) : int(last) + 1]


def test_a_part_beyond_the_end(host: Site) -> None:
    assert host.client.get(host.link("film"), headers={"Range": "bytes=3000000-"}).status_code == 416


def test_a_film_is_continued_only_if_it_is_the_same(host: Site) -> None:
    """Browsers send the tag they have with the part that they lack."""
    tag = host.client.head(host.link("film")).headers["etag"]
    same = host.client.get(host.link("film"), headers={"Range": "bytes=9-", "If-Range": tag})
    other = host.client.get(host.link("film"), headers={"Range": "bytes=9-", "If-Range": '"another"'})
    assert (same.status_code, other.status_code, other.content == FILM) == (206, 200, True)
    assert host.client.get(host.link("film"), headers={"If-None-Match": tag}).status_code == 304


def test_small_media_come_from_the_gateways_memory(host: Site) -> None:
    assert "x-accel-redirect" not in sent_by_gateway(host, "picture").headers
    assert host.client.get(host.link("picture")).headers["content-type"] == "image/png"


def test_nobody_gets_at_the_folder_itself(host: Site) -> None:
    path = sent_by_gateway(host, "film").headers["x-accel-redirect"]
    answer = host.client.get(path)
    assert (answer.status_code, FILM[:100] in answer.content) == (404, False)


def test_a_link_that_does_not_open_sends_nothing(host: Site) -> None:
    answer = host.client.get(host.link("film")[:-1])
    assert (answer.status_code, FILM[:100] in answer.content) == (403, False)
