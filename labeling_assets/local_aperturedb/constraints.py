"""Constraints of both dialects, read into one tree.

Older clients send objects, `{"age": [">=", 20, "<=", 90], "any": {...}}`; clients since 0.5 send arrays,
`["all", ["$age", ">=", 20], ["any", ...]]`. `predicates.py` turns the tree into SQL.
"""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from labeling_assets.local_aperturedb import messages
from labeling_assets.local_aperturedb.arguments import any_name, shown, text
from labeling_assets.local_aperturedb.dates import Date, parse_date
from labeling_assets.local_aperturedb.errors import QueryError
from labeling_assets.local_aperturedb.properties import number

OPERATORS: Final = ("<", "<=", "==", "!=", ">", ">=", "in", "not in")
LIST_OPERATORS: Final = ("in", "not in")
_CONJUNCTIONS: Final = ("all", "any")
_DEPTH_LIMIT: Final = 64
_TERM_LIMIT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Property:
    """Another property of the same object, on the right side of a comparison."""

    name: str


@dataclass(frozen=True, slots=True)
class Keys:
    """A list of texts, as the JSON it came in."""

    array: str


Literal = bool | int | float | str | Date
Value = Literal | Property | Keys | tuple[Literal, ...] | None


class Comparison(NamedTuple):
    """`property operator value`; the value is a tuple or Keys for the list operators, None for null."""

    property: str
    operator: str
    value: Value


@dataclass(frozen=True, slots=True)
class Group:
    """All or any of at least one term."""

    conjunction: str
    terms: tuple["Expression", ...]


Expression = Comparison | Group


def constraints(value: Any) -> Expression | None:
    """Check for a parameter that holds constraints; None when there are none."""
    if value is None:
        return None
    if isinstance(value, dict):
        tree = _read_object(value, "all", depth=0)
    elif isinstance(value, list):
        tree = _read_array(value, depth=0)
    else:
        raise QueryError(messages.BAD_EXPRESSION.format(got=shown(value)))
    if tree is not None and _count_terms(tree) > _TERM_LIMIT:
        raise QueryError(messages.TOO_MANY_TERMS.format(limit=_TERM_LIMIT))
    return tree


def _read_object(value: dict[str, Any], conjunction: str, *, depth: int) -> Expression | None:
    """The older dialect. An empty object means no constraints."""
    _check_depth(depth)
    terms: list[Expression] = []
    for key, operations in value.items():
        if key in _CONJUNCTIONS and isinstance(operations, dict):
            group = _read_object(operations, key, depth=depth + 1)
            if group is not None:
                terms.append(group)
        else:
            terms.append(_read_operations(any_name(key), operations))
    return _group(conjunction, terms) if terms else None


def _read_operations(name: str, operations: Any) -> Expression:
    """`[operator, value, operator, value, ...]`: all of them hold, also inside "any"."""
    if not isinstance(operations, list) or not operations or len(operations) % 2:
        raise QueryError(messages.BAD_OPERATIONS.format(name=name, got=shown(operations)))
    pairs = zip(operations[::2], operations[1::2], strict=True)
    return _group("all", [_comparison(name, operator, _object_value(value)) for operator, value in pairs])


def _object_value(value: Any) -> Value:
    if isinstance(value, dict):
        if list(value) != ["_date"]:
            raise QueryError(messages.UNKNOWN_FUNCTION.format(name=next(iter(value), "")))
        return parse_date(value["_date"])
    if isinstance(value, list):
        return tuple(value) if _are_plain(value) else tuple(_literal(_object_value(item)) for item in value)
    return _scalar(value)


def _read_array(value: Any, *, depth: int) -> Expression:
    """The newer dialect: a group, or one comparison."""
    _check_depth(depth)
    if not isinstance(value, list) or not value or not isinstance(value[0], str):
        raise QueryError(messages.BAD_EXPRESSION.format(got=shown(value)))
    if value[0] in _CONJUNCTIONS and len(value) > 1:
        return _group(value[0], [_read_array(term, depth=depth + 1) for term in value[1:]])
    if len(value) != 3 or not _is_property(value[0]):
        raise QueryError(messages.BAD_EXPRESSION.format(got=f"an array that starts with {value[0]!r}"))
    return _comparison(any_name(value[0][1:]), value[1], _array_value(value[2]))


def _array_value(value: Any) -> Value:
    if isinstance(value, str) and value.startswith("$"):
        # A doubled $ is a text that starts with one.
        return text(value[1:]) if value.startswith("$$") else Property(any_name(value[1:]))
    if isinstance(value, list):
        return tuple(value) if _are_plain(value) else tuple(_literal(_array_value(item)) for item in value)
    if isinstance(value, dict):
        return _call(value)
    return _scalar(value)


def _are_plain(values: list[Any]) -> bool:
    """Whether all are texts in which there is nothing to check or to interpret, as in a list of keys."""
    return all(type(value) is str and value.isascii() and not value.startswith("$") for value in values)


def _call(value: dict[str, Any]) -> Value:
    name = next(iter(value), "")
    if len(value) == 1 and name == "to_date":
        return parse_date(value[name])
    if len(value) == 1 and name == "array" and isinstance(value[name], list):
        return _array_value(value[name])
    raise QueryError(messages.UNKNOWN_FUNCTION.format(name=name))


def _scalar(value: Any) -> Value:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text(value)
    if isinstance(value, int | float):
        return number(value)
    raise QueryError(messages.EXPECTED.format(wanted="a value", got=shown(value)))


def _literal(value: Value) -> Literal:
    if value is None or isinstance(value, tuple | Property | Keys):
        raise QueryError(messages.EXPECTED.format(wanted="a plain value in an array", got=shown(value)))
    return value


def _comparison(name: str, operator: Any, value: Value) -> Comparison:
    if operator not in OPERATORS:
        raise QueryError(messages.UNKNOWN_OPERATOR.format(operator=operator))
    if operator in LIST_OPERATORS and not isinstance(value, tuple):
        raise QueryError(messages.BAD_LIST.format(operator=operator, got=shown(value)))
    if operator not in LIST_OPERATORS and isinstance(value, tuple):
        raise QueryError(messages.LIST_OPERATOR.format(operator=operator))
    if value is None and operator not in ("==", "!="):
        raise QueryError(messages.NULL_OPERATOR.format(operator=operator))
    return Comparison(name, operator, value)


def _group(conjunction: str, terms: list[Expression]) -> Expression:
    """A group of one is that one, and a group of the same kind inside is dissolved."""
    flat: list[Expression] = []
    for term in terms:
        flat += term.terms if isinstance(term, Group) and term.conjunction == conjunction else (term,)
    return flat[0] if len(flat) == 1 else Group(conjunction, tuple(flat))


def _is_property(value: str) -> bool:
    return value.startswith("$") and not value.startswith("$$")


def _check_depth(depth: int) -> None:
    if depth > _DEPTH_LIMIT:
        raise QueryError(messages.NESTED_TOO_DEEP.format(limit=_DEPTH_LIMIT))


def _count_terms(tree: Expression) -> int:
    return 1 if isinstance(tree, Comparison) else sum(_count_terms(term) for term in tree.terms)
