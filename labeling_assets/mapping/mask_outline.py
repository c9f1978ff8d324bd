"""The outline of a painted mask, as polygons that ApertureDB takes."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

from labeling_assets.mapping.value import Point

MOST_POINTS: Final = 1000
# Half a pixel keeps the forms of small parts; a slope keeps some of its steps of pixels then, which are up to 0.7 high.
_FINE_PX: Final = 0.5
_COARSE_PX: Final = 0.9
_FINE_POINTS: Final = 60
# What widening a line adds at its corners.
_AFTER_PX: Final = 0.1

Extent = tuple[int, int, int, int]


def extent_of(alpha: NDArray[np.uint8]) -> Extent | None:
    """Left, top, right, bottom of what is painted, in pixels of the mask, the last two excluded; None if nothing is."""
    rows = np.flatnonzero(alpha.any(axis=1))
    if not rows.size:
        return None
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(alpha[top:bottom].any(axis=0))
    return int(columns[0]), top, int(columns[-1]) + 1, bottom


def outline_of(alpha: NDArray[np.uint8], extent: Extent) -> list[tuple[Point, ...]] | str:
    """Polygons (x, y), pixels of the mask, around the pixels with an alpha above 0; or why there are none.

    They follow the borders of pixels, not their centres, to within a pixel; holes are filled, parts do not overlap. A
    mask whose outline needs more than 1000 points has none.
    """
    import cv2

    left, top, right, bottom = extent
    painted = (alpha[top:bottom, left:right] > 0).view(np.uint8)
    contours, _ = cv2.findContours(painted, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    too_many = f"the outline has more than {MOST_POINTS} points"
    if len(contours) * 4 > MOST_POINTS:
        return too_many
    lines = [_simplified(contour[:, 0].astype(np.float64) + 0.5) for contour in contours]
    if sum(map(len, lines)) > MOST_POINTS:
        return too_many
    frame = shapely.box(0, 0, right - left, bottom - top)
    whole = shapely.union_all([_around(line) for line in lines])
    whole = shapely.intersection(shapely.union_all([*_filled(whole)]), frame)
    simple = shapely.simplify(whole, _AFTER_PX)
    # In one order, whatever the version of GEOS.
    ordered = shapely.normalize(simple if simple.is_valid else whole)
    parts = [part.exterior.coords[:-1] for part in _polygons(ordered)]
    if sum(map(len, parts)) > MOST_POINTS:
        return too_many
    return [tuple((x + left, y + top) for x, y in part) for part in parts]


def _simplified(contour: NDArray[np.float64]) -> NDArray[np.float64]:
    """The closed line through the centres of border pixels, its first point at the end again."""
    line = shapely.LineString([*contour, contour[0]])
    fine = shapely.get_coordinates(shapely.simplify(line, _FINE_PX, preserve_topology=False))
    if len(fine) <= _FINE_POINTS:
        return fine
    return shapely.get_coordinates(shapely.simplify(line, _COARSE_PX, preserve_topology=False))


def _around(line: NDArray[np.float64]) -> shapely.Polygon:
    """What the line encloses, and half a pixel around it."""
    if len(line) > 3:
        inside = shapely.Polygon(line)
        if inside.is_valid:
            return _widened(inside)
    # A part one pixel wide is a line that goes back on itself, of which GEOS loses parts: each segment alone.
    return _widened(shapely.MultiLineString([*np.stack((line[:-1], line[1:]), axis=1)]))


def _widened(form: shapely.Polygon | shapely.MultiLineString) -> shapely.Polygon:
    widened: shapely.Polygon = form.buffer(0.5, cap_style="square", join_style="mitre", mitre_limit=2)
    return widened


def _filled(geometry: shapely.Geometry) -> Iterator[shapely.Polygon]:
    return (shapely.Polygon(part.exterior) for part in _polygons(geometry))


def _polygons(geometry: shapely.Geometry) -> Iterator[shapely.Polygon]:
    return (part for part in shapely.get_parts(geometry) if isinstance(part, shapely.Polygon) and not part.is_empty)
