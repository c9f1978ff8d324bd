"""What the conformity tests share: one empty server per test, local or real, and the official client."""

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets_tests.certificates import make_certificate

os.environ["ADB_LOG_FILE"] = ""

Ask = Callable[..., Any]
Picture = Callable[..., bytes]


# Name of a transport of the local server, and what its key is made for.
TRANSPORTS = {
    "tcp": {},
    "tls": {"tls": True},
    "rest": {"rest": True},
    "rest_tls": {"rest": True, "tls": True},
}
# All transports carry the same queries to the same engine. So most tests run over TCP alone, and those that exercise a
# transport on all: errors, every type of value, blobs in and out. The client's loaders wait in steps of a second.
RUNS_ON = {
    "test_queries": tuple(TRANSPORTS),
    "test_media": tuple(TRANSPORTS),
    "test_client_library": ("tcp", "rest_tls"),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server_key" in metafunc.fixturenames:
        transports = RUNS_ON.get(metafunc.module.__name__.rpartition(".")[2], ("tcp",))
        real = [pytest.param("real", marks=pytest.mark.real)] if "APERTUREDB_KEY" in os.environ else []
        metafunc.parametrize("server_key", [*transports, *real], indirect=True)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def server_key(request: pytest.FixtureRequest, tmp_path: Path, certificate: tuple[Path, Path]) -> Iterator[str]:
    if request.param == "real":
        yield from _empty_database(os.environ["APERTUREDB_KEY"])
        return
    transport = TRANSPORTS[request.param]
    rest_port = 0 if "rest" in transport else None
    tls = certificate if "tls" in transport else None
    with LocalServer(tmp_path / "aperturedb", rest_port=rest_port, tls=tls) as server:
        yield server.key_for(**transport)


def _empty_database(key: str) -> Iterator[str]:
    from aperturedb.CommonLibrary import create_connector
    from aperturedb.Utils import Utils

    utils = Utils(create_connector(key=key))
    schema = utils.get_schema()
    if schema["entities"] or schema["connections"]:
        pytest.skip("the real server's database is not empty, so it is left alone")
    yield key
    utils.remove_all_objects()
    utils.remove_all_indexes()


@pytest.fixture
def client(server_key: str) -> Any:
    from aperturedb.CommonLibrary import create_connector

    return create_connector(key=server_key)


@pytest.fixture
def utils(client: Any) -> Any:
    from aperturedb.Utils import Utils

    return Utils(client)


@pytest.fixture
def ask(client: Any) -> Ask:
    """`ask(command, ..., blobs=[...])` gives the answer, without its blobs."""

    def ask(*commands: dict[str, Any], blobs: list[bytes] | None = None) -> Any:
        answer, _ = client.query(list(commands), blobs or [])
        return answer

    return ask


@pytest.fixture(scope="session")
def picture() -> Picture:
    """`picture(64, 48, "PNG")`: the left half red, the right half blue."""

    def picture(width: int = 64, height: int = 48, form: str = "PNG") -> bytes:
        image = Image.new("RGB", (width, height), (255, 0, 0))
        image.paste((0, 0, 255), (width // 2, 0, width, height))
        buffer = io.BytesIO()
        image.save(buffer, form)
        return buffer.getvalue()

    return picture
