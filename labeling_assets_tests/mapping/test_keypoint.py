import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling_assets.mapping.medium import Medium
from labeling_assets_tests.mapping.shapes import garbage, mapped, percents, pictures, there_and_back

keypoints = st.fixed_dictionaries({"x": percents, "y": percents}, optional={"width": st.floats(0, 100)})


def test_the_pixel_is_that_of_the_stored_bytes():
    """EXIF 6: the stored picture is turned clockwise to be shown, so 20 % from the left is 20 % from the bottom."""
    region = mapped("keypoint", {"x": 20, "y": 60, "width": 1}, Medium("image", 500, 1000, 6))
    assert (region.properties["LS_x_px"], region.properties["LS_y_px"]) == (600, 400)


def test_a_point_gets_no_box():
    region = mapped("keypoint", {"x": 20, "y": 60, "width": 1})
    assert (region.native, region.derived_box, region.derived_polygon) == (None, None, ())


@pytest.mark.parametrize(("x", "reason"), [(100, None), (100.04, None), (100.2, "a point is outside the picture")])
def test_half_a_pixel_outside_is_the_border(x: float, reason: str | None):
    assert mapped("keypoint", {"x": x, "y": 0}).reason == reason


def test_without_a_picture_the_percents_stay():
    properties = mapped("keypoint", {"x": 20, "y": 60, "width": 1}, Medium("image")).properties
    assert properties == {"LS_x": 20, "LS_y": 60, "LS_width": 1}


@settings(deadline=None)
@given(keypoints, pictures)
def test_the_way_back_is_exact(value: dict[str, float], medium: Medium):
    assert there_and_back("keypoint", value, medium) == value


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["x", "y", "width", "keypointlabels"]), garbage))
def test_garbage_is_kept_as_raw(value: dict[str, object]):
    region = mapped("keypointlabels", value)
    assert region.kind == "keypoint" or region.reason
