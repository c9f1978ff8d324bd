"""Positions in videos: frame numbers from 0, times as hh:mm:ss.uuuuuu, or fractions of the length.

A position is stored as it was given. Where the video can be decoded, it is stored in the two other units too, so that
searches in any unit find it.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from labeling_assets.local_aperturedb import messages
from labeling_assets.local_aperturedb.arguments import (
    Arguments,
    Check,
    Required,
    check_arguments,
    expected,
    finite,
    integer,
    text,
)
from labeling_assets.local_aperturedb.errors import QueryError
from labeling_assets.local_aperturedb.videos import MICROSECONDS, Facts

FRAME: Final = "frame"
FRACTION: Final = "fraction"
MICROSECOND: Final = "us"
# What `_range_type` of a clip says.
_RANGE_TYPES: Final = {FRAME: 1, FRACTION: 2, MICROSECOND: 3}
_RANGE_KEYS: Final = {
    FRAME: "_frame_number_range",
    FRACTION: "_time_fraction_range",
    MICROSECOND: "_time_offset_range",
}
_FRAME_KEYS: Final = {FRAME: "_frame_number", FRACTION: "_time_fraction", MICROSECOND: "_time_offset"}
_TIME: Final = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d{1,2})(?:\.(\d{1,6}))?")

frame_number: Final = integer(0)


def time_offset(value: Any) -> int:
    """`hh:mm:ss.uuuuuu` as microseconds."""
    found = _TIME.fullmatch(text(value))
    if found is None:
        raise QueryError(messages.NOT_A_TIME.format(text=value))
    hours, minutes, seconds = (int(part or 0) for part in found.groups()[:3])
    return ((hours * 60 + minutes) * 60 + seconds) * MICROSECONDS + int((found[4] or "0").ljust(6, "0"))


def time_fraction(value: Any) -> float:
    fraction = finite(value)
    if not 0 <= fraction <= 1:
        raise expected("a number from 0 to 1", value)
    return fraction


def time_text(microseconds: int) -> str:
    """In the form of the answers: hours only when there are any, and no zeros at the end of the fraction."""
    seconds, rest = divmod(microseconds, MICROSECONDS)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f"{rest:06}".rstrip("0") or "0"
    return (f"{hours:02}:" if hours else "") + f"{minutes:02}:{seconds:02}.{fraction}"


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` to `stop`, both included, in frames, fractions or microseconds."""

    unit: str
    start: float
    stop: float


def whole_range(unit: str, check: Check) -> Check:
    """Check for a range of which both ends must be given."""

    parameters = {"start": Required(check), "stop": Required(check)}

    def checked(value: Any) -> Span:
        given = check_arguments(value, parameters)
        if given["start"] > given["stop"]:
            raise QueryError(messages.EMPTY_RANGE.format(**given))
        return Span(unit, given["start"], given["stop"])

    return checked


def open_range(check: Check) -> Check:
    """Check for a range to search in, of which an end may be missing."""

    parameters = {"start": check, "stop": check}

    def checked(value: Any) -> Arguments:
        return check_arguments(value, parameters)

    return checked


def single(unit: str, check: Check) -> Check:
    """Check for one position."""

    def checked(value: Any) -> Span:
        position = check(value)
        return Span(unit, position, position)

    return checked


def clip_system(span: Span, facts: Facts | None) -> dict[str, Any]:
    """What the server keeps of the range of a clip. Raises QueryError for a range outside of the video."""
    return {
        _RANGE_KEYS[span.unit]: {"start": _shown(span.unit, span.start), "stop": _shown(span.unit, span.stop)},
        "_range_start": span.start,
        "_range_stop": span.stop,
        "_range_type": _RANGE_TYPES[span.unit],
        "span": _in_all_units(span, facts),
    }


def frame_system(span: Span, facts: Facts | None) -> dict[str, Any]:
    """What the server keeps of the position of a frame. Raises QueryError for a position outside of the video."""
    spans = _in_all_units(span, facts)
    offset = spans[MICROSECOND][0]
    offset_text = None if offset is None else time_text(offset)
    return {_FRAME_KEYS[span.unit]: _shown(span.unit, span.start), "offset": offset_text, "span": spans}


def _shown(unit: str, position: float) -> str | float:
    return time_text(int(position)) if unit == MICROSECOND else position


def _in_all_units(span: Span, facts: Facts | None) -> dict[str, list[Any]]:
    ends = [_end(span.unit, position, facts) for position in (span.start, span.stop)]
    return {unit: [end[unit] for end in ends] for unit in (FRAME, FRACTION, MICROSECOND)}


def _end(unit: str, position: float, facts: Facts | None) -> dict[str, Any]:
    """A time means the latest frame that has begun by then."""
    if facts is None:
        return {FRAME: None, FRACTION: None, MICROSECOND: None} | {unit: position}
    if unit == FRAME:
        number = int(position)
    elif unit == FRACTION:
        number = min(int(position * facts.frames), facts.frames - 1)
    else:
        number = int(position * facts.fps / MICROSECONDS)
        # The end of the last frame is the end of the video.
        number = min(number, facts.frames - 1) if position <= facts.duration_us else number
    if number >= facts.frames:
        raise QueryError(messages.VIDEO_OUTSIDE.format(position=_shown(unit, position), frames=facts.frames))
    converted = {
        FRAME: number,
        FRACTION: number / facts.frames,
        MICROSECOND: round(number / facts.fps * MICROSECONDS),
    }
    return converted | {unit: position}
