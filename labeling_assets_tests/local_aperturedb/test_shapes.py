"""Which boundaries cross themselves, and areas and bounds."""

import pytest

from labeling_assets.local_aperturedb.errors import QueryError
from labeling_assets.local_aperturedb.shapes import area, bounds, check_polygons, polygons


@pytest.mark.parametrize(
    "part",
    [
        pytest.param([(0, 0), (10, 0), (10, 10), (0, 10), (0, 0)], id="closed by hand"),
        pytest.param([(0, 0), (0, 10), (10, 10), (10, 0)], id="the other way round"),
        pytest.param([(0, 0), (4, 4), (8, 0), (8, 8), (4, 4), (0, 8)], id="touches itself in a point"),
        pytest.param([(0, 0), (10, 0), (10, 5), (20, 5), (10, 5), (10, 10), (0, 10)], id="runs along itself"),
        pytest.param([(0, 0), (5, 0), (5, 0), (5, 5)], id="the same vertex twice"),
    ],
)
def test_boundaries_that_may_be(part):
    check_polygons([part], width=20, height=20)


@pytest.mark.parametrize(
    "part",
    [
        pytest.param([(0, 0), (10, 10), (10, 0), (0, 10)], id="bow tie"),
        pytest.param([(10, 0), (16, 19), (0, 7), (20, 7), (4, 19)], id="star"),
        pytest.param([(0, 0), (10, 0), (10, 10), (0, 10)] * 2, id="twice around"),
    ],
)
def test_boundaries_that_cross_themselves(part):
    with pytest.raises(QueryError, match="crosses itself"):
        check_polygons([part], width=20, height=20)


def test_parts_may_touch():
    left = [(0, 0), (10, 0), (10, 10), (0, 10)]
    right = [(10, 0), (20, 0), (20, 10), (10, 10)]
    check_polygons([left, right], width=20, height=20)


def test_area_is_rounded_down_and_bounds_outwards():
    parts = polygons([[[0.5, 0.5], [2.5, 0.5], [2.5, 1.9]]])
    assert area(parts) == 1
    assert bounds(parts) == {"x": 0, "y": 0, "width": 3, "height": 2}


@pytest.mark.parametrize(
    "value", [[], 5, [5], [[5]], [[[1]]], [[["a", 1]]], [[[1e300, 1], [2, 2], [3, 1]]], [[[True, 1]]]]
)
def test_what_is_no_polygon(value):
    with pytest.raises(QueryError):
        check_polygons(polygons(value), width=9, height=9)
