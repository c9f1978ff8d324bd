"""Indexes on properties. Both spellings: `class, property, target, kind` and `class, property_key, index_type`."""

# the text of the SQL holds only our words, checked names and numbers; values are bound

from typing import Any, Final

from labeling_assets.local_aperturedb import messages, schema
from labeling_assets.local_aperturedb.arguments import (
    Arguments,
    Parameters,
    Required,
    any_name,
    one_of,
)
from labeling_assets.local_aperturedb.commands.registry import Answer, Command
from labeling_assets.local_aperturedb.errors import EXISTS, OK, QueryError
from labeling_assets.local_aperturedb.predicates import property_value
from labeling_assets.local_aperturedb.run import Run

_KINDS: Final = one_of("ordered")
_TARGETS: Final = one_of(schema.ENTITY, schema.CONNECTION)
_BUILT_IN: Final = (
    ("_DescriptorSet", "_name"),
    ("_Descriptor", "_set_name"),
    ("_Descriptor", "_create_txn"),
)


def _create(run: Run, given: Arguments) -> Answer:
    target, class_name, name = _index_of(given)
    if (class_name, name) in _BUILT_IN:
        return {"info": messages.INDEX_EXISTS, "status": EXISTS}
    if name.startswith("_"):
        raise QueryError(messages.UNKNOWN_SYSTEM_PROPERTY.format(name=name))
    if class_name.startswith("_") and run.transaction.catalog.class_id(target, class_name) is None:
        raise QueryError(messages.UNKNOWN_SYSTEM_CLASS.format(name=class_name))
    class_id = run.transaction.catalog.ensure_class(target, class_name)
    if _exists(run, class_id, name):
        return {"info": messages.INDEX_EXISTS, "status": EXISTS}
    run.transaction.execute("INSERT INTO property_index VALUES (?, ?, 'ordered')", (class_id, name))
    # A partial index on the expression that searches use, so it costs nothing in other classes.
    value = property_value(name, alias=target).replace(f"{target}.", "", 1)
    sql_name = _sql_name(class_id, name)
    run.transaction.execute(f'CREATE INDEX "{sql_name}" ON {target} ({value}) WHERE class = {class_id}')
    run.transaction.execute("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, '1000000 4')", (target, sql_name))
    run.transaction.execute("ANALYZE sqlite_schema")
    return {"status": OK}


def _remove(run: Run, given: Arguments) -> Answer:
    target, class_name, name = _index_of(given)
    if (class_name, name) in _BUILT_IN:
        raise QueryError(messages.INDEX_BUILT_IN)
    class_id = run.transaction.catalog.class_id(target, class_name)
    if class_id is None or not _exists(run, class_id, name):
        text = messages.INDEX_MISSING.format(kind="ordered", class_name=class_name, name=name)
        raise QueryError(text)
    run.transaction.execute("DELETE FROM property_index WHERE class = ? AND property = ?", (class_id, name))
    run.transaction.execute(f'DROP INDEX "{_sql_name(class_id, name)}"')
    return {"status": OK}


def _get(run: Run, given: Arguments) -> Answer:
    wanted = {key: given[key] for key in ("target", "class", "property", "kind") if key in given}
    rows = run.transaction.rows(
        """SELECT c.target, c.name AS class, i.property, i.kind FROM property_index i JOIN class c ON c.id = i.class
           ORDER BY c.target, c.name, i.property, i.kind"""
    )
    grouped: dict[str, dict[str, dict[str, list[Any]]]] = {}
    for row in rows:
        if all(row[key] == value for key, value in wanted.items()):
            classes = grouped.setdefault(row["target"], {})
            definitions = classes.setdefault(row["class"], {}).setdefault(row["property"], [])
            definitions.append({"kind": row["kind"], "params": {}})
    return {"indexes": grouped, "status": OK}


def _index_of(given: Arguments) -> tuple[str, str, str]:
    """Target, class and property."""
    target = _either(given, "target", "index_type")
    return target, given["class"], _either(given, "property", "property_key")


def _either(given: Arguments, new: str, old: str) -> str:
    if (new in given) == (old in given):
        raise QueryError(messages.ONE_OF.format(names=f"{new}, {old}"))
    name: str = given[new] if new in given else given[old]
    return name


def _exists(run: Run, class_id: int, name: str) -> bool:
    sql = "SELECT 1 FROM property_index WHERE class = ? AND property = ?"
    return bool(run.transaction.rows(sql, (class_id, name)))


def _sql_name(class_id: int, name: str) -> str:
    return f"property_{class_id}_{name}"


_PARAMETERS: Final[Parameters] = {
    "target": _TARGETS,
    "index_type": _TARGETS,
    "class": Required(any_name),
    "property": any_name,
    "property_key": any_name,
    "kind": _KINDS,
}

COMMANDS: Final = (
    Command("CreateIndex", _create, _PARAMETERS, writes=True),
    Command("RemoveIndex", _remove, _PARAMETERS, writes=True),
    Command("GetIndexes", _get, {"target": _TARGETS, "class": any_name, "property": any_name, "kind": _KINDS}),
)
