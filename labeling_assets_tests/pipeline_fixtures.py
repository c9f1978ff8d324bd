"""Fixtures for modules that say `pytest_plugins = ("labeling_assets_tests.pipeline_fixtures",)`.

A plugin, because the test of a module of the package lies in this folder, where all other tests would share it.
"""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from labeling_assets.stack.label_studio import LabelStudioServer
from labeling_assets_tests.pipeline import Pipeline, pipelines


@pytest.fixture
def pipeline(tmp_path: Path, label_studio_server: LabelStudioServer, label_studio_key: str) -> Iterator[Pipeline]:
    """For one test, to be changed at will; the project `cars` is there, no batch."""
    with pipelines(tmp_path, label_studio_server, label_studio_key) as make:
        yield make()


@pytest.fixture(scope="module")
def dagster_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """On disk, as sensors and schedules need it."""
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster"))) as instance:
        yield instance


@pytest.fixture
def instance(dagster_home: dg.DagsterInstance) -> dg.DagsterInstance:
    """Without runs, events and partitions; a new one would cost half a second."""
    dagster_home.wipe()
    return dagster_home
