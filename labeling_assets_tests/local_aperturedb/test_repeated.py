"""Searches by a key that come again with other keys get what they would get if they were new."""

import json

import pytest

from labeling_assets.local_aperturedb.repeated import Repeated

NAMES = ("Ann", "Bob", "", "a$b", "$Ann", "null", "D\u00f6rte", 'quo"te', "back\\slash", "nobody")


@pytest.fixture
def raw(server, connect):
    raw = connect(server)
    token = raw.log_in(username="admin", password="admin")["session_token"]

    def ask(query):
        return raw.ask(query, token=token)

    people = [{"name": name, "n": number, "other": "Ann"} for number, name in enumerate(NAMES[:-1])]
    ask([{"AddEntity": {"class": "Person", "properties": person}} for person in people])
    return ask


def new(name):
    return ["$name", "==", f"${name}" if name.startswith("$") else name]


@pytest.mark.parametrize(
    "find",
    [
        lambda name: {"constraints": new(name), "results": {"list": ["n"]}},
        lambda name: {"constraints": {"name": ["==", name]}, "results": {"list": ["n"]}},
        lambda name: {
            "constraints": {"name": ["==", name]},
            "uniqueids": False,
            "results": {"list": ["n"], "limit": 1},
        },
        lambda name: {"constraints": ["$name", "in", {"array": [new(name)[2], "nobody"]}], "results": {"list": ["n"]}},
        lambda name: {"constraints": {"name": ["in", [name]]}, "results": {"list": ["n"]}},
        lambda name: {"constraints": {"name": ["==", name], "other": ["==", "Ann"]}, "results": {"list": ["n"]}},
    ],
)
def test_each_key_finds_its_object(raw, find):
    for _ in range(2):
        for number, name in enumerate(NAMES):
            (answer,) = raw([{"FindEntity": {"with_class": "Person", **find(name)}}])
            expected = [] if name == "nobody" else [{"n": number}]
            assert answer["FindEntity"].get("entities", []) == expected, name


def test_a_changed_type_is_still_refused(raw):
    query = [{"FindEntity": {"with_class": "Person", "constraints": ["$n", "==", "x"]}}]
    first = raw(query)
    assert raw(query) == first
    assert "is of type Number" in first["info"]


def test_what_is_new_in_a_class_is_found(raw):
    def find(name):
        return raw([{"FindEntity": {"with_class": "Later", "constraints": new(name), "results": {"list": ["name"]}}}])

    assert find("a") == find("b") == [{"FindEntity": {"returned": 0, "status": 0}}]
    raw([{"AddEntity": {"class": "Later", "properties": {"name": "b"}}}])
    assert find("b") == [{"FindEntity": {"entities": [{"name": "b"}], "returned": 1, "status": 0}}]


def test_a_blob_too_many_is_refused_again(server, connect):
    raw = connect(server)
    token = raw.log_in(username="admin", password="admin")["session_token"]
    query = [{"FindEntity": {"with_class": "Person", "constraints": ["$name", "==", "Ann"]}}]
    assert isinstance(raw.ask(query, token=token), list)
    assert raw.ask(query, token=token, blobs=[b"x"])["info"] == "Expected blobs: 0. Received blobs: 1"
    assert raw.ask(query, token="no")["info"] == "Not Authenticated!"


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([{"AddEntity": {"class": "Person"}}]),
        json.dumps([{"FindEntity": {"with_class": "Person"}}]),
        json.dumps([{"FindEntity": {"constraints": ["$name", "==", "$other"]}}]),
        json.dumps([{"FindEntity": {"constraints": ["$name", "==", "\u00e4"]}}]),
        json.dumps([{"FindEntity": {"constraints": ["$name", "in", {"array": ["a", 1]}]}}]),
        json.dumps([{"FindEntity": {"constraints": ["$_uniqueid", "==", "1.2.3"]}}]),
        json.dumps([{"FindEntity": {"constraints": ["$name", "<", "a"]}}]),
    ],
)
def test_other_queries_are_no_searches_by_a_key(text):
    assert Repeated().read(text) is None
