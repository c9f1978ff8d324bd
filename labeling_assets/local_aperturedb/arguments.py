"""Checking what a command was given, against what the command declares.

A check takes the value of one parameter and returns it, parsed where that is useful, or raises QueryError.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from labeling_assets.local_aperturedb import messages
from labeling_assets.local_aperturedb.errors import QueryError

Check = Callable[[Any], Any]
Arguments = dict[str, Any]

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_SYSTEM_NAME: Final = re.compile(r"_[A-Za-z][A-Za-z0-9_-]{0,63}")
_SHOWN_CHARACTERS: Final = 60
_LARGEST_INTEGER: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Required:
    """Marks a parameter that must be given."""

    check: Check


Parameters = Mapping[str, Check | Required]


def shown(value: object) -> str:
    """A value as it appears in an error: its JSON kind, and the value itself where that is short."""
    kinds = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    kind = kinds.get(type(value), "a number")
    text = f"{kind} {value!r}" if isinstance(value, str | int | float) else kind
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."


def expected(wanted: str, value: object) -> QueryError:
    return QueryError(messages.EXPECTED.format(wanted=wanted, got=shown(value)))


def check_arguments(given: object, parameters: Parameters) -> Arguments:
    """Every argument checked by its declaration; one that is not declared is refused by name."""
    if not isinstance(given, dict):
        raise expected("an object", given)
    checked: Arguments = {}
    for name, value in given.items():
        declared = parameters.get(name)
        if declared is None:
            raise QueryError(messages.UNKNOWN_PARAMETER.format(name=name))
        check = declared.check if isinstance(declared, Required) else declared
        try:
            checked[name] = check(value)
        except QueryError as error:
            raise error.inside(name) from error
    for name in _required(parameters):
        if name not in checked:
            raise QueryError(messages.MISSING_PARAMETER.format(name=name))
    return checked


# By the identity of declarations, which are made once and kept here, so that no other can have the same identity.
_REQUIRED: Final[dict[int, tuple[Parameters, tuple[str, ...]]]] = {}


def _required(parameters: Parameters) -> tuple[str, ...]:
    found = _REQUIRED.get(id(parameters))
    if found is None:
        required = (name for name, declared in parameters.items() if isinstance(declared, Required))
        found = _REQUIRED[id(parameters)] = (parameters, tuple(required))
    return found[1]


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise expected("a boolean", value)
    return value


def integer(minimum: int, maximum: int = _LARGEST_INTEGER) -> Check:
    """A whole number in the closed range."""

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            upper = "" if maximum == _LARGEST_INTEGER else f" to {maximum}"
            raise expected(f"an integer from {minimum}{upper}", value)
        return value

    return check


reference: Final = integer(1, 99_999)
count: Final = integer(0)


def finite(value: Any) -> float:
    """A number that fits into a float."""
    try:
        if not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value):
            return value
    except OverflowError:  # an integer of hundreds of digits
        pass
    raise expected("a finite number", value)


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise expected("a string", value)
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair, which JSON can spell
        raise QueryError(messages.NOT_UNICODE) from error
    return value


def one_of(*values: str) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in values:
            raise expected(" or ".join(f'"{known}"' for known in values), value)
        return value

    return check


def list_of(check_item: Check) -> Check:
    def check(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise expected("an array", value)
        return [check_item(item) for item in value]

    return check


@dataclass(frozen=True, slots=True)
class ObjectOf:
    """Check for an object with parameters of its own."""

    parameters: Parameters

    def __call__(self, value: Any) -> Arguments:
        return check_arguments(value, self.parameters)


object_of: Final = ObjectOf


def unsupported(value: Any) -> Any:
    """For a parameter of the real server that this one does not have. A flag that is false asks for nothing."""
    if value is False:
        return value
    raise QueryError(messages.UNSUPPORTED_PARAMETER)


def user_name(value: Any) -> str:
    """The name of a class or property that a user may create."""
    return _valid_name(text(value), system=False)


def any_name(value: Any) -> str:
    """The name of a user's or the system's class or property, in a search."""
    return _valid_name(text(value), system=True)


@lru_cache(maxsize=4096)
def _valid_name(name: str, *, system: bool) -> str:
    """The same names come with every query; only valid ones are remembered."""
    if not _NAME.fullmatch(name) and not (system and _SYSTEM_NAME.fullmatch(name)):
        raise QueryError(messages.NOT_A_NAME.format(name=name))
    return name


def names(value: Any) -> tuple[str, ...]:
    """One name or a list of names."""
    items = value if isinstance(value, list) else [value]
    return tuple(any_name(item) for item in items)
