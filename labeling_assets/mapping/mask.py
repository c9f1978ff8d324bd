"""Masks of images: painted with a brush or the magic wand (run lengths), or pixel by pixel (PNG)."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.mask_outline import Extent, extent_of, outline_of
from labeling_assets.mapping.mask_png import (
    MOST_PIXELS,
    Alpha,
    from_data_url,
    grey_png,
    read_alpha,
    read_grey_png,
    to_data_url,
)
from labeling_assets.mapping.picture import Picture
from labeling_assets.mapping.pixel_polygon import pixel_polygon
from labeling_assets.mapping.region import Mask, PixelBox, PixelPolygon, PropertyValue, Region
from labeling_assets.mapping.rle import decode_alpha, encode_alpha, value_count
from labeling_assets.mapping.value import Point, Value, finite_number, is_list


def _read_run_lengths(value: Value, context: Context) -> Part:
    """The code holds no width: it is that of the item, else of the medium, whichever has as many pixels."""
    labels = value.labels()
    if value.fields.get("format", "rle") != "rle":
        value.expected("'rle'", "format")
    rle = _bytes(value)
    sizes = [*_sizes(context)]
    if value.problems or not sizes:  # without a size there is no picture, and its reason is given already
        return Part("mask", labels, properties={"LS_mask_format": "rle"})
    count = value_count(rle)
    width, height = next((size for size in sizes if size[0] * size[1] * 4 == count), sizes[0])
    return _part(value, _alpha(rle, width, height), context.picture, "rle")


def _alpha(rle: bytes, width: int, height: int) -> Alpha | str:
    if width * height > MOST_PIXELS:
        return f"the mask has more than {MOST_PIXELS // 1_000_000} megapixels"
    alpha = decode_alpha(rle, width * height)
    return alpha if isinstance(alpha, str) else alpha.reshape(height, width)


def _bytes(value: Value) -> bytes:
    given = value.fields.get("rle")
    if is_list(given) and set(map(type, given)) == {int}:
        try:
            return bytes(given)  # type: ignore[arg-type]  # ints: the line above
        except ValueError:
            pass
    value.expected("a list of whole numbers from 0 to 255, not empty", "rle")
    return b""


def _sizes(context: Context) -> Iterator[tuple[int, int]]:
    """Width and height of the picture as the item says, and as the medium is."""
    item = finite_number(context.item.get("original_width")), finite_number(context.item.get("original_height"))
    medium = context.medium.width, context.medium.height
    for width, height in (item, medium):
        if width and height and 1 <= width <= 1e6 and 1 <= height <= 1e6 and width % 1 == 0 == height % 1:
            yield int(width), int(height)


def _read_png(value: Value, context: Context) -> Part:
    """Alpha says what is painted, as in the editor: of a PNG without transparency that is every pixel."""
    png = from_data_url(value.text("imageDataURL"))
    if png is None and not value.problems:
        value.expected("a text 'data:image/png;base64,...'", "imageDataURL")
    if png is None:
        return Part("mask", value.labels())
    return _part(value, read_alpha(png), context.picture, "png")


def _part(value: Value, alpha: Alpha | str, picture: Picture | None, mask_format: str) -> Part:
    labels = value.labels()
    if isinstance(alpha, str):
        value.problems.append(f"{alpha} @ {value.path}.{'rle' if mask_format == 'rle' else 'imageDataURL'}")
        return Part("mask", labels)
    height, width = alpha.shape
    mask = Mask(width, height, grey_png(alpha))
    box, polygons, reason = _derived(alpha, picture)
    properties: dict[str, PropertyValue] = {
        "LS_mask_format": mask_format,
        "LS_mask_width": width,
        "LS_mask_height": height,
        "LS_area_px": int(np.count_nonzero(alpha)),
    }
    return Part(
        "mask", labels, properties=properties, mask=mask, derived_box=box, derived_polygon=polygons, reason=reason
    )


_Derived = tuple[PixelBox | None, tuple[PixelPolygon, ...], str | None]


def _derived(alpha: Alpha, picture: Picture | None) -> _Derived:
    """The box around the mask, the parts of its outline, and why there is no box or no outline."""
    extent = extent_of(alpha)
    if extent is None:
        return None, (), "nothing is painted"
    if picture is None:
        return None, (), None
    left, top, right, bottom = extent
    box = picture.enclosing_box(_to_stored([(left, top), (right, bottom)], alpha, picture))
    return box, *_polygons(alpha, extent, picture)


def _polygons(alpha: Alpha, extent: Extent, picture: Picture) -> tuple[tuple[PixelPolygon, ...], str | None]:
    """Parts of one polygon, and why some or all are left out: those of a large mask for a small picture may be tiny."""
    outlines = outline_of(alpha, extent)
    if isinstance(outlines, str):
        return (), outlines
    found = [pixel_polygon(_to_stored(outline, alpha, picture), picture) for outline in outlines]
    refused = [part for part in found if isinstance(part, str)]
    reason = f"{len(refused)} of {len(found)} parts of the outline left out: {refused[0]}" if refused else None
    return tuple(part for part in found if isinstance(part, PixelPolygon)), reason


def _to_stored(points: Sequence[Point], alpha: Alpha, picture: Picture) -> list[Point]:
    """Pixels of the mask, which may be that of a preview, as pixels of the stored bytes, to a thousandth."""
    height, width = alpha.shape
    percents = [(x / width * 100, y / height * 100) for x, y in points]
    return [(round(x, 3), round(y, 3)) for x, y in picture.to_stored(percents)]


def _write(region: Region) -> dict[str, object] | None:
    if region.mask is None:
        return None
    alpha = read_grey_png(region.mask.png)
    if region.properties.get("LS_mask_format") == "rle":
        return {"format": "rle", "rle": encode_alpha(alpha)}
    return {"imageDataURL": to_data_url(alpha)}


_BECOMES: Final = (
    "LS_region with a Blob (LS_role = mask): the alpha of the picture as shown, a PNG of 8-bit grey; a derived Polygon "
    "of its outline (holes filled, up to 1000 points, within a pixel) and a derived BoundingBox"
)
_PROPERTIES: Final = ("LS_mask_format", "LS_mask_width", "LS_mask_height", "LS_area_px")

RUN_LENGTHS = Kind(
    Role.FORM,
    _read_run_lengths,
    write=_write,
    tags=("Brush", "BrushLabels", "MagicWand"),
    becomes=_BECOMES,
    properties=_PROPERTIES,
    keys=frozenset({"rle"}),
)
BITMASK = Kind(
    Role.FORM,
    _read_png,
    write=_write,
    tags=("Bitmask", "BitmaskLabels"),
    becomes=_BECOMES,
    properties=_PROPERTIES,
    keys=frozenset({"imageDataURL"}),
)
