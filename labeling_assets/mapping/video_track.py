"""Objects followed through a video: what the annotator set in key frames. Label Studio counts frames from 1.

Between two key frames Label Studio interpolates; what it computed is never stored. Key frames and spans have the frames
of the file, also where the player counts at another rate; then a key frame has its number in Label Studio, too.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from labeling_assets.mapping.frame_rate import FrameRates
from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.lifespan import lifespans
from labeling_assets.mapping.range_ends import MOST_FRAMES, TOO_MANY_FRAMES, as_json, whole_number
from labeling_assets.mapping.region import FrameRange, Keyframe, PropertyValue, Region
from labeling_assets.mapping.value import Value, is_list

# Property of a key frame -> its key in Label Studio.
_NUMBERS: Final = {
    "LS_x": "x",
    "LS_y": "y",
    "LS_width": "width",
    "LS_height": "height",
    "LS_rotation": "rotation",
    "LS_time_s": "time",
}
_FLAGS: Final = {"LS_enabled": "enabled", "LS_closed": "closed"}
_VERTICES: Final = "vertices"
_KNOWN: Final = {"frame", _VERTICES, *_NUMBERS.values(), *_FLAGS.values()}
# Keys of versions to come, as JSON.
_REST: Final = "LS_more"
_LABELS: Final = "labels"
# The number of a key frame in Label Studio, from 1, where it is not that of the file's frame.
_SHOWN: Final = "LS_shown_frame"
# Counts that differ by more come from another number of frames per second: the numbers mean other frames.
_SAME_COUNT: Final = 0.005


def read(value: Value, context: Context) -> Part:
    keyframes = tuple(_keyframes(value))
    counted = value.optional_count("framesCount")
    duration_s = value.optional_number("duration")
    properties: dict[str, PropertyValue] = {"LS_keyframe_count": len(keyframes)}
    if counted is not None:
        properties["LS_frame_count"] = counted
    if duration_s is not None:
        properties["LS_video_duration_s"] = duration_s
    labels = value.labels() if value.fields.get(_LABELS) is None else value.texts(_LABELS)
    rates = FrameRates.of(context.medium, context.item)
    spans, reasons = _spans(keyframes, counted, rates)
    return Part(
        "video_track",
        labels,
        properties=properties,
        keyframes=keyframes if rates.is_same else tuple(_in_file(it, rates) for it in keyframes),
        spans=spans,
        reason="; ".join((*_disorder(keyframes), *reasons)) or None,
        role=Role.FORM,
    )


def _keyframes(value: Value) -> Iterator[Keyframe]:
    given = value.fields.get("sequence")
    if not is_list(given):
        value.expected("a list of key frames", "sequence")
        return
    for index, fields in enumerate(given):
        if isinstance(fields, Mapping):
            yield _keyframe(Value(fields, value.type, f"{value.path}.sequence[{index}]", value.problems))
        else:
            value.expected("an object", f"sequence[{index}]")


def _keyframe(value: Value) -> Keyframe:
    frame = whole_number(value.fields.get("frame"))
    if frame is None:
        value.expected("the number of a frame", "frame")
    properties: dict[str, PropertyValue] = {}
    for own, name in _NUMBERS.items():
        number = value.optional_number(name)
        if number is not None:
            properties[own] = number
    for own, name in _FLAGS.items():
        if value.fields.get(name) is not None:
            properties[own] = value.flag(name, default=False)
    if value.fields.get(_VERTICES) is not None:
        properties["LS_vertices"] = as_json(value, _VERTICES, value.fields[_VERTICES])
    rest = {name: it for name, it in value.fields.items() if name not in _KNOWN or it is None}
    if rest:
        properties[_REST] = as_json(value, "", rest)
    return Keyframe(0 if frame is None else frame - 1, properties)


def _disorder(keyframes: Sequence[Keyframe]) -> Iterator[str]:
    if not keyframes:
        yield "no key frames"
    frames = [it.frame for it in keyframes]
    if any(one > other for one, other in pairwise(frames)):
        yield "key frames are not in order"
    if len(set(frames)) < len(frames):
        yield "several key frames in one frame"


def _spans(
    keyframes: Sequence[Keyframe], counted: int | None, rates: FrameRates
) -> tuple[tuple[FrameRange, ...], Iterator[str]]:
    """Spans inside the video, and why others are not there. `counted` are the frames that Label Studio counted."""
    known = rates.shown_count
    if counted and known and abs(counted - known) > max(1, _SAME_COUNT * known):
        text = f"Label Studio counted {counted} frames, the video has {rates.count}: its frameRate is another"
        return (), iter([text])
    if rates.reason is not None:
        return (), iter([rates.reason])
    count = known or counted or None
    # To the player a key frame that does not say so is not enabled.
    enabled = [(it.frame, it.properties.get("LS_enabled") is True) for it in keyframes]
    last_frame = None if count is None else count - 1
    spans = lifespans(enabled, last_frame)
    # Frames before the first are never shown.
    seen = (FrameRange(max(it.first, 0), it.last) for it in spans if it.last >= 0)
    inside = tuple(it for it in seen if it.last < MOST_FRAMES and (last_frame is None or it.last <= last_frame))
    in_file = tuple(FrameRange(rates.first(it.first), rates.last(it.last)) for it in inside)
    return in_file, _outside(keyframes, count, is_open=_is_open(enabled))


def _in_file(keyframe: Keyframe, rates: FrameRates) -> Keyframe:
    shown = {**keyframe.properties, _SHOWN: keyframe.frame + 1}
    return replace(keyframe, frame=rates.first(keyframe.frame), properties=shown)


def _is_open(enabled: Sequence[tuple[int, bool]]) -> bool:
    return bool(enabled) and sorted(enabled, key=lambda it: it[0])[-1][1]


def _outside(keyframes: Sequence[Keyframe], count: int | None, *, is_open: bool) -> Iterator[str]:
    frames = [it.frame for it in keyframes]
    if frames and min(frames) < 0:
        yield "a frame before the first, which is 1 in Label Studio"
    if frames and count is not None and max(frames) >= count:
        yield f"a frame beyond the {count} of the video"
    if frames and max(max(frames), count or 0) >= MOST_FRAMES:
        yield TOO_MANY_FRAMES
    if is_open and count is None:
        yield "visible to the end of the video, of which nobody knows the frame"


def write(region: Region) -> dict[str, object]:
    names = {"framesCount": "LS_frame_count", "duration": "LS_video_duration_s"}
    value = {name: region.properties[own] for name, own in names.items() if own in region.properties}
    # Label Studio gives a track its labels under this key, whatever control they come from.
    labels = {} if region.type.endswith(_LABELS) or not region.labels else {_LABELS: list(region.labels)}
    return {**value, "sequence": [_written(it) for it in region.keyframes], **labels}


def _written(keyframe: Keyframe) -> dict[str, object]:
    it = keyframe.properties
    rest = json.loads(str(it.get(_REST, "{}")))
    known = {name: it[own] for own, name in {**_NUMBERS, **_FLAGS}.items() if own in it}
    vertices = {_VERTICES: json.loads(str(it["LS_vertices"]))} if "LS_vertices" in it else {}
    return {**rest, **known, **vertices, "frame": it.get(_SHOWN, keyframe.frame + 1)}


KIND = Kind(
    Role.FORM,
    read,
    write=write,
    tags=("VideoRectangle", "VideoVector", "VideoVectorLabels"),
    becomes="LS_region, with an LS_keyframe for each key frame and a derived Clip for each span in which it is seen; "
    "LS_video_duration_s is that of the whole video",
    properties=("LS_frame_count", "LS_video_duration_s", "LS_keyframe_count"),
    on_picture=False,
    keys=frozenset({"sequence"}),
)
