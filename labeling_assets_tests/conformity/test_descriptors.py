"""Descriptor sets, descriptors, and the nearest neighbours."""

import numpy as np
import pytest

NAMES = ("east", "north", "far", "west")
VECTORS = ([1, 0], [0, 1], [3, 4], [-1, 0])


def packed(vector):
    return np.array(vector, "float32").tobytes()


@pytest.fixture
def compass(ask):
    """Four vectors in a set with every metric, L2 first."""
    ask({"AddDescriptorSet": {"name": "compass", "dimensions": 2, "engine": "Flat", "metric": ["L2", "IP", "CS"]}})
    ask(
        *({"AddDescriptor": {"set": "compass", "label": name, "properties": {"name": name}}} for name in NAMES),
        blobs=[packed(vector) for vector in VECTORS],
    )


def neighbours(client, vector, **parameters):
    query = [{"FindDescriptor": {"set": "compass", "results": {"list": ["name"]}, **parameters}}]
    answer, blobs = client.query(query, [packed(vector)])
    return (answer[0]["FindDescriptor"].get("entities", []) if isinstance(answer, list) else answer), blobs


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("L2", [("east", 1.0), ("north", 5.0), ("west", 9.0), ("far", 17.0)]),
        ("IP", [("far", 6.0), ("east", 2.0), ("north", 0.0), ("west", -2.0)]),
        ("CS", [("east", 1.0), ("far", 0.6), ("north", 0.0), ("west", -1.0)]),
    ],
)
def test_nearest_neighbours_and_their_distances(client, compass, metric, expected):
    found, _ = neighbours(client, [2, 0], k_neighbors=9, metric=metric, distances=True)
    assert [(item["name"], pytest.approx(item["_distance"])) for item in found] == expected


def test_the_first_metric_of_the_set_is_the_default(client, compass):
    found, blobs = neighbours(client, [0, 2], k_neighbors=2, labels=True, blobs=True)
    assert found == [
        {"_blob_index": 0, "_label": "north", "name": "north"},
        {"_blob_index": 1, "_label": "east", "name": "east"},
    ]
    assert blobs == [packed([0, 1]), packed([1, 0])]


def test_conditions_come_after_the_neighbours_unless_told(client, compass):
    constraints = ["$name", "!=", "east"]
    assert neighbours(client, [2, 0], k_neighbors=1, constraints=constraints)[0] == []
    found, _ = neighbours(client, [2, 0], k_neighbors=1, knn_first=False, constraints=constraints)
    assert found == [{"name": "north"}]


def test_limit_and_sort_work_on_the_neighbours(client, compass):
    assert neighbours(client, [2, 0], k_neighbors=3, limit=1, offset=1)[0] == [{"name": "north"}]
    found, _ = neighbours(client, [2, 0], k_neighbors=3, sort="name")
    assert [item["name"] for item in found] == ["east", "north", "west"]


def test_all_properties_and_the_transaction(ask, compass):
    found = ask({"FindDescriptor": {"results": {"all_properties": True, "list": ["_create_txn"]}, "limit": 1}})
    (item,) = found[0]["FindDescriptor"]["entities"]
    kind, _, transaction = item.pop("_uniqueid").split(".")
    assert kind == "3"
    assert item == {"_create_txn": int(transaction), "_set_name": "compass", "name": "east"}


def test_descriptors_by_set_and_label(ask, compass):
    ask({"AddDescriptorSet": {"name": "other", "dimensions": 2}})
    ask({"AddDescriptor": {"set": "other"}}, blobs=[packed([1, 1])])
    counted = {"results": {"count": True}}
    answer = ask(
        {"FindDescriptor": {"set": "compass", **counted}},
        {"FindDescriptor": {"set": "other", **counted}},
        {"FindDescriptor": {"with_label": "None", **counted}},
        {"FindDescriptor": {"constraints": {"_set_name": ["==", "compass"]}, **counted}},
    )
    assert [item["FindDescriptor"]["count"] for item in answer] == [4, 1, 1, 4]


def test_what_a_set_says_about_itself(ask, compass):
    flags = dict.fromkeys(("counts", "dimensions", "engines", "metrics"), True)
    (answer,) = ask({"FindDescriptorSet": {"with_name": "compass", "results": {"list": ["_name"]}, **flags}})
    assert answer["FindDescriptorSet"]["entities"] == [
        {"_count": 4, "_dimensions": 2, "_engines": ["Flat"], "_metrics": ["L2", "IP", "CS"], "_name": "compass"}
    ]


def test_a_set_is_there_once(ask, compass):
    add = {"AddDescriptorSet": {"name": "compass", "dimensions": 5}}
    assert ask(add) == [{"AddDescriptorSet": {"info": "Object Exists!", "status": 2}}]


def test_a_set_cannot_be_used_in_the_query_that_makes_it(ask):
    answer = ask(
        {"AddDescriptorSet": {"name": "new", "dimensions": 2}},
        {"AddDescriptor": {"set": "new"}},
        blobs=[packed([1, 2])],
    )
    assert answer["status"] == -1
    assert ask({"FindDescriptorSet": {"results": {"count": True}}})[0]["FindDescriptorSet"]["count"] == 0


def test_descriptors_go_with_their_set(ask, utils, compass):
    assert utils.count_descriptors_in_set("compass") == 4
    assert ask({"DeleteDescriptorSet": {"with_name": "compass"}})[0]["DeleteDescriptorSet"]["count"] == 1
    assert utils.get_schema()["entities"] is None


def test_a_descriptor_is_changed_and_deleted(ask, compass):
    where = {"constraints": {"name": ["==", "far"]}}
    assert ask({"UpdateDescriptor": {**where, "properties": {"seen": True}, "label": "away"}})[0] == {
        "UpdateDescriptor": {"count": 1, "status": 0}
    }
    found = ask({"FindDescriptor": {"with_label": "away", "results": {"list": ["seen"]}}})
    assert found[0]["FindDescriptor"]["entities"] == [{"seen": True}]
    assert ask({"DeleteDescriptor": where})[0]["DeleteDescriptor"]["count"] == 1


@pytest.mark.parametrize(
    ("command", "blobs", "text"),
    [
        ({"AddDescriptor": {"set": "none"}}, [b"12345678"], 'there is no descriptor set "none"'),
        ({"FindDescriptor": {"set": "none"}}, [], 'there is no descriptor set "none"'),
        ({"AddDescriptor": {"set": "compass"}}, [b"1234"], "descriptor of 4 bytes is not 2 numbers"),
        ({"AddDescriptor": {"set": "compass"}}, [packed([1, np.nan])], "a number that is not finite"),
        ({"FindDescriptor": {"k_neighbors": 1}}, [b"12345678"], "k_neighbors needs a set"),
        ({"FindDescriptor": {"set": "compass", "k_neighbors": 1}}, [], "Expected blobs: 1. Received blobs: 0"),
        ({"FindDescriptor": {"set": "compass", "distances": True}}, [], "distances needs k_neighbors"),
        ({"AddDescriptorSet": {"name": "x", "dimensions": 2, "metric": "L1"}}, [], 'expected "L2" or "IP" or "CS"'),
    ],
)
def test_what_is_refused(ask, compass, command, blobs, text):
    answer = ask(command, blobs=blobs)
    assert answer["status"] == -1
    assert text in answer["info"]


def test_the_wrapper_finds_similar_ones(client, compass):
    from aperturedb.Descriptors import Descriptors

    found = Descriptors(client)
    found.find_similar("compass", [2, 0], 2, distances=True, blobs=True)
    assert [(item["name"], item["_distance"], list(item["vector"])) for item in found] == [
        ("east", 1.0, [1, 0]),
        ("north", 5.0, [0, 1]),
    ]
    found.find_similar_mmr("compass", [2, 0], 2, fetch_k=4)
    assert len(found) == 2
