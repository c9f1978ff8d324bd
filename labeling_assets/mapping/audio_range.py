"""Ranges of time, in a sound or in a video."""

from dataclasses import replace
from typing import Final

from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.range_ends import ZERO_LENGTH, check_order
from labeling_assets.mapping.region import PropertyValue, Region, TimeRange
from labeling_assets.mapping.value import Value, finite_number

# ApertureDB counts microseconds.
_NOISE_S: Final = 1e-6
# 115 days.
_LONGEST_S: Final = 1e7


def read(value: Value, context: Context) -> Part:
    """`start`, `end` are seconds, `channel` counts from 0; `original_length` beside the value is that of the sound."""
    start_s, end_s = value.number("start"), value.number("end")
    check_order(value, ordered=start_s <= end_s)
    channel = value.optional_count("channel")
    length_s = finite_number(context.item.get("original_length"))
    given: dict[str, PropertyValue | None] = {
        "LS_start_s": start_s,
        "LS_end_s": end_s,
        "LS_duration_s": end_s - start_s,
        "LS_channel": channel,
        "LS_original_length_s": length_s,
    }
    properties = {name: number for name, number in given.items() if number is not None}
    kind = "video_range" if context.medium.media_type == "video" else "audio_range"
    part = Part(kind, value.labels(), properties=properties, role=Role.FORM)
    duration_s = context.medium.duration_s if context.medium.duration_s is not None else length_s
    return _placed(part, TimeRange(start_s, end_s), context.medium, duration_s)


def _placed(part: Part, given: TimeRange, medium: Medium, duration_s: float | None) -> Part:
    """With the clip, if the medium is a video and the range is inside it; else with the reason."""
    if given.start_s < 0:
        return replace(part, reason="begins before the medium")
    if duration_s is None and given.end_s > _LONGEST_S:
        return replace(part, reason=f"ends after {_LONGEST_S:g} s: no medium is so long")
    if duration_s is not None and given.end_s > duration_s + _NOISE_S:
        return replace(part, reason=f"ends after the medium, which has {duration_s:g} s")
    if medium.media_type == "video":
        end_s = given.end_s if duration_s is None else min(given.end_s, duration_s)
        return replace(part, native=TimeRange(min(given.start_s, end_s), end_s))
    return replace(part, reason=ZERO_LENGTH if given.start_s == given.end_s else None)


def write(region: Region) -> dict[str, object]:
    names = {"start": "LS_start_s", "end": "LS_end_s", "channel": "LS_channel"}
    return {name: region.properties[own] for name, own in names.items() if own in region.properties}


KIND = Kind(
    Role.FORM,
    read,
    write=write,
    tags=("Labels on Audio", "Labels on Video"),
    becomes="LS_region; in a video a Clip",
    properties=("LS_start_s", "LS_end_s", "LS_duration_s", "LS_channel", "LS_original_length_s"),
    on_picture=False,
)
