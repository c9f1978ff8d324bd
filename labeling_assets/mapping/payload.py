"""The lossless layer: an annotation as the JSON that ApertureDB keeps, and how two of them differ."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Final

from labeling_assets.mapping.json_text import json_text

_SHOWN: Final = 60


def payload(annotation: Mapping[str, object], *, limit: int) -> tuple[str | None, bytes]:
    """The annotation as canonical JSON: as text if it is at most `limit` bytes long, else None, and as UTF-8."""
    text = json_text(annotation, compact=True)
    data = text.encode()
    return (text if len(data) <= limit else None), data


def annotation_of(data: str | bytes) -> object:
    """The annotation that a payload holds."""
    return json.loads(data)


def differences(given: object, back: object, place: str = "$") -> Iterator[str]:
    """Where two JSON values are not the same, one text for each place. 1 and 1.0 are the same number."""
    stack = [(given, back, place)]
    while stack:
        one, other, at = stack.pop()
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from (f"{at}.{key}: missing" for key in one if key not in other)
            yield from (f"{at}.{key}: not there before" for key in other if key not in one)
            stack += reversed([(one[key], other[key], f"{at}.{key}") for key in one if key in other])
        elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            pairs = zip(one, other, strict=True)
            stack += reversed([(a, b, f"{at}[{index}]") for index, (a, b) in enumerate(pairs)])
        elif not _same(one, other):
            yield f"{at}: {shown(one)} became {shown(other)}"


def no_numbers(given: object, place: str = "$") -> Iterator[str]:
    """Where NaN or an infinity stands, which Python reads and JSON does not have: Label Studio refuses them."""
    stack = [(given, place)]
    while stack:
        value, at = stack.pop()
        if isinstance(value, Mapping):
            stack += reversed([(inner, f"{at}.{key}") for key, inner in value.items()])
        elif isinstance(value, list):
            stack += reversed([(inner, f"{at}[{index}]") for index, inner in enumerate(value)])
        elif isinstance(value, float) and not math.isfinite(value):
            yield f"{value} is no number of JSON, and Label Studio refuses it @ {at}"


def shown(value: object) -> str:
    """A value in a message: JSON in ASCII, cut where it is long."""
    # Python refuses to write a number of more than 4300 digits in decimal.
    large = isinstance(value, int) and abs(value) >= 10**_SHOWN
    text = f"a number of {value.bit_length()} bits" if large else json.dumps(value, default=repr)  # type: ignore[attr-defined]
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _same(one: object, other: object) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other or (one != one and other != other)  # NaN is no number, but the same one
    return type(one) is type(other) and one == other
