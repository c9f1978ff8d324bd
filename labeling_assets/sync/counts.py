"""Counts by group: ApertureDB counts, so that nobody reads 100,000 tasks to learn the names of ten batches."""

from collections.abc import Sequence
from typing import Any

from labeling_assets.clients.aperturedb import ApertureDB, Reply
from labeling_assets.clients.constraints import Condition
from labeling_assets.clients.query import Query

Counts = dict[tuple[str, ...], int]  # values of the properties -> number of objects


def add_counts(query: Query, class_name: str, condition: Condition, *, by: Sequence[str]) -> int:
    """Append a search for entities that counts them by the values of some properties. Returns its place."""
    body: dict[str, Any] = {"with_class": class_name, "constraints": condition, "results": {"group": list(by)}}
    return query.add("FindEntity", body)


def counts(reply: Reply, place: int, *, by: Sequence[str]) -> Counts:
    """What the command at `place` counted; a property that an object does not have is an empty text."""
    groups = reply.answers[place].get("groups") or ()
    return {tuple(str(group.get(name) or "") for name in by): int(group["_group_count"]) for group in groups}


def count_by(db: ApertureDB, class_name: str, condition: Condition, *, by: Sequence[str]) -> Counts:
    """The entities of a class that match, counted by the values of some properties, in one query."""
    query = Query()
    place = add_counts(query, class_name, condition, by=by)
    return counts(db.run(query), place, by=by)
