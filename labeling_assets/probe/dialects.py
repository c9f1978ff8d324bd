"""Probes of the two spellings of constraints, limits and indexes: nobody outside knows which server takes which."""

from labeling_assets.probe.declare import Observed, Scratch, last, listed, outcome, probe

_PEOPLE = ({"n": 1, "limit": 1, "name": "$Ann"}, {"n": 2, "limit": 9, "name": "Bob"})


def _find(scratch: Scratch, constraints: object) -> Observed:
    """The numbers of the people that match."""
    own = scratch.name("P")
    scratch.add(own, *_PEOPLE)
    body = {"with_class": own, "constraints": constraints, "results": {"list": ["n"]}}
    return listed(scratch.ask({"FindEntity": body}), "n")


@probe("?", "servers take constraints as objects (the older dialect)", assumed=[2])
def constraints_as_objects(scratch: Scratch) -> Observed:
    return _find(scratch, {"n": [">", 1]})


@probe("?", "servers take constraints as array expressions (the dialect of client 0.5)", assumed=[2])
def constraints_as_expressions(scratch: Scratch) -> Observed:
    return _find(scratch, ["all", ["$n", ">", 1], ["any", ["$n", "<", 9], ["$n", "==", 100]]])


@probe("C", "no constraints can be spelled null", assumed=[1, 2])
def constraints_null(scratch: Scratch) -> Observed:
    return _find(scratch, None)


@probe("C", "a property can be compared with a property", assumed=[2])
def property_against_property(scratch: Scratch) -> Observed:
    return _find(scratch, ["$n", "<", "$limit"])


@probe("C", "a string that begins with $ is written with $$", assumed=[1])
def dollar_is_doubled(scratch: Scratch) -> Observed:
    return _find(scratch, ["$name", "==", "$$Ann"])


@probe("C", 'the values of `in` are `{"array": [...]}`', assumed=[1])
def in_takes_an_array_object(scratch: Scratch) -> Observed:
    return _find(scratch, ["$n", "in", {"array": [1, 7]}])


@probe("?", "the values of `in` may be a plain array in an expression, too", assumed=[1])
def in_takes_a_plain_array(scratch: Scratch) -> Observed:
    return _find(scratch, ["$n", "in", [1, 7]])


@probe("?", "the function `lower` is not there", assumed={"refused": -1})
def function_lower(scratch: Scratch) -> Observed:
    return _find(scratch, ["$name", "==", {"lower": "BOB"}])


@probe("C", "an unknown function is refused", assumed={"refused": -1})
def unknown_function(scratch: Scratch) -> Observed:
    return _find(scratch, ["$name", "==", {"LSprobe_function": "BOB"}])


@probe("C", '`_uniqueid != "0.0.0"` matches everything, as object', assumed=[1, 2])
def every_id_as_object(scratch: Scratch) -> Observed:
    return _find(scratch, {"_uniqueid": ["!=", "0.0.0"]})


@probe("C", '`_uniqueid != "0.0.0"` matches everything, as expression', assumed=[1, 2])
def every_id_as_expression(scratch: Scratch) -> Observed:
    return _find(scratch, ["$_uniqueid", "!=", "0.0.0"])


def _find_date(scratch: Scratch, constraints: object) -> Observed:
    own = scratch.name("D")
    scratch.add(own, {"n": 1, "at": {"_date": "2024-05-01T00:00:00+00:00"}})
    return listed(
        scratch.ask({"FindEntity": {"with_class": own, "constraints": constraints, "results": {"list": ["n"]}}}), "n"
    )


@probe("?", "a date in an object constraint is `_date`", assumed=[1])
def date_as_object(scratch: Scratch) -> Observed:
    return _find_date(scratch, {"at": [">", {"_date": "2024-04-30T00:00:00+00:00"}]})


@probe("?", "a date in an expression is `to_date`", assumed=[1])
def date_as_expression(scratch: Scratch) -> Observed:
    return _find_date(scratch, ["$at", ">", {"to_date": "2024-04-30T00:00:00+00:00"}])


@probe("?", "`limit` and `sort` are taken inside `results`", assumed=[2])
def limit_inside_results(scratch: Scratch) -> Observed:
    own = scratch.name("P")
    scratch.add(own, *_PEOPLE)
    results = {"list": ["n"], "limit": 1, "sort": {"key": "n", "order": "descending"}}
    return listed(scratch.ask({"FindEntity": {"with_class": own, "results": results}}), "n")


@probe("?", "`limit` and `sort` are taken beside `results`", assumed=[2])
def limit_beside_results(scratch: Scratch) -> Observed:
    own = scratch.name("P")
    scratch.add(own, *_PEOPLE)
    order = {"limit": 1, "sort": {"key": "n", "order": "descending"}}
    return listed(scratch.ask({"FindEntity": {"with_class": own, "results": {"list": ["n"]}, **order}}), "n")


@probe("?", "CreateIndex takes `index_type` and `property_key`; an index that exists is status 2", assumed=[[0], [2]])
def index_in_old_spelling(scratch: Scratch) -> Observed:
    return _index_twice(scratch, {"index_type": "entity", "property_key": "n"})


@probe("?", "CreateIndex takes `target`, `property` and `kind`; an index that exists is status 2", assumed=[[0], [2]])
def index_in_new_spelling(scratch: Scratch) -> Observed:
    return _index_twice(scratch, {"target": "entity", "property": "n", "kind": "ordered"})


def _index_twice(scratch: Scratch, body: dict[str, object]) -> Observed:
    own = scratch.name("P")
    scratch.add(own, *_PEOPLE)
    scratch.note_index(own, "n")
    return [outcome(scratch.ask({"CreateIndex": {"class": own, **body}})) for _ in range(2)]


@probe("C", "GetIndexes lists target, class, property and kind", assumed={"n": [{"kind": "ordered", "params": {}}]})
def list_of_indexes(scratch: Scratch) -> Observed:
    own = scratch.name("P")
    scratch.add(own, *_PEOPLE)
    scratch.ask(scratch.index(own, "n"))
    answer = scratch.ask({"GetIndexes": {}})
    if not isinstance(answer, list):
        return outcome(answer)
    return last(answer)["indexes"].get("entity", {}).get(own)


PROBES = (
    constraints_as_objects,
    constraints_as_expressions,
    constraints_null,
    property_against_property,
    dollar_is_doubled,
    in_takes_an_array_object,
    in_takes_a_plain_array,
    function_lower,
    unknown_function,
    every_id_as_object,
    every_id_as_expression,
    date_as_object,
    date_as_expression,
    limit_inside_results,
    limit_beside_results,
    index_in_old_spelling,
    index_in_new_spelling,
    list_of_indexes,
)
