"""What the tests of faults share."""

from collections.abc import Iterator

import pytest

from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.stack.label_studio import LabelStudioServer
from labeling_assets_tests.faults.stages import Stages
from labeling_assets_tests.faults.victims import victims


@pytest.fixture(scope="session")
def stages(
    tmp_path_factory: pytest.TempPathFactory, label_studio_server: LabelStudioServer, label_studio_key: str
) -> Iterator[Stages]:
    """The states that the steps begin in."""
    with LabelStudio(label_studio_server.url, label_studio_key) as ls, victims() as forked:
        yield Stages(tmp_path_factory.mktemp("stages"), ls, label_studio_key, forked)


@pytest.fixture
def operations(request: pytest.FixtureRequest) -> int:
    """How many there are for each seed."""
    return int(request.config.getoption("--operations"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(metafunc.config.getoption("--kills")))
    if "operations_seed" in metafunc.fixturenames:
        first, _, last = str(metafunc.config.getoption("--operations-seed")).partition("-")
        metafunc.parametrize("operations_seed", range(int(first), int(last or first) + 1))
