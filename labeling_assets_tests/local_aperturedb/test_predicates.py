"""The SQL of searches: which index it uses, and what it refuses."""

import pytest

from labeling_assets.local_aperturedb import kinds
from labeling_assets.local_aperturedb.arguments import check_arguments
from labeling_assets.local_aperturedb.commands import COMMANDS
from labeling_assets.local_aperturedb.constraints import constraints
from labeling_assets.local_aperturedb.errors import QueryError
from labeling_assets.local_aperturedb.run import Run
from labeling_assets.local_aperturedb.search import search
from labeling_assets.local_aperturedb.writes import insert_entity


@pytest.fixture
def run(transaction):
    """With an image, an index on its guid, and a connection to a person."""
    running = Run(transaction, iter([]), 1000)
    insert_entity(running, 7, {"guid": "g", "n": 1}, {})
    execute(running, "CreateIndex", {"target": "entity", "class": "_Image", "property": "guid"})
    execute(running, "AddEntity", {"class": "Person", "_ref": 1})
    return running


def execute(run, name, given):
    command = COMMANDS[name]
    return command.run(run, check_arguments(given, command.parameters))


def plan(run, kind=kinds.IMAGE, tail="ORDER BY o.id", **given):
    command = COMMANDS[f"Find{kind.name}"]
    found = search(run, kind, check_arguments(given, command.parameters))
    sql = f"EXPLAIN QUERY PLAN SELECT o.id FROM {kind.target} o WHERE {found.where.text} {tail}"
    return " / ".join(row["detail"] for row in run.transaction.rows(sql, found.where.values))


@pytest.mark.parametrize(
    "tree",
    [
        {"guid": ["==", "g"]},
        ["$guid", "==", "g"],
        {"guid": ["in", ["g", "h"]]},
        {"guid": [">", "a", "<", "h"]},
        {"guid": ["==", "g"], "n": [">", 1]},
        {"guid": ["==", None]},
    ],
)
def test_an_index_is_used(run, tree):
    assert "property_7_guid" in plan(run, constraints=tree)


def test_an_index_gives_the_order_of_keyset_pages(run):
    order = "ORDER BY json_extract(o.props, '$.\"guid\"') ASC, o.id ASC LIMIT 10"
    used = plan(run, constraints={"guid": [">", "a"]}, tail=order)
    assert "property_7_guid" in used
    assert "TEMP B-TREE" not in used


def test_an_index_of_an_unknown_class_is_made_in_advance(run):
    execute(run, "CreateIndex", {"target": "entity", "class": "New", "property": "key"})
    execute(run, "AddEntity", {"class": "New", "properties": {"key": "k"}})
    assert "key" in plan(run, kinds.ENTITY, with_class="New", constraints={"key": ["==", "k"]})


def test_a_dropped_index_is_not_used(run):
    execute(run, "RemoveIndex", {"target": "entity", "class": "_Image", "property": "guid"})
    assert "property_7_guid" not in plan(run, constraints={"guid": ["==", "g"]})


def test_unique_ids_go_straight_to_the_row(run):
    assert "rowid=?" in plan(run, constraints={"_uniqueid": ["==", "7.1.1"]})


@pytest.mark.parametrize("direction", ["in", "out", "any"])
def test_connections_are_followed_and_classes_not_scanned(run, direction):
    used = plan(run, is_connected_to={"ref": 1, "direction": direction})
    assert "rowid=?" in used
    assert "connection_src (src=?" in used or "connection_dst (dst=?" in used


def test_labels_are_indexed(run):
    assert "entity_label" in plan(run, kinds.BOUNDING_BOX, with_label="dog")


def test_connection_properties_can_be_indexed(run):
    execute(run, "CreateIndex", {"target": "connection", "class": "has", "property": "n"})
    used = plan(run, kinds.CONNECTION, with_class="has", constraints={"n": ["==", 1]})
    assert "property_" in used


def test_ten_thousand_comparisons_are_no_problem(run):
    tree = ["any", *(["$guid", "==", f"g{number}"] for number in range(5000))]
    assert search(run, kinds.IMAGE, {"constraints": constraints(tree)}).count(run) == 0


@pytest.mark.parametrize(
    ("tree", "named"),
    [
        ({"guid": ["==", 7]}, '"guid" of class "_Image" is of type String'),
        ({"n": ["in", ["a"]]}, '"n" of class "_Image" is of type Number'),
        (["$guid", "<", "$n"], "$n of type Number"),
        ({"_size": ["==", 1]}, '"_size"'),
        ({"_uniqueid": ["<", "1.1.1"]}, "_uniqueid"),
    ],
)
def test_what_cannot_be_compared_is_named(run, tree, named):
    with pytest.raises(QueryError) as caught:
        search(run, kinds.IMAGE, {"constraints": constraints(tree)})
    assert named in caught.value.info
