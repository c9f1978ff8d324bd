"""Adding, finding, changing and deleting entities."""

import re

import pytest

ALL = {"all_properties": True}


@pytest.fixture
def people(ask):
    """Ann 30, Bob 20, Cid without age, added in this order."""
    ask(
        {"AddEntity": {"class": "Person", "properties": {"name": "Ann", "age": 30}}},
        {"AddEntity": {"class": "Person", "properties": {"name": "Bob", "age": 20}}},
        {"AddEntity": {"class": "Person", "properties": {"name": "Cid"}}},
    )


def find(ask, **parameters):
    return ask({"FindEntity": {"with_class": "Person", **parameters}})[0]["FindEntity"]


def test_add_answers_status_only(ask):
    assert ask({"AddEntity": {"class": "Person"}}) == [{"AddEntity": {"status": 0}}]


def test_nothing_found_has_no_list(ask):
    assert find(ask, results={"list": ["name"]}) == {"returned": 0, "status": 0}


def test_count_is_there_when_nothing_is_found(ask):
    assert find(ask, results={"count": True}) == {"count": 0, "returned": 0, "status": 0}


def test_objects_that_are_only_matched_are_not_returned(ask, people):
    assert find(ask, _ref=1) == {"returned": 0, "status": 0}


def test_list_gives_null_for_a_missing_property(ask, people):
    ages = [item["age"] for item in find(ask, results={"list": ["age"]})["entities"]]
    assert ages == [30, 20, None]


EXACT = {
    "whole": 2**53 - 1,
    "negative": -7,
    "third": 1 / 3,
    "tiny": 5e-324,
    "huge": 1.7976931348623157e308,
    "yes": True,
    "text": 'a "quoted" \\ line\n of Größe \U0001f600',
    "empty": "",
    "when": {"_date": "2026-03-02T12:00:00+00:00"},
}


@pytest.mark.parametrize("names", [[*EXACT, "missing"], *([name] for name in EXACT)], ids=lambda names: names[-1])
@pytest.mark.parametrize("constraints", [{"name": ["==", "exact"]}, {"whole": [">", 0]}, None], ids=str)
def test_listed_values_are_exact_however_they_are_found(ask, names, constraints):
    ask({"AddEntity": {"class": "Person", "properties": {**EXACT, "name": "exact"}}})
    where = {} if constraints is None else {"constraints": constraints}
    (found,) = find(ask, results={"list": names}, **where)["entities"]
    whole = find(ask, results=ALL)["entities"][0]
    assert found == {name: whole.get(name) for name in names}
    assert {name: found[name] for name in names if name not in ("missing", "when")} == {
        name: EXACT[name] for name in names if name not in ("missing", "when")
    }


def test_all_properties_leaves_missing_ones_out(ask, people):
    entities = find(ask, results=ALL)["entities"]
    assert [sorted(item) for item in entities] == [
        ["_uniqueid", "age", "name"],
        ["_uniqueid", "age", "name"],
        ["_uniqueid", "name"],
    ]


def test_unique_ids_have_three_numbers_and_share_the_last(ask, people):
    ids = [item["_uniqueid"] for item in find(ask, uniqueids=True)["entities"]]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", unique_id) for unique_id in ids)
    assert len({unique_id.split(".")[2] for unique_id in ids}) == 1


def test_built_in_classes_are_found_as_entities(ask, picture):
    ask({"AddImage": {"properties": {"guid": "g"}}}, blobs=[picture()])
    (answer,) = ask({"FindEntity": {"with_class": "_Image", "results": {"list": ["guid"]}}})
    assert answer["FindEntity"]["entities"] == [{"guid": "g"}]


def test_any_object_is_found_by_its_unique_id(ask, picture):
    ask({"AddImage": {"properties": {"guid": "g"}}}, blobs=[picture()])
    (found,) = ask({"FindImage": {"uniqueids": True}})
    unique_id = found["FindImage"]["entities"][0]["_uniqueid"]
    (answer,) = ask({"FindEntity": {"constraints": {"_uniqueid": ["==", unique_id]}, "results": {"list": ["guid"]}}})
    assert answer["FindEntity"]["entities"] == [{"guid": "g"}]


def test_without_class_all_entities_are_found(ask, people):
    ask({"AddEntity": {"class": "City"}})
    assert ask({"FindEntity": {"results": {"count": True}}})[0]["FindEntity"]["count"] == 4


def test_order_without_sort_is_the_order_of_adding(ask, people):
    entities = find(ask, results={"list": ["name"]}, limit=2, offset=1)["entities"]
    assert [item["name"] for item in entities] == ["Bob", "Cid"]


def test_limit_does_not_change_the_count(ask, people):
    answer = find(ask, results={"list": ["name"], "count": True}, limit=1)
    assert (answer["count"], answer["returned"]) == (3, 1)


def test_older_clients_give_limit_and_sort_in_results(ask, people):
    answer = find(ask, results={"list": ["name"], "limit": 1, "sort": {"key": "name", "order": "descending"}})
    assert [item["name"] for item in answer["entities"]] == ["Cid"]


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("name", ["Ann", "Bob", "Cid"]),
        ({"key": "name", "order": "descending"}, ["Cid", "Bob", "Ann"]),
        ([{"key": "name", "order": "ascending"}], ["Ann", "Bob", "Cid"]),
    ],
)
def test_sort(ask, people, sort, names):
    entities = find(ask, results={"list": ["name"]}, sort=sort)["entities"]
    assert [item["name"] for item in entities] == names


def test_update_changes_what_it_names(ask, people):
    answer = ask(
        {
            "UpdateEntity": {
                "with_class": "Person",
                "constraints": {"name": ["==", "Ann"]},
                "properties": {"age": 31},
            }
        }
    )
    assert answer == [{"UpdateEntity": {"count": 1, "status": 0}}]
    ages = [item["age"] for item in find(ask, results={"list": ["age"]})["entities"]]
    assert ages == [31, 20, None]


def test_update_removes_properties(ask, people):
    ask({"UpdateEntity": {"with_class": "Person", "remove_props": ["age"]}})
    ages = [item["age"] for item in find(ask, results={"list": ["age"]})["entities"]]
    assert ages == [None, None, None]


def test_update_keeps_the_unique_id(ask, people):
    before = find(ask, uniqueids=True)["entities"]
    ask({"UpdateEntity": {"with_class": "Person", "properties": {"age": 1}}})
    assert find(ask, uniqueids=True)["entities"] == before


def test_update_that_matches_nothing_counts_0(ask):
    answer = ask({"UpdateEntity": {"with_class": "Person", "constraints": {"name": ["==", "Zoe"]}}})
    assert answer == [{"UpdateEntity": {"count": 0, "status": 0}}]


def test_delete_by_constraints(ask, people):
    answer = ask({"DeleteEntity": {"with_class": "Person", "constraints": {"age": ["<", 25]}}})
    assert answer == [{"DeleteEntity": {"count": 1, "status": 0}}]
    names = [item["name"] for item in find(ask, results={"list": ["name"]})["entities"]]
    assert names == ["Ann", "Cid"]


def test_delete_by_reference(ask, people):
    answer = ask({"FindEntity": {"with_class": "Person", "_ref": 1, "limit": 2}}, {"DeleteEntity": {"ref": 1}})
    assert answer[1] == {"DeleteEntity": {"count": 2, "status": 0}}


def test_aggregates(ask, people):
    answer = find(ask, results={"sum": "age", "average": "age", "min": ["age", "name"], "max": "age"})
    assert answer["_avg"] == {"age": 25}
    assert answer["_min"] == {"age": 20, "name": "Ann"}
    assert answer["_max"] == {"age": 30}


def test_groups_are_ordered_by_their_keys(ask):
    for kind, size in (("b", 1), ("a", 2), ("b", 5)):
        ask({"AddEntity": {"class": "Thing", "properties": {"kind": kind, "size": size}}})
    (answer,) = ask({"FindEntity": {"with_class": "Thing", "results": {"group": ["kind"], "average": "size"}}})
    assert answer["FindEntity"]["groups"] == [
        {"kind": "a", "_group_count": 1, "_group_avg": {"size": 2}},
        {"kind": "b", "_group_count": 2, "_group_avg": {"size": 3}},
    ]
