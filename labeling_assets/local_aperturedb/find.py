"""The answer to a Find command: what is listed of the objects found, in which order, with which blobs."""

import json
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, Final

from labeling_assets.local_aperturedb import messages
from labeling_assets.local_aperturedb.arguments import Arguments
from labeling_assets.local_aperturedb.errors import NOT_UNIQUE, OK, QueryError
from labeling_assets.local_aperturedb.kinds import DISTANCE, ENTITY, OF_CLASS, Kind
from labeling_assets.local_aperturedb.links import Link, link_pairs
from labeling_assets.local_aperturedb.predicates import UNIQUE_ID
from labeling_assets.local_aperturedb.properties import compact
from labeling_assets.local_aperturedb.results import Wanted, wanted
from labeling_assets.local_aperturedb.run import Run
from labeling_assets.local_aperturedb.search import OWNERS, Search, search
from labeling_assets.local_aperturedb.store import Row
from labeling_assets.local_aperturedb.totals import totals

Answer = dict[str, Any]
BlobReader = Callable[[Row], bytes]
# How far each object is from what was asked for, the nearest first.
Distances = Mapping[int, float]
# Some keys of what is listed of an object, from its row and its properties.
Part = Callable[[Row, Answer], Answer]


_PROPERTIES: Final = itemgetter("props")
_MOST_PATHS: Final = 100  # SQLite functions take 127 arguments


def find(
    run: Run, kind: Kind, given: Arguments, *, blob: BlobReader | None = None, distances: Distances | None = None
) -> Answer:
    """The answer to a Find command; `blob` reads the bytes of an object when they were asked for.

    With `distances` only those objects are found, and the nearest come first.
    """
    found = search(run, kind, given)
    if distances is not None:
        found = found.among(distances)
    asked = wanted(given, flags=tuple(found.kind.outputs))
    _check_listed(asked, found, distances)
    if given.get("unique") and (matched := found.count(run)) != 1:
        raise QueryError(messages.NOT_UNIQUE.format(got=matched), NOT_UNIQUE)
    answer: Answer = {"returned": 0, "status": OK, **totals(run, found, asked)}
    if asked.batch is not None:
        asked, answer["batch"] = asked.one_batch(found.count(run))
    picked = _picked(found, asked)
    columns = _columns(found.kind, asked, pixels=blob is not None, referenced="_ref" in given)
    if picked:
        columns = columns.replace("o.props", _pick(picked))
    rows = _rows(run, found, asked, distances, columns) if columns else []
    if "_ref" in given:
        run.define(given["_ref"], found.kind.target, tuple(row["id"] for row in rows))
    if asked.lists_objects or blob is not None:
        answer["returned"] = len(rows)
    objects = _described(run, found.kind, rows, asked, distances, picked=picked) if asked.lists_objects else []
    if blob is not None and rows:
        answer["blobs_start"] = _send_blobs(run, rows, objects, blob)
    if objects:
        grouped = given.get("group_by_source") and _source(found.kind, given)
        answer[kind.listed] = _by_source(run, grouped, rows, objects) if grouped else objects
    return answer


def unique_id(row: Row) -> str:
    return f"{row['class']}.{row['id']}.{row['txn']}"


def _check_listed(asked: Wanted, found: Search, distances: Distances | None) -> None:
    """Refuse unknown system properties also when nothing is found."""
    if not asked.system:
        return
    known = {*found.kind.ids, *found.scope.system, *(output.key for output in found.kind.outputs.values())}
    if distances is not None:
        known.add(DISTANCE)
    for name in asked.system:
        if name not in known:
            raise QueryError(messages.UNKNOWN_SYSTEM_PROPERTY.format(name=name))


def _rows(run: Run, found: Search, asked: Wanted, distances: Distances | None, columns: str) -> list[Row]:
    if distances is not None and not asked.order:
        rank = {number: position for position, number in enumerate(distances)}
        rows = sorted(found.select(run, columns), key=lambda row: rank[row["id"]])
        return rows[asked.offset : None if asked.limit is None else asked.offset + asked.limit]
    if not asked.order and asked.limit is None and not asked.offset:
        return found.select(run, columns, "ORDER BY o.id")
    keys = [(_order_value(found, name), descending) for name, descending in asked.order]
    keys.append(("o.id", bool(keys and keys[-1][1])))
    order = ", ".join(f"{value} {'DESC' if descending else 'ASC'}" for value, descending in keys)
    limit = -1 if asked.limit is None else asked.limit
    return found.select(run, columns, f"ORDER BY {order} LIMIT ? OFFSET ?", (limit, asked.offset))


def _picked(found: Search, asked: Wanted) -> tuple[str, ...]:
    """The properties that SQLite is to pick out of the JSON: parsing all of it takes longest when many are found."""
    if found.by_key or asked.all_properties or not 0 < len(asked.own) <= _MOST_PATHS:
        return ()
    return tuple(asked.own)


def _pick(names: tuple[str, ...]) -> str:
    """A JSON array of the values as they stand in the JSON; of a single path SQLite would give a value of its own."""
    paths = [f"'$.\"{name}\"'" for name in (*names, names[-1])]
    return f"json_extract(o.props, {', '.join(paths)}) AS props"


def _columns(kind: Kind, asked: Wanted, *, pixels: bool, referenced: bool) -> str:
    """The columns that the answer needs; empty when it lists nothing. Most queries want only some properties."""
    if pixels or asked.system or not asked.only_listed:
        return kind.columns
    if asked.listed:
        return "o.id, o.props"
    return "o.id" if referenced else ""


def _order_value(found: Search, name: str) -> str:
    return "o.id" if name == UNIQUE_ID else found.scope.value_of(name)


def _described(
    run: Run, kind: Kind, rows: list[Row], asked: Wanted, distances: Distances | None, *, picked: tuple[str, ...]
) -> list[Answer]:
    """What is listed of each object."""
    if asked.only_listed and not asked.system:
        return _only_own(asked.own, _properties(rows, picked, needed=True))
    parts: list[Part] = []
    if asked.all_properties:
        parts.append(lambda row, properties: properties | _known(run, kind, row))
    if asked.unique_ids or asked.all_properties:
        parts.append(lambda row, _: {UNIQUE_ID: unique_id(row)})
    if asked.flags:
        outputs = [kind.outputs[flag] for flag in asked.flags]
        parts.append(lambda row, _: {output.key: output.value(row) for output in outputs})
    if distances is not None and (asked.distances or DISTANCE in asked.listed):
        parts.append(lambda row, _: {DISTANCE: distances[row["id"]]})
    if asked.own:
        parts.append(lambda _, properties: {name: properties.get(name) for name in asked.own})
    system = [name for name in asked.system if name != DISTANCE]
    if system:
        parts.append(lambda row, _: {name: _listed(kind, row, name) for name in system})
    needed = bool(asked.own) or asked.all_properties
    pairs = zip(rows, _properties(rows, picked, needed=needed), strict=True)
    if len(parts) == 1:
        return [parts[0](row, properties) for row, properties in pairs]
    return [_joined(parts, row, properties) for row, properties in pairs]


def _only_own(names: Mapping[str, None], parsed: list[Answer]) -> list[Answer]:
    """Null for the properties that an object lacks. Often those that are listed are all it has."""
    keys = names.keys()
    return [own if own.keys() == keys else {name: own.get(name) for name in names} for own in parsed]


def _joined(parts: list[Part], row: Row, properties: Answer) -> Answer:
    described = parts[0](row, properties)
    for part in parts[1:]:
        described |= part(row, properties)
    return described


def _properties(rows: list[Row], picked: tuple[str, ...], *, needed: bool) -> list[Answer]:
    """Parsed all at once, which is several times faster than one by one; `picked` names the values of an array."""
    if not needed:
        return [{}] * len(rows)
    parsed: list[Any] = json.loads(f"[{','.join(map(_PROPERTIES, rows))}]")
    return [dict(zip(picked, values, strict=False)) for values in parsed] if picked else parsed


def _known(run: Run, kind: Kind, row: Row) -> Answer:
    """A search without a class finds objects of all kinds."""
    if kind is ENTITY:
        kind = OF_CLASS.get(run.transaction.catalog.class_name(row["class"]), kind)
    return kind.known(row)


def _listed(kind: Kind, row: Row, name: str) -> Any:
    if name == UNIQUE_ID:
        return unique_id(row)
    if name in kind.ids:
        return row[name]
    if name in kind.system:
        kept = kind.system[name]
        return json.loads(row[kept.column] or "{}").get(kept.key) if kept.key else row[kept.column]
    return next(output.value(row) for output in kind.outputs.values() if output.key == name)


def _send_blobs(run: Run, rows: list[Row], objects: list[Answer], blob: BlobReader) -> int:
    """Where among the blobs of the answer these begin."""
    begin = len(run.blobs_out)
    for position, row in enumerate(rows):
        index = run.send(blob(row))
        if objects:
            objects[position]["_blob_index"] = index
    return begin


def _source(kind: Kind, given: Arguments) -> Link | None:
    """The one reference whose objects the answer is grouped by; without any, grouping is ignored (as documented)."""
    for owner in OWNERS:
        if owner in given:
            return Link(given[owner], kind.owner_class, "in")
    source = given.get("is_connected_to")
    if source is not None and not isinstance(source, Link):
        raise QueryError(messages.ONE_SOURCE)
    return source


def _by_source(run: Run, link: Link, rows: list[Row], objects: list[Answer]) -> dict[str, list[Answer]]:
    """In the order of the sources; within one, in the order of the answer."""
    position = {row["id"]: number for number, row in enumerate(rows)}
    grouped: dict[int, set[int]] = {}
    pairs = link_pairs(link, run)
    for origin, found in run.transaction.rows(pairs.text, pairs.values):
        if found in position:
            grouped.setdefault(origin, set()).add(position[found])
    sql = "SELECT id, class, txn FROM entity WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"
    sources = run.transaction.rows(sql, (compact(list(grouped)),))
    return {unique_id(source): [objects[number] for number in sorted(grouped[source["id"]])] for source in sources}
