import io
from collections.abc import Iterator
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets_tests.gateway.api import Api, running_api
from labeling_assets_tests.gateway.running import WatchedDatabase, add_medium, add_object, gateway_client

# Longer than one piece of an answer, and not a multiple of it.
RECORDING = bytes(range(251)) * 4000


@pytest.fixture(scope="session")
def picture() -> bytes:
    """A PNG of 40 x 30 pixels."""
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def recording() -> bytes:
    """A million bytes, each place recognisable."""
    return RECORDING


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An MP4 of ten frames."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    for brightness in range(10):
        writer.write(np.full((48, 64, 3), 20 * brightness, np.uint8))
    writer.release()
    return path.read_bytes()


@pytest.fixture(scope="session")
def aperturedb_key(tmp_path_factory: pytest.TempPathFactory, picture: bytes, clip: bytes) -> Iterator[str]:
    """A database with media of every kind, and with Blobs that are none."""
    with LocalServer(tmp_path_factory.mktemp("aperturedb"), port=0) as server, ApertureDB(server.key) as database:
        add_medium(database, "picture", picture, mime_type="image/png", command="AddImage")
        add_medium(database, "clip", clip, mime_type="video/mp4", command="AddVideo")
        add_object(database, clip, {"guid": "adopted-clip"}, command="AddVideo")
        add_medium(database, "recording", RECORDING, mime_type="audio/wav")
        add_medium(database, "note", "grüße\n".encode(), mime_type="text/plain")
        add_medium(database, "old-note", "grüße\n".encode("latin-1"), mime_type="text/plain")
        add_medium(database, "page", b"<script>alert(1)</script>", mime_type="text/html")
        add_medium(database, "drawing", b"<svg xmlns='http://www.w3.org/2000/svg'/>", mime_type="image/svg+xml")
        add_medium(database, "paper", b"%PDF-1.7", mime_type="application/pdf")
        add_medium(database, "nothing", b"", mime_type="application/octet-stream")
        add_medium(database, "broken-type", b"x", mime_type="text/plain\r\nX-Injected: 1")
        add_object(database, picture, {"guid": "adopted"}, command="AddImage")
        add_object(database, b"fLaC\0\0\0\x22", {"guid": "adopted-sound", "LS_role": "media"})
        add_object(database, b"mask", {"guid": "mask", "LS_role": "mask", "LS_mime_type": "image/png"})
        add_object(database, b"no role", {"guid": "no-role", "LS_mime_type": "text/plain"})
        add_object(database, b"new bytes", {"guid": "changed", "LS_role": "media", "LS_sha256": "0" * 64})
        yield server.key


@pytest.fixture(scope="session")
def gateway(aperturedb_key: str) -> Iterator[httpx.Client]:
    """A browser in front of a running gateway, for tests that only read."""
    with ApertureDB(aperturedb_key) as database, gateway_client(database) as client:
        yield client


@pytest.fixture
def watched(aperturedb_key: str) -> Iterator[WatchedDatabase]:
    """A connection of its own to the database."""
    with WatchedDatabase(aperturedb_key) as database:
        yield database


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """Task lists and pushes, with the project `cars` and an empty database."""
    with LocalServer(tmp_path / "aperturedb") as server, running_api(server.key, tmp_path / "projects") as api:
        api.add_project()
        yield api
