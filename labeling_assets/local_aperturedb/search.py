"""How all commands that look for objects find them."""

# ruff: noqa: S608  # the text of the SQL holds only our words, checked names and numbers; values are bound

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from labeling_assets.local_aperturedb import messages, schema
from labeling_assets.local_aperturedb.arguments import Arguments
from labeling_assets.local_aperturedb.constraints import Comparison, Expression, Keys
from labeling_assets.local_aperturedb.errors import QueryError
from labeling_assets.local_aperturedb.kinds import OF_CLASS, Kind
from labeling_assets.local_aperturedb.links import Link, connected
from labeling_assets.local_aperturedb.predicates import Scope, Sql, joined, predicate, property_value
from labeling_assets.local_aperturedb.properties import STRING, compact
from labeling_assets.local_aperturedb.run import Run
from labeling_assets.local_aperturedb.store import Row

_EVERYTHING: Final = Sql("1")
_NOTHING: Final = Sql("0")
# Parameters that refer to what the objects searched for are parts of.
OWNERS: Final = ("image_ref", "video_ref")
_OF_SET: Final = f"""o.id IN (SELECT v.id FROM vector v JOIN entity s ON s.id = v.descriptor_set
    WHERE s.class = {schema.BUILT_IN_ENTITIES[schema.DESCRIPTOR_SET]} AND s.label = ?)"""
# Parameters that leave the search to its class and constraints.
_ONLY_CONSTRAINTS: Final = frozenset(("with_class", "constraints", "results", "uniqueids", "blobs", "_ref", "limit"))
_SPANS: Final = {
    "in_frame_number_range": "frame",
    "in_time_offset_range": "us",
    "in_time_fraction_range": "fraction",
}


@dataclass(slots=True)
class Search:
    """The objects of a kind that fulfil a condition on `o`; those with a key are few."""

    kind: Kind
    scope: Scope
    where: Sql
    by_key: bool = False

    def select(self, run: Run, what: str, tail: str = "", values: tuple[Any, ...] = ()) -> list[Row]:
        sql = f"SELECT {what} FROM {self.kind.target} o WHERE {self.where.text} {tail}"
        return run.transaction.rows(sql, (*self.where.values, *values))

    def count(self, run: Run) -> int:
        return int(self.select(run, "count(*) AS matched")[0]["matched"])

    def ids(self, run: Run) -> tuple[int, ...]:
        return tuple(row["id"] for row in self.select(run, "o.id", "ORDER BY o.id"))

    def among(self, numbers: Iterable[int]) -> "Search":
        """The same search, within the objects with these numbers."""
        only = Sql("o.id IN (SELECT value FROM json_each(?))", (compact(list(numbers)),))
        return Search(self.kind, self.scope, joined("AND", [only, self.where]))


def search(run: Run, kind: Kind, given: Arguments) -> Search:
    """The search that the arguments of a command describe."""
    name = kind.class_name or given.get("with_class") or given.get("class")
    if name and kind.target == schema.ENTITY:
        kind = OF_CLASS.get(name, kind)
    class_term, scope = _class_of(run, kind, name)
    if given.keys() <= _ONLY_CONSTRAINTS and (key := _key(given.get("constraints"), scope)) is not None:
        comparison, value = key
        return Search(kind, scope, Sql(_by_key(class_term.text, *comparison), (value,)), by_key=True)
    terms = [class_term]
    if given.get("constraints") is not None:
        terms.append(predicate(given["constraints"], scope))
    terms += _connection_terms(run, kind, given)
    terms += _region_terms(given)
    if not given.keys().isdisjoint(_SPANS):
        terms += _span_terms(given)
    if "set" in given:
        terms.append(Sql(_OF_SET, (given["set"],)))
    return Search(kind, scope, joined("AND", terms))


def _key(tree: Expression | None, scope: Scope) -> tuple[tuple[str, bool], str] | None:
    """The property and the bound value when all that is asked for is a text, or one of several, in a known property."""
    if not isinstance(tree, Comparison) or scope.types is None or scope.types.get(tree.property) != STRING:
        return None
    if tree.operator == "==" and isinstance(tree.value, str):
        return (tree.property, False), tree.value
    if tree.operator == "in" and isinstance(tree.value, Keys):
        return (tree.property, True), tree.value.array
    return None


@lru_cache(maxsize=1024)
def _by_key(class_term: str, name: str, several: bool) -> str:
    """What `predicate` makes of it; these are most searches, and they are repeated."""
    value = "IN (SELECT value FROM json_each(?))" if several else "= ?"
    return f"({class_term} AND {property_value(name, alias='o')} {value})"


def _class_of(run: Run, kind: Kind, name: str | None) -> tuple[Sql, Scope]:
    """The condition that an object is of a class, and what names mean in it."""
    if not name:
        return _EVERYTHING, Scope(None, kind.system, kind.ids)
    class_id = run.transaction.catalog.class_id(kind.target, name)
    if class_id is not None:
        types = run.transaction.catalog.types(class_id)
        return Sql(f"o.class = {class_id}"), Scope(types, kind.system, kind.ids, class_name=name)
    if name.startswith("_") and kind.target == schema.ENTITY:
        raise QueryError(messages.UNKNOWN_SYSTEM_CLASS.format(name=name))
    return _NOTHING, Scope({}, kind.system, kind.ids, class_name=name)


def _connection_terms(run: Run, kind: Kind, given: Arguments) -> list[Sql]:
    terms = []
    if "is_connected_to" in given:
        terms.append(connected(given["is_connected_to"], run))
    terms += [connected(Link(given[owner], kind.owner_class, "in"), run) for owner in OWNERS if owner in given]
    for end in ("src", "dst"):
        if end in given:
            objects = run.reference(given[end]).array
            terms.append(Sql(f"o.{end} IN (SELECT value FROM json_each(?))", (objects,)))
    return terms


def _region_terms(given: Arguments) -> list[Sql]:
    terms = [Sql("o.label = ?", (given[name],)) for name in ("with_label", "with_name") if name in given]
    if "in_rectangle" in given:
        # Fully inside, the edges included.
        area = given["in_rectangle"]
        right, bottom = area["x"] + area["width"], area["y"] + area["height"]
        inside = "(o.x >= ? AND o.y >= ? AND o.x + o.width <= ? AND o.y + o.height <= ?)"
        terms.append(Sql(inside, (area["x"], area["y"], right, bottom)))
    return terms


def _span_terms(given: Arguments) -> list[Sql]:
    """Clips and frames that lie fully inside, both ends included; either end may be open."""
    terms = []
    for name, unit in _SPANS.items():
        for end, (index, operator) in {"start": (0, ">="), "stop": (1, "<=")}.items():
            if end in given.get(name, {}):
                text = f"json_extract(o.system, '$.span.{unit}[{index}]') {operator} ?"
                terms.append(Sql(text, (given[name][end],)))
    return terms
