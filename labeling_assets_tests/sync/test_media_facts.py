"""What bytes are, whatever their name says."""

import io

import pytest
from PIL import Image

from labeling_assets.errors import InputError
from labeling_assets.sync.media_facts import MediaFacts, media_facts
from labeling_assets_tests.sync.world import picture


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return picture(0, (40, 30), "JPEG", exif=exif)


def written(form: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30)).save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "name", "facts"),
    [
        (picture(0), "a.png", MediaFacts("image", "image/png", 40, 30)),
        (picture(0), "a.jpg", MediaFacts("image", "image/png", 40, 30)),
        (picture(0), "no name", MediaFacts("image", "image/png", 40, 30)),
        (picture(0), "http://x/a.png?size=2", MediaFacts("image", "image/png", 40, 30)),
        (picture(0, (7, 5), "JPEG"), "a.jpg", MediaFacts("image", "image/jpeg", 7, 5)),
        (turned(6), "a.jpg", MediaFacts("image", "image/jpeg", 40, 30, 6)),
        (turned(0), "a.jpg", MediaFacts("image", "image/jpeg", 40, 30, 1)),
        (turned(9), "a.jpg", MediaFacts("image", "image/jpeg", 40, 30, 1)),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.svg", MediaFacts("other", "image/svg+xml")),
        (written("TIFF"), "a.tif", MediaFacts("image", "image/tiff", 40, 30)),
        (written("AVIF"), "a.avif", MediaFacts("image", "image/avif", 40, 30)),
        (written("PPM"), "a.ppm", MediaFacts("other", "image/x-portable-pixmap")),
        (b"no more than a name", "a.heic", MediaFacts("other", "image/heic")),
        ("grüße".encode(), "a.txt", MediaFacts("text", "text/plain")),
        ("grüße".encode(), "a", MediaFacts("text", "text/plain")),
        ("grüße".encode("latin-1"), "a.txt", MediaFacts("other", "text/plain")),
        (b'{"a": 1}', "a.json", MediaFacts("text", "application/json")),
        (b"ID3\x03\x00", "a.mp3", MediaFacts("audio", "audio/mpeg")),
        (b"\x00\x00\x00\x18ftypmp42", "a.mp4", MediaFacts("video", "video/mp4")),
        (b"%PDF-1.7\n", "a.pdf", MediaFacts("other", "application/pdf")),
        (b"\x00\x01\x02", "a", MediaFacts("other", "application/octet-stream")),
    ],
)
def test_facts(data: bytes, name: str, facts: MediaFacts):
    assert media_facts(data, name) == facts


def broken_avif() -> bytes:
    """Its header is whole, so the decoder begins, and raises RuntimeError."""
    data = bytearray(written("AVIF"))
    data[-30:] = b"\xff" * 30
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (b"", "a.png", r"a\.png is empty \(0 bytes\)"),
        (b"text", "a.png", r"a\.png is not a picture, whatever its name says"),
        (picture(0, (400, 300), "JPEG")[:1500], "a.jpg", r"a\.jpg cannot be read to its end"),
        (picture(0, (400, 300))[:300], "a.png", r"a\.png cannot be read to its end"),
        (broken_avif(), "a.avif", r"a\.avif cannot be read to its end"),
        (written("EPS"), "a.png", r"a\.png is not a picture"),
        (picture(0, (16000, 16000)), "a.png", r"a\.png has too many pixels \(Image size \(256000000 pixels\)"),
    ],
    ids=["empty", "no picture", "truncated JPEG", "truncated PNG", "broken AVIF", "EPS", "too many pixels"],
)
def test_what_cannot_be_used(data: bytes, name: str, message: str):
    with pytest.raises(InputError, match=message):
        media_facts(data, name)
