"""Items of type "labels": labels of a form that another item gives, or of a range or a box of their own.

The control tag is the same for texts, sounds, series and pictures, so the keys of the value and the medium decide.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from labeling_assets.mapping import (
    audio_range,
    box,
    html_span,
    paragraph_span,
    text_span,
    time_series_range,
    timeline_range,
    video_track,
)
from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.picture import placement, shown_properties
from labeling_assets.mapping.range_ends import whole_number
from labeling_assets.mapping.region import Region
from labeling_assets.mapping.value import Value, finite_number

NOT_SAID: Final = "nothing says what the numbers of the range count"
_BOX: Final = frozenset({"x", "y", "width", "height"})
_OF_NODES: Final = frozenset({"startOffset", "endOffset", "globalOffsets"})
# What the numbers of a range count in media of these types.
_BY_MEDIUM: Final[Mapping[str, Kind]] = {
    "text": text_span.KIND,
    "html": html_span.KIND,
    "audio": audio_range.KIND,
    "video": audio_range.KIND,
    "csv": time_series_range.KIND,
    "time_series": time_series_range.KIND,
}


def _read(value: Value, context: Context) -> Part:
    fields = {name: it for name, it in value.fields.items() if it is not None}  # null is as good as nothing
    if "sequence" in fields:
        return video_track.KIND.read(value, context)
    if "ranges" in fields:
        return timeline_range.KIND.read(value, context)
    if "start" in fields:
        kind = _range(fields, context)
        if kind is not None:
            return kind.read(value, context)
        return Part("raw", value.labels(), reason=NOT_SAID)
    if fields.keys() >= _BOX:
        return _box(value, context)
    return Part("raw", value.labels(), reason="labels of a form that is not there")


def _range(fields: Mapping[str, object], context: Context) -> Kind | None:
    """What the range is one of: keys that only one kind has first, then the medium."""
    if not _OF_NODES.isdisjoint(fields):
        return html_span.KIND if whole_number(fields["start"]) is None else paragraph_span.KIND
    if "channel" in fields or finite_number(context.item.get("original_length")) is not None:
        return audio_range.KIND
    if "instant" in fields:
        return time_series_range.KIND
    # A text beside the sound of the same task: in a sound there is nothing to quote.
    quoted = text_span.KIND if isinstance(fields.get("text"), str) else None
    return quoted or _BY_MEDIUM.get(context.medium.media_type)


def _box(value: Value, context: Context) -> Part:
    """The form again of the rectangle they belong to; without one they are a box themselves."""
    place = placement(context.item, context.medium)
    part = box.KIND.read(value, replace(context, picture=place.picture))
    shown = shown_properties(place.picture) if place.picture else {}
    return replace(part, properties={**part.properties, **shown}, reason=part.reason or place.reason)


_WRITE: Final = {
    "text_span": text_span.write,
    "html_span": html_span.write,
    "paragraph_span": paragraph_span.write,
    "audio_range": audio_range.write,
    "video_range": audio_range.write,
    "time_series_range": time_series_range.write,
    "timeline_range": timeline_range.write,
    "video_track": video_track.write,
    "box": box.KIND.write,
    "rotated_box": box.KIND.write,
}


def _write(region: Region) -> dict[str, object] | None:
    write = _WRITE.get(region.kind)
    return write(region) if write else None


KIND = Kind(
    Role.LABELS,
    _read,
    box.KIND.outline,
    _write,
    tags=("Labels",),
    becomes="labels of the form with the same region id; alone what the range or the box is that they come with",
)
