import math

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling_assets.mapping.ellipse import Ellipse
from labeling_assets.mapping.kinds import outline
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.region import PixelBox, Region
from labeling_assets_tests.mapping.shapes import garbage, mapped, percents, pictures, there_and_back

ellipses = st.builds(
    lambda x, y, across, down, rotation: {"x": x, "y": y, "radiusX": across, "radiusY": down, "rotation": rotation},
    percents,
    percents,
    st.floats(0, 60),
    st.floats(0, 60),
    st.floats(-360, 360),
)


def ellipse(x: float, y: float, across: float, down: float, rotation: float = 0) -> dict[str, float]:
    return {"x": x, "y": y, "radiusX": across, "radiusY": down, "rotation": rotation}


def polygon(region: Region) -> shapely.Polygon:
    (part,) = region.derived_polygon
    return shapely.Polygon(part.points)


def test_radii_are_percents_of_different_lengths():
    """10 % of 1000 pixels and 20 % of 500 pixels: a circle of 100 pixels."""
    region = mapped("ellipse", ellipse(50, 40, 10, 20))
    assert region.derived_box == PixelBox(400, 100, 200, 200)
    distances = [math.dist(point, (500, 200)) for point in region.derived_polygon[0].points]
    assert distances == pytest.approx([100] * 64, abs=2e-3)


def test_the_rotation_is_clockwise_around_the_centre_in_pixels():
    """The end of the first radius of 200 pixels, turned by 30 degrees: 173.205 to the right, 100 down."""
    first = mapped("ellipse", ellipse(50, 50, 20, 10, rotation=30)).derived_polygon[0].points[0]
    assert first == pytest.approx((500 + 173.205, 250 + 100), abs=1e-3)


def test_the_box_is_that_of_the_ellipse_not_of_its_polygon():
    """Half the width: sqrt((200 cos 30)^2 + (50 sin 30)^2) = 175; the height: sqrt(100^2 + 43.3^2) = 108.97."""
    assert mapped("ellipse", ellipse(50, 50, 20, 10, rotation=30)).derived_box == PixelBox(325, 141, 350, 218)


@settings(deadline=None)
@given(ellipses, pictures)
def test_every_corner_is_on_the_ellipse_and_inside_the_box(value: dict[str, float], medium: Medium):
    region = mapped("ellipse", value, medium)
    if not region.derived_polygon:
        assert region.reason
        return
    assert region.derived_box is not None
    box, tolerance = region.derived_box, 2e-3
    for x, y in region.derived_polygon[0].points:
        assert box.x - tolerance <= x <= box.x + box.width + tolerance
        assert box.y - tolerance <= y <= box.y + box.height + tolerance
    assert polygon(region).is_valid


@pytest.mark.parametrize("rotation", [0, 17, 90, 200, -33])
def test_the_area_is_that_of_the_ellipse(rotation: float):
    """A regular polygon of 64 corners in a circle has 0.16 % less."""
    region = mapped("ellipse", ellipse(50, 50, 12, 11, rotation))
    assert polygon(region).area == pytest.approx(math.pi * 120 * 55, rel=0.002)


def test_what_is_outside_is_cut_off():
    """A circle of 100 pixels whose centre is on the left border: half of it."""
    region = mapped("ellipse", ellipse(0, 50, 10, 20))
    assert region.derived_box == PixelBox(0, 150, 100, 200)
    assert polygon(region).area == pytest.approx(math.pi * 100**2 / 2, rel=0.002)
    assert polygon(region).bounds == pytest.approx((0, 150, 100, 350))


def test_it_is_no_native_form():
    assert mapped("ellipse", ellipse(50, 50, 10, 10)).native is None


@settings(deadline=None)
@given(ellipses, pictures)
def test_the_way_back_is_exact(value: dict[str, float], medium: Medium):
    assert there_and_back("ellipselabels", {**value, "ellipselabels": ["coin"]}, medium) == {
        **value,
        "ellipselabels": ["coin"],
    }


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["x", "y", "radiusX", "radiusY", "rotation", "ellipselabels"]), garbage))
def test_garbage_is_kept_as_raw(value: dict[str, object]):
    region = mapped("ellipselabels", value)
    assert region.kind == "ellipse" or region.reason


def test_the_outline_is_in_percent():
    region = mapped("ellipse", ellipse(50, 40, 10, 20, rotation=90))
    corners = outline(region)
    assert corners == Ellipse(50, 40, 10, 20, 90).points(2.0)
    assert corners is not None
    assert corners[0] == pytest.approx((50, 60))


def test_no_outline_without_the_shape_of_the_picture():
    assert outline(mapped("ellipse", ellipse(50, 40, 10, 20), Medium("image"))) is None
