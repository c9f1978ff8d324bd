"""Add, update and delete, as far as they are the same for all kinds of objects."""

# ruff: noqa: S608  # the text of the SQL holds only our words, checked names and numbers; values are bound

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from labeling_assets.local_aperturedb import messages, schema
from labeling_assets.local_aperturedb.arguments import (
    Arguments,
    Parameters,
    Required,
    any_name,
    list_of,
    object_of,
    one_of,
    reference,
    user_name,
)
from labeling_assets.local_aperturedb.commands.registry import Answer
from labeling_assets.local_aperturedb.constraints import Expression, constraints
from labeling_assets.local_aperturedb.errors import EXISTS, OK, QueryError
from labeling_assets.local_aperturedb.kinds import Kind
from labeling_assets.local_aperturedb.properties import compact, properties
from labeling_assets.local_aperturedb.run import Run
from labeling_assets.local_aperturedb.search import search
from labeling_assets.local_aperturedb.store import Row
from labeling_assets.local_aperturedb.writes import (
    Columns,
    delete_connections,
    delete_entities,
    existing,
    insert_connection,
    insert_entity,
    referenced_entities,
    update_object,
)


@dataclass(frozen=True, slots=True)
class Condition:
    """`if_not_found`: constraints, of which none means any object, or a reference to what was found before."""

    constraints: Expression | None = None
    ref: int | None = None


def condition(value: Any) -> Condition | None:
    """Check for the parameter `if_not_found`; null is the same as leaving it out."""
    if value is None:
        return None
    if isinstance(value, int):
        return Condition(ref=reference(value))
    return Condition(constraints(value))


ADD_PARAMETERS: Final[Parameters] = {
    "_ref": reference,
    "properties": properties,
    "if_not_found": condition,
    "connect": object_of(
        {
            "ref": Required(reference),
            "class": user_name,
            "direction": one_of("out", "in"),
            "properties": properties,
        }
    ),
}

UPDATE_PARAMETERS: Final[Parameters] = {
    "ref": reference,
    "constraints": constraints,
    "properties": properties,
    "remove_props": list_of(user_name),
}

DELETE_PARAMETERS: Final[Parameters] = {"ref": reference, "constraints": constraints}
WITH_CLASS: Final[Parameters] = {"with_class": any_name}


def add(run: Run, kind: Kind, given: Arguments, *, columns: Callable[[], Columns] = dict) -> Answer:
    """Add one object unless its condition finds one; `columns` is only called when it is added."""
    return add_or_find(run, kind, given, columns=columns)[0]


def add_or_find(
    run: Run, kind: Kind, given: Arguments, *, columns: Callable[[], Columns] = dict
) -> tuple[Answer, int | None]:
    """The answer, and the number of the object if it was added."""
    class_name: str = kind.class_name or given["class"]
    found = found_already(run, kind, given.get("if_not_found"), class_name=class_name)
    if found:
        run.define(given.get("_ref"), schema.ENTITY, found)
        return {"info": kind.exists, "status": EXISTS}, None
    class_id = run.transaction.catalog.ensure_class(schema.ENTITY, class_name)
    number = insert_entity(run, class_id, given.get("properties", {}), columns())
    if "connect" in given:
        _connect(run, kind, number, given["connect"])
    run.define(given.get("_ref"), schema.ENTITY, (number,))
    return {"status": OK}, number


def found_already(run: Run, kind: Kind, wanted: Condition | None, *, class_name: str) -> tuple[int, ...]:
    """The objects that keep a conditional add from adding."""
    if wanted is None:
        return ()
    if wanted.ref is not None:
        return tuple(existing(run.reference(wanted.ref, target=kind.target), run.transaction))
    return search(run, kind, {"class": class_name, "constraints": wanted.constraints}).ids(run)


def update(run: Run, kind: Kind, given: Arguments) -> Answer:
    rows = chosen(run, kind, given)
    for row in rows:
        update_object(
            run,
            kind.target,
            row,
            set_=given.get("properties", {}),
            remove=given.get("remove_props", ()),
        )
    return {"count": len(rows), "status": OK}


def delete(run: Run, kind: Kind, given: Arguments) -> Answer:
    """A reference that was deleted by is not defined any more."""
    ids = [row["id"] for row in chosen(run, kind, given)]
    if kind.target == schema.CONNECTION:
        delete_connections(run, ids)
    else:
        delete_entities(run, ids)
    if "ref" in given:
        run.forget(given["ref"])
    return {"count": len(ids), "status": OK}


def chosen(run: Run, kind: Kind, given: Arguments) -> list[Row]:
    """The objects to update or delete. With a reference, class and constraints do not matter (as documented)."""
    if "ref" in given:
        return _referenced(run, kind, given["ref"])
    if given.get("constraints") is None and not given.keys() & {"with_class", "with_name"}:
        names = "ref, constraints" + ("" if kind.class_name else ", with_class")
        raise QueryError(messages.NEEDS_ONE_OF.format(names=names))
    return search(run, kind, given).select(run, kind.columns, "ORDER BY o.id")


def _referenced(run: Run, kind: Kind, number: int) -> list[Row]:
    objects = run.reference(number, target=kind.target).array
    sql = f"SELECT {kind.columns} FROM {kind.target} o WHERE o.id IN (SELECT value FROM json_each(?)) ORDER BY o.id"
    rows = run.transaction.rows(sql, (objects,))
    if kind.class_name is not None:
        class_id = run.transaction.catalog.class_id(kind.target, kind.class_name)
        if any(row["class"] != class_id for row in rows):
            raise QueryError(messages.REFERENCE_KIND.format(number=number, wanted=kind.class_name))
    return rows


def _connect(run: Run, kind: Kind, number: int, given: Arguments) -> None:
    """`out`, the default, makes the added object the source."""
    (added,) = run.transaction.rows(
        "SELECT id, class FROM entity WHERE id IN (SELECT value FROM json_each(?))", (compact([number]),)
    )
    class_name = given.get("class", f"_{kind.name}Connection")
    for other in referenced_entities(run, given["ref"]):
        ends = (other, added) if given.get("direction") == "in" else (added, other)
        insert_connection(run, class_name, ends, given.get("properties", {}))
