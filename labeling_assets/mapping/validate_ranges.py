"""Places of results that are outside of the medium: percents, frames, seconds, characters."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.value import finite_number, is_list

Fields = Mapping[object, object]


def out_of_range(result_type: str, value: Fields, medium: Medium, tolerance_percent: float) -> Iterator[str]:
    """What is outside; what is no number is not looked at. Types that are not listed here have no places."""
    check = _CHECKS.get(result_type.removesuffix("labels") or "labels")
    if check is not None:
        yield from check(value, medium, tolerance_percent)


def _percents(value: Fields, names: tuple[str, ...], slack: float, what: str = "") -> Iterator[str]:
    for name in names:
        number = finite_number(value.get(name))
        if number is not None and not -slack <= number <= 100 + slack:
            yield f"{what}{name} is {number:g} %, outside of 0 to 100"


def _lengths(value: Fields, names: tuple[str, ...], what: str = "") -> Iterator[str]:
    for name in names:
        number = finite_number(value.get(name))
        if number is not None and number < 0:
            yield f"{what}{name} is negative: {number:g}"


def _box(value: Fields, medium: Medium, slack: float, what: str = "") -> Iterator[str]:
    yield from _percents(value, ("x", "y"), slack, what)
    yield from _lengths(value, ("width", "height"), what)
    if finite_number(value.get("rotation")):
        return  # a turned box may be anywhere around its corner
    for start, length in (("x", "width"), ("y", "height")):
        first, size = finite_number(value.get(start)), finite_number(value.get(length))
        if first is not None and size is not None and size >= 0 and 0 <= first <= 100 < first + size - slack:
            yield f"{what}{start} + {length} is {first + size:g} %, more than 100"


def _ellipse(value: Fields, medium: Medium, slack: float) -> Iterator[str]:
    yield from _percents(value, ("x", "y"), slack)
    yield from _lengths(value, ("radiusX", "radiusY"))


def _keypoint(value: Fields, medium: Medium, slack: float) -> Iterator[str]:
    yield from _percents(value, ("x", "y"), slack)
    yield from _lengths(value, ("width",))


def _polygon(value: Fields, medium: Medium, slack: float) -> Iterator[str]:
    points = value.get("points")
    for index, point in enumerate(points if is_list(points) else ()):
        if is_list(point) and len(point) == 2:
            yield from _percents({"x": point[0], "y": point[1]}, ("x", "y"), slack, f"point {index}: ")


def _vector(value: Fields, medium: Medium, slack: float) -> Iterator[str]:
    for index, vertex in enumerate(_objects(value.get("vertices"))):
        yield from _percents(vertex, ("x", "y"), slack, f"vertex {index}: ")


def _track(value: Fields, medium: Medium, slack: float) -> Iterator[str]:
    last = _frame_count(value, medium)
    for index, keyframe in enumerate(_objects(value.get("sequence"))):
        yield from _frames(keyframe, ("frame",), last, f"key frame {index}: ")
        yield from _box(keyframe, medium, slack, f"key frame {index}: ")


def _timeline(value: Fields, medium: Medium, slack: float) -> Iterator[str]:
    last = _frame_count({}, medium)
    for index, given in enumerate(_objects(value.get("ranges"))):
        yield from _frames(given, ("start", "end"), last, f"range {index}: ")
        yield from _order(given, f"range {index}: ")


def _frames(value: Fields, names: tuple[str, ...], last: int | None, what: str) -> Iterator[str]:
    """Label Studio counts frames from 1."""
    for name in names:
        frame = finite_number(value.get(name))
        if frame is not None and frame < 1:
            yield f"{what}{name} is {frame:g}, frames count from 1"
        elif frame is not None and last is not None and frame > last:
            yield f"{what}{name} is {frame:g}, the video has {last} frames"


def _span(value: Fields, medium: Medium, slack: float) -> Iterator[str]:
    """Characters of a text as UTF-16 counts them, or seconds of a sound or a video."""
    yield from _order(value)
    end = _end(medium)
    for name in ("start", "end"):
        place = finite_number(value.get(name))
        if place is not None and place < 0:
            yield f"{name} is negative: {place:g}"
        elif place is not None and end is not None and place > end * (1 + slack / 100):
            yield f"{name} is {place:g}, the medium ends at {end:g}"


def _series(value: Fields, medium: Medium, slack: float) -> Iterator[str]:
    """Values of the series' own axis, which may begin anywhere."""
    yield from _order(value)


def _end(medium: Medium) -> float | None:
    if medium.media_type == "text" and medium.text is not None:
        return len(medium.text.encode("utf-16-le", "surrogatepass")) / 2
    return finite_number(medium.duration_s) if medium.media_type in ("audio", "video") else None


def _order(value: Fields, what: str = "") -> Iterator[str]:
    start, end = finite_number(value.get("start")), finite_number(value.get("end"))
    if start is not None and end is not None and start > end:
        yield f"{what}start {start:g} is after end {end:g}"


def _rating(value: Fields, medium: Medium, slack: float) -> Iterator[str]:
    yield from _lengths(value, ("rating",))


def _frame_count(value: Fields, medium: Medium) -> int | None:
    """Of the medium, or, where that is not known, as the result says."""
    known = finite_number(medium.frame_count) or finite_number(value.get("framesCount"))
    return math.floor(known) if known else None


def _objects(given: object) -> list[Fields]:
    return [item for item in given if isinstance(item, Mapping)] if is_list(given) else []


_CHECKS: Final[Mapping[str, Callable[[Fields, Medium, float], Iterator[str]]]] = {
    "rectangle": _box,
    "ellipse": _ellipse,
    "keypoint": _keypoint,
    "polygon": _polygon,
    "vector": _vector,
    "videorectangle": _track,
    "timeline": _timeline,
    "labels": _span,
    "paragraph": _span,
    "timeseries": _series,
    "rating": _rating,
}
