"""What the tests of the sync share: an empty ApertureDB for each test, projects of their own in one Label Studio."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets_tests.sync.desk import Desk, desk
from labeling_assets_tests.sync.world import Stock, WatchedDatabase, World, picture, pictures, write_project

_numbers = itertools.count(1)


@pytest.fixture
def aperturedb(tmp_path: Path) -> Iterator[LocalServer]:
    """An empty server; it starts in 20 ms."""
    with LocalServer(tmp_path / "aperturedb") as server:
        yield server


@pytest.fixture
def database(aperturedb: LocalServer) -> Iterator[WatchedDatabase]:
    with WatchedDatabase(aperturedb.key) as db:
        yield db


@pytest.fixture
def stock(database: WatchedDatabase, tmp_path: Path) -> Stock:
    """A project for pictures and an empty inbox; no Label Studio is needed."""
    return Stock(database, write_project(tmp_path / "projects" / "cars"), tmp_path / "inbox")


@pytest.fixture
def make_world(database: WatchedDatabase, label_studio: LabelStudio, tmp_path: Path) -> Callable[..., World]:
    """`make_world(config=..., yaml=...)`: a project whose title no other test uses. It goes with the server."""

    def make(slug: str = "cars", **files: str) -> World:
        files["yaml"] = f"title: sync test {next(_numbers)}\n" + files.get("yaml", "")
        project = write_project(tmp_path / "projects" / slug, **files)
        return World(database, project, tmp_path / "inbox", label_studio)

    return make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A project for cars and dogs on pictures, nothing handed in yet."""
    return make_world()


@pytest.fixture
def published(world: World) -> World:
    """Three pictures, a00.png to a02.png, are tasks."""
    world.hand_in(pictures(3))
    world.publish()
    return world


@pytest.fixture(scope="session")
def tiny_video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An MP4 of three frames."""
    path = tmp_path_factory.mktemp("video") / "tiny.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    for brightness in range(3):
        writer.write(np.full((48, 64, 3), 80 * brightness, np.uint8))
    writer.release()
    return path.read_bytes()


@pytest.fixture
def on_picture(stock: Stock) -> Desk:
    return desk(stock, "a.png", picture())


@pytest.fixture
def on_video(stock: Stock, tiny_video: bytes) -> Desk:
    return desk(stock, "a.mp4", tiny_video)


@pytest.fixture
def on_text(stock: Stock) -> Desk:
    return desk(stock, "a.txt", "Ada saw Ben.")
