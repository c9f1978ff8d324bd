"""`if_not_found`: adding only what is not there."""

import threading

import pytest

EXISTS = {"info": "Object Exists!", "status": 2}
DIALECTS = pytest.mark.parametrize("ann", [{"name": ["==", "Ann"]}, ["$name", "==", "Ann"]], ids=["object", "array"])


def count(ask, **parameters):
    (answer,) = ask({"FindEntity": {"results": {"count": True}, **parameters}})
    return answer["FindEntity"]["count"]


@DIALECTS
def test_the_second_add_finds_the_first(ask, ann):
    add = {"AddEntity": {"class": "Person", "properties": {"name": "Ann"}, "if_not_found": ann}}
    assert ask(add) == [{"AddEntity": {"status": 0}}]
    assert ask(add) == [{"AddEntity": EXISTS}]
    assert count(ask) == 1


@DIALECTS
def test_an_add_finds_what_the_same_query_added(ask, ann):
    add = {"AddEntity": {"class": "Person", "properties": {"name": "Ann"}, "if_not_found": ann}}
    assert ask(add, add) == [{"AddEntity": {"status": 0}}, {"AddEntity": EXISTS}]


def test_the_reference_points_to_the_existing_object(ask):
    ask({"AddEntity": {"class": "Person", "properties": {"name": "Ann", "age": 30}}})
    ask(
        {"AddEntity": {"class": "Person", "_ref": 1, "if_not_found": {"name": ["==", "Ann"]}}},
        {"AddEntity": {"class": "City", "properties": {"name": "Rome"}, "connect": {"ref": 1, "class": "home"}}},
    )
    answer = ask(
        {"FindEntity": {"with_class": "City", "_ref": 1}},
        {"FindEntity": {"is_connected_to": {"ref": 1}, "results": {"list": ["age"]}}},
    )
    assert answer[1]["FindEntity"]["entities"] == [{"age": 30}]


def test_an_existing_object_is_not_connected_again(ask):
    add = {
        "AddEntity": {
            "class": "City",
            "properties": {"name": "Rome"},
            "if_not_found": {"name": ["==", "Rome"]},
            "connect": {"ref": 1, "class": "home"},
        }
    }
    for _ in range(2):
        ask({"AddEntity": {"class": "Person", "_ref": 1}}, add)
    (answer,) = ask({"FindConnection": {"results": {"count": True}}})
    assert answer["FindConnection"]["count"] == 1


def test_the_condition_looks_at_its_class_only(ask):
    ask({"AddEntity": {"class": "City", "properties": {"name": "Ann"}}})
    assert ask({"AddEntity": {"class": "Person", "if_not_found": {"name": ["==", "Ann"]}}})[0]["AddEntity"] == {
        "status": 0
    }


def test_null_is_no_condition(ask):
    for _ in range(2):
        ask({"AddEntity": {"class": "Person", "if_not_found": None}})
    assert count(ask) == 2


def test_a_reference_can_be_the_condition(ask):
    find = {"FindEntity": {"with_class": "Person", "_ref": 1}}
    add = {"AddEntity": {"class": "Person", "if_not_found": 1}}
    assert ask(find, add)[1] == {"AddEntity": {"status": 0}}
    assert ask(find, add)[1] == {"AddEntity": EXISTS}


def test_an_existing_image_takes_its_blob_all_the_same(ask, picture):
    add = {"AddImage": {"properties": {"guid": "g"}, "if_not_found": {"guid": ["==", "g"]}}}
    assert ask(add, blobs=[picture()]) == [{"AddImage": {"status": 0}}]
    assert ask(add, blobs=[picture()]) == [{"AddImage": {"info": "Image exists!", "status": 2}}]
    assert ask({"FindImage": {"results": {"count": True}}})[0]["FindImage"]["count"] == 1


def test_many_clients_add_one_object(client, ask):
    connectors = [client.clone() for _ in range(8)]
    add = [
        {
            "AddEntity": {
                "class": "Person",
                "properties": {"name": f"p{number}"},
                "if_not_found": {"name": ["==", f"p{number}"]},
            }
        }
        for number in range(20)
    ]
    threads = [threading.Thread(target=connector.query, args=(add,)) for connector in connectors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(ask, with_class="Person") == 20
