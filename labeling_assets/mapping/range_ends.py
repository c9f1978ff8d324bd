"""Reading where a range begins and ends: whole numbers, also where Label Studio writes them as text."""

from typing import Final

from labeling_assets.mapping.json_text import json_text
from labeling_assets.mapping.value import Value, finite_number

# The largest number up to which a browser counts exactly.
LARGEST: Final = 2**53
# Two years at 30 frames per second.
MOST_FRAMES: Final = 2**31
TOO_MANY_FRAMES: Final = f"a frame beyond {MOST_FRAMES}: no video has so many"
ZERO_LENGTH: Final = "zero length"


def whole_number(given: object) -> int | None:
    """3, 3.0 and "3" as 3; None for everything else and for what is larger than a browser can count."""
    if isinstance(given, str):
        return int(given) if given.isascii() and given.isdigit() and len(given) <= 15 else None
    number = finite_number(given)
    if number is None or abs(number) > LARGEST or number != int(number):
        return None
    return int(number)


def exact_number(given: object) -> int | float | None:
    """A number with the digits it has: a large integer stays one. None for what is no number."""
    if isinstance(given, int) and not isinstance(given, bool) and abs(given) < 2**63:
        return given
    return finite_number(given)


def offset(value: Value, name: str) -> int:
    """A whole number from 0, a problem and 0 for everything else."""
    number = whole_number(value.fields.get(name))
    if number is None or number < 0:
        value.expected("a whole number from 0", name)
        return 0
    return number


def optional_offset(value: Value, name: str) -> int | None:
    """As `offset`; None if it is missing."""
    return None if value.fields.get(name) is None else offset(value, name)


def optional_text(value: Value, name: str) -> str | None:
    """A text, possibly empty; None if it is missing."""
    return None if value.fields.get(name) is None else value.text(name)


def as_json(value: Value, name: str, given: object) -> str:
    """What is kept as it is; a problem if JSON cannot hold it."""
    try:
        return json_text(given)
    except (TypeError, ValueError, RecursionError):
        value.expected("what JSON can hold", name)
        return "{}"


def check_order(value: Value, *, ordered: bool) -> None:
    """A problem at `end`, unless `ordered`."""
    if not ordered:
        value.expected("an end that is not before the start", "end")
