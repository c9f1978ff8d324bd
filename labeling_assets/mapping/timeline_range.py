"""Ranges of frames of a video. Label Studio counts frames from 1, both ends belong to a range.

Seconds are those of the player. Frames are those of the file, also where the player counts at another rate.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from labeling_assets.mapping.frame_rate import FrameRates
from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.range_ends import MOST_FRAMES, TOO_MANY_FRAMES, as_json, check_order, whole_number
from labeling_assets.mapping.region import FrameRange, PropertyValue, Region
from labeling_assets.mapping.value import Value, is_list

_PLAIN: Final = frozenset({"start", "end"})


@dataclass(frozen=True, slots=True)
class Ends:
    """A range in frames from 0, both included; None where the annotator has not set an end."""

    first: int | None
    last: int | None


def read(value: Value, context: Context) -> Part:
    given = value.fields.get("ranges")
    if not is_list(given):
        value.expected("a list of ranges", "ranges")
        return Part("timeline_range", value.labels())
    rates = FrameRates.of(context.medium, context.item)
    shown = [_ends(value, item, f"ranges[{index}]") for index, item in enumerate(given)]
    ranges = [_in_file(it, rates) for it in shown]
    closed = _closed(ranges)
    properties = {**_frames(ranges), **_seconds(_closed(shown), rates.shown or rates.fps)}
    if len(given) != 1 or set(_fields(given[0])) != _PLAIN or len(closed) != 1 or not rates.is_same:
        properties["LS_ranges"] = as_json(value, "ranges", given)
    reason = _reason(ranges, closed, context.medium) if rates.reason is None else rates.reason
    single = len(ranges) == 1 and reason is None and context.medium.media_type == "video"
    spans = () if single else _inside(closed, context.medium)
    native = closed[0] if single else None
    return Part("timeline_range", value.labels(), properties=properties, native=native, spans=spans, reason=reason)


def _in_file(shown: Ends, rates: FrameRates) -> Ends:
    """The frames of the file that a range of the player covers; no ends where they are not known."""
    if rates.reason is not None:
        return Ends(None, None)
    first = None if shown.first is None else rates.first(shown.first)
    return Ends(first, None if shown.last is None else rates.last(shown.last))


def _closed(ranges: Sequence[Ends]) -> list[FrameRange]:
    return [FrameRange(it.first, it.last) for it in ranges if it.first is not None and it.last is not None]


def _fields(given: object) -> Mapping[str, object]:
    return given if isinstance(given, Mapping) else {}


def _ends(value: Value, given: object, name: str) -> Ends:
    if not isinstance(given, Mapping):
        value.expected("an object", name)
        return Ends(None, None)
    inner = Value(given, value.type, f"{value.path}.{name}", value.problems)
    first, last = _frame(inner, "start"), _frame(inner, "end")
    check_order(inner, ordered=first is None or last is None or first <= last)
    return Ends(first, last)


def _frame(value: Value, name: str) -> int | None:
    given = value.fields.get(name)
    if given is None:
        return None
    frame = whole_number(given)
    if frame is None:
        value.expected("the number of a frame", name)
        return None
    return frame - 1


def _frames(ranges: Sequence[Ends]) -> dict[str, PropertyValue]:
    """From the first to the last frame of all ranges."""
    firsts = [it.first for it in ranges if it.first is not None]
    lasts = [it.last for it in ranges if it.last is not None]
    start: dict[str, PropertyValue] = {"LS_start_frame": min(firsts)} if firsts else {}
    return {**start, "LS_end_frame": max(lasts)} if lasts else start


def _seconds(ranges: Sequence[FrameRange], fps: float | None) -> dict[str, PropertyValue]:
    """From the beginning of the first frame to the end of the last; LS_duration_s adds up what the ranges last."""
    if not fps or fps < 0 or not ranges:
        return {}
    return {
        "LS_start_s": min(it.first for it in ranges) / fps,
        "LS_end_s": (max(it.last for it in ranges) + 1) / fps,
        "LS_duration_s": sum(it.last - it.first + 1 for it in ranges) / fps,
    }


def _reason(ranges: Sequence[Ends], closed: Sequence[FrameRange], medium: Medium) -> str | None:
    if not ranges:
        return "no ranges"
    if len(closed) < len(ranges):
        return "a range without an end"
    if any(it.first < 0 for it in closed):
        return "a frame before the first, which is 1 in Label Studio"
    if any(it.last >= MOST_FRAMES for it in closed):
        return TOO_MANY_FRAMES
    count = medium.frame_count
    if count is not None and any(it.last >= count for it in closed):
        return f"a frame beyond the {count} of the video"
    return "several ranges" if len(ranges) > 1 else None


def _inside(ranges: Sequence[FrameRange], medium: Medium) -> tuple[FrameRange, ...]:
    if medium.media_type != "video":
        return ()
    count = MOST_FRAMES if medium.frame_count is None else medium.frame_count
    return tuple(it for it in ranges if it.first >= 0 and it.last < count)


def write(region: Region) -> dict[str, object]:
    ranges = region.properties.get("LS_ranges")
    if isinstance(ranges, str):
        return {"ranges": json.loads(ranges)}
    names = {"start": "LS_start_frame", "end": "LS_end_frame"}
    return {"ranges": [{name: int(region.properties[own]) + 1 for name, own in names.items()}]}


KIND = Kind(
    Role.FORM,
    read,
    write=write,
    tags=("TimelineLabels",),
    becomes="Clip; several ranges of one region are LS_region with a derived Clip for each",
    properties=("LS_start_frame", "LS_end_frame", "LS_start_s", "LS_end_s", "LS_duration_s", "LS_ranges"),
    on_picture=False,
    keys=frozenset({"ranges"}),
)
