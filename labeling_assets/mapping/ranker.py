"""Items in the order an annotator gave them, in one list or in several buckets."""

import json
from collections.abc import Mapping

from labeling_assets.mapping.json_text import json_text
from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.region import Region
from labeling_assets.mapping.value import Value, finite_number, is_list


def _read(value: Value, context: Context) -> Part:
    """Ids of items, best first: a list, or bucket -> list."""
    given = value.fields.get("ranker")
    if isinstance(given, Mapping):
        for bucket, items in given.items():
            _check(value, items, f"ranker.{bucket}")
    else:
        _check(value, given, "ranker")
    ranking = "" if value.problems else json_text(given)
    return Part("ranker", attached=given, properties={"LS_ranking": ranking})


def _check(value: Value, items: object, name: str) -> None:
    if not is_list(items):
        value.expected("a list of items", name)
        return
    for index, item in enumerate(items):
        if not isinstance(item, str) and finite_number(item) is None:
            value.expected("the id of an item", f"{name}[{index}]")


def _write(region: Region) -> dict[str, object]:
    return {"ranker": json.loads(str(region.properties["LS_ranking"]))}


KIND = Kind(
    Role.ATTACHED,
    _read,
    write=_write,
    tags=("Ranker",),
    becomes="LS_region about the task",
    properties=("LS_ranking",),
)
