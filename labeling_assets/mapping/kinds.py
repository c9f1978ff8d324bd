"""The table of kinds: the `type` of a Label Studio result item -> how it is read. Nothing else looks at the type."""

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
from labeling_assets.mapping.kind import Kind
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


def kind_of(result_type: str) -> Kind:
    """The kind of items of this type; types nobody has heard of are kept as raw."""
    return KINDS.get(result_type, raw.UNKNOWN)


def outline(region: Region) -> tuple[Point, ...] | None:
    """Corners (x, y) of the region's form, percent of the picture as shown; None if it has none that is known."""
    return kind_of(region.type).outline(region.properties)
