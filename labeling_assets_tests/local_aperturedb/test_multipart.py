"""Multipart forms: what counts as a part, and what is malformed."""

import pytest

from labeling_assets.local_aperturedb.errors import QueryError
from labeling_assets.local_aperturedb.multipart import Part, parts


def form(*contents: bytes, name: str = "blobs") -> bytes:
    head = b'--frontier\r\nContent-Disposition: form-data; name="' + name.encode() + b'"; filename="f"\r\n\r\n'
    return b"".join(head + content + b"\r\n" for content in contents) + b"--frontier--\r\n"


def contents(body: bytes) -> list[bytes]:
    return [part.content for part in parts(body, "frontier")]


def test_the_body_of_the_official_client_is_read():
    import requests

    request = requests.Request("POST", "http://x/api/", files=[("query", (None, "[]")), ("blobs", b"\x00\r\n")])
    prepared = request.prepare()
    boundary = prepared.headers["Content-Type"].partition("boundary=")[2]
    assert list(parts(prepared.body, boundary)) == [Part("query", b"[]"), Part("blobs", b"\x00\r\n")]


@pytest.mark.parametrize(
    "content",
    [b"", b"\r\n", b"--", b"\r\n\r\n", b"\r\n--front", b"x--frontier", bytes(range(256))],
    ids=[
        "empty",
        "line break",
        "dashes",
        "two line breaks",
        "nearly a boundary",
        "boundary inside a line",
        "all bytes",
    ],
)
def test_any_content_survives(content):
    assert contents(form(content, b"after")) == [content, b"after"]


@pytest.mark.parametrize("around", [b"%b", b"preamble\r\n%b", b"%bepilogue"], ids=["bare", "preamble", "epilogue"])
def test_text_around_the_parts_is_no_part(around):
    assert contents(around % form(b"one")) == [b"one"]


def test_spaces_after_a_boundary_are_allowed():
    assert contents(form(b"one").replace(b"--frontier\r\n", b"--frontier \t\r\n", 1)) == [b"one"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nothing of the kind",
        form(b"one")[:-20],
        b"--frontier",
        b"--frontier\r\n\r\n--frontier--",
        b"--frontier\r\nno header\r\n--frontier--",
        b'--frontier\r\nContent-Disposition: attachment; name="a"\r\n\r\nx\r\n--frontier--',
        b"--frontier\r\nContent-Disposition: form-data\r\n\r\nx\r\n--frontier--",
        b"--frontier\r\nX: " + b"a" * 5000 + b"\r\n\r\nx\r\n--frontier--",
    ],
    ids=["empty", "no boundary", "cut off", "only a boundary", "no part", "no headers", "no form", "no name", "long"],
)
def test_malformed_bodies(body):
    with pytest.raises(QueryError):
        contents(body)
