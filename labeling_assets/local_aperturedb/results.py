"""The parameters that say what a Find command lists, counts and in which order."""

from dataclasses import dataclass
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


def sort(value: Any) -> Order:
    """`"key"`, `{"key": ..., "order": ...}`, or a list of them."""
    return tuple(_sort_key(item) for item in (value if isinstance(value, list) else [value]))


def _sort_key(value: Any) -> tuple[str, bool]:
    if isinstance(value, str):
        return any_name(value), False
    given = check_arguments(value, {"key": Required(any_name), "order": one_of("ascending", "descending")})
    return given["key"], given.get("order") == "descending"


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
    "batch": unsupported,
    "uniqueids": boolean,
    "limit": count,
    "offset": count,
    "sort": sort,
}


@dataclass(frozen=True, slots=True)
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

    @property
    def lists_objects(self) -> bool:
        return bool(self.listed or self.all_properties or self.unique_ids or self.flags)

    @property
    def property_names(self) -> tuple[str, ...]:
        """Every property that is summed, averaged or grouped by."""
        return (*self.group, *(name for keys in self.aggregates.values() for name in keys))


def wanted(given: Arguments, *, flags: tuple[str, ...]) -> Wanted:
    """`flags` are the outputs that this kind of object has. Raises QueryError."""
    results: Arguments = given.get("results", {})
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
    )


def _once(name: str, given: Arguments, results: Arguments) -> Any:
    """A parameter that newer clients give in the command and older ones in `results`."""
    if name in given and name in results:
        raise QueryError(messages.GIVEN_TWICE.format(name=name))
    return given.get(name, results.get(name))
