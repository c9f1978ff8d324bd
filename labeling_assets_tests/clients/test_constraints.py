"""One condition, two spellings."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from labeling_assets.clients.aperturedb import ApertureDB
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
from labeling_assets.local_aperturedb.server import LocalServer

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


A1, A2, B1, B2 = equal("a", 1), equal("a", 2), equal("b", 1), equal("b", 2)


@pytest.mark.parametrize(
    ("condition", "legacy"),
    [
        (any_of(A1, A2, B1), {"any": {"a": ["==", 1], "b": ["==", 1], "any": {"a": ["==", 2]}}}),
        (
            all_of(any_of(A1, B1), any_of(A2, B2)),
            {"any": {"a": ["==", 1], "b": ["==", 1]}, "all": {"any": {"a": ["==", 2], "b": ["==", 2]}}},
        ),
        (
            any_of(all_of(A1, B1), all_of(A2, B2)),
            {"any": {"all": {"a": ["==", 1], "b": ["==", 1]}, "any": {"all": {"a": ["==", 2], "b": ["==", 2]}}}},
        ),
        (any_of(A1, any_of(B1, A2)), {"any": {"a": ["==", 1], "b": ["==", 1], "any": {"a": ["==", 2]}}}),
        (any_of(A1, all_of(any_of(B1, B2))), {"any": {"a": ["==", 1], "b": ["==", 1], "any": {"b": ["==", 2]}}}),
        (all_of(all_of(A1, B1), A2), {"a": ["==", 1, "==", 2], "b": ["==", 1]}),
    ],
)
def test_a_key_that_is_taken_goes_one_group_deeper_in_the_legacy_dialect(condition: Condition, legacy: object):
    assert condition.render(Dialect.LEGACY) == legacy


@pytest.mark.parametrize("dialect", ["legacy", "expression"])
@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (any_of(missing("a"), one_of("a", [3]), compare("b", "<", 2)), 6),
        (all_of(any_of(A1, B1), any_of(A2, B2)), 2),
        (any_of(all_of(A1, B2), all_of(A2, B1), all_of(A2, B2)), 3),
    ],
)
def test_both_spellings_find_the_same(tmp_path: Path, dialect: str, condition: Condition, found: int):
    with LocalServer(tmp_path / "db") as server, ApertureDB(server.key, dialect=dialect) as db:
        for a in (None, 1, 2, 3):
            for b in (1, 2):
                properties = {"b": b} | ({"a": a} if a else {})
                db.one("AddEntity", {"class": "Thing", "properties": properties})
        assert db.count("FindEntity", condition, class_name="Thing") == found
