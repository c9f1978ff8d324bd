from collections.abc import Iterator

import pytest

from labeling_assets_tests.diagnose.patient import Patient, healthy
from labeling_assets_tests.pipeline import Pipeline


@pytest.fixture
def patient(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Iterator[Patient]:
    """An installation in which all is well, for one test to break."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with healthy(pipeline) as patient:
        yield patient
