"""What a kind of label is: how an item of it is read, and what it adds to its region."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.picture import Picture
from labeling_assets.mapping.region import (
    FrameRange,
    Keyframe,
    Mask,
    Native,
    PixelBox,
    PixelPolygon,
    PropertyValue,
    Region,
)
from labeling_assets.mapping.value import Point, Value


class Role(IntEnum):
    """What an item is to its region. The item with the highest role names the region's type and kind."""

    ATTACHED = 0  # choices, a text, a rating: alone they are labels of the task
    LABELS = 1  # labels without a form of their own
    UNKNOWN_FORM = 2  # kept as raw
    FORM = 3


@dataclass(frozen=True, slots=True)
class Context:
    """What a reader may look at besides the value.

    `picture` is what percents refer to, None where they have no pixels; `item` is the whole result item.
    """

    picture: Picture | None
    medium: Medium
    item: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """What one result item adds to its region.

    `labels` are labels of a form, `choices` were chosen about something, `attached` is the exact value of what can
    be attached to a form. `reason` says why there is no `native` form. `role`, if set, is this item's own: some types
    have a form only if their value has one. The rest is described in `Region`.
    """

    kind: str
    labels: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    attached: object = None
    properties: Mapping[str, PropertyValue] = field(default_factory=dict)
    native: Native | None = None
    derived_box: PixelBox | None = None
    derived_polygon: tuple[PixelPolygon, ...] = ()
    spans: tuple[FrameRange, ...] = ()
    keyframes: tuple[Keyframe, ...] = ()
    mask: Mask | None = None
    ancestors: tuple[str, ...] = ()
    reason: str | None = None
    role: Role | None = None


def no_outline(properties: Mapping[str, PropertyValue]) -> tuple[Point, ...] | None:
    """The outline of what has none."""
    return None


def no_way_back(region: Region) -> dict[str, object] | None:
    """The value of what only its JSON can give back."""
    return None


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table.

    `read` makes the part of an item. `outline` finds the corners (x, y) of a form, percent of the picture as shown,
    from a region's properties; None without a form. `write` makes the `value` of the item again, without its labels,
    from what `read` put into the region; None if only the annotation's JSON can give it back.

    `tags` are the control tags of Label Studio that give such items, `becomes` says what they are in ApertureDB, and
    `properties` names the typed properties they add (docs/kinds.md is made from these). `on_picture` says that the form
    has its pixels on a picture; where there is none, the region says why. `keys` are those of a value that has the
    form: one is always there, or it is another form's value.
    """

    role: Role
    read: Callable[[Value, Context], Part]
    outline: Callable[[Mapping[str, PropertyValue]], tuple[Point, ...] | None] = no_outline
    write: Callable[[Region], dict[str, object] | None] = no_way_back
    tags: tuple[str, ...] = ()
    becomes: str = ""
    properties: tuple[str, ...] = ()
    on_picture: bool = True
    keys: frozenset[str] = frozenset()
