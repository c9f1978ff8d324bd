"""Ellipses of images."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.picture import Picture
from labeling_assets.mapping.pixel_polygon import pixel_polygon
from labeling_assets.mapping.region import PixelPolygon, PropertyValue, Region
from labeling_assets.mapping.value import Point, Value, finite_number

_NAMES: Final = {
    "x": "LS_x",
    "y": "LS_y",
    "radiusX": "LS_radius_x",
    "radiusY": "LS_radius_y",
    "rotation": "LS_rotation",
}
# Inscribed: where the ellipse is inside the picture, so is its polygon. 64 points stay within 0.13 % of the radius.
_CORNERS: Final = 64
_ANGLES: Final = np.arange(_CORNERS) * (math.tau / _CORNERS)
_CIRCLE: Final = np.stack((np.cos(_ANGLES), np.sin(_ANGLES)), axis=1)


@dataclass(frozen=True, slots=True)
class Ellipse:
    """An ellipse in percent of the picture as shown: the centre (`x`, `y`) and the two radii before the rotation.

    The rotation is around the centre, in degrees clockwise. In the methods `aspect` is the picture's width over its
    height: a percent of the width is not as long as one of the height.
    """

    x: float
    y: float
    radius_x: float
    radius_y: float
    rotation: float = 0.0

    def radii(self, aspect: float) -> tuple[Point, Point]:
        """Where the two radii end: (x, y) in percent."""
        cos, sin = math.cos(math.radians(self.rotation)), math.sin(math.radians(self.rotation))
        along, across = self.radius_x, self.radius_y / aspect  # both in percent of the width
        first = self.x + along * cos, self.y + along * sin * aspect
        return first, (self.x - across * sin, self.y + across * cos * aspect)

    def points(self, aspect: float) -> tuple[Point, ...]:
        """64 points (x, y) in percent on the ellipse, clockwise from the end of the first radius."""
        along, across = self.radii(aspect)
        centre = np.array((self.x, self.y))
        found = centre + _CIRCLE @ (along - centre, across - centre)
        return tuple((x, y) for x, y in found.tolist())

    def corners(self, aspect: float) -> tuple[Point, ...]:
        """Left top and right bottom, (x, y) in percent, of the smallest upright rectangle around it."""
        cos, sin = math.cos(math.radians(self.rotation)), math.sin(math.radians(self.rotation))
        along, across = self.radius_x, self.radius_y / aspect
        half_width, half_height = math.hypot(along * cos, across * sin), math.hypot(along * sin, across * cos) * aspect
        return (self.x - half_width, self.y - half_height), (self.x + half_width, self.y + half_height)


def _read(value: Value, context: Context) -> Part:
    ellipse = Ellipse(
        x=value.percent("x"),
        y=value.percent("y"),
        radius_x=value.percent("radiusX", lowest=0.0),
        radius_y=value.percent("radiusY", lowest=0.0),
        rotation=value.number("rotation", default=0.0),
    )
    properties = dict(zip(_NAMES.values(), _numbers(ellipse), strict=True))
    labels = value.labels()
    picture = context.picture
    if picture is None or value.problems:
        return Part("ellipse", labels, properties=properties)
    if ellipse.radius_x == 0 or ellipse.radius_y == 0:
        return Part("ellipse", labels, properties=properties, reason="zero area")
    aspect = picture.width / picture.height
    box = picture.enclosing_box(picture.to_stored(ellipse.corners(aspect)))
    if box is None:
        return Part("ellipse", labels, properties=properties, reason="entirely outside the picture")
    polygon = _polygon(ellipse, picture)
    reason = polygon if isinstance(polygon, str) else None
    parts = (polygon,) if isinstance(polygon, PixelPolygon) else ()
    return Part("ellipse", labels, properties=properties, derived_box=box, derived_polygon=parts, reason=reason)


def _polygon(ellipse: Ellipse, picture: Picture) -> PixelPolygon | str:
    """The part of the polygon that is inside the picture, or why ApertureDB would refuse it."""
    ends = (ellipse.x, ellipse.y), *ellipse.radii(picture.width / picture.height)
    centre, along, across = np.array(picture.to_stored(ends))
    pixels = centre + _CIRCLE @ (along - centre, across - centre)
    for axis, size in enumerate(picture.stored_size):
        pixels = _cut(pixels, -pixels[:, axis])
        pixels = _cut(pixels, pixels[:, axis] - size)
    return pixel_polygon([(x, y) for x, y in np.round(pixels, 3).tolist()], picture)


def _cut(corners: NDArray[np.float64], beyond: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convex corners without what is beyond a line: `beyond` is how far each corner is outside."""
    if not (beyond > 0).any():
        return corners
    kept = []
    for end in range(len(corners)):
        start = end - 1
        if (beyond[start] > 0) != (beyond[end] > 0):
            share = beyond[start] / (beyond[start] - beyond[end])
            kept.append(corners[start] + share * (corners[end] - corners[start]))
        if beyond[end] <= 0:
            kept.append(corners[end])
    return np.array(kept).reshape(-1, 2)


def _numbers(ellipse: Ellipse) -> tuple[float, ...]:
    return ellipse.x, ellipse.y, ellipse.radius_x, ellipse.radius_y, ellipse.rotation


def _outline(properties: Mapping[str, PropertyValue]) -> tuple[Point, ...] | None:
    """Points on the ellipse; None if the shape of the picture is not known."""
    names = *_NAMES.values(), "LS_shown_width", "LS_shown_height"
    numbers = [number for name in names if (number := finite_number(properties.get(name))) is not None]
    if len(numbers) < len(names) or numbers[-1] <= 0:
        return None
    return Ellipse(*numbers[:5]).points(numbers[5] / numbers[6])


def _write(region: Region) -> dict[str, object]:
    return {name: region.properties[known] for name, known in _NAMES.items()}


KIND = Kind(
    Role.FORM,
    _read,
    _outline,
    _write,
    tags=("Ellipse", "EllipseLabels"),
    becomes="LS_region with the exact numbers; a derived Polygon of 64 points on it, a derived BoundingBox",
    properties=tuple(_NAMES.values()),
    keys=frozenset({"x", "y", "radiusX", "radiusY"}),
)
