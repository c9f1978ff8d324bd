import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling_assets.mapping.mask_outline import extent_of, outline_of

sizes = st.tuples(st.integers(1, 24), st.integers(1, 24))


def mask(*rows: str) -> np.ndarray:
    return np.array([[255 * (pixel != ".") for pixel in row] for row in rows], np.uint8)


def outline(alpha: np.ndarray) -> shapely.MultiPolygon | str:
    extent = extent_of(alpha)
    assert extent is not None
    found = outline_of(alpha, extent)
    return found if isinstance(found, str) else shapely.MultiPolygon([(part,) for part in found])


def bounds(alpha: np.ndarray) -> list[tuple[float, ...]]:
    found = outline(alpha)
    assert isinstance(found, shapely.MultiPolygon)
    return sorted(part.bounds for part in found.geoms)


def test_nothing_has_no_extent():
    assert extent_of(np.zeros((3, 4), np.uint8)) is None


def test_the_extent_excludes_its_end():
    assert extent_of(mask("....", ".xx.", "..x.")) == (1, 1, 3, 3)


@pytest.mark.parametrize(
    ("alpha", "expected"),
    [
        (mask("x"), [(0, 0, 1, 1)]),
        (mask("...", "..x"), [(2, 1, 3, 2)]),
        (mask("....", ".xx."), [(1, 1, 3, 2)]),
        (mask("xx.xx", "xx.xx"), [(0, 0, 2, 2), (3, 0, 5, 2)]),
    ],
)
def test_it_follows_the_borders_of_pixels(alpha: np.ndarray, expected: list[tuple[float, ...]]):
    assert bounds(alpha) == expected


def test_the_area_of_an_l_is_the_number_of_its_pixels():
    alpha = np.zeros((100, 100), np.uint8)
    alpha[10:90, 10:30] = alpha[70:90, 10:80] = 255
    found = outline(alpha)
    assert isinstance(found, shapely.MultiPolygon)
    assert found.area == pytest.approx(np.count_nonzero(alpha), rel=0.001)


@pytest.mark.parametrize(
    ("radius", "points", "error"), [(3, 9, 0.15), (10, 40, 0.03), (80, 80, 0.005), (900, 160, 0.001)]
)
def test_the_area_of_a_disc_is_the_number_of_its_pixels(radius: int, points: int, error: float):
    rows, columns = np.mgrid[: 2 * radius + 9, : 2 * radius + 9] - radius - 4
    alpha = (columns**2 + rows**2 <= radius**2).astype(np.uint8)
    found = outline(alpha)
    assert isinstance(found, shapely.MultiPolygon)
    assert found.area == pytest.approx(np.count_nonzero(alpha), rel=error)
    assert shapely.get_num_coordinates(found) <= points


def test_holes_are_filled():
    alpha = np.full((40, 50), 7, np.uint8)
    alpha[10:30, 10:40] = 0
    alpha[15:20, 15:20] = 9  # an island in the lake
    found = outline(alpha)
    assert isinstance(found, shapely.MultiPolygon)
    assert found.equals(shapely.box(0, 0, 50, 40))


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_noise_has_no_outline(share: float):
    alpha = (np.random.default_rng(1).random((400, 600)) < share).astype(np.uint8)
    assert outline(alpha) == "the outline has more than 1000 points"


@settings(deadline=None)
@given(sizes, st.floats(0.05, 1), st.integers(0, 2**32 - 1))
def test_parts_are_valid_disjoint_and_hold_every_pixel(size: tuple[int, int], share: float, seed: int):
    alpha = (np.random.default_rng(seed).random(size) < share).astype(np.uint8)
    if not alpha.any():
        return
    found = outline(alpha)
    assert isinstance(found, shapely.MultiPolygon)
    assert found.is_valid
    rows, columns = np.nonzero(alpha)
    assert shapely.distance(found, shapely.points(columns + 0.5, rows + 0.5)).max() <= 0.5
    assert shapely.box(0, 0, size[1], size[0]).buffer(1e-9).contains(found)
