import io

import pytest
from PIL import Image, ImageOps

from labeling_assets.mapping.annotation import map_annotation
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


BOX = {"x": 10, "y": 10, "width": 20, "height": 20}
SIZE = {"original_width": 100, "original_height": 100}


def test_what_another_picture_of_the_task_shows_is_no_form_of_this_one():
    items = [
        {"id": name, "type": kind, "from_name": "b", "to_name": name, **SIZE, "value": value}
        for name in ("img1", "img2", "img1,img2")
        for kind, value in (("rectangle", BOX), ("choices", {"choices": ["x"]}))
    ]
    items.append({"id": "poly", "type": "polygon", "to_name": "img2", "value": {"points": [[0, 0], [9, 0], [0, 9]]}})
    medium = Medium("image", 100, 100, shown_as=frozenset({"img1"}))
    regions = {it.region_id: it for it in map_annotation(items, medium).regions}
    assert regions["img1"].native == regions["img1,img2"].native == PixelBox(10, 10, 20, 20)
    assert regions["img2"].native is None
    assert regions["img2"].reason == regions["poly"].reason == "about another object, 'img2'"
    assert regions["img2"].properties["LS_x"] == 10
    assert "LS_shown_width" not in regions["img2"].properties
    unknown = map_annotation(items, Medium("image", 100, 100)).regions
    assert [it.native is None for it in unknown] == [False, False, False, False]


def test_a_range_of_another_video_is_no_clip_of_this_one():
    value = {"ranges": [{"start": 1, "end": 5}], "timelinelabels": ["x"]}
    item = {"id": "a", "type": "timelinelabels", "from_name": "t", "to_name": "other", "value": value}
    medium = Medium("video", frame_count=10, shown_as=frozenset({"video"}))
    (region,) = map_annotation([item], medium).regions
    assert (region.native, region.spans, region.reason) == (None, (), "about another object, 'other'")
    (region,) = map_annotation([item | {"to_name": "video"}], medium).regions
    assert region.native is not None
