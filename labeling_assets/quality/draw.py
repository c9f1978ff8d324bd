"""Pictures with their labels drawn on them, small enough for a report."""

import colorsys
import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import ExifTags, Image, ImageDraw, ImageFont, ImageOps

from labeling_assets.errors import InputError
from labeling_assets.mapping.picture import Picture
from labeling_assets.mapping.region import PixelBox, PixelPolygon, Region

Color = tuple[int, int, int]
_XY = tuple[float, float]
_Rectangle = tuple[float, float, float, float]

# Lines are drawn larger and shrunk: Pillow's own are jagged.
_OVERSAMPLING: Final = 3
_FILL_ALPHA: Final = 45
_DARKEST: Final = 110.0
_LARGEST_SIDE: Final = 4096
_LONGEST_CAPTION: Final = 40


@dataclass(frozen=True, slots=True)
class Shape:
    """An outline to draw: points (x, y) in pixels of the stored bytes. A dashed one stands for something else."""

    points: tuple[_XY, ...]
    label: str = ""
    dashed: bool = False


def shapes_of(regions: Iterable[Region]) -> list[Shape]:
    """What ApertureDB holds of the regions: the native form, else what was derived, dashed; others have no shape."""
    shapes = []
    for region in regions:
        label = region.labels[0] if region.labels else ""
        if isinstance(region.native, PixelBox | PixelPolygon):
            shapes.append(Shape(_points(region.native), label))
            continue
        derived = region.derived_polygon or ((region.derived_box,) if region.derived_box else ())
        shapes += [Shape(_points(form), label, dashed=True) for form in derived]
    return shapes


def color_of(label: str) -> Color:
    """The color (red, green, blue; 0 to 255) of a label: bright, and the same in every picture."""
    digest = hashlib.sha256(label.encode("utf-8", "replace")).digest()
    hue = int.from_bytes(digest[:2]) / 65536
    lightness = (0.5, 0.6)[digest[2] % 2]
    red, green, blue = (round(part * 255) for part in colorsys.hls_to_rgb(hue, lightness, 0.95))
    # Pure blue is nearly as dark as black: lighten it until it can be seen on a shadow.
    dark = _luminance((red, green, blue))
    white = max(0.0, (_DARKEST - dark) / (255 - dark))
    return _lighter(red, white), _lighter(green, white), _lighter(blue, white)


def _lighter(part: int, white: float) -> int:
    return round(part + (255 - part) * white)


def thumbnail(image: bytes, shapes: Sequence[Shape], *, max_side: int = 320) -> bytes:
    """A JPEG of the picture, upright, with the shapes and their labels; its longer side has `max_side` pixels.

    Raises:
        InputError: the bytes are no picture that can be read, or `max_side` is not in 16 to 4096.
    """
    if not 16 <= max_side <= _LARGEST_SIDE:
        raise InputError(f"A thumbnail of {max_side} pixels cannot be made: use 16 to {_LARGEST_SIDE}.")
    shown, picture = _opened(image, max_side)
    scale = shown.width / picture.width, shown.height / picture.height
    outlines = [[(x * scale[0], y * scale[1]) for x, y in picture.to_shown(shape.points)] for shape in shapes]
    for shape, outline in zip(shapes, outlines, strict=True):
        if len(outline) >= 2:
            _draw_outline(shown, shape, outline)
    _draw_captions(shown, shapes, outlines)
    out = io.BytesIO()
    shown.save(out, "JPEG", quality=88)
    return out.getvalue()


def _opened(image: bytes, max_side: int) -> tuple[Image.Image, Picture]:
    """The picture, upright and scaled, and what it was."""
    try:
        with Image.open(io.BytesIO(image)) as stored:
            orientation = stored.getexif().get(ExifTags.Base.Orientation, 1)
            width, height = stored.size
            stored.draft("RGB", (max_side * 2, max_side * 2))  # a JPEG can be read at a fraction of its size
            upright = ImageOps.exif_transpose(stored)
            pixels = _as_rgb(upright)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as exc:
        raise InputError(f"The bytes cannot be read as a picture: {exc}. Is the medium an image?") from exc
    orientation = orientation if orientation in range(1, 9) else 1
    if orientation >= 5:
        width, height = height, width
    factor = max_side / max(width, height)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return pixels.resize(size, Image.Resampling.LANCZOS), Picture(width, height, orientation)


def _as_rgb(image: Image.Image) -> Image.Image:
    """Transparent pixels become white; pictures of more than 8 bits are stretched to what they span."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, dtype=np.float64)
        values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
        span = float(np.ptp(values)) or 1.0
        return Image.fromarray(((values - values.min()) * (255 / span)).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        with_alpha = image.convert("RGBA")
        white = Image.new("RGBA", with_alpha.size, "white")
        return Image.alpha_composite(white, with_alpha).convert("RGB")
    return image.convert("RGB")


def _draw_outline(shown: Image.Image, shape: Shape, outline: Sequence[_XY]) -> None:
    """A line in the label's color between two dark ones, so that it stands out on any background, and a thin fill."""
    width = max(2.0, max(shown.size) / 160)
    left, top, right, bottom = _window(outline, width * 2, shown.size)
    if left >= right or top >= bottom:
        return
    size = ((right - left) * _OVERSAMPLING, (bottom - top) * _OVERSAMPLING)
    color = color_of(shape.label)
    layer = Image.new("RGBA", size, (*color, 0))
    draw = ImageDraw.Draw(layer)
    points = [((x - left) * _OVERSAMPLING, (y - top) * _OVERSAMPLING) for x, y in outline]
    draw.polygon(points, fill=(*color, _FILL_ALPHA))
    line = round(width * _OVERSAMPLING)
    for start, end in _strokes(points, dash=line * 4 if shape.dashed else 0):
        draw.line((start, end), fill=(0, 0, 0, 150), width=line + _OVERSAMPLING)
    for start, end in _strokes(points, dash=line * 4 if shape.dashed else 0):
        draw.line((start, end), fill=(*color, 255), width=line)
        for x, y in (start, end):
            draw.ellipse((x - line / 2, y - line / 2, x + line / 2, y + line / 2), fill=(*color, 255))
    layer = layer.resize((right - left, bottom - top), Image.Resampling.BOX)
    shown.paste(layer, (left, top), layer)


def _strokes(points: Sequence[_XY], dash: float) -> list[tuple[_XY, _XY]]:
    """The sides of the closed outline; with `dash` more than 0, cut into pieces of that length, every second one."""
    sides = list(zip(points, [*points[1:], *points[:1]], strict=True))
    if dash <= 0:
        return sides
    strokes = []
    for (x, y), (to_x, to_y) in sides:
        count = min(1000, max(1, round(float(np.hypot(to_x - x, to_y - y)) / dash)))
        steps = [(x + (to_x - x) * i / count, y + (to_y - y) * i / count) for i in range(count + 1)]
        strokes += list(zip(steps[:-1:2], steps[1::2], strict=False))
    return strokes


def _window(outline: Sequence[_XY], margin: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the part of the picture that the outline touches."""
    xs, ys = [x for x, _ in outline], [y for _, y in outline]
    return (
        max(0, int(min(xs, default=0) - margin)),
        max(0, int(min(ys, default=0) - margin)),
        min(size[0], int(max(xs, default=0) + margin) + 1),
        min(size[1], int(max(ys, default=0) + margin) + 1),
    )


def _draw_captions(shown: Image.Image, shapes: Sequence[Shape], outlines: Sequence[Sequence[_XY]]) -> None:
    """Each label on its color, at its shape; where others already are, it is left out: the color says it too."""
    size = max(9, round(max(shown.size) / 26))
    font = ImageFont.load_default(size)
    draw = ImageDraw.Draw(shown)
    taken: list[_Rectangle] = []
    for shape, outline in zip(shapes, outlines, strict=True):
        text = _fitting(shape.label, font, shown.width - 6)
        if not text or not outline:
            continue
        width, height = font.getlength(text) + 6, size + 4
        place = _free_place(outline, (width, height), shown.size, taken)
        if place is None:
            continue
        taken.append(place)
        color = color_of(shape.label)
        draw.rectangle(place, fill=color)
        middle = (place[0] + 3, (place[1] + place[3]) / 2)
        draw.text(middle, text, fill=_readable_on(color), font=font, anchor="lm")


def _free_place(
    outline: Sequence[_XY], size: _XY, shown: tuple[int, int], taken: Sequence[_Rectangle]
) -> _Rectangle | None:
    """Above the shape, in its left top corner, below it, in its left bottom corner: the first that is free."""
    left = min(x for x, _ in outline)
    top, bottom = min(y for _, y in outline), max(y for _, y in outline)
    x = min(max(0.0, left), shown[0] - size[0])
    for y in (top - size[1], top, bottom, bottom - size[1]):
        place = (x, y, x + size[0], y + size[1])
        if y >= 0 and place[3] <= shown[1] and not any(_overlap(place, other) for other in taken):
            return place
    return None


def _overlap(one: _Rectangle, other: _Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float) -> str:
    """The text on one line, cut to `width` pixels."""
    line = " ".join(text.split())
    line = line if len(line) <= _LONGEST_CAPTION else line[: _LONGEST_CAPTION - 1] + "…"
    while line and font.getlength(line) > width:
        line = line[:-2] + "…" if len(line) > 1 else ""
    return line


def _luminance(color: Color) -> float:
    """Brightness for the eye, 0 to 255 (ITU-R BT.601)."""
    return 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]


def _readable_on(color: Color) -> Color:
    return (0, 0, 0) if _luminance(color) > 135 else (255, 255, 255)


def _points(form: PixelBox | PixelPolygon) -> tuple[_XY, ...]:
    if isinstance(form, PixelPolygon):
        return form.points
    right, bottom = form.x + form.width, form.y + form.height
    return (form.x, form.y), (right, form.y), (right, bottom), (form.x, bottom)
