"""Descriptor sets: vectors of the same length that can be compared. Whatever the engine, the search here is exact."""

import json
from typing import Any, Final

from labeling_assets.local_aperturedb import kinds, messages, schema
from labeling_assets.local_aperturedb.arguments import (
    Arguments,
    Check,
    Parameters,
    Required,
    boolean,
    integer,
    list_of,
    one_of,
    text,
)
from labeling_assets.local_aperturedb.commands import objects
from labeling_assets.local_aperturedb.commands.registry import Answer, Command
from labeling_assets.local_aperturedb.errors import EXISTS, QueryError
from labeling_assets.local_aperturedb.find import find
from labeling_assets.local_aperturedb.properties import compact
from labeling_assets.local_aperturedb.results import FIND_PARAMETERS
from labeling_assets.local_aperturedb.run import Run
from labeling_assets.local_aperturedb.store import Row
from labeling_assets.local_aperturedb.vectors import METRICS

_LARGEST_DIMENSIONS: Final = 2**16
_ENGINES: Final = (
    "Flat",
    "IVF",
    "IVFFlat",
    "HNSW",
    "FaissFlat",
    "FaissIVFFlat",
    "FaissHNSWFlat",
    "TileDBDense",
    "TileDBSparse",
)


def set_named(run: Run, name: str) -> Row:
    """Id, class and description of a set that can be used. Raises QueryError."""
    found = _find_set(run, name)
    if found is None:
        raise QueryError(messages.NO_SET.format(name=name))
    if found["txn"] == run.transaction.number:
        raise QueryError(messages.SET_TOO_NEW.format(name=name))
    return found


def metric_of(descriptor_set: Row, wanted: str | None) -> str:
    """The metric asked for, or the first of the set. Raises QueryError."""
    metrics: list[str] = json.loads(descriptor_set["system"])["metrics"]
    if wanted is not None and wanted not in metrics:
        raise QueryError(messages.UNKNOWN_METRIC.format(name=descriptor_set["label"], metric=wanted))
    return wanted or metrics[0]


def dimensions_of(descriptor_set: Row) -> int:
    return int(json.loads(descriptor_set["system"])["dimensions"])


def one_or_more(*values: str) -> Check:
    """Check for one of the values, or a list of some."""
    check = one_of(*values)

    def checked(value: Any) -> list[str]:
        chosen: list[str] = list_of(check)(value) if isinstance(value, list) else [check(value)]
        if not chosen:
            raise QueryError(messages.EXPECTED.format(wanted="at least one", got="none"))
        return chosen

    return checked


def _add(run: Run, given: Arguments) -> Answer:
    """A name is used once; adding it again finds the set that has it (as documented)."""
    existing = _find_set(run, given["name"])
    if existing is not None:
        run.define(given.get("_ref"), schema.ENTITY, (existing["id"],))
        return {"info": messages.OBJECT_EXISTS, "status": EXISTS}
    described = {
        "_name": given["name"],
        "dimensions": given["dimensions"],
        "engines": given.get("engine", ["Flat"]),
        "metrics": given.get("metric", [METRICS[0]]),
    }
    columns = {"label": given["name"], "system": compact(described)}
    answer, _ = objects.add_or_find(run, kinds.DESCRIPTOR_SET, given, columns=lambda: columns)
    return answer


def _find(run: Run, given: Arguments) -> Answer:
    return find(run, kinds.DESCRIPTOR_SET, given)


def _update(run: Run, given: Arguments) -> Answer:
    return objects.update(run, kinds.DESCRIPTOR_SET, given)


def _delete(run: Run, given: Arguments) -> Answer:
    """Its descriptors go with it."""
    return objects.delete(run, kinds.DESCRIPTOR_SET, given)


def _find_set(run: Run, name: str) -> Row | None:
    class_id = run.transaction.catalog.class_id(schema.ENTITY, schema.DESCRIPTOR_SET)
    rows = run.transaction.rows(
        "SELECT id, class, txn, label, system FROM entity WHERE class = ? AND label = ?", (class_id, name)
    )
    return rows[0] if rows else None


_NAMED: Final[Parameters] = {"with_name": text}
_ADD: Final[Parameters] = {
    **objects.ADD_PARAMETERS,
    "name": Required(text),
    "dimensions": Required(integer(1, _LARGEST_DIMENSIONS)),
    "engine": one_or_more(*_ENGINES),
    "metric": one_or_more(*METRICS),
}
_FIND: Final[Parameters] = {
    **FIND_PARAMETERS,
    **_NAMED,
    **dict.fromkeys(("counts", "dimensions", "engines", "metrics"), boolean),
}

COMMANDS: Final = (
    Command("AddDescriptorSet", _add, _ADD, writes=True),
    Command("FindDescriptorSet", _find, _FIND),
    Command("UpdateDescriptorSet", _update, {**objects.UPDATE_PARAMETERS, **_NAMED}, writes=True),
    Command("DeleteDescriptorSet", _delete, {**objects.DELETE_PARAMETERS, **_NAMED}, writes=True),
)
