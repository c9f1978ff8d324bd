"""Reading the `value` of a result item: typed, with the place of everything that is wrong."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeGuard

from labeling_assets.mapping.json_text import storable

# Ten thousand times the picture. What is larger would leave the range in which pixels can be computed.
LARGEST_PERCENT: Final = 1e6
# Keys of which every form has at least one: boxes, ranges, lines, masks, tracks.
_PLACES: Final = frozenset(
    {"x", "start", "points", "vertices", "rle", "imageDataURL", "sequence", "ranges", "pageIndex"}
)

Point = tuple[float, float]


def finite_number(value: object) -> float | None:
    """`value` as a float if it is a number as JSON knows it: no bool, no text, no NaN, not infinite."""
    if type(value) is float:  # nearly every number of a form
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer of more than 308 digits
        return None
    return number if math.isfinite(number) else None


def is_list(value: object) -> TypeGuard[list[object] | tuple[object, ...]]:
    return isinstance(value, list | tuple)


def _plain_points(given: Sequence[object]) -> tuple[Point, ...] | None:
    """Points that are all as they should be, which most are; None if they must be looked at one by one."""
    pairs = [pair for pair in given if isinstance(pair, list) and len(pair) == 2]
    flat = [*itertools.chain.from_iterable(pairs)]
    if len(pairs) < len(given) or not {*map(type, flat)} <= {float, int}:
        return None
    if not all(-LARGEST_PERCENT <= number <= LARGEST_PERCENT for number in flat):
        return None
    return tuple(zip(map(float, flat[::2]), map(float, flat[1::2]), strict=True))


@dataclass(slots=True)
class Value:
    """The `value` of one result item of LS type `type`, standing at `path`.

    A reader returns something of the right type in any case and adds to `problems` if it had to invent it, so
    that one pass finds everything that is wrong with an item.
    """

    fields: Mapping[str, object]
    type: str
    path: str
    problems: list[str] = field(default_factory=list)

    def expected(self, what: str, name: str) -> None:
        self.problems.append(f"expected {what} @ {self.path}.{name}")

    def number(self, name: str, default: float | None = None) -> float:
        """A finite number; `default`, if given, stands for a missing one and for null."""
        given = self.fields.get(name)
        if given is None and default is not None:
            return default
        number = finite_number(given)
        if number is None:
            self.expected("a number", name)
            return 0.0
        return number

    def percent(self, name: str, *, lowest: float = -LARGEST_PERCENT) -> float:
        """A number from `lowest` to `LARGEST_PERCENT`, both included."""
        number = self.number(name)
        if not lowest <= number <= LARGEST_PERCENT:
            self.expected(f"a number from {lowest:g} to {LARGEST_PERCENT:g}", name)
            return 0.0
        return number

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false; `default` stands for a missing one and for null."""
        given = self.fields.get(name)
        if given is None:
            return default
        if not isinstance(given, bool):
            self.expected("true or false", name)
            return default
        return given

    def optional_number(self, name: str) -> float | None:
        """A number; None, and a problem unless it is missing, for everything else."""
        given = self.fields.get(name)
        number = finite_number(given)
        if number is None and given is not None:
            self.expected("a number", name)
        return number

    def optional_count(self, name: str) -> int | None:
        """A whole number from 0 that a float holds exactly, also if written as 1.0."""
        number = self.optional_number(name)
        if number is not None and (not 0 <= number < 2**53 or number != int(number)):
            self.expected("a whole number from 0", name)
            return None
        return None if number is None else int(number)

    def optional_text(self, name: str) -> str | None:
        """A text; an empty one is none."""
        return None if self.fields.get(name) is None else self.text(name) or None

    def identifier(self, name: str) -> str | None:
        """An id: a text that is not empty, or a whole number as text; None if it is missing."""
        given = self.fields.get(name)
        if isinstance(given, int) and not isinstance(given, bool):
            # Python refuses to write a number of more than 4300 digits in decimal.
            return str(given) if abs(given) < 2**63 else f"{given:x}"
        return self.optional_text(name)

    def text(self, name: str) -> str:
        given = self.fields.get(name)
        if not isinstance(given, str):
            self.expected("a text", name)
            return ""
        return storable(given)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts, possibly empty."""
        given = self.fields.get(name)
        if not is_list(given):
            self.expected("a list of texts", name)
            return ()
        for index, item in enumerate(given):
            if not isinstance(item, str):
                self.expected("a text", f"{name}[{index}]")
        return tuple(storable(item) for item in given if isinstance(item, str))

    def points(self, name: str) -> tuple[Point, ...]:
        """A list of [x, y], each of the two a percent."""
        given = self.fields.get(name)
        if not is_list(given):
            self.expected("a list of points", name)
            return ()
        plain = _plain_points(given)
        if plain is not None:
            return plain
        return tuple(self._point(item, name, index) for index, item in enumerate(given))

    def _point(self, given: object, name: str, index: int) -> Point:
        x, y = given if is_list(given) and len(given) == 2 else (None, None)
        pair = finite_number(x), finite_number(y)
        if pair[0] is None or pair[1] is None or abs(pair[0]) > LARGEST_PERCENT or abs(pair[1]) > LARGEST_PERCENT:
            self.expected("a point [x, y] of two numbers", f"{name}[{index}]")
            return 0.0, 0.0
        return pair[0], pair[1]

    def labels(self) -> tuple[str, ...]:
        """The labels of a region: they stand under the type's own name, and are missing or null if it has none."""
        given = self.fields.get(self.type) if self.type.endswith("labels") else None
        return self.texts(self.type) if given is not None else ()

    def says_where(self) -> bool:
        """Whether the value is about a part of the medium: Label Studio repeats a region's form in what is attached."""
        return any(name in _PLACES and given is not None for name, given in self.fields.items())
