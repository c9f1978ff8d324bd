"""Rectangles of images, upright and rotated."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.picture import Picture
from labeling_assets.mapping.pixel_polygon import pixel_polygon
from labeling_assets.mapping.region import PropertyValue, Region
from labeling_assets.mapping.value import Point, Value, finite_number


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in percent of the picture as shown.

    (`x`, `y`) is the left top corner before the rotation, which is around that corner, in degrees clockwise.
    """

    x: float
    y: float
    width: float
    height: float
    rotation: float = 0.0

    @property
    def is_rotated(self) -> bool:
        """A millionth of a degree, which turning there and back leaves, moves no pixel."""
        return abs(math.remainder(self.rotation, 360)) > 1e-6

    def corners(self, aspect: float) -> tuple[Point, ...]:
        """Left top, right top, right bottom, left bottom before the rotation: (x, y) in percent.

        `aspect` is the picture's width over its height: a percent of the width is not as long as one of the height.
        """
        cos, sin = _cos_sin(self.rotation)
        right = self.width * cos, self.width * sin * aspect
        down = -self.height * sin / aspect, self.height * cos
        return (
            (self.x, self.y),
            (self.x + right[0], self.y + right[1]),
            (self.x + right[0] + down[0], self.y + right[1] + down[1]),
            (self.x + down[0], self.y + down[1]),
        )


def _cos_sin(degrees: float) -> tuple[float, float]:
    """Exact for quarter turns, where floating point would leave 6e-17."""
    quarters, rest = divmod(degrees % 360, 90)
    if rest == 0:
        return ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(quarters) % 4]
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))


def _read(value: Value, context: Context) -> Part:
    box = Box(
        x=value.percent("x"),
        y=value.percent("y"),
        width=value.percent("width", lowest=0.0),
        height=value.percent("height", lowest=0.0),
        rotation=value.number("rotation", default=0.0),
    )
    part = (_rotated if box.is_rotated else _upright)(box, context.picture)
    return Part(
        kind=part.kind,
        labels=value.labels(),
        properties=_properties(box),
        native=part.native,
        derived_box=part.derived_box,
        reason=part.reason,
    )


def _upright(box: Box, picture: Picture | None) -> Part:
    if picture is None:
        return Part("box")
    if box.width == 0 or box.height == 0:
        return Part("box", reason="zero area")
    native = picture.enclosing_box(picture.to_stored(replace(box, rotation=0.0).corners(1.0)))
    return Part("box", native=native, reason=None if native else "entirely outside the picture")


def _rotated(box: Box, picture: Picture | None) -> Part:
    if picture is None:
        return Part("rotated_box")
    if box.width == 0 or box.height == 0:
        return Part("rotated_box", reason="zero area")
    corners = picture.to_stored(box.corners(picture.width / picture.height))
    derived = picture.enclosing_box(corners)
    if derived is None:
        return Part("rotated_box", reason="entirely outside the picture")
    native = pixel_polygon(corners, picture)
    if isinstance(native, str):
        return Part("rotated_box", derived_box=derived, reason=native)
    return Part("rotated_box", native=native, derived_box=derived)


def _properties(box: Box) -> dict[str, PropertyValue]:
    return {
        "LS_x": box.x,
        "LS_y": box.y,
        "LS_width": box.width,
        "LS_height": box.height,
        "LS_rotation": box.rotation,
    }


def _outline(properties: Mapping[str, PropertyValue]) -> tuple[Point, ...] | None:
    """The corners; None for a rotated box of a picture whose shape is not known."""
    names = "LS_x", "LS_y", "LS_width", "LS_height", "LS_rotation"
    x, y, width, height, rotation = (finite_number(properties.get(name)) for name in names)
    if x is None or y is None or width is None or height is None or rotation is None:
        return None
    box = Box(x, y, width, height, rotation)
    shown = finite_number(properties.get("LS_shown_width")), finite_number(properties.get("LS_shown_height"))
    if not box.is_rotated:
        return replace(box, rotation=0.0).corners(1.0)
    return box.corners(shown[0] / shown[1]) if shown[0] and shown[1] else None


def _write(region: Region) -> dict[str, object]:
    return {name: region.properties[f"LS_{name}"] for name in ("x", "y", "width", "height", "rotation")}


KIND = Kind(
    Role.FORM,
    _read,
    _outline,
    _write,
    tags=("Rectangle", "RectangleLabels"),
    becomes="BoundingBox; a rotated one a Polygon of its corners, with a derived BoundingBox around it",
    properties=("LS_x", "LS_y", "LS_width", "LS_height", "LS_rotation"),
    keys=frozenset({"x", "y", "width", "height"}),
)
