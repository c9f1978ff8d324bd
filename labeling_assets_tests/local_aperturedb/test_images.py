"""Images as the server sees them."""

import io

import pytest
from PIL import Image

from labeling_assets.local_aperturedb import images
from labeling_assets.local_aperturedb.errors import QueryError


def encode(form, mode="RGB", **options):
    buffer = io.BytesIO()
    Image.new(mode, (20, 10)).save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "BMP", "WEBP"])
def test_sizes(form):
    assert images.image_size(encode(form)) == (20, 10)


def test_the_orientation_changes_nothing():
    exif = Image.Exif()
    exif[274] = 6  # rotated by 90 degrees
    assert images.image_size(encode("JPEG", exif=exif)) == (20, 10)


@pytest.mark.parametrize(
    "content",
    [b"", b"text", encode("PNG")[:30], encode("PNG")[:-20], encode("GIF")],
    ids=["empty", "text", "half a header", "cut off", "gif"],
)
def test_unreadable_images_are_refused(content):
    with pytest.raises(QueryError, match="not a readable image"):
        images.image_size(content)


@pytest.mark.parametrize(("form", "mode"), [("PNG", "RGBA"), ("PNG", "P"), ("PNG", "I;16"), ("TIFF", "F")])
def test_any_mode_becomes_a_jpeg(form, mode):
    converted = images.encoded(encode(form, mode), "jpg")
    assert Image.open(io.BytesIO(converted)).mode == "RGB"


def test_a_cut_keeps_the_format():
    cut = Image.open(io.BytesIO(images.cut(encode("BMP"), (5, 2, 10, 9))))
    assert (cut.format, cut.size) == ("BMP", (5, 7))


def test_a_jpeg_that_ends_early_cannot_be_cut():
    with pytest.raises(QueryError, match="not a readable image"):
        images.cut(encode("JPEG")[:200], (0, 0, 5, 5))
