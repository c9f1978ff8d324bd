"""Points of images."""

from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.picture import Picture
from labeling_assets.mapping.region import PropertyValue, Region
from labeling_assets.mapping.value import LARGEST_PERCENT, Point, Value


def _read(value: Value, context: Context) -> Part:
    """`width` is how large the editor draws the point, in percent of the width; imported points may have none."""
    point = value.percent("x"), value.percent("y")
    properties: dict[str, PropertyValue] = {"LS_x": point[0], "LS_y": point[1]}
    size = value.optional_number("width")
    if size is not None and not 0 <= size <= LARGEST_PERCENT:
        value.expected(f"a number from 0 to {LARGEST_PERCENT:g}", "width")
    elif size is not None:
        properties["LS_width"] = size
    labels = value.labels()
    if context.picture is None:
        return Part("keypoint", labels, properties=properties)
    ((x, y),) = context.picture.to_stored([point])
    properties |= {"LS_x_px": round(x, 6), "LS_y_px": round(y, 6)}
    return Part("keypoint", labels, properties=properties, reason=_reason(point, context.picture))


def _reason(point: Point, picture: Picture) -> str | None:
    inside = picture.drawn_inside(picture.to_stored([point]))
    return "a point is outside the picture" if inside is None else None


def _write(region: Region) -> dict[str, object]:
    return {name: region.properties[f"LS_{name}"] for name in ("x", "y", "width") if f"LS_{name}" in region.properties}


KIND = Kind(
    Role.FORM,
    _read,
    write=_write,
    tags=("KeyPoint", "KeyPointLabels"),
    becomes="LS_region with the exact numbers and the pixel of the stored bytes; no box, as a point has no area",
    properties=("LS_x", "LS_y", "LS_width", "LS_x_px", "LS_y_px"),
    keys=frozenset({"x", "y"}),
)
