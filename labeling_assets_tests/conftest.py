"""What all tests share: quiet libraries and one real Label Studio per session.

The server starts from the prepared database in the user's cache (DESIGN section 9): about 4 s, the very first
time about a minute. Tests that use it get the marker `label_studio` by themselves.
"""

import itertools
import os
import signal
from collections.abc import Callable, Iterator

import pytest

from labeling_assets.clients.label_studio import LabelStudio, Project
from labeling_assets.errors import ServiceError
from labeling_assets.stack.label_studio import Account, LabelStudioServer, migrated_database

os.environ["ADB_LOG_FILE"] = ""
os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
os.environ["DO_NOT_TRACK"] = "1"
for _name in ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY", "LABELING_ASSETS_HOME"):
    # A test must never reach the systems that the shell it runs in is set up for.
    os.environ.pop(_name, None)

BOXES = """
<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="label" toName="image"><Label value="car"/><Label value="dog"/></RectangleLabels>
</View>
"""

MakeProject = Callable[..., Project]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=40, help="how many random moments to kill a step at (faults/)")
    parser.addoption("--operations", type=int, default=60, help="how many random operations for each seed (faults/)")
    parser.addoption(
        "--operations-seed", default="0-2", help="the seed of random operations, or the first-last of them"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "label_studio_database" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.label_studio)


@pytest.fixture(scope="module", autouse=True)
def _polite_signals() -> Iterator[None]:
    """Dagster gives SIGTERM the handler of SIGINT. Shells ignore that in the background, and children inherit it."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def label_studio_database() -> None:
    """Label Studio is installed, or the test is skipped with the reason."""
    try:
        migrated_database()
    except ServiceError as error:
        pytest.skip(f"Label Studio cannot be installed here: {error}")


@pytest.fixture(scope="session")
def label_studio_server(
    label_studio_database: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LabelStudioServer]:
    """One for the session, on 127.0.0.1. Use projects of your own; do not stop it."""
    with LabelStudioServer(tmp_path_factory.mktemp("label_studio"), Account.random()) as server:
        yield server


@pytest.fixture(scope="session")
def label_studio_key(label_studio_server: LabelStudioServer) -> str:
    """The personal access token of the server's only user."""
    return label_studio_server.personal_access_token()


@pytest.fixture
def label_studio(label_studio_server: LabelStudioServer, label_studio_key: str) -> Iterator[LabelStudio]:
    """A client of its own for each test, so that `request_count` starts at 0."""
    with LabelStudio(label_studio_server.url, label_studio_key) as client:
        yield client


_numbers = itertools.count(1)


@pytest.fixture
def ls_project(label_studio: LabelStudio) -> Iterator[MakeProject]:
    """`ls_project(label_config=BOXES, title=..., **settings)` makes a project that is deleted after the test."""
    made: list[Project] = []

    def make(label_config: str = BOXES, title: str = "", **settings: object) -> Project:
        project = label_studio.create_project(title or f"test {next(_numbers)}", label_config, **settings)
        made.append(project)
        return project

    yield make
    for project in made:
        label_studio.delete_project(project.id)
