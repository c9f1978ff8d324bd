import pytest

from labeling_assets.mapping.picture import Picture
from labeling_assets.mapping.pixel_polygon import pixel_polygon
from labeling_assets.mapping.region import PixelPolygon

PICTURE = Picture(100, 50)


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ([], "fewer than three points"),
        ([(1, 1), (2, 2)], "fewer than three points"),
        ([(1, 1), (1, 1), (2, 2), (1, 1)], "fewer than three different points"),
        ([(1, 1), (2, 2), (3, 3)], "zero area"),
        ([(0, 0), (10, 10), (10, 0), (0, 10)], "self-crossing"),
        ([(0, 0), (10, 0), (5, 5), (10, 10), (0, 10), (5, 5)], "self-crossing"),  # touches itself in one point
        ([(0, 0), (100.6, 0), (50, 50)], "a point is outside the picture"),
        ([(0, -0.6), (100, 0), (50, 50)], "a point is outside the picture"),
    ],
)
def test_refused(points: list[tuple[float, float]], reason: str):
    assert pixel_polygon(points, PICTURE) == reason


def test_half_a_pixel_outside_is_moved_to_the_border():
    assert pixel_polygon([(-0.4, 0), (100.4, 0), (50, 50.4)], PICTURE) == PixelPolygon(((0, 0), (100, 0), (50, 50)))


def test_repeated_points_are_left_out():
    points = [(1, 1), (9, 1), (9, 1), (5, 9), (1, 1)]
    assert pixel_polygon(points, PICTURE) == PixelPolygon(((9, 1), (5, 9), (1, 1)))
