"""The table of kinds: the `type` of a Label Studio result item -> how it is read. Nothing else looks at the type."""

from collections.abc import Mapping
from typing import Final

from labeling_assets.mapping import box, choices, polygon, rating, raw, textarea
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
    "labels": raw.LABELS,
    "ellipse": raw.PLANNED,
    "ellipselabels": raw.PLANNED,
    "keypoint": raw.PLANNED,
    "keypointlabels": raw.PLANNED,
    "vector": raw.PLANNED,
    "vectorlabels": raw.PLANNED,
    "brush": raw.PLANNED,
    "brushlabels": raw.PLANNED,
    "magicwand": raw.PLANNED,
    "bitmask": raw.PLANNED,
    "bitmasklabels": raw.PLANNED,
    "hypertextlabels": raw.PLANNED,
    "paragraphlabels": raw.PLANNED,
    "timeserieslabels": raw.PLANNED,
    "videorectangle": raw.PLANNED,
    "videovector": raw.PLANNED,
    "videovectorlabels": raw.PLANNED,
    "timelinelabels": raw.PLANNED,
    "taxonomy": raw.PLANNED_FOR_TASKS,
    "pairwise": raw.PLANNED_FOR_TASKS,
    "ranker": raw.PLANNED_FOR_TASKS,
    "chatmessage": raw.PLANNED_FOR_TASKS,
}


def kind_of(result_type: str) -> Kind:
    """The kind of items of this type; types nobody has heard of are kept as raw."""
    return KINDS.get(result_type, raw.UNKNOWN)


def outline(region: Region) -> tuple[Point, ...] | None:
    """Corners (x, y) of the region's form, percent of the picture as shown; None if it has none that is known."""
    return kind_of(region.type).outline(region.properties)
