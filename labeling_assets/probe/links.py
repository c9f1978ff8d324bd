"""Probes of connections: directions, conditions, and what becomes of them."""

from typing import Any

from labeling_assets.clients.constraints import equal
from labeling_assets.probe.declare import Answer, Command, Observed, Scratch, last, listed, outcome, probe


def _add(scratch: Scratch, name: str, **more: object) -> Command:
    return {"AddEntity": {"class": scratch.name("P"), "properties": {"name": name}, **more}}


def _find(scratch: Scratch, name: str, ref: int) -> Command:
    body = {"_ref": ref, "with_class": scratch.name("P"), "constraints": scratch.where(equal("name", name))}
    return {"FindEntity": body}


def _joined(scratch: Scratch, **connect: object) -> Answer:
    """Ann, and Bob connected with her as he is added."""
    return scratch.ask(_add(scratch, "Ann", _ref=1), _add(scratch, "Bob", connect={"ref": 1, **connect}))


def _connections(scratch: Scratch, answer: Answer) -> Observed:
    """The class, source and destination of each connection class between this probe's entities, from the schema."""
    if not isinstance(answer, list):
        return outcome(answer)
    schema = last(scratch.ask({"GetSchema": {"type": "connections", "refresh": True}}))
    own = scratch.name("P")
    classes: dict[str, Any] = (schema.get("connections") or {}).get("classes", {})
    return sorted(
        name.replace(scratch.name("c"), "own class")
        for name, pairs in classes.items()
        if any(own in (pair["src"], pair["dst"]) for pair in (pairs if isinstance(pairs, list) else [pairs]))
    )


@probe("?", "`connect` without a class makes a connection of a system class", assumed=["_EntityConnection"])
def connect_without_class(scratch: Scratch) -> Observed:
    return _connections(scratch, _joined(scratch))


@probe("C", "GetSchema lists source and destination of connection classes", assumed=True)
def connection_classes_are_lists(scratch: Scratch) -> Observed:
    _joined(scratch, **{"class": scratch.name("c")})
    schema = last(scratch.ask({"GetSchema": {"type": "connections", "refresh": True}}))
    return isinstance(schema["connections"]["classes"].get(scratch.name("c")), list)


@probe("?", "`connect` takes properties of the connection", assumed=[7])
def connect_with_properties(scratch: Scratch) -> Observed:
    own = scratch.name("c")
    added = _joined(scratch, **{"class": own, "properties": {"n": 7}})
    if not isinstance(added, list):
        return outcome(added)
    return listed(scratch.ask({"FindConnection": {"with_class": own, "results": {"list": ["n"]}}}), "n")


def _seen(scratch: Scratch, looking: str, **connect: object) -> Observed:
    """Who is seen from Ann in a direction, when Bob was added with a connection to her."""
    added = _joined(scratch, **{"class": scratch.name("c"), **connect})
    if not isinstance(added, list):
        return outcome(added)
    step = {"ref": 1, "connection_class": scratch.name("c"), "direction": looking}
    body = {"with_class": scratch.name("P"), "is_connected_to": step, "results": {"list": ["name"]}}
    return listed(scratch.ask(_find(scratch, "Ann", 1), {"FindEntity": body}), "name")


@probe(
    "C", "`connect` makes the new object the source; `direction: in` looks at those that point here", assumed=["Bob"]
)
def connect_out(scratch: Scratch) -> Observed:
    return _seen(scratch, "in")


@probe("C", "`connect` with `direction: in` makes the new object the destination", assumed=["Bob"])
def connect_in(scratch: Scratch) -> Observed:
    return _seen(scratch, "out", direction="in")


@probe("C", "a direction is seen from the referenced object, so nobody is found the other way", assumed=[])
def other_direction(scratch: Scratch) -> Observed:
    return _seen(scratch, "out")


@probe("C", "`is_connected_to` takes `any` of several steps", assumed=["Bob"])
def any_of_several_steps(scratch: Scratch) -> Observed:
    _joined(scratch, **{"class": scratch.name("c")})
    steps = {
        "any": [{"ref": 1, "connection_class": scratch.name("c")}, {"ref": 1, "connection_class": scratch.name("d")}]
    }
    body = {"with_class": scratch.name("P"), "is_connected_to": steps, "results": {"list": ["name"]}}
    return listed(scratch.ask(_find(scratch, "Ann", 1), {"FindEntity": body}), "name")


def _since(scratch: Scratch, constraints: object) -> Observed:
    """Who is connected with Ann by a connection that fulfils constraints."""
    _joined(scratch, **{"class": scratch.name("c"), "properties": {"n": 7}})
    step = {"ref": 1, "connection_class": scratch.name("c"), "constraints": constraints}
    body = {"with_class": scratch.name("P"), "is_connected_to": step, "results": {"list": ["name"]}}
    return listed(scratch.ask(_find(scratch, "Ann", 1), {"FindEntity": body}), "name")


@probe("?", "constraints of `is_connected_to` may be objects", assumed=["Bob"])
def step_with_object_constraints(scratch: Scratch) -> Observed:
    return _since(scratch, {"n": [">", 5]})


@probe("?", "constraints of `is_connected_to` may be expressions", assumed=["Bob"])
def step_with_expression_constraints(scratch: Scratch) -> Observed:
    return _since(scratch, ["$n", ">", 5])


@probe("C", "`group_by_source` gives an object: unique id of the source, list of what is connected", assumed=[["Bob"]])
def group_by_source(scratch: Scratch) -> Observed:
    _joined(scratch, **{"class": scratch.name("c")})
    body = {
        "with_class": scratch.name("P"),
        "is_connected_to": {"ref": 1},
        "group_by_source": True,
        "results": {"list": ["name"]},
    }
    answer = scratch.ask(_find(scratch, "Ann", 1), {"FindEntity": body})
    found = last(answer).get("entities")
    if not isinstance(found, dict):
        return outcome(answer)
    return [[item["name"] for item in items] for items in found.values()]


@probe("C", "`group_by_source` is refused together with `count`", assumed={"refused": -1})
def group_by_source_and_count(scratch: Scratch) -> Observed:
    _joined(scratch, **{"class": scratch.name("c")})
    body = {"is_connected_to": {"ref": 1}, "group_by_source": True, "results": {"count": True}}
    return outcome(scratch.ask(_find(scratch, "Ann", 1), {"FindEntity": {"with_class": scratch.name("P"), **body}}))


def _count(scratch: Scratch, answer: Answer) -> Observed:
    if not isinstance(answer, list):
        return outcome(answer)
    found = scratch.ask({"FindConnection": {"with_class": scratch.name("c"), "results": {"count": True}}})
    return last(found).get("count", outcome(found))


@probe("C", "references to several objects connect every pair", assumed=4)
def every_pair(scratch: Scratch) -> Observed:
    scratch.ask(*(_add(scratch, name) for name in ("Ann", "Ann", "Bob", "Bob")))
    link = {"class": scratch.name("c"), "src": 1, "dst": 2}
    answer = scratch.ask(_find(scratch, "Ann", 1), _find(scratch, "Bob", 2), {"AddConnection": link})
    return _count(scratch, answer)


@probe("?", "an empty `if_not_found` means: unless they are connected by this class", assumed=[[0, 0, 0], [0, 0, 2], 1])
def connected_already(scratch: Scratch) -> Observed:
    scratch.ask(_add(scratch, "Ann"), _add(scratch, "Bob"))
    link = {"class": scratch.name("c"), "src": 1, "dst": 2, "if_not_found": {}}
    query = (_find(scratch, "Ann", 1), _find(scratch, "Bob", 2), {"AddConnection": link})
    answers = [scratch.ask(*query) for _ in range(2)]
    return [*(outcome(answer) for answer in answers), _count(scratch, answers[-1])]


@probe("D", "an object takes its connections with it", assumed=0)
def deleting_an_end(scratch: Scratch) -> Observed:
    _joined(scratch, **{"class": scratch.name("c")})
    where = scratch.where(equal("name", "Ann"))
    return _count(scratch, scratch.ask({"DeleteEntity": {"with_class": scratch.name("P"), "constraints": where}}))


@probe("D", "a delete by `ref` does not look at class and constraints", assumed=1)
def delete_by_reference(scratch: Scratch) -> Observed:
    scratch.ask(_add(scratch, "Ann"), _add(scratch, "Bob"))
    where = scratch.where(equal("name", "Bob"))
    delete = {"DeleteEntity": {"ref": 1, "with_class": scratch.name("Q"), "constraints": where}}
    answer = scratch.ask(_find(scratch, "Ann", 1), delete)
    return last(answer).get("count", outcome(answer))


PROBES = (
    connect_without_class,
    connection_classes_are_lists,
    connect_with_properties,
    connect_out,
    connect_in,
    other_direction,
    any_of_several_steps,
    step_with_object_constraints,
    step_with_expression_constraints,
    group_by_source,
    group_by_source_and_count,
    every_pair,
    connected_already,
    deleting_an_end,
    delete_by_reference,
)
