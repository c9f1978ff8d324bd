"""Descriptors: vectors in a set, found by their properties or by their neighbourhood."""

from collections.abc import Iterator
from typing import Final

from labeling_assets.local_aperturedb import kinds, messages, schema, vectors
from labeling_assets.local_aperturedb.arguments import (
    Arguments,
    Parameters,
    Required,
    boolean,
    integer,
    one_of,
    text,
)
from labeling_assets.local_aperturedb.commands import objects
from labeling_assets.local_aperturedb.commands.descriptor_set import dimensions_of, metric_of, set_named
from labeling_assets.local_aperturedb.commands.registry import Answer, Command
from labeling_assets.local_aperturedb.errors import OK, QueryError
from labeling_assets.local_aperturedb.find import find
from labeling_assets.local_aperturedb.properties import compact
from labeling_assets.local_aperturedb.results import FIND_PARAMETERS
from labeling_assets.local_aperturedb.run import Run
from labeling_assets.local_aperturedb.search import search
from labeling_assets.local_aperturedb.store import Row
from labeling_assets.local_aperturedb.writes import insert_connection, set_columns, update_object

_CHUNK: Final = 4096


def _add(run: Run, given: Arguments) -> Answer:
    """The blob of the query is taken in any case."""
    content = next(run.blobs_in)
    its_set = set_named(run, given["set"])
    vectors.check_vector(content, dimensions_of(its_set))
    columns = {
        "label": given.get("label", kinds.NO_LABEL),
        "system": compact({"_set_name": given["set"]}),
    }
    answer, number = objects.add_or_find(run, kinds.DESCRIPTOR, given, columns=lambda: columns)
    if number is not None:
        run.transaction.execute("INSERT INTO vector VALUES (?, ?, ?)", (number, its_set["id"], content))
        (added,) = run.transaction.rows("SELECT id, class FROM entity WHERE id = ?", (number,))
        insert_connection(run, schema.SET_OF_DESCRIPTOR, (its_set, added), {})
    return answer


def _find(run: Run, given: Arguments) -> Answer:
    content = next(run.blobs_in) if "k_neighbors" in given else None
    its_set = set_named(run, given["set"]) if "set" in given else None
    distances = None
    if content is not None:
        if its_set is None:
            raise QueryError(messages.NEEDS_SET)
        distances = _neighbours(run, given, its_set, content)
    else:
        for name in ("distances", "metric", "engine", "knn_first"):
            if given.get(name):
                raise QueryError(messages.NEEDS_NEIGHBORS.format(name=name))

    def vector(row: Row) -> bytes:
        (found,) = run.transaction.rows("SELECT content FROM vector WHERE id = ?", (row["id"],))
        return bytes(found["content"])

    return find(run, kinds.DESCRIPTOR, given, blob=vector if given.get("blobs") else None, distances=distances)


def _neighbours(run: Run, given: Arguments, its_set: Row, content: bytes) -> dict[int, float]:
    """The neighbours are looked for first and the conditions come after, unless `knn_first` is false."""
    vectors.check_vector(content, dimensions_of(its_set))
    among = None if given.get("knn_first", True) else search(run, kinds.DESCRIPTOR, given).ids(run)
    return vectors.nearest(
        content,
        _vectors(run, its_set, among),
        metric=metric_of(its_set, given.get("metric")),
        count=given["k_neighbors"],
    )


def _vectors(run: Run, its_set: Row, among: tuple[int, ...] | None) -> Iterator[list[vectors.Numbered]]:
    """In chunks, so that a large set need not fit into memory."""
    only = "" if among is None else "AND id IN (SELECT value FROM json_each(?))"
    values = () if among is None else (compact(among),)
    last = 0
    while True:
        rows = run.transaction.rows(
            f"SELECT id, content FROM vector WHERE descriptor_set = ? AND id > ? {only} ORDER BY id LIMIT {_CHUNK}",  # noqa: S608  # our words
            (its_set["id"], last, *values),
        )
        if not rows:
            return
        last = rows[-1]["id"]
        yield [(row["id"], row["content"]) for row in rows]


def _update(run: Run, given: Arguments) -> Answer:
    rows = objects.chosen(run, kinds.DESCRIPTOR, given)
    for row in rows:
        properties, removed = given.get("properties", {}), given.get("remove_props", ())
        update_object(run, kinds.DESCRIPTOR.target, row, set_=properties, remove=removed)
        set_columns(run, row["id"], {"label": given["label"]} if "label" in given else {})
    return {"count": len(rows), "status": OK}


def _delete(run: Run, given: Arguments) -> Answer:
    return objects.delete(run, kinds.DESCRIPTOR, given)


_ADD: Final[Parameters] = {**objects.ADD_PARAMETERS, "set": Required(text), "label": text}
_FIND: Final[Parameters] = {
    **FIND_PARAMETERS,
    "set": text,
    "with_label": text,
    "k_neighbors": integer(1),
    "metric": one_of(*vectors.METRICS),
    "engine": text,
    **dict.fromkeys(("knn_first", "labels", "distances", "blobs", "indexed_results_only"), boolean),
}

COMMANDS: Final = (
    Command("AddDescriptor", _add, _ADD, writes=True, blobs=1),
    Command("FindDescriptor", _find, _FIND, blob_for="k_neighbors"),
    Command("UpdateDescriptor", _update, {**objects.UPDATE_PARAMETERS, "label": text}, writes=True),
    Command("DeleteDescriptor", _delete, objects.DELETE_PARAMETERS, writes=True),
)
