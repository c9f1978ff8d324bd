"""The builder of queries."""

from labeling_assets.clients.constraints import Dialect, all_of, equal
from labeling_assets.clients.query import Query


def test_references_count_from_one_and_places_from_zero():
    query = Query()
    assert (query.reference(), query.reference()) == (1, 2)
    assert (query.add("FindEntity", {}), query.add("FindImage", {})) == (0, 1)


def test_blobs_stay_in_the_order_of_their_commands():
    query = Query()
    query.add("AddImage", {}, b"1")
    query.add("FindEntity", {})
    query.add("AddBlob", {}, b"")
    assert query.blobs == [b"1", b""]


def test_conditions_are_rendered_wherever_they_stand():
    query = Query()
    query.add("AddEntity", {"class": "A", "if_not_found": equal("k", 1)})
    query.add("FindEntity", {"constraints": all_of(equal("k", 1)), "is_connected_to": [{"constraints": equal("x", 2)}]})
    assert query.render(Dialect.LEGACY) == [
        {"AddEntity": {"class": "A", "if_not_found": {"k": ["==", 1]}}},
        {"FindEntity": {"constraints": {"k": ["==", 1]}, "is_connected_to": [{"constraints": {"x": ["==", 2]}}]}},
    ]


def test_a_connection_has_its_key():
    query = Query()
    query.connect("owns", "a|b", source=1, destination=2, LS_row=3)
    assert query.render(Dialect.EXPRESSION) == [
        {
            "AddConnection": {
                "class": "owns",
                "src": 1,
                "dst": 2,
                "properties": {"LS_key": "a|b", "LS_row": 3},
                "if_not_found": ["$LS_key", "==", "a|b"],
            }
        }
    ]


def test_an_index_is_spelled_as_the_dialect_wants_it():
    query = Query()
    query.create_index("entity", "LS_task", "LS_batch")
    assert query.render(Dialect.LEGACY) == [
        {"CreateIndex": {"index_type": "entity", "class": "LS_task", "property_key": "LS_batch"}}
    ]
    assert query.render(Dialect.EXPRESSION) == [
        {"CreateIndex": {"target": "entity", "class": "LS_task", "property": "LS_batch"}}
    ]
