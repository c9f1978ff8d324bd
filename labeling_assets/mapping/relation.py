"""Arrows between the regions of an annotation."""

from collections.abc import Mapping
from typing import Final

from labeling_assets.mapping.region import Relation
from labeling_assets.mapping.value import Value

RELATION_TYPE: Final = "relation"


def is_relation(item: object) -> bool:
    return isinstance(item, Mapping) and item.get("type") == RELATION_TYPE


def read_relation(item: Mapping[str, object], path: str) -> tuple[Relation | None, list[str]]:
    """The relation, or None if it lacks an end; and what is wrong with it. The regions may not exist."""
    fields = Value(item, RELATION_TYPE, path)
    ends = fields.identifier("from_id"), fields.identifier("to_id")
    for name, end in zip(("from_id", "to_id"), ends, strict=True):
        if end is None and item.get(name) is None:
            fields.expected("the id of a region", name)
    direction = fields.optional_text("direction") or "right"
    labels = () if item.get("labels") is None else fields.texts("labels")
    if ends[0] is None or ends[1] is None:
        return None, fields.problems
    return Relation(ends[0], ends[1], direction, labels), fields.problems
