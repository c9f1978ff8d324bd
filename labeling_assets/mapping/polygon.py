"""Polygons of images, closed and open."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.pixel_polygon import pixel_polygon
from labeling_assets.mapping.region import PropertyValue, Region
from labeling_assets.mapping.value import Point, Value


@dataclass(frozen=True, slots=True)
class Polygon:
    """Points (x, y) in percent of the picture as shown; the last is joined to the first if `closed`."""

    points: tuple[Point, ...]
    closed: bool


def _read(value: Value, context: Context) -> Part:
    picture = context.picture
    polygon = Polygon(value.points("points"), value.flag("closed", default=True))
    properties: dict[str, PropertyValue] = {
        "LS_points": json.dumps(polygon.points),
        "LS_closed": polygon.closed,
    }
    labels = value.labels()
    if picture is None:
        return Part("polygon", labels, properties=properties)
    pixels = picture.to_stored(polygon.points)
    derived = picture.enclosing_box(pixels)
    native = pixel_polygon(pixels, picture) if polygon.closed else "an open line"
    if isinstance(native, str):
        return Part("polygon", labels, properties=properties, derived_box=derived, reason=native)
    return Part("polygon", labels, properties=properties, derived_box=derived, native=native)


def _outline(properties: Mapping[str, PropertyValue]) -> tuple[Point, ...] | None:
    points = properties.get("LS_points")
    return tuple((x, y) for x, y in json.loads(points)) if isinstance(points, str) else None


def _write(region: Region) -> dict[str, object]:
    return {"points": json.loads(str(region.properties["LS_points"])), "closed": region.properties["LS_closed"]}


KIND = Kind(
    Role.FORM,
    _read,
    _outline,
    _write,
    tags=("Polygon", "PolygonLabels"),
    becomes="Polygon with a derived BoundingBox; an open line only the BoundingBox",
    properties=("LS_points", "LS_closed"),
    keys=frozenset({"points"}),
)
