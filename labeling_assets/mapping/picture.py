"""From percent of the picture as shown to pixels of the stored bytes."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.region import PixelBox, PropertyValue
from labeling_assets.mapping.value import Point, finite_number

TURNED: Final = frozenset({5, 6, 7, 8})
SIZE_NOT_KNOWN: Final = "the size of the picture is not known"
# EXIF orientation -> where a point of the shown picture is in the stored one, both as fractions of width, height.
_SHOWN_TO_STORED: Final[Mapping[int, Callable[[float, float], Point]]] = {
    1: lambda x, y: (x, y),
    2: lambda x, y: (1 - x, y),
    3: lambda x, y: (1 - x, 1 - y),
    4: lambda x, y: (x, 1 - y),
    5: lambda x, y: (y, x),
    6: lambda x, y: (y, 1 - x),
    7: lambda x, y: (1 - y, 1 - x),
    8: lambda x, y: (1 - y, x),
}
# The way back is the same but for the two quarter turns, which undo each other.
_INVERSE: Final = {6: 8, 8: 6}
# 12.5 % of 1000 is 125.00000000000001 in floating point: not a reason to add a column of pixels.
_NOISE_PX: Final = 1e-6
# Label Studio lets a point go to the border only; what other tools round is up to half a pixel outside.
_BORDER_PX: Final = 0.5


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as the annotator saw it: `width`, `height` in pixels as shown, `orientation` how it was turned."""

    width: float
    height: float
    orientation: int = 1

    @property
    def stored_size(self) -> tuple[float, float]:
        """Width, height in pixels of the stored bytes."""
        return (self.height, self.width) if self.orientation in TURNED else (self.width, self.height)

    def to_stored(self, percents: Sequence[Point]) -> tuple[Point, ...]:
        """Points (x, y), percent of the shown picture, as pixels of the stored bytes; may lie outside."""
        width, height = self.stored_size
        if self.orientation == 1:
            return tuple([(x / 100 * width, y / 100 * height) for x, y in percents])
        convert = _SHOWN_TO_STORED[self.orientation]
        fractions = (convert(x / 100, y / 100) for x, y in percents)
        return tuple((x * width, y * height) for x, y in fractions)

    def to_shown(self, pixels: Sequence[Point]) -> tuple[Point, ...]:
        """Points (x, y) in pixels of the stored bytes, as pixels of the shown picture."""
        width, height = self.stored_size
        convert = _SHOWN_TO_STORED[_INVERSE.get(self.orientation, self.orientation)]
        fractions = (convert(x / width, y / height) for x, y in pixels)
        return tuple((x * self.width, y * self.height) for x, y in fractions)

    def enclosing_box(self, pixels: Sequence[Point]) -> PixelBox | None:
        """The smallest box of whole pixels around points of the stored picture, cut at its border.

        None if nothing of it is inside, or if the points span no area.
        """
        if not pixels:
            return None
        width, height = self.stored_size
        left, right = _whole_pixels([x for x, _ in pixels], width)
        top, bottom = _whole_pixels([y for _, y in pixels], height)
        if left >= right or top >= bottom:
            return None
        return PixelBox(left, top, right - left, bottom - top)

    def drawn_inside(self, pixels: Sequence[Point]) -> tuple[Point, ...] | None:
        """The points, those up to half a pixel outside moved to the border; None if one is farther out."""
        width, height = self.stored_size
        xs, ys = [x for x, _ in pixels], [y for _, y in pixels]
        beyond = max(-min(xs), -min(ys), max(xs) - width, max(ys) - height)
        if beyond <= 0:
            return tuple(pixels)
        if not beyond <= _BORDER_PX:
            return None
        return tuple((min(max(x, 0.0), width), min(max(y, 0.0), height)) for x, y in pixels)


def _whole_pixels(values: Sequence[float], size: float) -> tuple[int, int]:
    """First pixel and the one after the last of the range that `values` span, within 0 to `size`."""
    first = math.floor(min(values) + _NOISE_PX)
    end = math.ceil(max(values) - _NOISE_PX)
    return max(first, 0), min(end, math.floor(size))


@dataclass(frozen=True, slots=True)
class Placement:
    """The picture that an item's percents refer to, or why there is none; and what is odd about it."""

    picture: Picture | None
    reason: str | None = None
    problem: str | None = None


def placement(item: Mapping[str, object], medium: Medium) -> Placement:
    """What the percents of a result item refer to: the medium's picture, unless the item says otherwise.

    The item's own `original_width` and `original_height` are what the browser showed; `image_rotation` is how the
    annotator turned the view and does not change the percents.
    """
    if medium.media_type != "image":
        return Placement(None, f"no picture: the medium is of type {medium.media_type}")
    page = page_of(item)
    if page is None:
        return Placement(None, "its item_index is no whole number: nothing says which picture it belongs to")
    if page:
        return Placement(None, f"belongs to picture {page + 1} of a task with several")
    shown = _size(item.get("original_width"), item.get("original_height"))
    own = _size(medium.width, medium.height)
    orientation = medium.orientation if medium.orientation in _SHOWN_TO_STORED else 1
    if own is None and shown is None:
        return Placement(None, SIZE_NOT_KNOWN)
    if own is None or shown is None:
        width, height = own or shown or (0.0, 0.0)
        return Placement(Picture(width, height, orientation))
    return _compared(shown, own, orientation)


def shown_properties(picture: Picture) -> dict[str, PropertyValue]:
    """The picture as the annotator saw it, in pixels; the orientation only if it was turned or mirrored."""
    size: dict[str, PropertyValue] = {"LS_shown_width": picture.width, "LS_shown_height": picture.height}
    return size if picture.orientation == 1 else {**size, "LS_shown_orientation": picture.orientation}


def _compared(shown: tuple[float, float], own: tuple[float, float], orientation: int) -> Placement:
    upright = Picture(*own, orientation)
    if _same_shape(shown, own):
        return Placement(upright)
    sizes = f"shown with {shown[0]:g} x {shown[1]:g} pixels, the upright medium has {own[0]:g} x {own[1]:g}"
    if not _same_shape(shown, (own[1], own[0])):
        return Placement(upright, problem=f"{sizes}; its percents were taken as they are")
    if orientation in TURNED:  # a browser or a converter that ignores EXIF: the percents are of the stored bytes
        return Placement(Picture(*shown), problem=f"{sizes}: it was shown without its EXIF orientation")
    reason = f"{sizes}: it was turned, and nothing says which way"
    return Placement(None, reason, reason)


def _same_shape(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether one is the other, perhaps scaled and rounded: a preview of 640 x 361 of 1920 x 1080 is."""
    lowest = max((one[0] - 1) / other[0], (one[1] - 1) / other[1])
    highest = min((one[0] + 1) / other[0], (one[1] + 1) / other[1])
    return lowest <= highest


def _size(width: object, height: object) -> tuple[float, float] | None:
    pair = finite_number(width), finite_number(height)
    if pair[0] is None or pair[1] is None or not (1 <= pair[0] <= 1e6 and 1 <= pair[1] <= 1e6):
        return None
    return pair[0], pair[1]


def page_of(item: Mapping[str, object]) -> int | None:
    """Which picture of a task with several the item belongs to, from 0, as also without a number; None if malformed."""
    given = item.get("item_index")
    if given is None:
        return 0
    page = finite_number(given)
    return int(page) if page is not None and 0 <= page < 2**53 and page == int(page) else None
