"""The parameters that say what a Find command lists, counts and in which order."""

import math
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

from labeling_assets.local_aperturedb import messages
from labeling_assets.local_aperturedb.arguments import (
    Arguments,
    Parameters,
    Required,
    any_name,
    boolean,
    check_arguments,
    count,
    integer,
    list_of,
    names,
    object_of,
    one_of,
    reference,
    unsupported,
)
from labeling_assets.local_aperturedb.constraints import constraints
from labeling_assets.local_aperturedb.errors import QueryError
from labeling_assets.local_aperturedb.links import links

AGGREGATES: Final = {"sum": "_sum", "average": "_avg", "min": "_min", "max": "_max"}

Order = tuple[tuple[str, bool], ...]  # property, whether descending


_SORT_KEY: Final[Parameters] = {"key": Required(any_name), "order": one_of("ascending", "descending")}


def sort(value: Any) -> Order:
    """`"key"`, `{"key": ..., "order": ...}`, or a list of them."""
    return tuple(_sort_key(item) for item in (value if isinstance(value, list) else [value]))


def _sort_key(value: Any) -> tuple[str, bool]:
    if isinstance(value, str):
        return any_name(value), False
    given = check_arguments(value, _SORT_KEY)
    return given["key"], given.get("order") == "descending"


@dataclass(frozen=True, slots=True)
class Batch:
    """One of several equal parts of a result, numbered from 0. Without a number only the total is asked for."""

    size: int | None = None
    batches: int | None = None
    number: int | None = None

    def bounds(self, total: int) -> tuple[int, int]:
        """First element, and the one after the last. Raises QueryError for a part that does not exist."""
        number = self.number or 0
        if self.size is not None:
            parts = max(1, math.ceil(total / self.size))
            start, stop = number * self.size, min(total, (number + 1) * self.size)
        else:
            parts = self.batches or 1
            size, larger = divmod(total, parts)
            # What is left over goes to the last parts, one element each.
            start = number * size + max(0, number - (parts - larger))
            stop = start + size + (number >= parts - larger)
        if number >= parts:
            raise QueryError(messages.NO_BATCH.format(number=number, parts=parts))
        return start, stop


_BATCH: Final[Parameters] = {
    "batch_size": integer(1),
    "batches": integer(1),
    "batch_id": count,
    "range": unsupported,
}


def batch(value: Any) -> Batch:
    """Check for the parameter `batch`."""
    given = check_arguments(value, _BATCH)
    if not given:
        return Batch()
    if ("batch_size" in given) == ("batches" in given):
        raise QueryError(messages.ONE_OF.format(names="batch_size, batches"))
    if "batch_id" not in given:
        raise QueryError(messages.MISSING_PARAMETER.format(name="batch_id"))
    return Batch(given.get("batch_size"), given.get("batches"), given["batch_id"])


_RESULTS: Final[Parameters] = {
    "list": list_of(any_name),
    "all_properties": boolean,
    "count": boolean,
    **dict.fromkeys(AGGREGATES, names),
    "group": names,
    "limit": count,
    "offset": count,
    "sort": sort,
}

FIND_PARAMETERS: Final[Parameters] = {
    "_ref": reference,
    "unique": boolean,
    "constraints": constraints,
    "is_connected_to": links,
    "group_by_source": boolean,
    "results": object_of(_RESULTS),
    "batch": batch,
    "uniqueids": boolean,
    "limit": count,
    "offset": count,
    "sort": sort,
}


@dataclass(slots=True)
class Wanted:
    """What one Find command wants to know. `aggregates` maps sum, average, min, max to their properties."""

    listed: tuple[str, ...]
    all_properties: bool
    unique_ids: bool
    flags: tuple[str, ...]
    count: bool
    aggregates: dict[str, tuple[str, ...]]
    group: tuple[str, ...]
    limit: int | None
    offset: int
    order: Order
    batch: Batch | None = None
    distances: bool = False
    own: dict[str, None] = field(init=False)  # of `listed`, what users named
    system: tuple[str, ...] = field(init=False)  # and the others

    def __post_init__(self) -> None:
        self.own = {name: None for name in self.listed if not name.startswith("_")}
        self.system = tuple(name for name in self.listed if name.startswith("_"))

    @property
    def lists_objects(self) -> bool:
        return bool(self.listed or self.all_properties or self.unique_ids or self.flags or self.distances)

    @property
    def only_listed(self) -> bool:
        """Whether nothing but some properties is listed."""
        return not (self.all_properties or self.unique_ids or self.flags or self.distances)

    @property
    def property_names(self) -> tuple[str, ...]:
        """Every property that is summed, averaged or grouped by."""
        return (*self.group, *(name for keys in self.aggregates.values() for name in keys))

    def one_batch(self, matched: int) -> tuple["Wanted", dict[str, int]]:
        """What to list of the batch, and what the answer says about it; `limit` and `offset` come before batches."""
        total = max(0, matched - self.offset)
        if self.limit is not None:
            total = min(total, self.limit)
        if self.batch is None or self.batch.number is None:
            return replace(self, limit=0), {"total_elements": total}
        start, stop = self.batch.bounds(total)
        described = {"batch_id": self.batch.number, "end": stop, "start": start, "total_elements": total}
        return replace(self, offset=self.offset + start, limit=stop - start), described


# Parameters that leave the answer to its results, and results that are only listed.
_ONLY_RESULTS: Final = frozenset(("with_class", "constraints", "results", "blobs", "_ref"))
_ONLY_LIST: Final = frozenset(("list",))


@lru_cache(maxsize=1024)
def _only_listed(listed: tuple[str, ...]) -> Wanted:
    return Wanted(
        listed,
        all_properties=False,
        unique_ids=False,
        flags=(),
        count=False,
        aggregates={},
        group=(),
        limit=None,
        offset=0,
        order=(),
    )


def wanted(given: Arguments, *, flags: tuple[str, ...]) -> Wanted:
    """`flags` are the outputs that this kind of object has. Raises QueryError."""
    results: Arguments = given.get("results", {})
    if given.keys() <= _ONLY_RESULTS and results.keys() <= _ONLY_LIST:
        return _only_listed(tuple(results.get("list", ())))
    if "batch" in given or "group_by_source" in given:
        _check_parts(given, results)
    return Wanted(
        listed=tuple(results.get("list", ())),
        all_properties=results.get("all_properties", False),
        unique_ids=given.get("uniqueids", False),
        flags=tuple(flag for flag in flags if given.get(flag)),
        count=results.get("count", False),
        aggregates={name: results[name] for name in AGGREGATES if name in results},
        group=results.get("group", ()),
        limit=_once("limit", given, results),
        offset=_once("offset", given, results) or 0,
        order=_once("sort", given, results) or (),
        batch=given.get("batch"),
        distances=given.get("distances", False),
    )


def _check_parts(given: Arguments, results: Arguments) -> None:
    """As documented: a part of a result has no totals, and objects by their source have none either."""
    parts = [name for name in ("batch", "group_by_source") if name in given and given[name] is not False]
    others = [*parts[1:], *(name for name in ("count", "group", *AGGREGATES) if results.get(name))]
    if parts and others:
        raise QueryError(messages.NOT_TOGETHER.format(names=f"{parts[0]} and {others[0]}"))


def _once(name: str, given: Arguments, results: Arguments) -> Any:
    """A parameter that newer clients give in the command and older ones in `results`."""
    if name in given and name in results:
        raise QueryError(messages.GIVEN_TWICE.format(name=name))
    return given.get(name, results.get(name))
