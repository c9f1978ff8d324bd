"""GetSchema, indexes and GetStatus."""

import pytest

NEW = {"target": "entity", "class": "Person", "property": "name", "kind": "ordered"}
OLD = {"index_type": "entity", "class": "Person", "property_key": "name"}
SPELLINGS = pytest.mark.parametrize("index", [NEW, OLD], ids=["new", "old"])


def test_an_empty_database_has_no_schema(ask):
    assert ask({"GetSchema": {}}) == [{"GetSchema": {"connections": None, "entities": None, "status": 0}}]


def test_classes_and_properties(ask):
    ask(
        {
            "AddEntity": {
                "class": "Person",
                "_ref": 1,
                "properties": {"name": "a", "age": 1, "ok": True, "at": {"_date": "2024-01-01"}},
            }
        },
        {"AddEntity": {"class": "Person", "_ref": 2, "properties": {"name": "b"}}},
        {"AddEntity": {"class": "City", "_ref": 3}},
        {"AddConnection": {"class": "home", "src": 1, "dst": 3, "properties": {"since": 1}}},
        {"AddConnection": {"class": "home", "src": 1, "dst": 2}},
    )
    (answer,) = ask({"GetSchema": {}})
    assert answer["GetSchema"]["entities"] == {
        "classes": {
            "City": {"matched": 1, "properties": None},
            "Person": {
                "matched": 2,
                "properties": {
                    "age": [1, False, "Number"],
                    "at": [1, False, "Datetime"],
                    "name": [2, False, "String"],
                    "ok": [1, False, "Boolean"],
                },
            },
        },
        "returned": 2,
    }
    pairs = answer["GetSchema"]["connections"]["classes"]["home"]
    assert sorted(pairs, key=lambda pair: pair["dst"]) == [
        {"dst": "City", "matched": 1, "properties": {"since": [1, False, "Number"]}, "src": "Person"},
        {"dst": "Person", "matched": 1, "properties": None, "src": "Person"},
    ]


def test_counts_follow_updates_and_deletes(ask):
    ask(
        {"AddEntity": {"class": "Person", "properties": {"name": "a", "age": 1}}},
        {"AddEntity": {"class": "Person", "properties": {"name": "b"}}},
    )
    (_, _, answer) = ask(
        {"UpdateEntity": {"with_class": "Person", "constraints": {"name": ["==", "a"]}, "remove_props": ["age"]}},
        {"DeleteEntity": {"with_class": "Person", "constraints": {"name": ["==", "b"]}}},
        {"GetSchema": {"type": "entities"}},
    )
    assert answer["GetSchema"]["entities"]["classes"] == {
        "Person": {"matched": 1, "properties": {"name": [1, False, "String"]}}
    }


@SPELLINGS
def test_an_index_is_made_once(ask, index):
    assert ask({"CreateIndex": index}) == [{"CreateIndex": {"status": 0}}]
    assert ask({"CreateIndex": index})[0]["CreateIndex"]["status"] == 2


@SPELLINGS
def test_an_index_is_removed(ask, utils, index):
    ask({"CreateIndex": index})
    assert ask({"RemoveIndex": index}) == [{"RemoveIndex": {"status": 0}}]
    assert utils.get_indexed_props("Person") == []


def test_indexes_alone_are_no_schema(ask):
    ask({"CreateIndex": NEW})
    assert ask({"GetSchema": {}})[0]["GetSchema"]["entities"] is None


def test_the_schema_says_what_is_indexed(ask):
    ask({"CreateIndex": NEW}, {"AddEntity": {"class": "Person", "properties": {"name": "a"}}})
    (answer,) = ask({"GetSchema": {}})
    assert answer["GetSchema"]["entities"]["classes"]["Person"]["properties"] == {"name": [1, True, "String"]}


def test_indexes_are_listed_in_groups(ask):
    ask({"CreateIndex": NEW}, {"CreateIndex": {"target": "connection", "class": "home", "property": "since"}})
    (answer,) = ask({"GetIndexes": {"target": "connection"}})
    assert answer["GetIndexes"]["indexes"] == {"connection": {"home": {"since": [{"kind": "ordered", "params": {}}]}}}


def test_indexes_of_built_in_classes(utils):
    assert utils.create_entity_index("_Image", "guid")
    assert utils.create_connection_index("_BoundingBoxToImage", "n")
    assert utils.get_indexed_props("_Image") == ["guid"]


def test_an_indexed_search_finds_the_same(ask):
    add = [{"AddEntity": {"class": "Person", "properties": {"name": f"p{n}", "n": n}}} for n in range(20)]
    ask(*add, {"CreateIndex": NEW}, {"CreateIndex": {**NEW, "property": "n"}})
    (answer,) = ask(
        {"FindEntity": {"with_class": "Person", "constraints": {"n": [">=", 18]}, "results": {"list": ["name"]}}}
    )
    assert answer["FindEntity"]["entities"] == [{"name": "p18"}, {"name": "p19"}]


def test_status_has_four_keys(ask):
    (answer,) = ask({"GetStatus": {}})
    assert sorted(answer["GetStatus"]) == ["info", "status", "system", "version"]
    assert (answer["GetStatus"]["status"], answer["GetStatus"]["system"]) == (0, "ApertureDB")
