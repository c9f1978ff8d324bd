"""Adding, changing and deleting objects, with the counts and the cascades that belong to it."""

# ruff: noqa: S608  # the text of the SQL holds only our words, checked names and numbers; values are bound

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from labeling_assets.local_aperturedb import messages, schema
from labeling_assets.local_aperturedb.errors import QueryError
from labeling_assets.local_aperturedb.kinds import OWNED_BY_DESTINATION, OWNED_BY_SOURCE
from labeling_assets.local_aperturedb.properties import Properties, compact
from labeling_assets.local_aperturedb.run import Reference, Run
from labeling_assets.local_aperturedb.store import Row, Transaction

Columns = Mapping[str, Any]

_AMONG = "IN (SELECT value FROM json_each(?))"


def insert_entity(run: Run, class_id: int, properties: Properties, columns: Columns) -> int:
    """`columns` are those that the server fills itself, by the names of the entity table."""
    transaction = run.transaction
    transaction.catalog.check_types(class_id, properties)
    number = transaction.next_object()
    values = (number, class_id, transaction.number, compact(properties), *columns.values())
    transaction.execute(_insert(tuple(columns)), values)
    transaction.catalog.count_added(class_id, properties)
    return number


@lru_cache(maxsize=64)
def _insert(columns: tuple[str, ...]) -> str:
    names = ("id", "class", "txn", "props", *columns)
    return f"INSERT INTO entity ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


def insert_connection(run: Run, class_name: str, ends: tuple[Row, Row], properties: Properties) -> int:
    """`ends` are the rows of source and destination, with `id` and `class`."""
    transaction = run.transaction
    class_id = transaction.catalog.ensure_class(schema.CONNECTION, class_name)
    transaction.catalog.check_types(class_id, properties)
    number = transaction.next_object()
    source, destination = ends
    transaction.execute(
        "INSERT INTO connection (id, class, txn, props, src, dst) VALUES (?, ?, ?, ?, ?, ?)",
        (number, class_id, transaction.number, compact(properties), source["id"], destination["id"]),
    )
    transaction.catalog.count_added(class_id, properties, ends=(source["class"], destination["class"]))
    return number


def referenced_entities(run: Run, number: int) -> list[Row]:
    """The objects of a reference that must hold at least one, all still there."""
    ids = run.reference(number).ids
    if not ids:
        raise QueryError(messages.REFERENCE_EMPTY.format(number=number))
    found = run.transaction.rows(
        f"SELECT id, class, width, height, system FROM entity WHERE id {_AMONG} ORDER BY id",
        (compact(ids),),
    )
    if len(found) != len(set(ids)):
        raise QueryError(messages.REFERENCE_GONE.format(number=number))
    return found


def update_object(run: Run, target: str, row: Row, *, set_: Properties, remove: Sequence[str]) -> None:
    """Change the properties of one object; `row` has id, class and props, and src and dst of a connection."""
    catalog = run.transaction.catalog
    catalog.check_types(row["class"], set_)
    for name in set_.keys() & set(remove):
        raise QueryError(messages.SET_AND_REMOVED.format(name=name))
    before: Properties = json.loads(row["props"])
    after = {name: value for name, value in (before | set_).items() if name not in remove}
    run.transaction.execute(
        f"UPDATE {target} SET props = ? WHERE id = ?",
        (compact(after), row["id"]),
    )
    ends = _end_classes(run.transaction, row) if target == schema.CONNECTION else (0, 0)
    for name in after.keys() - before.keys():
        catalog.count(row["class"], name, 1, ends=ends)
    for name in before.keys() - after.keys():
        catalog.count(row["class"], name, -1, ends=ends)


def set_columns(run: Run, number: int, columns: Columns) -> None:
    if columns:
        changes = ", ".join(f"{name} = ?" for name in columns)
        run.transaction.execute(f"UPDATE entity SET {changes} WHERE id = ?", (*columns.values(), number))


def delete_entities(run: Run, ids: Sequence[int]) -> None:
    """With their connections, and with their parts (the regions of an image) and everything connected to those."""
    transaction = run.transaction
    everything = compact(sorted({*ids, *_owned(transaction, ids)}))
    attached = transaction.rows(
        f"SELECT id FROM connection WHERE src {_AMONG} UNION SELECT id FROM connection WHERE dst {_AMONG}",
        (everything, everything),
    )
    delete_connections(run, [row["id"] for row in attached])
    _count_down(
        transaction,
        f"""SELECT e.class, 0 AS src, 0 AS dst, '' AS name, count(*) AS matched FROM entity e
            WHERE e.id {_AMONG} GROUP BY e.class
            UNION ALL SELECT e.class, 0, 0, p.key, count(*) FROM entity e, json_each(e.props) p
            WHERE e.id {_AMONG} GROUP BY e.class, p.key""",
        everything,
    )
    blobs = transaction.rows(f"SELECT id FROM entity WHERE size IS NOT NULL AND id {_AMONG}", (everything,))
    transaction.delete_blobs([row["id"] for row in blobs])
    transaction.execute(f"DELETE FROM vector WHERE id {_AMONG}", (everything,))
    transaction.execute(f"DELETE FROM entity WHERE id {_AMONG}", (everything,))


def delete_connections(run: Run, ids: Sequence[int]) -> None:
    array = compact(list(ids))
    ends = "FROM connection c JOIN entity s ON s.id = c.src JOIN entity d ON d.id = c.dst"
    _count_down(
        run.transaction,
        f"""SELECT c.class, s.class AS src, d.class AS dst, '' AS name, count(*) AS matched {ends}
            WHERE c.id {_AMONG} GROUP BY c.class, s.class, d.class
            UNION ALL SELECT c.class, s.class, d.class, p.key, count(*) {ends}, json_each(c.props) p
            WHERE c.id {_AMONG} GROUP BY c.class, s.class, d.class, p.key""",
        array,
    )
    run.transaction.execute(f"DELETE FROM connection WHERE id {_AMONG}", (array,))


def existing(reference: Reference, transaction: Transaction) -> list[int]:
    """The objects of a reference that have not been deleted since."""
    rows = transaction.rows(f"SELECT id FROM {reference.target} WHERE id {_AMONG}", (reference.array,))
    return [row["id"] for row in rows]


def _owned(transaction: Transaction, ids: Sequence[int]) -> list[int]:
    """The parts of objects."""
    return [
        *_other_ends(transaction, ids, near="dst", far="src", classes=OWNED_BY_DESTINATION),
        *_other_ends(transaction, ids, near="src", far="dst", classes=OWNED_BY_SOURCE),
    ]


def _other_ends(
    transaction: Transaction, ids: Sequence[int], *, near: str, far: str, classes: Sequence[str]
) -> list[int]:
    numbers = [transaction.catalog.class_id(schema.CONNECTION, name) for name in classes]
    rows = transaction.rows(
        f"SELECT {far} AS part FROM connection WHERE {near} {_AMONG} AND class {_AMONG}",
        (compact(list(ids)), compact(numbers)),
    )
    return [row["part"] for row in rows]


def _count_down(transaction: Transaction, sql: str, array: str) -> None:
    for row in transaction.rows(sql, (array, array)):
        ends = (row["src"], row["dst"])
        transaction.catalog.count(row["class"], row["name"], -row["matched"], ends=ends)


def _end_classes(transaction: Transaction, row: Row) -> tuple[int, int]:
    (found,) = transaction.rows(
        "SELECT s.class AS src, d.class AS dst FROM entity s, entity d WHERE s.id = ? AND d.id = ?",
        (row["src"], row["dst"]),
    )
    return found["src"], found["dst"]
