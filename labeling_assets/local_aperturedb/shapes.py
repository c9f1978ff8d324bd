"""Polygons: what a valid one is, its area and its bounds. The only module that imports Shapely.

The rules are those of the real server: at least three vertices, some area, inside the image, parts that do not
overlap, and a boundary that does not cross itself. It may touch itself, which is how holes are drawn, so Shapely's own
idea of validity is too strict.
"""

import itertools
import math
import struct
from collections.abc import Sequence
from typing import Any, Final

import shapely

from labeling_assets.local_aperturedb import messages
from labeling_assets.local_aperturedb.arguments import expected, finite, list_of
from labeling_assets.local_aperturedb.errors import QueryError

Vertex = tuple[float, float]
Part = list[Vertex]

_FEWEST_VERTICES: Final = 3
# Share of the area that may be lost to rounding before two areas count as different.
_TOLERANCE: Final = 1e-6
_FLOAT: Final = struct.Struct("<f")


def polygons(value: Any) -> list[Part]:
    """Check for the parameter `polygons`: parts of (x, y) in pixels, rounded to float32 as the real server does."""
    if not isinstance(value, list) or not value:
        raise expected("an array of polygons", value)
    return [list_of(_vertex)(part) for part in value]


def check_polygons(parts: Sequence[Part], *, width: int, height: int) -> None:
    """Raises QueryError for the first rule that is broken; `width` and `height` are those of the image."""
    regions = [_region(number, part) for number, part in enumerate(parts)]
    for number, part in enumerate(parts):
        if not all(0 <= x <= width and 0 <= y <= height for x, y in part):
            text = messages.POLYGON_OUTSIDE.format(part=number, width=width, height=height)
            raise QueryError(text)
    for (first, one), (second, other) in itertools.combinations(enumerate(regions), 2):
        if one.intersection(other).area > _TOLERANCE * min(one.area, other.area):
            raise QueryError(messages.POLYGON_OVERLAP.format(first=first, second=second))


def area(parts: Sequence[Part]) -> int:
    """Square pixels, rounded down."""
    return math.floor(sum(abs(_signed_area(part)) for part in parts))


def bounds(parts: Sequence[Part]) -> dict[str, int]:
    """The smallest rectangle in whole pixels around all parts."""
    xs = [x for part in parts for x, _ in part]
    ys = [y for part in parts for _, y in part]
    left, top = math.floor(min(xs)), math.floor(min(ys))
    return {"x": left, "y": top, "width": math.ceil(max(xs)) - left, "height": math.ceil(max(ys)) - top}


def hulls(parts: Sequence[Part]) -> list[Part]:
    """The convex hull of each part, from its topmost vertex on clockwise (y points down)."""
    return [_hull(part) for part in parts]


def overlap(ones: Sequence[Part], others: Sequence[Part]) -> float:
    """Intersection over union of two polygons, counted in whole square pixels like areas."""
    one, other = _union(ones), _union(others)
    shared = math.floor(one.intersection(other).area)
    together = math.floor(one.area) + math.floor(other.area) - shared
    return shared / together if together else 0.0


def _union(parts: Sequence[Part]) -> Any:
    return shapely.union_all([_region(number, part) for number, part in enumerate(parts)])


def _hull(part: Part) -> Part:
    # A polygon, since a part without area is refused when it is added.
    ring: Any = shapely.get_exterior_ring(shapely.convex_hull(shapely.Polygon(part)))
    points = [(x, y) for x, y in ring.coords[:-1]]
    if not shapely.is_ccw(ring):
        points.reverse()
    top = min(range(len(points)), key=lambda index: (points[index][1], points[index][0]))
    return points[top:] + points[:top]


def _vertex(value: Any) -> Vertex:
    if not isinstance(value, list) or len(value) != 2:
        raise expected("[x, y]", value)
    x, y = (_float32(finite(number)) for number in value)
    return x, y


def _float32(number: float) -> float:
    try:
        (rounded,) = _FLOAT.unpack(_FLOAT.pack(number))
    except OverflowError as error:
        raise expected("a coordinate in pixels", number) from error
    return float(rounded)


def _region(number: int, part: Part) -> Any:
    if len(part) < _FEWEST_VERTICES:
        raise QueryError(messages.POLYGON_VERTICES.format(part=number, got=len(part)))
    signed = abs(_signed_area(part))
    drawn = shapely.Polygon(part)
    region = drawn if drawn.is_valid else shapely.make_valid(drawn)
    if region.area == 0:
        raise QueryError(messages.POLYGON_EMPTY.format(part=number))
    # Where a boundary crosses itself some area is counted twice or with the opposite sign.
    if abs(signed - region.area) > _TOLERANCE * region.area:
        raise QueryError(messages.POLYGON_CROSSES.format(part=number))
    return region


def _signed_area(part: Part) -> float:
    following = [*part[1:], part[0]]
    return sum(x * next_y - next_x * y for (x, y), (next_x, next_y) in zip(part, following, strict=True)) / 2
