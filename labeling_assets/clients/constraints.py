"""Conditions of a query, written once and rendered in either dialect of ApertureDB.

Servers up to 2026 take objects (`{"age": [">=", 20]}`), the client library since 0.5.0 sends array expressions
(`["$age", ">=", 20]`). Nothing else in this package writes a condition by hand.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

Value = str | int | float | bool | datetime | None
Operator = Literal["==", "!=", "<", "<=", ">", ">=", "in", "not in"]


class Dialect(StrEnum):
    """How conditions and index commands are spelled."""

    LEGACY = "legacy"
    EXPRESSION = "expression"


@dataclass(frozen=True, slots=True)
class Predicate:
    """One property compared with one value, or with several for `in` and `not in`."""

    key: str
    operator: Operator
    value: Value | tuple[Value, ...]

    def render(self, dialect: Dialect) -> object:
        """This predicate as JSON of the dialect."""
        if dialect is Dialect.LEGACY:
            return {self.key: [self.operator, _legacy(self.value)]}
        return [f"${self.key}", self.operator, _expression(self.value)]


@dataclass(frozen=True, slots=True)
class Group:
    """All or any of several conditions."""

    conjunction: Literal["all", "any"]
    parts: "tuple[Condition, ...]"

    def render(self, dialect: Dialect) -> object:
        """This group as JSON of the dialect; a group of one is its only part."""
        if len(self.parts) == 1:
            return self.parts[0].render(dialect)
        if dialect is Dialect.EXPRESSION:
            return [self.conjunction, *(part.render(dialect) for part in self.parts)]
        return _legacy_group(self)


Condition = Predicate | Group


def equal(key: str, value: Value) -> Predicate:
    """`key` is `value`."""
    return Predicate(key, "==", value)


def not_equal(key: str, value: Value) -> Predicate:
    """`key` is not `value`; objects without the property match too."""
    return Predicate(key, "!=", value)


def missing(key: str) -> Predicate:
    """The object has no property `key`."""
    return Predicate(key, "==", None)


def present(key: str) -> Predicate:
    """The object has a property `key`."""
    return Predicate(key, "!=", None)


def one_of(key: str, values: Iterable[Value]) -> Predicate:
    """`key` is one of `values`."""
    return Predicate(key, "in", tuple(values))


def compare(key: str, operator: Operator, value: Value) -> Predicate:
    """Any comparison, as a labeling project's `query` spells it."""
    return Predicate(key, operator, value)


def all_of(*parts: Condition) -> Group:
    """Every part holds."""
    return Group("all", parts)


def any_of(*parts: Condition) -> Group:
    """At least one part holds."""
    return Group("any", parts)


def _legacy(value: object) -> object:
    if isinstance(value, datetime):
        return {"_date": value.isoformat()}
    if isinstance(value, tuple):
        return [_legacy(item) for item in value]
    return value


def _expression(value: object) -> object:
    if isinstance(value, datetime):
        return {"to_date": value.isoformat()}
    if isinstance(value, tuple):
        # Strings inside {"array": ...} are data already; only a bare string could be read as a property.
        return {"array": [_legacy(item) if isinstance(item, datetime) else item for item in value]}
    if isinstance(value, str) and value.startswith("$"):
        return f"${value}"
    return value


def _legacy_group(group: Group) -> dict[str, object]:
    body = _legacy_body(group.conjunction, _flat(group))
    return body if group.conjunction == "all" else {"any": body}


def _legacy_body(conjunction: Literal["all", "any"], parts: "list[Condition]") -> dict[str, object]:
    """An object whose keys are the properties, "all" and "any"; a second condition on a key goes one group deeper.

    Two conditions on one property of an "all" share its list.
    """
    body: dict[str, object] = {}
    second: list[Condition] = []
    for part in parts:
        key: str
        value: object
        if isinstance(part, Predicate):
            key, value = part.key, [part.operator, _legacy(part.value)]
        else:
            key, value = part.conjunction, _legacy_body(part.conjunction, _flat(part))
        if key not in body:
            body[key] = value
        elif isinstance(part, Predicate) and conjunction == "all":
            body[key] = [*_list(body[key]), *_list(value)]
        else:
            second.append(part)
    if second:
        body[conjunction] = _legacy_body(conjunction, second)
    return body


def _flat(group: Group) -> "list[Condition]":
    """The parts of a group, and those of groups in it that say the same."""
    parts: list[Condition] = []
    for part in group.parts:
        if isinstance(part, Group) and part.conjunction == group.conjunction:
            parts += _flat(part)
        elif isinstance(part, Group) and len(part.parts) == 1:
            parts += _flat(Group(group.conjunction, part.parts))
        else:
            parts.append(part)
    return parts


def _list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value
