"""What a Label Studio annotation becomes: regions and relations, ready to be written to ApertureDB."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from labeling_assets.mapping.json_text import json_text

PropertyValue = str | float | bool | int


@dataclass(frozen=True, slots=True)
class PixelBox:
    """A rectangle in whole pixels of the stored bytes, inside the picture, with an area: `width`, `height` >= 1.

    It covers the pixel columns `x` to `x + width - 1` and the rows `y` to `y + height - 1`.
    """

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class PixelPolygon:
    """At least three points (x, y) in pixels of the stored bytes, inside the picture, closed, not self-crossing."""

    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class FrameRange:
    """Frames of a video, counted from 0; both ends belong to it, `first` <= `last`."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A part of a video in seconds from its beginning, `start_s` <= `end_s`."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Mask:
    """A bitmap of the picture as shown. `png` is a PNG of 8-bit grey: 0 is outside, 255 is inside."""

    width: int
    height: int
    png: bytes


@dataclass(frozen=True, slots=True)
class Keyframe:
    """What an annotator set in one frame of a video, counted from 0; between them Label Studio interpolates."""

    frame: int
    properties: Mapping[str, PropertyValue]


Native = PixelBox | PixelPolygon | FrameRange | TimeRange


@dataclass(frozen=True, slots=True)
class Region:
    """All result items of one annotation with the same region id.

    `from_name`, `to_name` and `type` are those of the item that gives the region its form; `kind` is our name for
    it (docs/kinds.md lists them). `labels` are the labels of a region and the choices of a task-level choice; of a
    taxonomy they are paths such as "a/b/c", and `ancestors` the paths above them. Choices that belong to a region
    with a form are no labels of it (a box "car" that is "occluded" is no box of "occluded"): they are in the
    properties `LS_choice` (the first) and `LS_attributes` (all, with everything else that was attached, by control,
    as JSON).

    `text` is the text of the region's text areas: itself if it is one, a JSON list if there are several.
    `properties` are exact values with their `LS_*` names; coordinates are percent of the picture as shown (0 is
    left or top), angles clockwise degrees. `native` is the form for ApertureDB, `derived_box` the enclosing box
    of a form that is no upright rectangle, `derived_polygon` the parts of an outline of what is no polygon; where a
    region with a form has no `native`, `reason` says why. A track in a video has `keyframes` and the `spans` in which
    it is visible; a painted region has a `mask`.
    """

    region_id: str
    from_name: str
    to_name: str
    type: str
    kind: str
    labels: tuple[str, ...] = ()
    text: str | None = None
    score: float | None = None
    origin: str | None = None
    parent_id: str | None = None
    item_index: int | None = None
    task_level: bool = False
    properties: Mapping[str, PropertyValue] = field(default_factory=dict)
    native: Native | None = None
    derived_box: PixelBox | None = None
    derived_polygon: tuple[PixelPolygon, ...] = ()
    spans: tuple[FrameRange, ...] = ()
    keyframes: tuple[Keyframe, ...] = ()
    mask: Mask | None = None
    ancestors: tuple[str, ...] = ()
    reason: str | None = None
    vocabulary: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Control name -> every label and choice it gave to this region."""
    positions: tuple[int, ...] = ()
    """Where in `result` the items of this region stand, from 0."""
    parts: tuple["Region", ...] = ()
    """Each item as a region of its own, if there are several."""

    @property
    def searchable(self) -> tuple[str, ...]:
        """What the region can be found by, each once: its labels, every choice about it, and what stands above them."""
        given = (name for names in self.vocabulary.values() for name in names)
        return tuple(dict.fromkeys((*self.labels, *given, *self.ancestors)))

    def as_properties(self) -> dict[str, PropertyValue]:
        """Every property that this region alone decides, `properties` included; what is None or empty is left out."""
        values: dict[str, PropertyValue | None] = {
            "LS_id": self.region_id,
            "LS_from_name": self.from_name,
            "LS_to_name": self.to_name,
            "LS_type": self.type,
            "LS_kind": self.kind,
            "LS_label": self.labels[0] if self.labels else None,
            "LS_labels": json_text(self.labels) if self.labels else None,
            "LS_text": self.text,
            "LS_score": self.score,
            "LS_origin": self.origin,
            "LS_parent_id": self.parent_id,
            "LS_item_index": self.item_index,
            "LS_task_level": self.task_level,
            "LS_reason": self.reason,
        }
        return {name: value for name, value in values.items() if value is not None} | dict(self.properties)


@dataclass(frozen=True, slots=True)
class Relation:
    """An arrow between two regions of one annotation; `direction` is right, left or bi."""

    from_id: str
    to_id: str
    direction: str
    labels: tuple[str, ...] = ()
