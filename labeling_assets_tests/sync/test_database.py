"""Indexes and types before the first write."""

import pytest

from labeling_assets import names
from labeling_assets.clients.query import Query
from labeling_assets.errors import DataError
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.sync.database import prepare_database
from labeling_assets_tests.sync.world import WatchedDatabase, picture

STATE = "LS_state_cars"


def indexes(database: WatchedDatabase) -> dict[str, set[str]]:
    return {cls: set(props) for cls, props in database.one("GetIndexes", {})["indexes"]["entity"].items()}


def test_the_keys_are_indexed(database: WatchedDatabase):
    prepare_database(database, (STATE,))
    found = indexes(database)
    assert {"guid", STATE} <= found["_Image"] & found["_Video"] & found["_Blob"]
    assert {"LS_project", "LS_batch", "LS_state"} <= found["LS_task"]
    assert {"LS_project", "LS_updated_at"} <= found["LS_annotation"]
    assert {"LS_label", "LS_batch", "LS_media_guid"} <= found["LS_region"] & found["_BoundingBox"] & found["_Polygon"]


def test_the_second_time_nothing_is_written(database: WatchedDatabase):
    prepare_database(database, (STATE,))
    database.writes.clear()
    prepare_database(database, (STATE,))
    assert database.writes == []


def test_a_new_project_adds_only_its_own_indexes(database: WatchedDatabase):
    prepare_database(database)
    database.writes.clear()
    prepare_database(database, (STATE,))
    assert database.writes == ["CreateIndex"] * 3


@pytest.mark.parametrize("dialect", ["legacy", "expression"])
def test_a_database_of_another_version_is_neither_read_nor_written(aperturedb: LocalServer, dialect: str):
    with WatchedDatabase(aperturedb.key, dialect=dialect) as database:
        properties = {names.SLUG: "cars", names.SCHEMA_VERSION: 1}
        database.one("AddEntity", {"class": names.PROJECT, "properties": properties})
        database.writes.clear()
        with pytest.raises(
            DataError, match=r"holds project 'cars' .*\(version 1\).* which has version 2.*data_model.md"
        ):
            prepare_database(database)
        assert database.writes == []


@pytest.mark.parametrize(
    ("class_name", "prop", "value", "wanted"),
    [
        (names.ANNOTATION, "LS_completed_by", 3, "string"),
        (names.REVISION, "LS_annotation_id", "3", "number"),
        (names.REGION, "LS_updated_at", "today", "datetime"),
    ],
)
def test_annotations_and_regions_of_other_types_are_named(
    database: WatchedDatabase, class_name: str, prop: str, value: object, wanted: str
):
    database.one("AddEntity", {"class": class_name, "properties": {prop: value}})
    database.writes.clear()
    with pytest.raises(DataError, match=f"{class_name} already has a property '{prop}' of .* needs it as {wanted}"):
        prepare_database(database)
    assert database.writes == []


@pytest.mark.parametrize(
    ("prop", "value", "wanted"), [("guid", 3, "string"), ("LS_width", "wide", "number"), (STATE, True, "string")]
)
def test_a_property_of_another_type_is_named_and_nothing_written(
    database: WatchedDatabase, prop: str, value: object, wanted: str
):
    query = Query()
    query.add("AddImage", {"properties": {prop: value}}, picture())
    database.run(query)
    database.writes.clear()
    with pytest.raises(DataError, match=f"_Image already has a property '{prop}' of type .* needs it as {wanted}"):
        prepare_database(database, (STATE,))
    assert database.writes == []
