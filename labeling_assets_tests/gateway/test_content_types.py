import io

import pytest
from PIL import Image

from labeling_assets.gateway.content_types import Family, lacks_charset, recorded, sniffed, with_charset


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    "value", ["image/png", "image/svg+xml", "text/plain; charset=utf-8", 'audio/ogg;codecs="a, b"']
)
def test_recorded_types_are_kept(value: str) -> None:
    assert recorded(value) == value


@pytest.mark.parametrize(
    "value", [None, "", "png", 7, "image/png\r\nX: 1", "text/css\r\n;a=b", "image/png\n", "bild/grün", "a/b;c"]
)
def test_what_is_no_type_counts_as_not_recorded(value: object) -> None:
    assert recorded(value) is None


@pytest.mark.parametrize(
    ("data", "family", "content_type"),
    [
        pytest.param(picture("PNG"), "image", "image/png", id="png"),
        pytest.param(picture("JPEG"), "image", "image/jpeg", id="jpeg"),
        pytest.param(picture("WEBP"), "image", "image/webp", id="webp"),
        pytest.param(picture("PNG"), None, "image/png", id="picture in a blob"),
        pytest.param(b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", "video", "video/mp4", id="mp4"),
        pytest.param(b"fLaC\0\0\0\x22", None, "audio/flac", id="flac"),
        pytest.param(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", None, "application/pdf", id="pdf"),
        pytest.param(b"<!doctype html><p>", None, "text/html", id="html"),
        pytest.param("grüße\n".encode(), None, "text/plain", id="text"),
        pytest.param(b"BM is how this text begins", None, "text/plain", id="text that begins like a bitmap"),
        pytest.param(b"\0\1\2\3", None, "application/octet-stream", id="unknown bytes"),
        pytest.param(b"\0\1\2\3", "image", "application/octet-stream", id="unknown picture"),
        pytest.param(b"no picture", "image", "application/octet-stream", id="picture that is text"),
        pytest.param(b"", None, "application/octet-stream", id="nothing"),
    ],
)
def test_sniffed(data: bytes, family: Family | None, content_type: str) -> None:
    assert sniffed(data, family) == content_type


def test_a_long_text_is_a_text_wherever_its_characters_end() -> None:
    assert sniffed(b"x" + "ü".encode() * 5000, None) == "text/plain"


@pytest.mark.parametrize(
    ("content_type", "data", "expected"),
    [
        pytest.param("text/plain", "grüße".encode(), "text/plain; charset=utf-8", id="utf-8"),
        pytest.param("text/plain", "grüße".encode("latin-1"), "text/plain", id="latin-1 is not guessed"),
        pytest.param("text/plain; charset=cp1252", b"x", "text/plain; charset=cp1252", id="recorded charset"),
        pytest.param("image/png", b"x", "image/png", id="no text"),
    ],
)
def test_with_charset(content_type: str, data: bytes, expected: str) -> None:
    assert with_charset(content_type, [data[:3], data[3:]]) == expected


@pytest.mark.parametrize(
    ("content_type", "answer"), [("text/csv", True), ("Text/CSV; Charset=x", False), ("a/b", False)]
)
def test_lacks_charset(content_type: str, answer: bool) -> None:
    assert lacks_charset(content_type) is answer
