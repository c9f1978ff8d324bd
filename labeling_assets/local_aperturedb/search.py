"""What all Find commands share, and how updates and deletes choose their objects."""

# ruff: noqa: S608  # the text of the SQL holds only our words, checked names and numbers; values are bound

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from labeling_assets.local_aperturedb import messages, schema
from labeling_assets.local_aperturedb.arguments import Arguments
from labeling_assets.local_aperturedb.errors import NOT_UNIQUE, OK, QueryError
from labeling_assets.local_aperturedb.kinds import REGION_CLASSES, Kind
from labeling_assets.local_aperturedb.links import Link, connected, link_pairs
from labeling_assets.local_aperturedb.predicates import UNIQUE_ID, Scope, Sql, joined, predicate
from labeling_assets.local_aperturedb.results import Wanted, wanted
from labeling_assets.local_aperturedb.run import Run
from labeling_assets.local_aperturedb.store import Row
from labeling_assets.local_aperturedb.totals import totals

Answer = dict[str, Any]
BlobReader = Callable[[Row], bytes]

_EVERYTHING: Final = Sql("1")
_NOTHING: Final = Sql("0")


@dataclass(frozen=True, slots=True)
class Search:
    """The objects of a kind that fulfil a condition on `o`."""

    kind: Kind
    scope: Scope
    where: Sql

    def select(self, run: Run, what: str, tail: str = "", values: tuple[Any, ...] = ()) -> list[Row]:
        sql = f"SELECT {what} FROM {self.kind.target} o WHERE {self.where.text} {tail}"
        return run.transaction.rows(sql, (*self.where.values, *values))

    def count(self, run: Run) -> int:
        return int(self.select(run, "count(*) AS matched")[0]["matched"])

    def ids(self, run: Run) -> tuple[int, ...]:
        return tuple(row["id"] for row in self.select(run, "o.id", "ORDER BY o.id"))


def search(run: Run, kind: Kind, given: Arguments) -> Search:
    """The search that the arguments of a command describe."""
    class_term, scope = _class_of(run, kind, kind.class_name or given.get("with_class") or given.get("class"))
    terms = [class_term]
    if given.get("constraints") is not None:
        terms.append(predicate(given["constraints"], scope))
    terms += _connection_terms(run, kind, given)
    terms += _region_terms(given)
    return Search(kind, scope, joined("AND", terms))


def find(run: Run, kind: Kind, given: Arguments, *, blob: BlobReader | None = None) -> Answer:
    """The answer to a Find command; `blob` reads the bytes of an object when they were asked for."""
    asked = wanted(given, flags=tuple(kind.outputs))
    found = search(run, kind, given)
    _check_listed(asked, found)
    answer: Answer = {"returned": 0, "status": OK}
    if given.get("unique") and (matched := found.count(run)) != 1:
        raise QueryError(messages.NOT_UNIQUE.format(got=matched), NOT_UNIQUE)
    answer |= totals(run, found, asked)
    rows = _rows(run, found, asked, full=asked.lists_objects or blob is not None, needed="_ref" in given)
    run.define(given.get("_ref"), kind.target, tuple(row["id"] for row in rows))
    objects = [_describe(run, kind, row, asked) for row in rows] if asked.lists_objects else []
    if blob is not None and rows:
        answer["blobs_start"] = len(run.blobs_out)
        _send_blobs(run, rows, objects, blob)
    if asked.lists_objects or blob is not None:
        answer["returned"] = len(rows)
    if objects:
        grouped = given.get("group_by_source") and _source(kind, given)
        answer[kind.listed] = _by_source(run, grouped, rows, objects) if grouped else objects
    return answer


def unique_id(row: Row) -> str:
    return f"{row['class']}.{row['id']}.{row['txn']}"


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
    if "image_ref" in given:
        terms.append(connected(Link(given["image_ref"], kind.owner_class, "in"), run))
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


def _check_listed(asked: Wanted, found: Search) -> None:
    """Refuse unknown system properties also when nothing is found."""
    known = {*found.kind.ids, *found.scope.system, *(output.key for output in found.kind.outputs.values())}
    for name in asked.listed:
        if name.startswith("_") and name not in known:
            raise QueryError(messages.UNKNOWN_SYSTEM_PROPERTY.format(name=name))


def _rows(run: Run, found: Search, asked: Wanted, *, full: bool, needed: bool) -> list[Row]:
    if not full and not needed:
        return []
    keys = [(_order_value(found, name), descending) for name, descending in asked.order]
    keys.append(("o.id", bool(keys and keys[-1][1])))
    order = ", ".join(f"{value} {'DESC' if descending else 'ASC'}" for value, descending in keys)
    limit = -1 if asked.limit is None else asked.limit
    columns = found.kind.columns if full else "o.id"
    return found.select(run, columns, f"ORDER BY {order} LIMIT ? OFFSET ?", (limit, asked.offset))


def _order_value(found: Search, name: str) -> str:
    return "o.id" if name == UNIQUE_ID else found.scope.value_of(name)


def _describe(run: Run, kind: Kind, row: Row, asked: Wanted) -> Answer:
    described: Answer = {}
    properties: Answer = {}
    if asked.listed or asked.all_properties:
        properties = json.loads(row["props"])
    if asked.all_properties:
        described |= properties
        if kind.system and run.transaction.catalog.class_name(row["class"]) in REGION_CLASSES:
            described |= {name: row[system.column] for name, system in kind.system.items()}
    if asked.unique_ids or asked.all_properties:
        described[UNIQUE_ID] = unique_id(row)
    for flag in asked.flags:
        output = kind.outputs[flag]
        described[output.key] = output.value(row)
    for name in asked.listed:
        described[name] = _listed(kind, row, properties, name)
    return described


def _listed(kind: Kind, row: Row, properties: Answer, name: str) -> Any:
    if name == UNIQUE_ID:
        return unique_id(row)
    if name in kind.ids:
        return row[name]
    if name in kind.system:
        return row[kind.system[name].column]
    if name.startswith("_"):
        return next(output.value(row) for output in kind.outputs.values() if output.key == name)
    return properties.get(name)


def _send_blobs(run: Run, rows: list[Row], objects: list[Answer], blob: BlobReader) -> None:
    for position, row in enumerate(rows):
        index = run.send(blob(row))
        if objects:
            objects[position]["_blob_index"] = index


def _source(kind: Kind, given: Arguments) -> Link | None:
    """The one reference whose objects the answer is grouped by; without any, grouping is ignored (as documented)."""
    if "image_ref" in given:
        return Link(given["image_ref"], kind.owner_class, "in")
    source = given.get("is_connected_to")
    if source is not None and not isinstance(source, Link):
        raise QueryError(messages.ONE_SOURCE)
    return source


def _by_source(run: Run, link: Link, rows: list[Row], objects: list[Answer]) -> dict[str, list[Answer]]:
    described = {row["id"]: item for row, item in zip(rows, objects, strict=True)}
    position = {row["id"]: number for number, row in enumerate(rows)}
    pairs = link_pairs(link, run)
    sql = (
        f"SELECT DISTINCT o.id, o.class, o.txn, found FROM ({pairs.text}) JOIN entity o ON o.id = origin ORDER BY o.id"
    )
    grouped: dict[str, list[tuple[int, Answer]]] = {}
    for row in run.transaction.rows(sql, pairs.values):
        if row["found"] in described:
            entry = (position[row["found"]], described[row["found"]])
            grouped.setdefault(unique_id(row), []).append(entry)
    return {
        source: [item for _, item in sorted(items, key=lambda entry: entry[0])] for source, items in grouped.items()
    }
