"""Polygons that ApertureDB takes: three points or more, inside the picture, not self-crossing, with an area."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import shapely

from labeling_assets.mapping.picture import Picture
from labeling_assets.mapping.region import PixelPolygon
from labeling_assets.mapping.value import Point

# Square pixels. Below, float32 leaves too little of a form to tell whether it crosses itself.
_SMALLEST_AREA: Final = 0.01


def pixel_polygon(pixels: Sequence[Point], picture: Picture) -> PixelPolygon | str:
    """The polygon through points (x, y) in pixels of the stored bytes, or why ApertureDB would refuse it.

    A boundary that touches itself in a point counts as crossing. Points up to half a pixel outside are moved to the
    border; a point that repeats the one before is left out.
    """
    if len(pixels) < 3:
        return "fewer than three points"
    inside = picture.drawn_inside(pixels)
    if inside is None:
        return "a point is outside the picture"
    points = tuple([point for index, point in enumerate(inside) if point != inside[index - 1]])
    if len(points) < 3:
        return "fewer than three different points"
    stored = np.asarray(points, dtype=np.float32)  # as ApertureDB keeps them
    shape = shapely.polygons(stored)
    if not shapely.is_valid(shape):
        if shapely.area(shapely.convex_hull(shape)) < _SMALLEST_AREA:
            return "zero area"
        problem = str(shapely.is_valid_reason(shape)).lower()
        return "self-crossing" if "self-intersection" in problem else problem
    if shapely.area(shape) < _SMALLEST_AREA:
        return "zero area"
    return PixelPolygon(points)
