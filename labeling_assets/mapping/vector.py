"""Lines, curves and skeletons of images: vertices, each of which names the one before it."""

import json
from collections.abc import Iterator, Mapping

from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.range_ends import as_json
from labeling_assets.mapping.region import PropertyValue, Region
from labeling_assets.mapping.value import LARGEST_PERCENT, Point, Value, finite_number, is_list

_HANDLES = "controlPoint1", "controlPoint2"


def _read(value: Value, context: Context) -> Part:
    """The vertices are kept as they are: a tree (`prevPointId`) and what later versions of the editor may add too."""
    given = value.fields.get("vertices")
    hull = tuple(_hull(value, given))
    properties: dict[str, PropertyValue] = {
        "LS_vertices": as_json(value, "vertices", given),
        "LS_closed": value.flag("closed", default=False),
        "LS_vertex_count": len(given) if is_list(given) else 0,
    }
    labels = value.labels()
    if context.picture is None or value.problems:
        return Part("vector", labels, properties=properties)
    box = context.picture.enclosing_box(context.picture.to_stored(hull))
    reason = None if box else "no vertices" if not hull else "no area inside the picture"
    return Part("vector", labels, properties=properties, derived_box=box, reason=reason)


def _hull(value: Value, given: object) -> Iterator[Point]:
    """Every vertex, and of curved ones the two handles: no curve leaves the hull of them."""
    if not is_list(given):
        value.expected("a list of vertices", "vertices")
        return
    for index, vertex in enumerate(given):
        place = f"vertices[{index}]"
        yield _point(value, vertex, place)
        if isinstance(vertex, Mapping) and vertex.get("isBezier") is True:
            for name in _HANDLES:
                if vertex.get(name) is not None:
                    yield _point(value, vertex[name], f"{place}.{name}")


def _point(value: Value, given: object, name: str) -> Point:
    x, y = (given.get("x"), given.get("y")) if isinstance(given, Mapping) else (None, None)
    pair = finite_number(x), finite_number(y)
    if pair[0] is None or pair[1] is None or max(abs(pair[0]), abs(pair[1])) > LARGEST_PERCENT:
        value.expected("an object with the numbers x and y", name)
        return 0.0, 0.0
    return pair[0], pair[1]


def _outline(properties: Mapping[str, PropertyValue]) -> tuple[Point, ...] | None:
    """The vertices, without the handles of curves."""
    vertices = properties.get("LS_vertices")
    return tuple((it["x"], it["y"]) for it in json.loads(vertices)) if isinstance(vertices, str) else None


def _write(region: Region) -> dict[str, object]:
    return {"vertices": json.loads(str(region.properties["LS_vertices"])), "closed": region.properties["LS_closed"]}


KIND = Kind(
    Role.FORM,
    _read,
    _outline,
    _write,
    tags=("Vector", "VectorLabels"),
    becomes="LS_region with the vertices as JSON; a derived BoundingBox around them and the handles of curves",
    properties=("LS_vertices", "LS_closed", "LS_vertex_count"),
    keys=frozenset({"vertices"}),
)
