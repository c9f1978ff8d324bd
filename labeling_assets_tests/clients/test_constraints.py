"""One condition, two spellings."""

from datetime import UTC, datetime

import pytest

from labeling_assets.clients.constraints import (
    Condition,
    Dialect,
    all_of,
    any_of,
    compare,
    equal,
    missing,
    not_equal,
    one_of,
    present,
)

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("condition", "legacy", "expression"),
    [
        (equal("a", 1), {"a": ["==", 1]}, ["$a", "==", 1]),
        (not_equal("a", "x"), {"a": ["!=", "x"]}, ["$a", "!=", "x"]),
        (missing("a"), {"a": ["==", None]}, ["$a", "==", None]),
        (present("a"), {"a": ["!=", None]}, ["$a", "!=", None]),
        (compare("a", ">=", 2.5), {"a": [">=", 2.5]}, ["$a", ">=", 2.5]),
        (one_of("a", ["x", "y"]), {"a": ["in", ["x", "y"]]}, ["$a", "in", {"array": ["x", "y"]}]),
        (one_of("a", []), {"a": ["in", []]}, ["$a", "in", {"array": []}]),
        (equal("a", "$x"), {"a": ["==", "$x"]}, ["$a", "==", "$$x"]),
        (one_of("a", ["$x"]), {"a": ["in", ["$x"]]}, ["$a", "in", {"array": ["$x"]}]),
        (
            compare("a", "<", NOON),
            {"a": ["<", {"_date": "2026-05-01T12:00:00+00:00"}]},
            ["$a", "<", {"to_date": "2026-05-01T12:00:00+00:00"}],
        ),
        (
            all_of(equal("a", 1), equal("b", 2)),
            {"a": ["==", 1], "b": ["==", 2]},
            ["all", ["$a", "==", 1], ["$b", "==", 2]],
        ),
        (
            any_of(equal("a", 1), equal("b", 2)),
            {"any": {"a": ["==", 1], "b": ["==", 2]}},
            ["any", ["$a", "==", 1], ["$b", "==", 2]],
        ),
        (
            all_of(compare("a", ">", 1), compare("a", "<", 5)),
            {"a": [">", 1, "<", 5]},
            ["all", ["$a", ">", 1], ["$a", "<", 5]],
        ),
        (
            all_of(equal("a", 1), any_of(equal("b", 2), equal("c", 3))),
            {"a": ["==", 1], "any": {"b": ["==", 2], "c": ["==", 3]}},
            ["all", ["$a", "==", 1], ["any", ["$b", "==", 2], ["$c", "==", 3]]],
        ),
        (
            any_of(equal("a", 1), all_of(equal("b", 2), equal("c", 3))),
            {"any": {"a": ["==", 1], "all": {"b": ["==", 2], "c": ["==", 3]}}},
            ["any", ["$a", "==", 1], ["all", ["$b", "==", 2], ["$c", "==", 3]]],
        ),
        (all_of(equal("a", 1)), {"a": ["==", 1]}, ["$a", "==", 1]),
        (any_of(all_of(equal("a", 1))), {"a": ["==", 1]}, ["$a", "==", 1]),
    ],
)
def test_both_spellings(condition: Condition, legacy: object, expression: object):
    assert condition.render(Dialect.LEGACY) == legacy
    assert condition.render(Dialect.EXPRESSION) == expression


def test_what_the_legacy_dialect_cannot_say_is_an_error_and_not_another_condition():
    with pytest.raises(ValueError, match="cannot hold two conditions 'a' in one 'any'"):
        any_of(equal("a", 1), equal("a", 2)).render(Dialect.LEGACY)


def test_two_groups_of_one_kind_in_the_legacy_dialect_are_an_error():
    both = all_of(any_of(equal("a", 1), equal("b", 2)), any_of(equal("c", 3), equal("d", 4)))
    with pytest.raises(ValueError, match="cannot hold two conditions 'any'"):
        both.render(Dialect.LEGACY)
