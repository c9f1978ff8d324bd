"""Constraints, the same in both dialects: objects of older clients, expressions of newer ones."""

import pytest

# Name of the case, object, expression, the names of the people that match.
CASES = [
    ("equal", {"age": ["==", 20]}, ["$age", "==", 20], "b"),
    ("not equal matches the missing", {"age": ["!=", 20]}, ["$age", "!=", 20], "acd"),
    ("range", {"age": [">=", 20, "<", 30]}, ["all", ["$age", ">=", 20], ["$age", "<", 30]], "b"),
    ("greater skips the missing", {"age": [">", 20]}, ["$age", ">", 20], "ac"),
    ("in", {"age": ["in", [20, 40]]}, ["$age", "in", {"array": [20, 40]}], "bc"),
    ("in plain array", {"age": ["in", [20, 40]]}, ["$age", "in", [20, 40]], "bc"),
    ("in nothing", {"age": ["in", []]}, ["$age", "in", {"array": []}], ""),
    ("not in matches the missing", {"age": ["not in", [20, 40]]}, ["$age", "not in", [20, 40]], "ad"),
    ("missing", {"age": ["==", None]}, ["$age", "==", None], "d"),
    ("present", {"age": ["!=", None]}, ["$age", "!=", None], "abc"),
    ("boolean", {"ok": ["==", True]}, ["$ok", "==", True], "a"),
    ("boolean not equal", {"ok": ["!=", True]}, ["$ok", "!=", True], "bcd"),
    ("text", {"name": [">", "b"]}, ["$name", ">", "b"], "cd"),
    (
        "any",
        {"any": {"age": ["==", 20], "name": ["==", "a"]}},
        ["any", ["$age", "==", 20], ["$name", "==", "a"]],
        "ab",
    ),
    (
        "range inside any",
        {"any": {"age": [">", 35, "<", 45], "name": ["==", "d"]}},
        ["any", ["all", ["$age", ">", 35], ["$age", "<", 45]], ["$name", "==", "d"]],
        "cd",
    ),
    (
        "nested",
        {"any": {"name": ["==", "d"], "all": {"age": [">", 20], "ok": ["==", False]}}},
        ["any", ["$name", "==", "d"], ["all", ["$age", ">", 20], ["$ok", "==", False]]],
        "cd",
    ),
    (
        "date",
        {"born": ["<", {"_date": "2001-01-01"}]},
        ["$born", "<", {"to_date": "2001-01-01"}],
        "a",
    ),
    (
        "date in another zone",
        {"born": ["==", {"_date": "2000-06-01T14:00:00+02:00"}]},
        ["$born", "==", {"to_date": "2000-06-01T12:00:00Z"}],
        "a",
    ),
    ("unknown property", {"size": ["==", 1]}, ["$size", "==", 1], ""),
    ("unknown property not equal", {"size": ["!=", 1]}, ["$size", "!=", 1], "abcd"),
    ("none", None, None, "abcd"),
]


@pytest.fixture
def people(ask):
    ask(
        {
            "AddEntity": {
                "class": "Person",
                "properties": {
                    "name": "a",
                    "age": 30,
                    "limit": 35,
                    "ok": True,
                    "born": {"_date": "2000-06-01T12:00:00"},
                },
            }
        },
        {
            "AddEntity": {
                "class": "Person",
                "properties": {"name": "b", "age": 20, "born": {"_date": "2002-01-01T00:00:00"}},
            }
        },
        {"AddEntity": {"class": "Person", "properties": {"name": "c", "age": 40, "limit": 35, "ok": False}}},
        {"AddEntity": {"class": "Person", "properties": {"name": "d"}}},
    )


def names(ask, constraints, with_class="Person"):
    wanted = {"results": {"list": ["name"]}, "constraints": constraints}
    if with_class:
        wanted["with_class"] = with_class
    (answer,) = ask({"FindEntity": wanted})
    return "".join(item["name"] for item in answer["FindEntity"].get("entities", []))


@pytest.mark.parametrize(
    ("constraints", "expected"),
    [pytest.param(case[1 + dialect], case[3], id=f"{case[0]}-{dialect}") for case in CASES for dialect in (0, 1)],
)
def test_constraints(ask, people, constraints, expected):
    assert names(ask, constraints) == expected


@pytest.mark.parametrize(
    ("constraints", "expected"),
    [pytest.param(case[1 + dialect], case[3], id=f"{case[0]}-{dialect}") for case in CASES for dialect in (0, 1)],
)
def test_constraints_without_a_class(ask, people, constraints, expected):
    assert names(ask, constraints, with_class=None) == expected


@pytest.mark.parametrize(("operator", "expected"), [("<", "a"), (">", "c"), ("==", ""), ("!=", "abcd"), ("<=", "a")])
def test_a_property_is_compared_with_another(ask, people, operator, expected):
    assert names(ask, ["$age", operator, "$limit"]) == expected


def test_a_doubled_dollar_is_a_text(ask):
    ask({"AddEntity": {"class": "Person", "properties": {"name": "$age"}}})
    assert names(ask, ["$name", "==", "$$age"]) == "$age"


def test_a_dollar_in_the_older_dialect_is_a_text(ask):
    ask({"AddEntity": {"class": "Person", "properties": {"name": "$age"}}})
    assert names(ask, {"name": ["==", "$age"]}) == "$age"


@pytest.mark.parametrize("operator", ["==", "!=", "in", "not in"])
def test_unique_ids(ask, people, operator):
    (answer,) = ask({"FindEntity": {"with_class": "Person", "uniqueids": True, "limit": 1}})
    unique_id = answer["FindEntity"]["entities"][0]["_uniqueid"]
    value = [unique_id] if "in" in operator else unique_id
    expected = "a" if operator in ("==", "in") else "bcd"
    assert names(ask, {"_uniqueid": [operator, value]}) == expected
    assert names(ask, ["$_uniqueid", operator, value]) == expected


def test_every_object_differs_from_an_impossible_unique_id(ask, people):
    assert names(ask, {"_uniqueid": ["!=", "0.0.0"]}) == "abcd"


def test_quotes_in_a_value_are_only_text(ask, people):
    assert names(ask, {"name": ["==", "a' OR '1'='1"]}) == ""


def test_a_name_with_a_dash(ask):
    ask({"AddEntity": {"class": "Person", "properties": {"name": "a", "LS_state_my-project": "new"}}})
    assert names(ask, {"LS_state_my-project": ["==", "new"]}) == "a"


def test_connections_are_searched_with_the_same_grammar(ask, people):
    ask(
        {"FindEntity": {"with_class": "Person", "constraints": {"name": ["==", "a"]}, "_ref": 1}},
        {"FindEntity": {"with_class": "Person", "constraints": {"name": ["==", "b"]}, "_ref": 2}},
        {"AddConnection": {"class": "knows", "src": 1, "dst": 2, "properties": {"years": 3}}},
    )
    for constraints in ({"years": [">", 2]}, ["$years", ">", 2]):
        (answer,) = ask({"FindConnection": {"constraints": constraints, "results": {"count": True}}})
        assert answer["FindConnection"]["count"] == 1
