"""`operations`: what is done to pictures when they are added or read. `images.py` carries them out."""

from dataclasses import dataclass
from typing import Any, Final

from labeling_assets.local_aperturedb import messages
from labeling_assets.local_aperturedb.arguments import (
    Arguments,
    Parameters,
    Required,
    boolean,
    check_arguments,
    expected,
    finite,
    integer,
)
from labeling_assets.local_aperturedb.errors import QueryError

_LARGEST_SIDE: Final = 2**16


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    parameters: Arguments


def _positive(value: Any) -> float:
    number = finite(value)
    if number <= 0:
        raise expected("a number above 0", value)
    return number


_SIDE: Final = integer(1, _LARGEST_SIDE)
_KNOWN: Final[dict[str, Parameters]] = {
    "resize": {"width": _SIDE, "height": _SIDE, "scale": _positive},
    "crop": {
        "x": Required(integer(0)),
        "y": Required(integer(0)),
        "width": Required(_SIDE),
        "height": Required(_SIDE),
    },
    "rotate": {"angle": Required(finite), "resize": boolean},
    "flip": {"code": Required(integer(-(2**31)))},
    "threshold": {"value": Required(integer(0, 255))},
}
_UNSUPPORTED: Final = ("interval", "preview")


def operations(value: Any) -> tuple[Operation, ...]:
    """Check for the parameter `operations`: at least one, carried out in their order."""
    if not isinstance(value, list) or not value:
        raise expected("an array of operations", value)
    return tuple(_operation(item) for item in value)


def _operation(value: Any) -> Operation:
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise expected('an operation with a "type"', value)
    name = value["type"]
    if name not in _KNOWN:
        text = messages.UNSUPPORTED_OPERATION if name in _UNSUPPORTED else messages.UNKNOWN_OPERATION
        raise QueryError(text.format(name=name))
    given = {key: item for key, item in value.items() if key != "type"}
    try:
        checked = check_arguments(given, _KNOWN[name])
    except QueryError as error:
        raise error.inside(name) from error
    if name == "resize" and ("scale" in checked) == bool(checked.keys() & {"width", "height"}):
        raise QueryError(messages.RESIZE_TO).inside(name)
    return Operation(name, checked)
