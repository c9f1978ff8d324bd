"""Connections, and searches along them."""

import pytest

SEEN = {"class": "seen", "ref": 1}


@pytest.fixture
def graph(ask):
    """Ann -likes-> Bob, Ann -knows (years 1)-> Bob, Bob -knows (years 5)-> Cid."""
    ask(
        {"AddEntity": {"class": "Person", "_ref": 1, "properties": {"name": "Ann"}}},
        {"AddEntity": {"class": "Person", "_ref": 2, "properties": {"name": "Bob"}}},
        {"AddEntity": {"class": "Person", "_ref": 3, "properties": {"name": "Cid"}}},
        {"AddConnection": {"class": "likes", "src": 1, "dst": 2}},
        {"AddConnection": {"class": "knows", "src": 1, "dst": 2, "properties": {"years": 1}}},
        {"AddConnection": {"class": "knows", "src": 2, "dst": 3, "properties": {"years": 5}}},
    )


def neighbours(ask, name, **link):
    answer = ask(
        {"FindEntity": {"with_class": "Person", "constraints": {"name": ["==", name]}, "_ref": 1}},
        {
            "FindEntity": {
                "with_class": "Person",
                "is_connected_to": {"ref": 1, **link},
                "results": {"list": ["name"]},
            }
        },
    )
    return [item["name"] for item in answer[1]["FindEntity"].get("entities", [])]


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ({}, ["Ann", "Cid"]),
        ({"direction": "any"}, ["Ann", "Cid"]),
        ({"direction": "out"}, ["Cid"]),
        ({"direction": "in"}, ["Ann"]),
        ({"connection_class": "likes"}, ["Ann"]),
        ({"connection_class": "knows"}, ["Ann", "Cid"]),
        ({"connection_class": "knows", "direction": "out"}, ["Cid"]),
        ({"connection_class": "hates"}, []),
        ({"connection_class": "knows", "constraints": {"years": [">", 2]}}, ["Cid"]),
        ({"connection_class": "knows", "constraints": ["$years", "<", 2]}, ["Ann"]),
    ],
)
def test_neighbours_of_bob(ask, graph, link, expected):
    assert neighbours(ask, "Bob", **link) == expected


@pytest.mark.parametrize(("conjunction", "expected"), [("all", ["Bob"]), ("any", ["Ann", "Bob", "Cid"])])
def test_several_links(ask, graph, conjunction, expected):
    answer = ask(
        {"FindEntity": {"with_class": "Person", "constraints": {"name": ["in", ["Ann", "Bob"]]}, "_ref": 1}},
        {"FindEntity": {"with_class": "Person", "constraints": {"name": ["==", "Cid"]}, "_ref": 2}},
        {
            "FindEntity": {
                "is_connected_to": {conjunction: [{"ref": 1, "connection_class": "knows"}, {"ref": 2}]},
                "results": {"list": ["name"]},
            }
        },
    )
    assert [item["name"] for item in answer[2]["FindEntity"]["entities"]] == expected


def test_nothing_is_connected_to_nothing(ask, graph):
    assert neighbours(ask, "Zoe") == []


def test_grouped_by_source(ask, graph):
    answer = ask(
        {"FindEntity": {"with_class": "Person", "_ref": 1, "results": {"list": ["name"]}, "uniqueids": True}},
        {
            "FindEntity": {
                "is_connected_to": {"ref": 1, "connection_class": "knows", "direction": "out"},
                "group_by_source": True,
                "results": {"list": ["name"]},
            }
        },
    )
    ids = {item["name"]: item["_uniqueid"] for item in answer[0]["FindEntity"]["entities"]}
    assert answer[1]["FindEntity"]["entities"] == {
        ids["Ann"]: [{"name": "Bob"}],
        ids["Bob"]: [{"name": "Cid"}],
    }


def test_grouping_without_a_source_is_no_grouping(ask, graph):
    (answer,) = ask({"FindEntity": {"with_class": "Person", "group_by_source": True, "results": {"list": ["name"]}}})
    assert answer["FindEntity"]["entities"] == [{"name": "Ann"}, {"name": "Bob"}, {"name": "Cid"}]


def test_found_connections_are_listed_as_connections(ask, graph):
    (answer,) = ask({"FindConnection": {"with_class": "knows", "results": {"list": ["years"]}}})
    assert answer["FindConnection"] == {
        "connections": [{"years": 1}, {"years": 5}],
        "returned": 2,
        "status": 0,
    }


@pytest.mark.parametrize(("end", "years"), [("src", [5]), ("dst", [1])])
def test_connections_are_found_by_their_ends(ask, graph, end, years):
    answer = ask(
        {"FindEntity": {"with_class": "Person", "constraints": {"name": ["==", "Bob"]}, "_ref": 1}},
        {"FindConnection": {"with_class": "knows", end: 1, "results": {"list": ["years"]}}},
    )
    assert [item["years"] for item in answer[1]["FindConnection"]["connections"]] == years


def test_connections_know_the_unique_ids_of_their_ends(ask, graph):
    answer = ask(
        {"FindEntity": {"with_class": "Person", "uniqueids": True}},
        {"FindConnection": {"with_class": "likes", "results": {"list": ["_src", "_dst"]}}},
    )
    ann, bob, _ = (item["_uniqueid"] for item in answer[0]["FindEntity"]["entities"])
    assert answer[1]["FindConnection"]["connections"] == [{"_src": ann, "_dst": bob}]
    (found,) = ask({"FindConnection": {"constraints": {"_dst": ["==", bob]}, "results": {"count": True}}})
    assert found["FindConnection"]["count"] == 2


def test_references_to_several_objects_connect_all_pairs(ask, graph):
    answer = ask(
        {"FindEntity": {"with_class": "Person", "_ref": 1}},
        {"AddEntity": {"class": "City", "_ref": 2}},
        {"AddConnection": {"class": "home", "src": 1, "dst": 2}},
        {"FindConnection": {"with_class": "home", "results": {"count": True}}},
    )
    assert answer[3]["FindConnection"]["count"] == 3


@pytest.mark.parametrize(("direction", "expected"), [(None, "City"), ("out", "City"), ("in", "Person")])
def test_connect_makes_the_new_object_the_source(ask, direction, expected):
    connect = {"ref": 1, "class": "home", "properties": {"since": 2020}}
    ask(
        {"AddEntity": {"class": "Person", "_ref": 1}},
        {"AddEntity": {"class": "City", "connect": connect | ({"direction": direction} if direction else {})}},
    )
    (answer,) = ask({"GetSchema": {}})
    (pair,) = answer["GetSchema"]["connections"]["classes"]["home"]
    assert pair["src"] == expected
    assert pair["properties"] == {"since": [1, False, "Number"]}


def test_an_empty_condition_means_no_connection_between_them(ask, graph):
    query = [
        {"FindEntity": {"with_class": "Person", "constraints": {"name": ["==", "Ann"]}, "_ref": 1}},
        {"FindEntity": {"with_class": "Person", "constraints": {"name": ["==", "Cid"]}, "_ref": 2}},
        {"AddConnection": {"class": "likes", "src": 1, "dst": 2, "if_not_found": {}}},
    ]
    assert ask(*query)[2] == {"AddConnection": {"status": 0}}
    assert ask(*query)[2] == {"AddConnection": {"info": "Object Exists!", "status": 2}}


def test_a_conditional_connection_looks_at_its_properties(ask, graph):
    query = [
        {"FindEntity": {"with_class": "Person", "constraints": {"name": ["==", "Ann"]}, "_ref": 1}},
        {"FindEntity": {"with_class": "Person", "constraints": {"name": ["==", "Bob"]}, "_ref": 2}},
    ]
    add = {"class": "knows", "src": 1, "dst": 2}
    found = ask(*query, {"AddConnection": {**add, "if_not_found": ["$years", "==", 1]}})[2]
    added = ask(*query, {"AddConnection": {**add, "if_not_found": ["$years", "==", 9]}})[2]
    assert (found["AddConnection"]["status"], added["AddConnection"]["status"]) == (2, 0)


def test_update_and_delete_connections(ask, graph):
    answer = ask(
        {"UpdateConnection": {"with_class": "knows", "constraints": {"years": ["==", 1]}, "properties": {"years": 2}}},
        {"FindConnection": {"with_class": "knows", "results": {"list": ["years"]}}},
        {"DeleteConnection": {"with_class": "knows"}},
        {"FindConnection": {"results": {"count": True}}},
    )
    assert answer[0] == {"UpdateConnection": {"count": 1, "status": 0}}
    assert answer[1]["FindConnection"]["connections"] == [{"years": 2}, {"years": 5}]
    assert answer[2] == {"DeleteConnection": {"count": 2, "status": 0}}
    assert answer[3]["FindConnection"]["count"] == 1


def test_deleting_an_object_deletes_its_connections(ask, graph):
    answer = ask(
        {"DeleteEntity": {"with_class": "Person", "constraints": {"name": ["==", "Bob"]}}},
        {"FindConnection": {"results": {"count": True}}},
    )
    assert answer[1]["FindConnection"]["count"] == 0
