"""Probes of sessions and of queries as a whole."""

from labeling_assets.clients.constraints import equal
from labeling_assets.probe.declare import Observed, Scratch, last, outcome, probe


@probe(
    "C",
    "a query without a session is rejected by a bare object; `code` may stand in it",
    assumed={"info": "Not Authenticated!", "status": -1},
)
def rejected_session(scratch: Scratch) -> Observed:
    return scratch.db.ask([{"GetStatus": {}}], logged_in=False)


@probe("C", "an unknown command is refused by one object, status -1", assumed={"refused": -1})
def unknown_command(scratch: Scratch) -> Observed:
    return outcome(scratch.ask({"AddUnicorn": {}}))


@probe("C", "an unknown parameter is refused by one object, status -1", assumed={"refused": -1})
def unknown_parameter(scratch: Scratch) -> Observed:
    return outcome(scratch.ask({"FindEntity": {"with_class": scratch.name("P"), "colour": "red"}}))


@probe("C", "malformed JSON is refused by one object, status -1", assumed={"refused": -1})
def malformed_json(scratch: Scratch) -> Observed:
    return outcome(scratch.db.ask('[{"GetStatus": {}'))


@probe("C", "a blob too many is refused by one object, status -1", assumed={"refused": -1})
def wrong_number_of_blobs(scratch: Scratch) -> Observed:
    return outcome(scratch.ask({"GetStatus": {}}, blobs=[b"blob"]))


@probe("D", "an error undoes the whole query: the object added before it is not there", assumed=0)
def all_or_nothing(scratch: Scratch) -> Observed:
    own = scratch.name("P")
    scratch.add(own, {"n": 1})
    scratch.ask({"AddEntity": {"class": own}}, {"AddUnicorn": {}})
    scratch.ask({"AddEntity": {"class": own}}, {"AddEntity": {"class": own, "properties": {"n": "text"}}})
    found = last(scratch.ask({"FindEntity": {"with_class": own, "results": {"count": True}}}))
    return found.get("count", 0) - 1


@probe("C", "a conditional add finds what an earlier command of the same query added", assumed=[0, 2])
def earlier_commands_are_seen(scratch: Scratch) -> Observed:
    own = scratch.name("P")
    body = {"class": own, "properties": {"n": 1}, "if_not_found": scratch.where(equal("n", 1))}
    return outcome(scratch.ask({"AddEntity": body}, {"AddEntity": body}))


@probe("C", "updating nothing is status 0, count 0", assumed={"count": 0, "status": 0})
def update_of_nothing(scratch: Scratch) -> Observed:
    own = scratch.name("P")
    scratch.add(own, {"n": 1})
    body = {"with_class": own, "constraints": scratch.where(equal("n", 7)), "properties": {"n": 8}}
    return last(scratch.ask({"UpdateEntity": body}))


@probe("C", "deleting nothing is status 0, count 0", assumed={"count": 0, "status": 0})
def delete_of_nothing(scratch: Scratch) -> Observed:
    own = scratch.name("P")
    scratch.add(own, {"n": 1})
    return last(scratch.ask({"DeleteEntity": {"with_class": own, "constraints": scratch.where(equal("n", 7))}}))


@probe("?", "`unique` with no hit is an error for the whole query", assumed={"refused": 3})
def unique_with_no_hit(scratch: Scratch) -> Observed:
    own = scratch.name("P")
    scratch.add(own, {"n": 1})
    where = scratch.where(equal("n", 7))
    return outcome(scratch.ask({"FindEntity": {"with_class": own, "constraints": where, "unique": True}}))


@probe("D", "`unique` with two hits is status 3 for the whole query", assumed={"refused": 3})
def unique_with_two_hits(scratch: Scratch) -> Observed:
    own = scratch.name("P")
    scratch.add(own, {"n": 1}, {"n": 2})
    return outcome(scratch.ask({"FindEntity": {"with_class": own, "unique": True}}))


@probe("D", "a reference that is not defined is refused", assumed={"refused": -1})
def undefined_reference(scratch: Scratch) -> Observed:
    return outcome(scratch.ask({"FindEntity": {"with_class": scratch.name("P"), "is_connected_to": {"ref": 7}}}))


PROBES = (
    rejected_session,
    unknown_command,
    unknown_parameter,
    malformed_json,
    wrong_number_of_blobs,
    all_or_nothing,
    earlier_commands_are_seen,
    update_of_nothing,
    delete_of_nothing,
    unique_with_no_hit,
    unique_with_two_hits,
    undefined_reference,
)
