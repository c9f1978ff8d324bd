"""`is_connected_to`: which objects are connected to those of a reference."""

# ruff: noqa: S608  # the text of the SQL holds only our words, checked names and numbers; values are bound

from dataclasses import dataclass
from typing import Any, Final

from labeling_assets.local_aperturedb import messages, schema
from labeling_assets.local_aperturedb.arguments import (
    Parameters,
    Required,
    any_name,
    check_arguments,
    expected,
    one_of,
    reference,
)
from labeling_assets.local_aperturedb.constraints import Expression, constraints
from labeling_assets.local_aperturedb.errors import QueryError
from labeling_assets.local_aperturedb.predicates import CONNECTION_IDS, Scope, Sql, joined, predicate
from labeling_assets.local_aperturedb.run import Run

_DEPTH_LIMIT: Final = 16


@dataclass(frozen=True, slots=True)
class Link:
    """Direction as seen from the referenced objects: out = they are the source; any = both ways."""

    ref: int
    connection_class: str | None = None
    direction: str = "any"
    constraints: Expression | None = None


@dataclass(frozen=True, slots=True)
class LinkGroup:
    conjunction: str
    terms: tuple["Links", ...]


Links = Link | LinkGroup

_PARAMETERS: Final[Parameters] = {
    "ref": Required(reference),
    "connection_class": any_name,
    "direction": one_of("in", "out", "any"),
    "constraints": constraints,
}


def links(value: Any, *, depth: int = 0) -> Links:
    """Check for the parameter `is_connected_to`."""
    if depth > _DEPTH_LIMIT:
        raise QueryError(messages.NESTED_TOO_DEEP.format(limit=_DEPTH_LIMIT))
    if not isinstance(value, dict):
        raise expected("an object", value)
    for conjunction in ("all", "any"):
        if conjunction in value:
            return _group(conjunction, value, depth=depth)
    given = check_arguments(value, _PARAMETERS)
    return Link(**given)


def _group(conjunction: str, value: dict[str, Any], *, depth: int) -> LinkGroup:
    terms = value[conjunction]
    others = [name for name in value if name != conjunction]
    if others:
        raise QueryError(messages.UNKNOWN_PARAMETER.format(name=others[0]))
    if not isinstance(terms, list) or not terms:
        raise expected("an array of connections", terms)
    return LinkGroup(conjunction, tuple(links(term, depth=depth + 1) for term in terms))


def connected(tree: Links, run: Run) -> Sql:
    """The SQL condition on an entity `o`."""
    if isinstance(tree, LinkGroup):
        conjunction = "AND" if tree.conjunction == "all" else "OR"
        return joined(conjunction, [connected(term, run) for term in tree.terms])
    pairs = link_pairs(tree, run)
    return Sql(f"o.id IN (SELECT found FROM ({pairs.text}))", pairs.values)


def link_pairs(link: Link, run: Run) -> Sql:
    """The SQL of the pairs (object of the reference, object connected to it), as columns `origin` and `found`."""
    objects = run.reference(link.ref).array
    condition = _condition(link, run)
    if condition is None:
        return Sql("SELECT NULL AS origin, NULL AS found WHERE 0")
    sides = {"out": [("src", "dst")], "in": [("dst", "src")]}.get(link.direction, [("src", "dst"), ("dst", "src")])
    selects = [
        f"SELECT c.{near} AS origin, c.{far} AS found FROM connection c"
        f" WHERE c.{near} IN (SELECT value FROM json_each(?)){condition.text}"
        for near, far in sides
    ]
    return Sql(" UNION ".join(selects), (objects, *condition.values) * len(sides))


def _condition(link: Link, run: Run) -> Sql | None:
    """What the connections must be, as further terms; None when the class has never been seen."""
    catalog = run.transaction.catalog
    if link.connection_class is None:
        class_term, types = "", None
    else:
        class_id = catalog.class_id(schema.CONNECTION, link.connection_class)
        if class_id is None:
            return None
        class_term, types = f" AND c.class = {class_id}", catalog.types(class_id)
    if link.constraints is None:
        return Sql(class_term)
    scope = Scope(types, ids=CONNECTION_IDS, alias="c", class_name=link.connection_class or "")
    condition = predicate(link.constraints, scope)
    return Sql(f"{class_term} AND {condition.text}", condition.values)
