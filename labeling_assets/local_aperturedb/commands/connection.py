"""Connections: edges of the graph, between objects of any classes."""

from typing import Final

from labeling_assets.local_aperturedb import kinds, messages, schema
from labeling_assets.local_aperturedb.arguments import (
    Arguments,
    Parameters,
    Required,
    reference,
    unsupported,
    user_name,
)
from labeling_assets.local_aperturedb.commands import objects
from labeling_assets.local_aperturedb.commands.registry import Answer, Command
from labeling_assets.local_aperturedb.errors import EXISTS, OK
from labeling_assets.local_aperturedb.find import find
from labeling_assets.local_aperturedb.predicates import Sql, joined
from labeling_assets.local_aperturedb.results import FIND_PARAMETERS
from labeling_assets.local_aperturedb.run import Run
from labeling_assets.local_aperturedb.search import Search, search
from labeling_assets.local_aperturedb.store import Row
from labeling_assets.local_aperturedb.writes import insert_connection, referenced_entities


def _add(run: Run, given: Arguments) -> Answer:
    """References to several objects connect all pairs."""
    wanted: objects.Condition | None = given.get("if_not_found")
    sources, destinations = referenced_entities(run, given["src"]), referenced_entities(run, given["dst"])
    added, found = [], list(_found_by_reference(run, wanted))
    for source in sources if not found else ():
        for destination in destinations:
            there = _between(run, given["class"], wanted, (source, destination)) if wanted else ()
            found += there
            if not there:
                ends = (source, destination)
                added.append(insert_connection(run, given["class"], ends, given.get("properties", {})))
    run.define(given.get("_ref"), schema.CONNECTION, (*found, *added))
    return {"status": OK} if added else {"info": messages.OBJECT_EXISTS, "status": EXISTS}


def _found_by_reference(run: Run, wanted: objects.Condition | None) -> tuple[int, ...]:
    if wanted is None or wanted.ref is None:
        return ()
    return objects.found_already(run, kinds.CONNECTION, wanted, class_name="")


def _between(run: Run, class_name: str, wanted: objects.Condition, ends: tuple[Row, Row]) -> tuple[int, ...]:
    """The connections of a pair that fulfil the condition; an empty one is fulfilled by any of the class."""
    found = search(run, kinds.CONNECTION, {"class": class_name, "constraints": wanted.constraints})
    pair = Sql("(o.src = ? AND o.dst = ?)", (ends[0]["id"], ends[1]["id"]))
    return Search(found.kind, found.scope, joined("AND", [found.where, pair])).ids(run)


def _find(run: Run, given: Arguments) -> Answer:
    return find(run, kinds.CONNECTION, given)


def _update(run: Run, given: Arguments) -> Answer:
    return objects.update(run, kinds.CONNECTION, given)


def _delete(run: Run, given: Arguments) -> Answer:
    return objects.delete(run, kinds.CONNECTION, given)


_ADD: Final[Parameters] = {
    "_ref": reference,
    "class": Required(user_name),
    "src": Required(reference),
    "dst": Required(reference),
    "properties": objects.ADD_PARAMETERS["properties"],
    "if_not_found": objects.condition,
}
_FIND: Final[Parameters] = {
    **{name: check for name, check in FIND_PARAMETERS.items() if name != "batch"},
    **objects.WITH_CLASS,
    "src": reference,
    "dst": reference,
    "is_connected_to": unsupported,
    "group_by_source": unsupported,
}

COMMANDS: Final = (
    Command("AddConnection", _add, _ADD, writes=True),
    Command("FindConnection", _find, _FIND),
    Command("UpdateConnection", _update, {**objects.UPDATE_PARAMETERS, **objects.WITH_CLASS}, writes=True),
    Command("DeleteConnection", _delete, {**objects.DELETE_PARAMETERS, **objects.WITH_CLASS}, writes=True),
)
