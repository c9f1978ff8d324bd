"""Constraints as SQL over the tables of `store.py`.

Only checked names and class numbers stand in the text of the SQL (an index is used only when its expression appears
literally); every value is bound.
"""

# ruff: noqa: S608  # the text of the SQL holds only our words, checked names and numbers; values are bound

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from labeling_assets.local_aperturedb import messages
from labeling_assets.local_aperturedb.constraints import Comparison, Expression, Keys, Literal, Property
from labeling_assets.local_aperturedb.dates import Date
from labeling_assets.local_aperturedb.errors import QueryError
from labeling_assets.local_aperturedb.properties import JSON_TYPES, STRING, compact, date_json, type_of

UNIQUE_ID: Final = "_uniqueid"
# Properties that are unique ids, and the columns with the object's number: of entities, and of connections.
ENTITY_IDS: Final = {UNIQUE_ID: "id"}
CONNECTION_IDS: Final = {UNIQUE_ID: "id", "_src": "src", "_dst": "dst"}
_SQL_OPERATORS: Final = {"<": "<", "<=": "<=", "==": "=", ">": ">", ">=": ">="}


class Sql(NamedTuple):
    """A piece of SQL and the values bound in it."""

    text: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class SystemProperty:
    """A property that the server keeps itself: a column of the entity table, or a key of the JSON in that column."""

    column: str
    type: str
    key: str = ""

    def sql(self, alias: str) -> str:
        column = f"{alias}.{self.column}"
        return f"json_extract({column}, '$.{self.key}')" if self.key else column


_NO_SYSTEM: Final[Mapping[str, SystemProperty]] = {}


class Scope(NamedTuple):
    """What the names in constraints mean: `types` of the class, or None when objects of any class are searched."""

    types: Mapping[str, str] | None
    system: Mapping[str, SystemProperty] = _NO_SYSTEM
    ids: Mapping[str, str] = ENTITY_IDS
    alias: str = "o"
    class_name: str = ""

    def value_of(self, name: str) -> str:
        """The SQL of a property's value."""
        if name.startswith("_"):
            return self._system(name).sql(self.alias)
        return property_value(name, alias=self.alias)

    def type_of(self, name: str) -> str | None:
        """The type of a property, None when it is not known."""
        if name.startswith("_"):
            return self._system(name).type
        return None if self.types is None else self.types.get(name)

    def _system(self, name: str) -> SystemProperty:
        if name not in self.system:
            raise QueryError(messages.UNKNOWN_SYSTEM_PROPERTY.format(name=name))
        return self.system[name]


def property_value(name: str, *, alias: str) -> str:
    return f"json_extract({alias}.props, '$.\"{name}\"')"


def joined(conjunction: str, terms: Iterable[Sql]) -> Sql:
    """Terms in balanced pairs, since SQLite limits the depth of an expression and not its width."""
    parts = list(terms)
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    left, right = joined(conjunction, parts[:half]), joined(conjunction, parts[half:])
    return Sql(f"({left.text} {conjunction} {right.text})", left.values + right.values)


def predicate(tree: Expression, scope: Scope) -> Sql:
    """Raises QueryError for unknown system properties and values of another type than the property."""
    if isinstance(tree, Comparison):
        return _comparison(tree, scope)
    conjunction = "AND" if tree.conjunction == "all" else "OR"
    return joined(conjunction, [predicate(term, scope) for term in tree.terms])


def _comparison(comparison: Comparison, scope: Scope) -> Sql:
    if comparison.property in scope.ids:
        return _unique_id(comparison, scope)
    column = scope.value_of(comparison.property)
    if comparison.value is None:
        return Sql(f"{column} IS {'' if comparison.operator == '==' else 'NOT '}NULL")
    if comparison.operator == "!=":
        return _unless(column, _holds(comparison, "==", scope))
    if comparison.operator == "not in":
        return _unless(column, _holds(comparison, "in", scope))
    return _holds(comparison, comparison.operator, scope)


def _unless(column: str, positive: Sql) -> Sql:
    """`!=` and `not in` also match objects that lack the property, as the real server does."""
    return Sql(f"({column} IS NULL OR NOT COALESCE({positive.text}, 0))", positive.values)


def _holds(comparison: Comparison, operator: str, scope: Scope) -> Sql:
    name, value = comparison.property, comparison.value
    column = scope.value_of(name)
    if isinstance(value, Property):
        return _same_object(name, operator, value, scope)
    literals = value if isinstance(value, tuple) else () if isinstance(value, Keys) else (value,)
    kinds = {STRING} if isinstance(value, Keys) else {type_of(literal) for literal in literals}
    _check_types(name, kinds, scope)
    if isinstance(value, Keys):
        found = Sql(f"{column} IN (SELECT value FROM json_each(?))", (value.array,))
    elif isinstance(value, tuple):
        array = compact(literals if kinds == {STRING} else [_bound(literal) for literal in literals])
        found = Sql(f"{column} IN (SELECT value FROM json_each(?))", (array,))
    else:
        found = Sql(_compared(column, operator), (_bound(literals[0]),))
    return found if scope.type_of(name) or not kinds else _guarded(name, kinds, found, scope)


def _compared(column: str, operator: str) -> str:
    text = f"{column} {_SQL_OPERATORS[operator]} ?"
    # SQLite takes a range for a quarter of the table and would rather read the whole class than sort that.
    return text if operator == "==" else f"likelihood({text}, 0.001)"


def _same_object(name: str, operator: str, other: Property, scope: Scope) -> Sql:
    left, right = scope.type_of(name), scope.type_of(other.name)
    if left and right and left != right:
        raise _mismatch(name, left, f"${other.name} of type {right}", scope)
    column, other_column = scope.value_of(name), scope.value_of(other.name)
    same_type = f"typeof({column}) = typeof({other_column})"
    return Sql(f"({same_type} AND {column} {_SQL_OPERATORS[operator]} {other_column})")


def _check_types(name: str, kinds: set[str], scope: Scope) -> None:
    known = scope.type_of(name)
    wrong = sorted(kinds - {known}) if known else []
    if known and wrong:
        raise _mismatch(name, known, f"a value of type {wrong[0]}", scope)


def _mismatch(name: str, known: str, got: str, scope: Scope) -> QueryError:
    text = messages.PROPERTY_TYPE.format(name=name, class_name=scope.class_name, known=known, got=got)
    return QueryError(text)


def _guarded(name: str, kinds: set[str], found: Sql, scope: Scope) -> Sql:
    """Without a class the type is not known, and SQLite would put every text above every number."""
    types = ", ".join(f"'{json_type}'" for kind in sorted(kinds) for json_type in JSON_TYPES[kind])
    path = f"json_type({scope.alias}.props, '$.\"{name}\"')"
    return Sql(f"({path} IN ({types}) AND {found.text})", found.values)


def _bound(literal: Literal | None) -> Any:
    return compact(date_json(literal)) if isinstance(literal, Date) else literal


def id_text(column: str, *, alias: str) -> str:
    """The SQL of the unique id of the object whose number is in a column."""
    if column == "id":
        return f"{alias}.class || '.' || {alias}.id || '.' || {alias}.txn"
    return f"(SELECT e.class || '.' || e.id || '.' || e.txn FROM entity e WHERE e.id = {alias}.{column})"


def _unique_id(comparison: Comparison, scope: Scope) -> Sql:
    name = comparison.property
    if comparison.operator not in ("==", "!=", "in", "not in") or comparison.value is None:
        raise QueryError(messages.UNORDERED.format(name=name, operator=comparison.operator))
    wanted = comparison.value if isinstance(comparison.value, tuple) else (comparison.value,)
    texts = [value for value in wanted if isinstance(value, str)]
    if len(texts) != len(wanted):
        raise QueryError(messages.EXPECTED.format(wanted="a unique id as text", got="something else"))
    # Object numbers find the rows quickly; the whole id decides.
    numbers = [int(parts[1]) for parts in (text.split(".") for text in texts) if _is_id(parts)]
    column = scope.ids[name]
    same = f"{scope.alias}.{column} IN (SELECT value FROM json_each(?))"
    whole = f"{id_text(column, alias=scope.alias)} IN (SELECT value FROM json_each(?))"
    found = Sql(f"({same} AND {whole})", (compact(numbers), compact(texts)))
    negative = comparison.operator in ("!=", "not in")
    return Sql(f"NOT {found.text}", found.values) if negative else found


def _is_id(parts: list[str]) -> bool:
    return len(parts) == 3 and all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts)
