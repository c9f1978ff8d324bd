"""Probes of what Find commands answer."""

from labeling_assets.clients.constraints import Predicate, equal, not_equal
from labeling_assets.probe.declare import Observed, Scratch, last, listed, outcome, probe


def _numbers(scratch: Scratch, *numbers: float) -> str:
    own = scratch.name("N")
    scratch.add(own, *({"n": number, "odd": number % 2 == 1} for number in numbers))
    return own


def _keys(answer: Observed, *keys: str) -> Observed:
    """Some keys of the last answer, or how the query was refused."""
    if not isinstance(answer, list):
        return outcome(answer)
    found = last(answer)
    return {key: found[key] for key in keys if key in found}


@probe("C", "a search for a class that was never seen is status 0, not 1", assumed={"count": 0, "status": 0})
def class_never_seen(scratch: Scratch) -> Observed:
    answer = scratch.ask({"FindEntity": {"with_class": scratch.name("Never"), "results": {"count": True}}})
    return _keys(answer, "count", "status")


@probe("C", "a search by a property that was never seen is status 0, not 1", assumed={"count": 0, "status": 0})
def property_never_seen(scratch: Scratch) -> Observed:
    where = scratch.where(equal("never", 1))
    body = {"with_class": _numbers(scratch, 1), "constraints": where, "results": {"count": True}}
    return _keys(scratch.ask({"FindEntity": body}), "count", "status")


@probe("C", "`list` gives null for a property that an object does not have", assumed=[{"n": 1, "never": None}])
def missing_property_in_list(scratch: Scratch) -> Observed:
    own = _numbers(scratch, 1, 2)
    scratch.add(own, {"never": True})
    body = {"with_class": own, "constraints": scratch.where(equal("n", 1)), "results": {"list": ["n", "never"]}}
    return _keys(scratch.ask({"FindEntity": body}), "entities").get("entities")


@probe("C", "`!=` also matches objects without the property", assumed=[2, None])
def unequal_and_missing(scratch: Scratch) -> Observed:
    own = _numbers(scratch, 1, 2)
    scratch.add(own, {"other": 1})
    body = {"with_class": own, "constraints": scratch.where(not_equal("n", 1)), "results": {"list": ["n"]}}
    return listed(scratch.ask({"FindEntity": body}), "n")


@probe("C", "`not in` also matches objects without the property", assumed=[2, None])
def not_in_and_missing(scratch: Scratch) -> Observed:
    own = _numbers(scratch, 1, 2)
    scratch.add(own, {"other": 1})
    where = scratch.where(Predicate("n", "not in", (1, 7)))
    return listed(
        scratch.ask({"FindEntity": {"with_class": own, "constraints": where, "results": {"list": ["n"]}}}), "n"
    )


@probe("C", "without `sort`, objects come in the order they were added", assumed=[3, 1, 2])
def order_without_sort(scratch: Scratch) -> Observed:
    own = _numbers(scratch, 3, 1, 2)
    return listed(scratch.ask({"FindEntity": {"with_class": own, "results": {"list": ["n"]}}}), "n")


@probe("D", "`limit` does not change `count`", assumed={"count": 3, "returned": 1})
def count_with_limit(scratch: Scratch) -> Observed:
    body = {"with_class": _numbers(scratch, 1, 2, 3), "limit": 1, "results": {"count": True, "list": ["n"]}}
    return _keys(scratch.ask({"FindEntity": body}), "count", "returned")


@probe("?", "`sum` answers under the key `_sum`", assumed={"_sum": {"n": 6}, "_avg": {"n": 2}})
def key_of_sum(scratch: Scratch) -> Observed:
    body = {"with_class": _numbers(scratch, 1, 2, 3), "results": {"sum": "n", "average": "n"}}
    return _keys(scratch.ask({"FindEntity": body}), "_sum", "_avg")


@probe(
    "?",
    "sums of a group answer under `_group_sum`",
    assumed=[
        {"_group_count": 1, "_group_sum": {"n": 2}, "odd": False},
        {"_group_count": 2, "_group_sum": {"n": 4}, "odd": True},
    ],
)
def key_of_sum_in_groups(scratch: Scratch) -> Observed:
    results = {"sum": "n", "count": True, "group": ["odd"]}
    answer = scratch.ask({"FindEntity": {"with_class": _numbers(scratch, 1, 2, 3), "results": results}})
    return _keys(answer, "groups").get("groups", outcome(answer))


@probe("C", "an empty `batch` asks only how many there are", assumed={"batch": {"total_elements": 3}})
def empty_batch(scratch: Scratch) -> Observed:
    body = {"with_class": _numbers(scratch, 1, 2, 3), "batch": {}, "results": {"list": ["n"]}}
    return _keys(scratch.ask({"FindEntity": body}), "batch")


@probe(
    "C",
    "`batch` numbers pages from 0; the last is shorter, and its end is the total",
    assumed={"batch": {"batch_id": 1, "end": 3, "start": 2, "total_elements": 3}, "returned": 1},
)
def last_batch(scratch: Scratch) -> Observed:
    batch = {"batch_size": 2, "batch_id": 1}
    body = {"with_class": _numbers(scratch, 1, 2, 3), "batch": batch, "results": {"list": ["n"]}}
    return _keys(scratch.ask({"FindEntity": body}), "batch", "returned")


@probe("C", "FindConnection takes no `batch`", assumed={"refused": -1})
def batch_of_connections(scratch: Scratch) -> Observed:
    return outcome(scratch.ask({"FindConnection": {"with_class": scratch.name("c"), "batch": {}}}))


@probe("C", "`group_by_source` without a source is ignored", assumed=[1, 2])
def group_by_source_without_one(scratch: Scratch) -> Observed:
    body = {"with_class": _numbers(scratch, 1, 2), "group_by_source": True, "results": {"list": ["n"]}}
    return listed(scratch.ask({"FindEntity": body}), "n")


PROBES = (
    class_never_seen,
    property_never_seen,
    missing_property_in_list,
    unequal_and_missing,
    not_in_and_missing,
    order_without_sort,
    count_with_limit,
    key_of_sum,
    key_of_sum_in_groups,
    empty_batch,
    last_batch,
    batch_of_connections,
    group_by_source_without_one,
)
