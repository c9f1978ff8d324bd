"""Probes of properties: types, names, and what comes back."""

from labeling_assets.probe.declare import Observed, Scratch, last, listed, outcome, probe


def _back(scratch: Scratch, value: object) -> Observed:
    """A property as it comes back, or how it was refused."""
    own = scratch.name("V")
    added = scratch.ask({"AddEntity": {"class": own, "properties": {"v": value}}})
    if not isinstance(added, list):
        return outcome(added)
    found = listed(scratch.ask({"FindEntity": {"with_class": own, "results": {"list": ["v"]}}}), "v")
    return found[0] if isinstance(found, list) and found else found


@probe("?", "numbers are kept as 64-bit floats or better", assumed=[0.1, 1e300, -1.5])
def fractions(scratch: Scratch) -> Observed:
    own = scratch.name("V")
    scratch.add(own, {"v": 0.1}, {"v": 1e300}, {"v": -1.5})
    return listed(scratch.ask({"FindEntity": {"with_class": own, "results": {"list": ["v"]}}}), "v")


@probe("?", "integers up to 2^53 come back as integers", assumed=9007199254740992)
def large_integer(scratch: Scratch) -> Observed:
    return _back(scratch, 2**53)


@probe("?", "integers above 2^53 come back exactly, too", assumed=9007199254740993)
def larger_integer(scratch: Scratch) -> Observed:
    return _back(scratch, 2**53 + 1)


@probe("C", "a date comes back as `_date`", assumed=["_date"])
def date_form(scratch: Scratch) -> Observed:
    found = _back(scratch, {"_date": "2024-05-01T10:00:00+02:00"})
    return sorted(found) if isinstance(found, dict) and "refused" not in found else found


@probe("?", "a date comes back in UTC, with microseconds", assumed={"_date": "2024-05-01T08:00:00.000000+00:00"})
def date_text(scratch: Scratch) -> Observed:
    return _back(scratch, {"_date": "2024-05-01T10:00:00+02:00"})


@probe("C", "newer servers have JSON values; ours has not, and the pipeline uses none", assumed={"refused": -1})
def json_value(scratch: Scratch) -> Observed:
    return _back(scratch, {"json": {"a": [1]}})


@probe("C", "an array is no property", assumed={"refused": -1})
def array_value(scratch: Scratch) -> Observed:
    return _back(scratch, [1, 2])


@probe("?", "text of a megabyte is kept", assumed=1_000_000)
def long_text(scratch: Scratch) -> Observed:
    found = _back(scratch, "ü" * 1_000_000)
    return len(found) if isinstance(found, str) else found


@probe("D", "a property is of one type in its class", assumed={"refused": -1})
def another_type(scratch: Scratch) -> Observed:
    own = scratch.name("V")
    scratch.add(own, {"v": 1})
    return outcome(scratch.ask({"AddEntity": {"class": own, "properties": {"v": "text"}}}))


def _named(scratch: Scratch, name: str) -> Observed:
    return outcome(scratch.ask({"AddEntity": {"class": scratch.name("V"), "properties": {name: 1}}}))


@probe("C", "a name of 64 characters is allowed", assumed=[0])
def name_of_64(scratch: Scratch) -> Observed:
    return _named(scratch, "n" * 64)


@probe("C", "a name of 65 characters is not", assumed={"refused": -1})
def name_of_65(scratch: Scratch) -> Observed:
    return _named(scratch, "n" * 65)


@probe("C", "newer servers refuse a space in a name", assumed={"refused": -1})
def name_with_space(scratch: Scratch) -> Observed:
    return _named(scratch, "two words")


@probe("C", "a name must not begin with an underscore", assumed={"refused": -1})
def name_with_underscore(scratch: Scratch) -> Observed:
    return _named(scratch, "_own")


def _schema(scratch: Scratch) -> Observed:
    """What GetSchema says of a class with one property of each type."""
    own = scratch.name("V")
    scratch.add(own, {"b": True, "d": {"_date": "2024-05-01T10:00:00+00:00"}, "n": 1, "s": "text"})
    answer = scratch.ask({"GetSchema": {"type": "entities", "refresh": True}})
    return last(answer)["entities"]["classes"][own]["properties"]


@probe(
    "C",
    "types are named String, Number, Boolean, Datetime",
    assumed={"b": "Boolean", "d": "Datetime", "n": "Number", "s": "String"},
)
def names_of_types(scratch: Scratch) -> Observed:
    return {
        name: value[2] if isinstance(value, list) else value.get("type") for name, value in _schema(scratch).items()
    }


@probe("?", "GetSchema describes a property by an array: matched, indexed, type", assumed=[1, False, "Number"])
def form_of_schema(scratch: Scratch) -> Observed:
    return _schema(scratch)["n"]


@probe("C", "properties of a class that has none are null in GetSchema", assumed={"matched": 1, "properties": None})
def class_without_properties(scratch: Scratch) -> Observed:
    own = scratch.name("V")
    scratch.ask({"AddEntity": {"class": own}})
    found = last(scratch.ask({"GetSchema": {"type": "entities", "refresh": True}}))["entities"]["classes"].get(own)
    return {key: found[key] for key in ("matched", "properties")} if isinstance(found, dict) else found


PROBES = (
    fractions,
    large_integer,
    larger_integer,
    date_form,
    date_text,
    json_value,
    array_value,
    long_text,
    another_type,
    name_of_64,
    name_of_65,
    name_with_space,
    name_with_underscore,
    names_of_types,
    form_of_schema,
    class_without_properties,
)
