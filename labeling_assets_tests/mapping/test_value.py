from typing import Any

import pytest

from labeling_assets.mapping.value import Value, finite_number


def reader(**fields: Any) -> Value:
    return Value(fields, "rectanglelabels", "$.result[3].value")


@pytest.mark.parametrize(
    ("given", "number"),
    [
        (1, 1.0),
        (-2.5, -2.5),
        (True, None),
        ("1", None),
        (None, None),
        (float("nan"), None),
        (float("-inf"), None),
        (10**400, None),
    ],
)
def test_finite_number(given: object, number: float | None):
    assert finite_number(given) == number


def test_a_problem_points_at_the_value():
    value = reader(width="wide")
    assert value.number("width") == 0.0
    assert value.problems == ["expected a number @ $.result[3].value.width"]


def test_a_default_stands_for_null_but_not_for_nonsense():
    value = reader(rotation=None, other="x")
    assert value.number("rotation", default=0.0) == 0.0
    assert value.problems == []
    value.number("other", default=0.0)
    assert value.problems == ["expected a number @ $.result[3].value.other"]


def test_what_is_optional_and_wrong_is_none_and_a_problem():
    value = reader(score="high", item_index=1.5, origin=3)
    read = value.optional_number("score"), value.optional_count("item_index"), value.optional_text("origin")
    assert read == (None, None, None)
    assert len(value.problems) == 3


def test_what_is_optional_and_missing_is_no_problem():
    value = reader(score=None)
    read = value.optional_number("score"), value.optional_count("item_index"), value.identifier("id")
    assert read == (None, None, None)
    assert value.problems == []


@pytest.mark.parametrize(("given", "identifier"), [("a", "a"), (7, "7"), ("", None), (None, None), ([1], None)])
def test_identifier(given: object, identifier: str | None):
    assert reader(id=given).identifier("id") == identifier


def test_every_wrong_text_of_a_list_is_named():
    value = reader(text=["a", 1, None])
    assert value.texts("text") == ("a",)
    assert [problem.split("value.")[1] for problem in value.problems] == ["text[1]", "text[2]"]


def test_labels_stand_under_the_name_of_the_type():
    assert reader(rectanglelabels=["car"]).labels() == ("car",)
    assert reader().labels() == ()
    assert Value({"rectangle": ["car"]}, "rectangle", "$").labels() == ()
