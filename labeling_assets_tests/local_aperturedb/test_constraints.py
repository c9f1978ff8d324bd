"""Constraints: both dialects give the same tree, and mistakes are named."""

import pytest

from labeling_assets.local_aperturedb.constraints import Comparison, Group, Property, constraints
from labeling_assets.local_aperturedb.dates import Date
from labeling_assets.local_aperturedb.errors import QueryError


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ({"a": ["==", 1]}, ["$a", "==", 1]),
        ({"a": [">", 1, "<", 2]}, ["all", ["$a", ">", 1], ["$a", "<", 2]]),
        ({"a": ["in", [1, 2]]}, ["$a", "in", {"array": [1, 2]}]),
        ({"a": ["==", "$b"]}, ["$a", "==", "$$b"]),
        ({"a": ["==", {"_date": "2024-01-01"}]}, ["$a", "==", {"to_date": "2024-01-01"}]),
        (
            {"any": {"a": ["==", 1], "all": {"b": ["==", 2], "c": ["==", 3]}}},
            ["any", ["$a", "==", 1], ["all", ["$b", "==", 2], ["$c", "==", 3]]],
        ),
        ({}, None),
    ],
)
def test_both_dialects_give_the_same_tree(older, newer):
    assert constraints(older) == constraints(newer)


def test_the_official_conversion_gives_the_same_tree():
    from aperturedb.Constraints import to_expression

    older = {
        "a": [">", 1, "<", 9],
        "any": {"b": ["in", ["x", "$y"]], "c": ["!=", None]},
        "d": ["==", {"_date": "2024-01-01"}],
    }
    assert constraints(older) == constraints(to_expression(older))


def test_properties_and_dates_in_the_tree():
    assert constraints(["any", ["$a", "<", "$b"], ["$c", ">", {"to_date": "2024-01-01"}]]) == Group(
        "any",
        (
            Comparison("a", "<", Property("b")),
            Comparison("c", ">", Date("2024-01-01T00:00:00.000000+00:00")),
        ),
    )


def test_a_property_may_be_called_any():
    assert constraints({"any": ["==", 1]}) == Comparison("any", "==", 1)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (7, "a number 7"),
        ([], "an array"),
        (["all"], "'all'"),
        (["a", "==", 1], "'a'"),
        (["$a", "=="], "'$a'"),
        (["$a", "=~", 1], "=~"),
        (["$a", [], 1], "[]"),
        (["$a b", "==", 1], "a b"),
        (['$a"; DROP', "==", 1], "DROP"),
        (["$a", "<", None], "null"),
        (["$a", "in", 1], "in"),
        (["$a", "in", [None]], "null"),
        (["$a", "in", ["$b"]], "array"),
        (["$a", "==", [1]], "array"),
        (["$a", "==", {"lower": "$b"}], "lower"),
        (["$a", "==", {"json": {}}], "json"),
        (["$a", "==", {"_date": "2024-01-01"}], "_date"),
        (["$a", "==", {"to_date": 5}], "5"),
        ({"a": ["==", {"to_date": "2024-01-01"}]}, "to_date"),
        ({"a": "x"}, '"a"'),
        ({"a": []}, '"a"'),
        ({"a": ["==", 1, ">"]}, '"a"'),
        ({"a": ["==", 10**400]}, "finite"),
        ({"a": ["==", "\ud800"]}, "Unicode"),
    ],
)
def test_mistakes_are_named(value, named):
    with pytest.raises(QueryError) as caught:
        constraints(value)
    assert named in caught.value.info


def test_too_many_comparisons_are_refused():
    with pytest.raises(QueryError, match="too many"):
        constraints(["any", *(["$a", "==", number] for number in range(20_000))])
