"""Queries as a whole: all or nothing, references, and errors that are one object."""

import os

import pytest

ADD = {"AddEntity": {"class": "Person", "properties": {"name": "Ann", "age": 1}}}


def count(ask):
    return ask({"FindEntity": {"results": {"count": True}}})[0]["FindEntity"]["count"]


# Name of the case, the queries, a part of the text that names the culprit.
REFUSED = [
    ("unknown command", [{"AddUnicorn": {}}], "AddUnicorn"),
    ("unknown parameter", [{"FindEntity": {"colour": "red"}}], "colour"),
    ("unknown result", [{"FindEntity": {"results": {"median": "age"}}}], "median"),
    ("missing parameter", [{"AddEntity": {}}], "class"),
    ("two commands in one object", [{"FindEntity": {}, "FindImage": {}}], "one key"),
    ("class of the system", [{"AddEntity": {"class": "_Person"}}], "_Person"),
    ("name with a space", [{"AddEntity": {"class": "P", "properties": {"my age": 1}}}], "my age"),
    ("name of the system", [{"AddEntity": {"class": "P", "properties": {"_age": 1}}}], "_age"),
    ("name too long", [{"AddEntity": {"class": "P" * 65}}], "P" * 65),
    ("array as property", [{"AddEntity": {"class": "P", "properties": {"tags": ["a"]}}}], "tags"),
    ("null as property", [{"AddEntity": {"class": "P", "properties": {"age": None}}}], "age"),
    ("not a date", [{"AddEntity": {"class": "P", "properties": {"at": {"_date": "soon"}}}}], "soon"),
    ("another type", [{"AddEntity": {"class": "Person", "properties": {"age": "old"}}}], "age"),
    ("unknown operator", [{"FindEntity": {"constraints": {"age": ["~", 1]}}}], "~"),
    ("unknown function", [{"FindEntity": {"constraints": ["$age", "==", {"sqrt": 4}]}}], "sqrt"),
    ("half a comparison", [{"FindEntity": {"constraints": {"age": [">"]}}}], "age"),
    (
        "bad direction",
        [{"FindEntity": {"_ref": 1}}, {"FindEntity": {"is_connected_to": {"ref": 1, "direction": "up"}}}],
        "up",
    ),
    ("reference used twice", [{"FindEntity": {"_ref": 1}}, {"FindEntity": {"_ref": 1}}], "1"),
    ("undefined reference", [{"FindEntity": {"is_connected_to": {"ref": 7}}}], "7"),
    ("reference 0", [{"FindEntity": {"_ref": 0}}], "_ref"),
    ("reference too large", [{"FindEntity": {"_ref": 100_000}}], "_ref"),
    ("delete without a choice", [{"DeleteImage": {}}], "constraints"),
    ("negative limit", [{"FindEntity": {"limit": -1}}], "limit"),
    ("limit given twice", [{"FindEntity": {"limit": 1, "results": {"limit": 1}}}], "limit"),
]


@pytest.mark.parametrize(("query", "named"), [pytest.param(*case[1:], id=case[0]) for case in REFUSED])
def test_refused_with_one_object_that_names_the_culprit(ask, query, named):
    ask(ADD)
    answer = ask(*query)
    assert sorted(answer) == ["info", "status"]
    assert answer["status"] == -1
    assert named in answer["info"]


@pytest.mark.parametrize("query", ["{", '{"FindEntity": {}}', "[]", '[{"FindEntity": {"limit": NaN}}]'])
def test_malformed_queries(client, query):
    answer, _ = client.query(query)
    assert answer["status"] == -1


def test_an_error_undoes_the_whole_query(ask):
    ask(ADD, ADD, {"AddUnicorn": {}})
    ask(ADD, {"AddConnection": {"class": "c", "src": 5, "dst": 6}})
    assert count(ask) == 0


def test_later_commands_see_earlier_ones(ask):
    answer = ask(ADD, {"FindEntity": {"results": {"list": ["name"]}}})
    assert answer[1]["FindEntity"]["entities"] == [{"name": "Ann"}]


@pytest.mark.parametrize("matches", [0, 2])
def test_unique_needs_exactly_one(ask, matches):
    for _ in range(matches):
        ask(ADD)
    answer = ask({"FindEntity": {"with_class": "Person", "unique": True}})
    assert answer == {"info": f"JSON Command 1: expecting 1 but got {matches}", "status": 3}


def test_a_deleted_reference_is_not_defined_any_more(ask):
    ask(ADD)
    answer = ask(
        {"FindEntity": {"_ref": 1}}, {"DeleteEntity": {"ref": 1}}, {"FindEntity": {"is_connected_to": {"ref": 1}}}
    )
    assert answer["status"] == -1
    assert count(ask) == 1


def test_keys_come_in_alphabetical_order(client):
    client.query([ADD])
    client.query([{"FindEntity": {"with_class": "Person", "results": {"all_properties": True, "count": True}}}])
    entity = client.last_response[0]["FindEntity"]
    assert list(entity) == ["count", "entities", "returned", "status"]
    assert list(entity["entities"][0]) == ["_uniqueid", "age", "name"]


def test_dates_come_back_as_dates(ask):
    ask({"AddEntity": {"class": "P", "properties": {"at": {"_date": "2024-05-01T10:00:00+02:00"}}}})
    (answer,) = ask({"FindEntity": {"results": {"list": ["at"]}}})
    (text,) = answer["FindEntity"]["entities"][0]["at"].values()
    assert text.startswith("2024-05-01T08:00:00")


@pytest.mark.parametrize("value", [0, -1, 2**53, 1.5, 1e-300, "", "ü漢\n\t'\"", True, False])
def test_values_come_back_unchanged(ask, value):
    ask({"AddEntity": {"class": "P", "properties": {"v": value}}})
    (answer,) = ask({"FindEntity": {"results": {"list": ["v"]}}})
    assert answer["FindEntity"]["entities"] == [{"v": value}]


def test_the_same_holds_on_a_real_server():
    if "APERTUREDB_KEY" not in os.environ:
        pytest.skip("set APERTUREDB_KEY to run the conformity tests on a real server too (an empty one)")


def test_user_log_messages_are_accepted(utils):
    utils.user_log_message("hello", level="WARNING")
