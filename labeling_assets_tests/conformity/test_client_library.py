"""The loaders and helpers of the official client."""

import pandas as pd
import pytest

from labeling_assets_tests.conformity.conftest import Picture


@pytest.fixture
def ingest(client):
    from aperturedb.ParallelLoader import ParallelLoader

    def ingest(generator, batchsize: int = 20, numthreads: int = 2):
        loader = ParallelLoader(client)
        loader.ingest(generator, batchsize=batchsize, numthreads=numthreads)
        assert loader.error_counter == 0

    return ingest


@pytest.fixture
def images(tmp_path, picture: Picture, ingest):
    """Ten images with the property id."""
    from aperturedb.ImageDataCSV import ImageDataCSV

    rows = []
    for number in range(10):
        path = tmp_path / f"{number}.png"
        path.write_bytes(picture())
        rows.append((str(path), number, number))
    frame = pd.DataFrame(rows, columns=["filename", "id", "constraint_id"])
    ingest(ImageDataCSV("", df=frame))


def test_entities_from_a_table(ingest, utils):
    from aperturedb.EntityDataCSV import EntityDataCSV

    frame = pd.DataFrame(
        {"EntityClass": "Person", "id": range(50), "date:born": "2000-01-01", "constraint_id": range(50)}
    )
    for _ in range(2):
        ingest(EntityDataCSV("", df=frame))
    assert utils.count_entities("Person") == 50
    assert utils.get_indexed_props("Person") == ["id"]


def test_images_boxes_and_connections_from_tables(images, ingest, utils):
    from aperturedb.BBoxDataCSV import BBoxDataCSV
    from aperturedb.ConnectionDataCSV import ConnectionDataCSV

    # The client takes the label out of the properties only when others are left.
    boxes = pd.DataFrame(
        {"id": range(10), "x_pos": 1, "y_pos": 2, "width": 10, "height": 12, "_label": "dog", "score": 0.5}
    )
    ingest(BBoxDataCSV("", df=boxes))
    links = pd.DataFrame({"ConnectionClass": "next", "_Image@id": range(9), "_Image@id.1": range(1, 10), "n": 1})
    ingest(ConnectionDataCSV("", df=links))
    assert (utils.count_images(), utils.count_bboxes(), utils.count_connections("next")) == (10, 10, 9)


def test_everything_is_removed(images, utils):
    assert utils.remove_all_objects()
    assert utils.remove_all_indexes()
    assert utils.count_images() == 0


def test_descriptor_sets_can_be_counted(utils):
    assert utils.get_descriptorset_list() == []
    assert utils.count_descriptorsets() == 0


def test_the_summary_is_printed(images, utils, capsys):
    utils.summary()
    assert "Total elements: 10" in capsys.readouterr().out


def test_object_wrappers(images, client):
    from aperturedb.Constraints import Constraints
    from aperturedb.Images import Images
    from aperturedb.Query import Query

    found = Images.retrieve(client, Query.spec(constraints=Constraints().greater("id", 6)))
    assert [item["id"] for item in found] == [7, 8, 9]
    found.update_properties([{"seen": True}] * 3)
    assert len(Images.retrieve(client, Query.spec(constraints=Constraints().equal("seen", True)))) == 3


def test_connected_entities_through_the_wrappers(client, ask):
    from aperturedb.Entities import Entities
    from aperturedb.Query import Query

    ask(
        {"AddEntity": {"class": "Person", "_ref": 1, "properties": {"name": "Ann"}}},
        {"AddEntity": {"class": "City", "properties": {"name": "Rome"}, "connect": {"ref": 1, "class": "home"}}},
    )
    people = Entities.retrieve(client, Query.spec(with_class="Person"))
    people.db_object = "Person"
    (cities,) = people.get_connected_entities("City")
    assert [city["name"] for city in cities] == ["Rome"]


def test_the_status_is_readable(utils):
    assert '"system": "ApertureDB"' in utils.status()
