"""The table of kinds: the `type` of a Label Studio result item -> how it is read. Nothing else looks at the type."""

import functools
from collections.abc import Mapping
from typing import Final

from labeling_assets.mapping import (
    box,
    chatmessage,
    choices,
    ellipse,
    html_span,
    keypoint,
    labels,
    mask,
    pairwise,
    paragraph_span,
    polygon,
    ranker,
    rating,
    raw,
    taxonomy,
    textarea,
    time_series_range,
    timeline_range,
    vector,
    video_track,
)
from labeling_assets.mapping.kind import Kind, Role
from labeling_assets.mapping.region import Region
from labeling_assets.mapping.value import Point

KINDS: Final[Mapping[str, Kind]] = {
    "rectangle": box.KIND,
    "rectanglelabels": box.KIND,
    "polygon": polygon.KIND,
    "polygonlabels": polygon.KIND,
    "choices": choices.KIND,
    "textarea": textarea.KIND,
    "rating": rating.RATING,
    "number": rating.NUMBER,
    "datetime": rating.DATETIME,
    "labels": labels.KIND,
    "ellipse": ellipse.KIND,
    "ellipselabels": ellipse.KIND,
    "keypoint": keypoint.KIND,
    "keypointlabels": keypoint.KIND,
    "vector": vector.KIND,
    "vectorlabels": vector.KIND,
    "brush": mask.RUN_LENGTHS,
    "brushlabels": mask.RUN_LENGTHS,
    "magicwand": mask.RUN_LENGTHS,
    "bitmask": mask.BITMASK,
    "bitmasklabels": mask.BITMASK,
    "hypertextlabels": html_span.KIND,
    "htmllabels": html_span.KIND,  # until 2020
    "paragraphlabels": paragraph_span.KIND,
    "timeserieslabels": time_series_range.KIND,
    "videorectangle": video_track.KIND,
    "videovector": video_track.KIND,
    "videovectorlabels": video_track.KIND,
    "timelinelabels": timeline_range.KIND,
    "taxonomy": taxonomy.KIND,
    "pairwise": pairwise.KIND,
    "ranker": ranker.KIND,
    "chatmessage": chatmessage.KIND,
}


# Keys that say which form a value has -> a type that has it. The first of which all are there counts.
_FORMS: Final[tuple[tuple[frozenset[str], str], ...]] = (
    (frozenset({"rle"}), "brush"),
    (frozenset({"imageDataURL"}), "bitmask"),
    (frozenset({"points"}), "polygon"),
    (frozenset({"vertices"}), "vector"),
    (frozenset({"sequence"}), "videorectangle"),
    (frozenset({"ranges"}), "timelinelabels"),
    (frozenset({"radiusX", "radiusY"}), "ellipse"),
    (frozenset({"x", "y", "width", "height"}), "rectangle"),
    (frozenset({"x", "y"}), "keypoint"),
)
# Key of a value that is called otherwise than its type -> the type, and what the key holds.
_OWN: Final[tuple[tuple[str, str, type], ...]] = (("selected", "pairwise", str), ("text", "textarea", list))
# What a region turned out to be -> how it is read and written, where its type alone does not say it.
_BY_NAME: Final[Mapping[str, Kind]] = {
    "mask": mask.RUN_LENGTHS,
    "polygon": polygon.KIND,
    "vector": vector.KIND,
    "video_track": video_track.KIND,
    "timeline_range": timeline_range.KIND,
    "ellipse": ellipse.KIND,
    "box": box.KIND,
    "rotated_box": box.KIND,
    "keypoint": keypoint.KIND,
}
# A region painted with one of these may be named after another.
_MASKS: Final = frozenset({"magicwand", "brush", "brushlabels"})


def kind_of(result_type: str) -> Kind:
    """The kind of items of this type; types nobody has heard of are kept as raw."""
    return KINDS.get(result_type, raw.UNKNOWN)


def form_type(fields: Mapping[str, object]) -> str | None:
    """A type that has the form which the keys of a value say it has; None if they say none."""
    there = {name for name, given in fields.items() if given is not None}
    return next((name for keys, name in _FORMS if there >= keys), None)


def type_of_fields(fields: Mapping[str, object]) -> str | None:
    """The type of a value that is written without it, from a key of that name, labels, or its form; None without."""
    known = next((name for name in fields if name in KINDS), None)
    labels = next((name for name in fields if name.endswith("labels")), None)
    own = next((name for key, name, given in _OWN if isinstance(fields.get(key), given)), None)
    return known or labels or form_type(fields) or ("labels" if fields.keys() >= {"start", "end"} else own)


def kind_of_value(result_type: str, fields: Mapping[str, object]) -> Kind:
    """How the value of an item is read: smart tools give masks the type of the point or the box they began with."""
    kind = kind_of(result_type)
    if not kind.keys or not kind.keys.isdisjoint(fields):
        return kind
    other = form_type(fields)
    return KINDS[other] if other else kind


def kind_of_region(region: Region) -> Kind:
    """What reads and writes the region's form: see `kind_of_value`."""
    own = kind_of(region.type)
    other = _BY_NAME.get(region.kind, own)
    return other if own.role is Role.FORM and other.keys != own.keys else own


def outline(region: Region) -> tuple[Point, ...] | None:
    """Corners (x, y) of the region's form, percent of the picture as shown; None if it has none that is known."""
    return kind_of_region(region).outline(region.properties)


@functools.cache
def types_of_tag(tag: str) -> frozenset[str]:
    """What `type` the results of a control may have: `rectanglelabels` and, without a label, `rectangle` for one.

    Where a kind's types are not called as its tags are (a message of a Chat), all of them.
    """
    own = tag.lower()
    if own in _MASKS:
        return _MASKS
    bare = own.removesuffix("labels")
    others = (
        name for name, kind in KINDS.items() if own in (tags := [it.lower() for it in kind.tags]) and name not in tags
    )
    return frozenset({own, bare or own, *others})
