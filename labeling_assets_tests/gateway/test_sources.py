"""Registered media: streamed from where they stayed, and from nowhere else."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from labeling_assets.clients.constraints import equal
from labeling_assets.clients.s3 import MOUNT, S3Transport
from labeling_assets.gateway.bodies import PIECE_BYTES
from labeling_assets.identity import sha256_of
from labeling_assets.media_sources import MediaSources
from labeling_assets.sync.register_media import file_version
from labeling_assets_tests.gateway.running import WatchedDatabase, add_object, gateway_client, link
from labeling_assets_tests.s3_store import s3_store
from labeling_assets_tests.web_folder import web_folder

FILM = bytes(range(251)) * 9000  # some pieces, not a multiple of one
assert len(FILM) > 3 * PIECE_BYTES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of films with one film."""
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "film.mp4").write_bytes(FILM)
    return tmp_path / "films"


@contextmanager
def registered(watched: WatchedDatabase, uri: str, version: str, allowed: object) -> Iterator[httpx.Client]:
    """A browser in front of a gateway with a film that is registered at this address."""
    properties = {
        "guid": "registered",
        "LS_role": "media",
        "LS_mime_type": "video/mp4",
        "LS_size_bytes": len(FILM),
        "LS_sha256": sha256_of(FILM),
        "LS_stored_at": uri,
        "LS_stored_version": version,
    }
    add_object(watched, b"a marker", properties)
    try:
        with gateway_client(watched, sources=MediaSources.of([str(allowed)])) as client:
            yield client
    finally:
        watched.one("DeleteBlob", {"constraints": equal("guid", "registered")})


@contextmanager
def in_folder(watched: WatchedDatabase, folder: Path, name: str = "film.mp4") -> Iterator[httpx.Client]:
    """Registered as a file; another name leads to it."""
    version = file_version((folder / "film.mp4").stat())
    with registered(watched, (folder / name).as_uri(), version, folder) as client:
        yield client


@contextmanager
def on_the_web(watched: WatchedDatabase, folder: Path, path: str = "film.mp4") -> Iterator[httpx.Client]:
    """Registered at a web server."""
    with web_folder(folder) as address:
        version = httpx.head(f"{address}/{path}").headers.get("etag", "")
        with registered(watched, f"{address}/{path}", version, address) as client:
            yield client


@contextmanager
def in_s3(watched: WatchedDatabase, folder: Path) -> Iterator[httpx.Client]:
    """Registered in a bucket."""
    with s3_store(folder.parent), httpx.Client(mounts={MOUNT: S3Transport()}) as http:
        version = http.get("s3://films/film.mp4").headers["etag"]
        with registered(watched, "s3://films/film.mp4", version, "s3://films/") as client:
            yield client


def part(client: httpx.Client, first: int, last: int) -> httpx.Response:
    return client.get(link("registered"), headers={"Range": f"bytes={first}-{last}"})


@pytest.mark.parametrize("place", [in_folder, on_the_web, in_s3])
def test_all_of_it(watched: WatchedDatabase, folder: Path, place) -> None:
    with place(watched, folder) as client:
        answer = client.get(link("registered"))
    assert (answer.status_code, answer.content == FILM, answer.headers["etag"]) == (200, True, f'"{sha256_of(FILM)}"')


@pytest.mark.parametrize("place", [in_folder, on_the_web, in_s3])
@pytest.mark.parametrize(("first", "last"), [(0, 0), (1_000_000, 1_999_999), (len(FILM) - 1, len(FILM) - 1)])
def test_a_part_of_it(watched: WatchedDatabase, folder: Path, place, first: int, last: int) -> None:
    with place(watched, folder) as client:
        answer = part(client, first, last)
    assert (answer.status_code, answer.content == FILM[first : last + 1]) == (206, True)
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(FILM)}"


@pytest.mark.parametrize("place", [in_folder, on_the_web, in_s3])
def test_several_parts_of_it(watched: WatchedDatabase, folder: Path, place) -> None:
    with place(watched, folder) as client:
        answer = client.get(link("registered"), headers={"Range": "bytes=0-4,-5"})
    assert (answer.status_code, FILM[:5] in answer.content, FILM[-5:] in answer.content) == (206, True, True)


@pytest.mark.parametrize("place", [in_folder, on_the_web, in_s3])
def test_head_does_not_need_the_source(watched: WatchedDatabase, folder: Path, place) -> None:
    with place(watched, folder) as client:
        (folder / "film.mp4").unlink()
        head = client.head(link("registered"))
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(FILM)))


def test_a_server_without_ranges(watched: WatchedDatabase, folder: Path) -> None:
    with web_folder(folder) as address, registered(watched, f"{address}/whole/film.mp4", "", address) as client:
        assert part(client, 1_000_000, 1_000_099).content == FILM[1_000_000:1_000_100]


def refused(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> str:
    """The log of a request whose answer names nothing."""
    answer = client.get(link("registered"))
    assert (answer.status_code, answer.json()) == (
        502,
        {"error": "The media are out of reach.", "hint": "The log of the media gateway says why."},
    )
    return caplog.text


def test_a_file_that_was_written_again(
    watched: WatchedDatabase, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with in_folder(watched, folder) as client:
        os.utime(folder / "film.mp4", (time.time() - 5000,) * 2)
        assert "is not what it was when medium 'registered' was registered" in refused(client, caplog)


def test_a_file_of_a_web_server_that_was_written_again(
    watched: WatchedDatabase, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with on_the_web(watched, folder) as client:
        (folder / "film.mp4").write_bytes(FILM[::-1])
        os.utime(folder / "film.mp4", (time.time() - 5000,) * 2)
        assert "is not what it was when medium 'registered' was registered" in refused(client, caplog)


def test_a_file_of_another_size_without_a_version(
    watched: WatchedDatabase, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with web_folder(folder) as address, registered(watched, f"{address}/whole/film.mp4", "", address) as client:
        (folder / "film.mp4").write_bytes(FILM + b"more")
        assert "is not what it was" in refused(client, caplog)


@pytest.mark.parametrize("place", [in_folder, on_the_web, in_s3])
def test_a_file_that_is_gone(watched: WatchedDatabase, folder: Path, place, caplog: pytest.LogCaptureFixture) -> None:
    with place(watched, folder) as client:
        (folder / "film.mp4").unlink()
        text = refused(client, caplog)
    assert "there is no file" in text or ("answered 404" in text and ": put the file back" in text)


@pytest.mark.parametrize("name", ["../secret.mp4", "link.mp4"])
def test_what_lies_outside_is_not_read(
    watched: WatchedDatabase, folder: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    (folder.parent / "secret.mp4").write_bytes(FILM)
    (folder / "link.mp4").symlink_to(folder.parent / "secret.mp4")
    with in_folder(watched, folder, name) as client:
        assert f"would stay in {folder.parent}, which is not allowed" in refused(client, caplog)


def test_what_somebody_wrote_into_the_database_is_not_believed(
    watched: WatchedDatabase, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with registered(watched, "http://169.254.169.254/latest/meta-data", "", folder) as client:
        assert "http://169.254.169.254/, which is not allowed" in refused(client, caplog)


def test_a_server_that_leads_elsewhere_is_not_followed(
    watched: WatchedDatabase, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        web_folder(folder) as other,
        web_folder(folder) as address,
        registered(watched, f"{address}/to?{other}/film.mp4", "", address) as client,
    ):
        assert f"leads to '{other}/film.mp4'" in refused(client, caplog)


def test_a_server_that_leads_to_an_allowed_place_is_followed(watched: WatchedDatabase, folder: Path) -> None:
    with web_folder(folder) as address:
        version = httpx.head(f"{address}/film.mp4").headers["etag"]
        with registered(watched, f"{address}/to?{address}/film.mp4", version, address) as client:
            assert part(client, 5, 9).content == FILM[5:10]


def test_a_server_that_leads_in_circles(
    watched: WatchedDatabase, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with web_folder(folder) as address, registered(watched, f"{address}/to?/to?", "", address) as client:
        assert "leads on and on" in refused(client, caplog)


def test_a_server_that_packs(watched: WatchedDatabase, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with web_folder(folder) as address, registered(watched, f"{address}/packed/film.mp4", "", address) as client:
        assert "is sent compressed" in refused(client, caplog)


def test_a_server_that_is_down_is_worth_waiting_for(watched: WatchedDatabase, folder: Path) -> None:
    with web_folder(folder) as address, registered(watched, f"{address}/down", "", address) as client:
        assert client.get(link("registered")).status_code == 503


def test_an_address_where_nobody_answers(watched: WatchedDatabase, folder: Path) -> None:
    with registered(watched, "http://127.0.0.1:9/film.mp4", "", "http://127.0.0.1:9") as client:
        assert client.get(link("registered")).status_code == 503


def test_a_server_that_breaks_off_is_not_taken_for_whole(
    watched: WatchedDatabase, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        web_folder(folder) as address,
        registered(watched, f"{address}/short/film.mp4", "", address) as client,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        client.get(link("registered"))
    assert "An answer was broken off" in caplog.text


def test_the_marker_is_never_sent(watched: WatchedDatabase, folder: Path) -> None:
    with in_folder(watched, folder) as client:
        client.get(link("registered"))
    assert watched.byte_reads == 0
