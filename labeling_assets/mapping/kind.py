"""What a kind of label is: how an item of it is read, and what it adds to its region."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from labeling_assets.mapping.picture import Picture
from labeling_assets.mapping.region import PixelBox, PixelPolygon, PropertyValue
from labeling_assets.mapping.value import Point, Value


class Role(IntEnum):
    """What an item is to its region. The item with the highest role names the region's type and kind."""

    ATTACHED = 0  # choices, a text, a rating: alone they are labels of the task
    LABELS = 1  # labels without a form of their own
    UNKNOWN_FORM = 2  # kept as raw
    FORM = 3


@dataclass(frozen=True, slots=True)
class Part:
    """What one result item adds to its region.

    `labels` are labels of a form, `choices` were chosen about something, `attached` is the exact value of what can
    be attached to a form. `reason` says why there is no `native` form.
    """

    kind: str
    labels: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    attached: object = None
    properties: Mapping[str, PropertyValue] = field(default_factory=dict)
    native: PixelBox | PixelPolygon | None = None
    derived_box: PixelBox | None = None
    reason: str | None = None


def no_outline(properties: Mapping[str, PropertyValue]) -> tuple[Point, ...] | None:
    """The outline of what has none."""
    return None


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table.

    `read` makes the part of an item; the picture is None where percents have no pixels. `outline` finds the
    corners (x, y) of a form, percent of the picture as shown, from a region's properties; None without a form.
    """

    role: Role
    read: Callable[[Value, Picture | None], Part]
    outline: Callable[[Mapping[str, PropertyValue]], tuple[Point, ...] | None] = no_outline
