"""What bytes are, whatever their name says."""

import io
import mimetypes
import re

import pytest
from PIL import Image

from labeling_assets.errors import InputError
from labeling_assets.sync.facts.media_facts import media_facts
from labeling_assets.sync.facts.record import MediaFacts
from labeling_assets_tests.sync.recordings import HANDWRITTEN_PDF, pdf
from labeling_assets_tests.sync.world import picture

NOT_UTF8 = "{}, but not in UTF-8: kept as other; save it as UTF-8"


MIDI = mimetypes.guess_type("a.mid")[0] or ""  # differs between systems


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
        ("grüße".encode("latin-1"), "a.txt", MediaFacts("other", "text/plain", warning=NOT_UTF8.format("text/plain"))),
        ("a;ß".encode("utf-16"), "a.csv", MediaFacts("other", "text/csv", warning=NOT_UTF8.format("text/csv"))),
        (b"BM is how this text begins", "a", MediaFacts("text", "text/plain")),
        (b"<p>x</p>", "a.html", MediaFacts("html", "text/html")),
        (b"<p/>", "a.xhtml", MediaFacts("html", "application/xhtml+xml")),
        (b"<!doctype html><p>x", "a", MediaFacts("html", "text/html")),
        (b"<a/>", "a.xml", MediaFacts("text", "application/xml")),
        (b"a,b\n1,2\n", "a.csv", MediaFacts("csv", "text/csv")),
        (b"a\tb\n1\t2\n", "A.TSV", MediaFacts("csv", "text/tab-separated-values")),
        (b"a,b\n1,2\n", "a", MediaFacts("text", "text/plain")),
        (b'{"a": 1}', "a.json", MediaFacts("json", "application/json")),
        ("\ufeff[]".encode(), "a.json", MediaFacts("json", "application/json")),
        (b'{"type": "Point"}', "a.geojson", MediaFacts("json", "application/geo+json")),
        (b' {"a": 1}', "a", MediaFacts("json", "application/json")),
        (b"{a} is no JSON", "a", MediaFacts("text", "text/plain")),
        (b"12", "a", MediaFacts("text", "text/plain")),
        (b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x00\x60", "a.mid", MediaFacts("other", MIDI)),
        (pdf(2), "a.pdf", MediaFacts("pdf", "application/pdf", pages=2)),
        (pdf(1), "a", MediaFacts("pdf", "application/pdf", pages=1)),
        (pdf(1), "a.txt", MediaFacts("pdf", "application/pdf", pages=1)),
        (pdf(3, user_password="", owner_password="o"), "a.pdf", MediaFacts("pdf", "application/pdf", pages=3)),
        (b"\x00\x01\x02", "a", MediaFacts("other", "application/octet-stream")),
    ],
)
def test_facts(data: bytes, name: str, facts: MediaFacts):
    assert media_facts(data, name) == facts


@pytest.mark.parametrize(
    ("data", "warning"),
    [
        (pdf(1, user_password="secret"), "it needs a password, so its pages are unknown"),
        (HANDWRITTEN_PDF, r"its pages could not be counted \(startxref not found\)"),
    ],
    ids=["password", "no table of objects"],
)
def test_a_pdf_whose_pages_cannot_be_counted_is_taken_with_a_warning(data: bytes, warning: str):
    facts = media_facts(data, "a.pdf")
    assert (facts.media_type, facts.pages) == ("pdf", None)
    assert facts.warning is not None
    assert re.match(warning, facts.warning)


def test_properties_are_what_is_known():
    assert MediaFacts("pdf", "application/pdf", pages=3).properties() == {
        "LS_media_type": "pdf",
        "LS_mime_type": "application/pdf",
        "LS_pages": 3,
    }


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
        (b"", "a.json", r"a\.json is empty"),
        (b"hello", "a.pdf", r"a\.pdf is not a PDF, whatever its name says"),
        (pdf(2)[:-20], "a.pdf", r"a\.pdf cannot be read to its end as a PDF"),
        (b'{"a": [1, 2', "a.json", r"a\.json is not JSON \(Expecting ',' delimiter.*\): replace the file, or call it"),
        (b'{"a": NaN}', "a.json", r"a\.json is not JSON \(NaN is no JSON\)"),
        (b"[" * 100_000, "a.json", r"a\.json is not JSON \(nested too deeply\)"),
        (picture(0, (16000, 16000)), "a.png", r"a\.png has too many pixels \(Image size \(256000000 pixels\)"),
    ],
    ids=[
        "empty",
        "no picture",
        "truncated JPEG",
        "truncated PNG",
        "broken AVIF",
        "EPS",
        "empty JSON",
        "no PDF",
        "truncated PDF",
        "truncated JSON",
        "NaN",
        "deep JSON",
        "too many pixels",
    ],
)
def test_what_cannot_be_used(data: bytes, name: str, message: str):
    with pytest.raises(InputError, match=message):
        media_facts(data, name)
