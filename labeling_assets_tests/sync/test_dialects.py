"""The whole way once in each dialect of ApertureDB: claim, publish, collect, and one writer at a time."""

from pathlib import Path

import pytest

from labeling_assets import names
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.errors import TransientError
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.sync.claim_media import claim_media
from labeling_assets.sync.lease import lease
from labeling_assets_tests.sync.world import WatchedDatabase, World, box, picture, pictures, write_project


@pytest.fixture(params=["legacy", "expression"])
def database(aperturedb: LocalServer, request: pytest.FixtureRequest):
    """In place of the one for all tests, which asks the server for its dialect."""
    with WatchedDatabase(aperturedb.key, dialect=request.param) as db:
        yield db


def test_labels_come_back(published: World):
    first, second, _ = published.task_ids()
    annotation = published.annotate(first, box())
    published.collect()
    published.ls.update_annotation(annotation["id"], {"result": [box(label="dog")]})
    published.ls.delete_task(second)
    report = published.collect()
    assert (report.updated, report.tasks_withdrawn, published.boxes("car"), published.boxes("dog")) == (1, 1, 0, 1)


def test_a_batch_is_imported_twice_without_harm(published: World):
    published.hand_in(pictures(4))
    assert (published.publish().created, len(published.stored(names.TASK))) == (1, 4)


@pytest.mark.parametrize("command", ["AddImage", "AddBlob"])
def test_media_are_claimed(database: WatchedDatabase, tmp_path: Path, command: str):
    yaml = 'query: [[shop, "==", Bern]]\nmedia_types: [image, other]'
    project = write_project(tmp_path / "projects" / "shop", yaml=yaml)
    query_blobs = {"AddImage": picture(1), "AddBlob": bytes(range(256))}
    database.ask([{command: {"properties": {"shop": "Bern"}}}], [query_blobs[command]])
    assert claim_media(database, project, batch="claim-shop-0001").rows == 1
    assert claim_media(database, project, batch="claim-shop-0001").rows == 0


def test_there_is_one_writer(database: WatchedDatabase):
    with lease(database, "May"), pytest.raises(TransientError), lease(database, "May"):
        pass
    with lease(database, "May"):
        pass


def test_a_server_under_another_address_is_the_same(published: World, label_studio_key: str):
    with LabelStudio(published.ls.url.replace("127.0.0.1", "localhost"), label_studio_key) as ls:
        assert published.publish(ls=ls).created == 0
    assert len(published.stored(names.INSTANCE)) == 1
