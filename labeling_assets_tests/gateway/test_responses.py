"""What a browser gets, over HTTP from a running gateway."""

import email
import hashlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Self

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from labeling_assets.errors import TransientError
from labeling_assets.gateway.bodies import PIECE_BYTES, Piece
from labeling_assets.gateway.ranges import Part
from labeling_assets.gateway.responses import BodyResponse
from labeling_assets_tests.gateway.running import link, running_gateway


def get(gateway: httpx.Client, guid: str, **headers: str) -> httpx.Response:
    return gateway.get(link(guid), headers={name.replace("_", "-"): value for name, value in headers.items()})


def tag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()}"'


def test_the_bytes_are_those_of_the_database(gateway: httpx.Client, picture: bytes) -> None:
    assert get(gateway, "picture").content == picture


def test_headers_of_a_picture(gateway: httpx.Client, picture: bytes) -> None:
    headers = get(gateway, "picture").headers
    assert {name: headers[name] for name in headers if name not in ("date", "etag", "content-length")} == {
        "content-type": "image/png",
        "accept-ranges": "bytes",
        "cache-control": "private, max-age=3600",
        "content-disposition": "inline",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "content-security-policy": "sandbox",
        "vary": "Origin",
    }


def test_the_length_is_exact(gateway: httpx.Client, recording: bytes) -> None:
    assert get(gateway, "recording").headers["content-length"] == "1004000"


def test_the_tag_is_the_digest(gateway: httpx.Client, recording: bytes) -> None:
    assert get(gateway, "recording").headers["etag"] == tag(recording)


@pytest.mark.parametrize("guid", ["picture", "clip", "recording", "note", "nothing", "adopted", "changed"])
def test_head_has_the_headers_of_get(gateway: httpx.Client, guid: str) -> None:
    whole, head = gateway.get(link(guid)), gateway.head(link(guid))
    assert _without_date(head) == _without_date(whole)


def test_head_has_no_body(gateway: httpx.Client) -> None:
    assert gateway.head(link("recording")).content == b""


def test_head_has_no_parts(gateway: httpx.Client) -> None:
    """Range is defined for GET only."""
    assert gateway.head(link("recording"), headers={"Range": "bytes=0-9"}).status_code == 200


def test_a_part(gateway: httpx.Client, recording: bytes) -> None:
    answer = get(gateway, "recording", Range="bytes=250-260")
    assert (answer.status_code, answer.headers["content-range"], answer.headers["content-length"], answer.content) == (
        206,
        "bytes 250-260/1004000",
        "11",
        recording[250:261],
    )


def test_an_open_part(gateway: httpx.Client, recording: bytes) -> None:
    answer = get(gateway, "recording", Range="bytes=1003990-")
    assert (answer.headers["content-range"], answer.content) == ("bytes 1003990-1003999/1004000", recording[-10:])


def test_the_end(gateway: httpx.Client, recording: bytes) -> None:
    answer = get(gateway, "recording", Range="bytes=-10")
    assert (answer.headers["content-range"], answer.content) == ("bytes 1003990-1003999/1004000", recording[-10:])


def test_a_part_has_type_and_tag_of_the_whole(gateway: httpx.Client, recording: bytes) -> None:
    headers = get(gateway, "recording", Range="bytes=0-9").headers
    assert (headers["content-type"], headers["etag"]) == ("audio/wav", tag(recording))


def test_a_part_outside(gateway: httpx.Client) -> None:
    answer = get(gateway, "recording", Range="bytes=1004000-")
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */1004000")


def test_several_parts_are_labelled(gateway: httpx.Client, recording: bytes) -> None:
    answer = get(gateway, "recording", Range="bytes=-5,20-29")
    kind, _, boundary = answer.headers["content-type"].partition("; boundary=")
    assert (answer.status_code, kind, int(answer.headers["content-length"])) == (
        206,
        "multipart/byteranges",
        len(answer.content),
    )
    assert answer.content == (
        f"\r\n--{boundary}\r\nContent-Type: audio/wav\r\nContent-Range: bytes 1003995-1003999/1004000\r\n\r\n".encode()
        + recording[-5:]
        + f"\r\n--{boundary}\r\nContent-Type: audio/wav\r\nContent-Range: bytes 20-29/1004000\r\n\r\n".encode()
        + recording[20:30]
        + f"\r\n--{boundary}--\r\n".encode()
    )


def test_a_mail_reader_understands_several_parts(gateway: httpx.Client, recording: bytes) -> None:
    answer = get(gateway, "recording", Range="bytes=0-999999,1000000-1000001")
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    parts = email.message_from_bytes(head + answer.content).get_payload()
    assert [part.get_payload(decode=True) for part in parts] == [recording[:1000000], recording[1000000:1000002]]


def test_of_several_parts_one_inside_is_a_part(gateway: httpx.Client) -> None:
    answer = get(gateway, "recording", Range="bytes=0-9,9999999-")
    assert (answer.headers["content-range"], answer.headers["content-type"]) == ("bytes 0-9/1004000", "audio/wav")


def test_several_parts_have_no_content_range_of_their_own(gateway: httpx.Client) -> None:
    assert "content-range" not in get(gateway, "recording", Range="bytes=0-9,20-29").headers


def test_several_parts_outside(gateway: httpx.Client) -> None:
    assert get(gateway, "recording", Range="bytes=1004000-,-0").status_code == 416


def test_parts_that_overlap_are_the_whole(gateway: httpx.Client) -> None:
    answer = get(gateway, "recording", Range="bytes=0-9,5-29")
    assert (answer.status_code, answer.headers["content-length"]) == (200, "1004000")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 1_003_999), st.integers(0, 1_100_000))
def test_every_part_is_a_slice(gateway: httpx.Client, recording: bytes, first: int, length: int) -> None:
    answer = get(gateway, "recording", Range=f"bytes={first}-{first + length}")
    assert answer.content == recording[first : first + length + 1]


def test_a_part_of_a_video(gateway: httpx.Client, clip: bytes) -> None:
    answer = get(gateway, "clip", Range="bytes=100-199")
    assert (answer.status_code, answer.content) == (206, clip[100:200])


def test_a_medium_without_bytes(gateway: httpx.Client) -> None:
    answer = get(gateway, "nothing")
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "0", b"")


def test_a_medium_without_bytes_has_no_parts(gateway: httpx.Client) -> None:
    answer = get(gateway, "nothing", Range="bytes=0-")
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */0")


def test_if_range_with_the_tag_gives_a_part(gateway: httpx.Client, recording: bytes) -> None:
    assert get(gateway, "recording", Range="bytes=0-9", If_Range=tag(recording)).status_code == 206


@pytest.mark.parametrize("condition", ['"other"', "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_if_range_with_anything_else_gives_the_whole(gateway: httpx.Client, condition: str) -> None:
    assert get(gateway, "recording", Range="bytes=0-9", If_Range=condition).status_code == 200


def test_if_range_is_asked_before_the_part_is_looked_at(gateway: httpx.Client) -> None:
    assert get(gateway, "recording", Range="bytes=9999999-", If_Range='"other"').status_code == 200


def test_what_the_browser_has_is_not_sent_again(gateway: httpx.Client, recording: bytes) -> None:
    answer = get(gateway, "recording", If_None_Match=tag(recording))
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag(recording))


def test_head_knows_what_the_browser_has(gateway: httpx.Client, recording: bytes) -> None:
    assert gateway.head(link("recording"), headers={"If-None-Match": tag(recording)}).status_code == 304


def test_what_the_browser_has_comes_before_parts(gateway: httpx.Client, recording: bytes) -> None:
    assert get(gateway, "recording", If_None_Match=tag(recording), Range="bytes=0-9").status_code == 304


@pytest.mark.parametrize("condition", ["*", '"other", {tag}'])
def test_the_bytes_that_the_client_wants(gateway: httpx.Client, recording: bytes, condition: str) -> None:
    assert get(gateway, "recording", If_Match=condition.format(tag=tag(recording))).status_code == 200


@pytest.mark.parametrize("condition", ['"other"', "W/{tag}", "no tag"])
def test_not_the_bytes_that_the_client_wants(gateway: httpx.Client, recording: bytes, condition: str) -> None:
    assert get(gateway, "recording", If_Match=condition.format(tag=tag(recording))).status_code == 412


def test_if_match_is_asked_before_if_none_match(gateway: httpx.Client, recording: bytes) -> None:
    answer = get(gateway, "recording", If_Match='"other"', If_None_Match=tag(recording))
    assert answer.status_code == 412


def test_other_bytes_are_sent(gateway: httpx.Client) -> None:
    assert get(gateway, "recording", If_None_Match='"other"').status_code == 200


@pytest.mark.parametrize(
    ("guid", "content_type"),
    [
        pytest.param("note", "text/plain; charset=utf-8", id="text in UTF-8"),
        pytest.param("old-note", "text/plain", id="text in Latin-1"),
        pytest.param("page", "text/html; charset=utf-8", id="html"),
        pytest.param("drawing", "image/svg+xml", id="svg"),
        pytest.param("adopted", "image/png", id="picture without recorded type"),
        pytest.param("clip", "video/mp4", id="video"),
        pytest.param("adopted-clip", "video/mp4", id="video without recorded type"),
        pytest.param("adopted-sound", "audio/flac", id="sound without recorded type"),
        pytest.param("broken-type", "text/plain; charset=utf-8", id="recorded type that is none"),
    ],
)
def test_content_type(gateway: httpx.Client, guid: str, content_type: str) -> None:
    assert get(gateway, guid).headers["content-type"] == content_type


@pytest.mark.parametrize("guid", ["page", "drawing"])
def test_no_scripts_in_the_origin_of_the_gateway(gateway: httpx.Client, guid: str) -> None:
    assert get(gateway, guid).headers["content-security-policy"] == "sandbox"


def test_a_pdf_can_be_shown(gateway: httpx.Client) -> None:
    """Chrome shows no PDF in a sandbox."""
    assert "content-security-policy" not in get(gateway, "paper").headers


def test_adopted_media_are_measured(gateway: httpx.Client, picture: bytes) -> None:
    headers = get(gateway, "adopted").headers
    assert (headers["content-length"], headers["etag"]) == (str(len(picture)), tag(picture))


def test_the_tag_is_measured_where_the_database_is_wrong(gateway: httpx.Client) -> None:
    assert get(gateway, "changed").headers["etag"] == tag(b"new bytes")


def _without_date(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "date"}


class EndlessFilm:
    """A body that says how many of its pieces were read, and may break off."""

    def __init__(self, *, breaks_after: int | None = None) -> None:
        self.read_pieces = 0
        self.is_closed = False
        self._breaks_after = breaks_after

    async def pieces(self, part: Part) -> AsyncGenerator[Piece, None]:
        for _ in range(part.length // PIECE_BYTES):
            if self.read_pieces == self._breaks_after:
                raise TransientError("the film tore")
            self.read_pieces += 1
            yield bytes(PIECE_BYTES)

    def again(self) -> Self:
        return self

    async def close(self) -> None:
        self.is_closed = True


async def show(request: Request) -> Response:
    film = request.app.state.film
    return BodyResponse(200, {}, film, [(b"", Part(0, 2000 * PIECE_BYTES - 1))])


@contextmanager
def cinema(film: EndlessFilm) -> Iterator[httpx.Client]:
    app = Starlette(routes=[Route("/film", show)])
    app.state.film = film
    with running_gateway(app) as url, httpx.Client(base_url=url, timeout=20) as client:
        yield client


def test_nothing_is_read_for_a_client_that_hung_up() -> None:
    film = EndlessFilm()
    with cinema(film) as client, client.stream("GET", "/film") as answer:
        next(answer.iter_raw())
    assert (film.is_closed, film.read_pieces < 200) == (True, True)


def test_a_body_that_breaks_off_is_not_taken_for_whole(caplog: pytest.LogCaptureFixture) -> None:
    film = EndlessFilm(breaks_after=3)
    with cinema(film) as client, pytest.raises(httpx.RemoteProtocolError):
        client.get("/film")
    assert (film.is_closed, "the film tore" in caplog.text) == (True, True)


def test_a_body_without_a_first_piece_sends_no_status() -> None:
    with cinema(EndlessFilm(breaks_after=0)) as client:
        assert client.get("/film").status_code == 500
