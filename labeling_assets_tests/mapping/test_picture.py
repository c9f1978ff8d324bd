import io

import pytest
from PIL import Image, ImageOps

from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.picture import Picture, placement
from labeling_assets.mapping.region import PixelBox

ORIENTATIONS = range(1, 9)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_pixel_is_found_where_the_picture_was_turned(orientation: int):
    """One white pixel of a stored picture of 8 x 5, looked up from where an EXIF reader shows it."""
    stored = Image.new("L", (8, 5))
    stored.putpixel((6, 1), 255)
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    stored.save(out, "PNG", exif=exif)
    shown = ImageOps.exif_transpose(Image.open(out))
    x, y = next((x, y) for x in range(shown.width) for y in range(shown.height) if shown.getpixel((x, y)) == 255)
    picture = Picture(shown.width, shown.height, orientation)
    corners = [(x, y), (x + 1, y + 1)]
    percents = [(100 * x / shown.width, 100 * y / shown.height) for x, y in corners]
    assert picture.enclosing_box(picture.to_stored(percents)) == PixelBox(6, 1, 1, 1)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_there_and_back(orientation: int):
    picture = Picture(400, 300, orientation)
    shown = picture.to_shown(picture.to_stored([(10, 20), (55.5, 99)]))
    assert shown[0] == pytest.approx((40, 60))
    assert shown[1] == pytest.approx((222, 297))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_stored_size(orientation: int):
    assert Picture(400, 300, orientation).stored_size == ((300, 400) if orientation >= 5 else (400, 300))


UPRIGHT = Medium("image", 1920, 1080)
TURNED = Medium("image", 1080, 1920, 6)


@pytest.mark.parametrize(
    ("medium", "shown", "picture", "problem"),
    [
        (UPRIGHT, (1920, 1080), Picture(1920, 1080), None),
        (UPRIGHT, (640, 361), Picture(1920, 1080), None),  # a preview, rounded up
        (UPRIGHT, (None, None), Picture(1920, 1080), None),
        (UPRIGHT, ("wide", float("nan")), Picture(1920, 1080), None),
        (UPRIGHT, (0, 0), Picture(1920, 1080), None),
        (UPRIGHT, (1000, 1000), Picture(1920, 1080), "taken as they are"),
        (UPRIGHT, (1080, 1920), None, "nothing says which way"),
        (TURNED, (1080, 1920), Picture(1080, 1920, 6), None),
        (TURNED, (1920, 1080), Picture(1920, 1080), "without its EXIF orientation"),
        (Medium("image"), (640, 480), Picture(640, 480), None),
        (Medium("image"), (None, None), None, None),
        (Medium("image", 10, 10, 77), (10, 10), Picture(10, 10), None),
        (Medium("video", 10, 10), (10, 10), None, None),
    ],
)
def test_placement(medium: Medium, shown: tuple[object, object], picture: Picture | None, problem: str | None):
    place = placement({"original_width": shown[0], "original_height": shown[1]}, medium)
    assert place.picture == picture
    assert (place.problem is None) == (problem is None)
    assert (problem or "") in (place.problem or "")
    assert (place.reason is None) == (picture is not None)


def test_turning_the_view_does_not_change_the_percents():
    item = {"original_width": 1920, "original_height": 1080, "image_rotation": 90}
    assert placement(item, UPRIGHT).picture == Picture(1920, 1080)
