import pytest

from labeling_assets.mapping.annotation import map_annotation
from labeling_assets.mapping.box import Box
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.region import PixelBox, PixelPolygon, Region


def mapped(medium: Medium, **value: float) -> Region:
    item = {"id": "a", "type": "rectanglelabels", "from_name": "l", "to_name": "i", "value": value}
    return map_annotation([item], medium).regions[0]


def test_rotation_is_clockwise_about_the_left_top_corner():
    """A box of 200 x 100 pixels at (500, 100), turned by 30 degrees: cos 0.8660254, sin 0.5."""
    region = mapped(Medium("image", 1000, 500), x=50, y=20, width=20, height=20, rotation=30)
    assert isinstance(region.native, PixelPolygon)
    expected = [(500, 100), (673.20508, 200), (623.20508, 286.60254), (450, 186.60254)]
    for point, there in zip(region.native.points, expected, strict=True):
        assert point == pytest.approx(there, abs=1e-4)


def test_corners_agree_with_the_sdk():
    from label_studio_sdk.converter.utils import convert_annotation_to_yolo_obb

    sizes = {"original_width": 1920, "original_height": 1080}
    for rotation in (1, 45, 89.5, 135, 200, 271, 359):
        value = {"x": 45.5, "y": 52.25, "width": 12.5, "height": 7, "rotation": rotation}
        region = mapped(Medium("image", 1920, 1080), **value)
        assert isinstance(region.native, PixelPolygon)
        expected = convert_annotation_to_yolo_obb({**value, **sizes}, normalize=False)
        for point, there in zip(region.native.points, expected, strict=True):
            assert point == pytest.approx(there, abs=1e-9)


def test_quarter_turns_are_exact():
    assert Box(50, 50, 10, 20, 90).corners(2.0) == ((50, 50), (50, 70), (40, 70), (40, 50))


@pytest.mark.parametrize("rotation", [0, 360, -720, 1e-9, 359.9999999999, None])
def test_a_full_turn_is_no_rotation(rotation: float | None):
    region = mapped(Medium("image", 100, 100), x=10, y=20, width=30, height=40, rotation=rotation)  # type: ignore[arg-type]
    assert region.kind == "box"
    assert region.native == PixelBox(10, 20, 30, 40)


def test_floating_point_noise_adds_no_pixels():
    """33.333333333333336 % of 300 is 100.00000000000001."""
    region = mapped(Medium("image", 300, 300), x=100 / 3, y=0, width=100 / 3, height=100 / 3)
    assert region.native == PixelBox(100, 0, 100, 100)


@pytest.mark.parametrize("rotation", [0, 45])
@pytest.mark.parametrize(
    ("x", "reason"), [(150, "entirely outside the picture"), (1e6, "entirely outside the picture")]
)
def test_outside(rotation: float, x: float, reason: str):
    region = mapped(Medium("image", 100, 100), x=x, y=0, width=10, height=10, rotation=rotation)
    assert (region.native, region.derived_box, region.reason) == (None, None, reason)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e7, 1e308, -1e300, 10**400, "5", True, None, [5]])
@pytest.mark.parametrize("name", ["x", "y", "width", "height"])
def test_malformed_numbers_are_named(name: str, bad: object):
    value = {"x": 1, "y": 1, "width": 1, "height": 1, name: bad}
    item = {"id": "a", "type": "rectangle", "from_name": "l", "to_name": "i", "value": value}
    mapped = map_annotation([item], Medium("image", 100, 100))
    assert mapped.regions[0].kind == "raw"
    assert [problem.split(" @ ")[1] for problem in mapped.problems] == [f"$.result[0].value.{name}"]
