"""`labeling-assets doctor` as a person types it."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from labeling_assets.cli import main
from labeling_assets_tests.diagnose.patient import Patient, healthy
from labeling_assets_tests.pipeline import Pipeline

pytest_plugins = ("labeling_assets_tests.pipeline_fixtures",)


@pytest.fixture
def patient(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Iterator[Patient]:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("LABELING_ASSETS_HOME", str(pipeline.settings.home))
    with healthy(pipeline) as patient:
        yield patient


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ("doctor", *arguments))


def test_where_all_is_well(patient: Patient) -> None:
    result = run()
    assert result.exit_code == 0
    assert result.stdout.endswith(": 0 wrong, 0 warnings\n")
    assert run("--quiet").stdout.count("\n") == 1


def test_warnings_alone_are_no_failure(patient: Patient) -> None:
    patient.gateway(origins=("*",))
    patient.pipeline.ls.delete_webhook(patient.pipeline.ls.webhooks(patient.record.project_id)[0]["id"])
    result = run("--quiet")
    assert result.exit_code == 1
    assert "WARNING gateway.cors: Every website may load media" in result.stdout
    patient.settings.model_fields_set.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABELING_ASSETS_WEBHOOKS", "off")
        result = run("--quiet")
    assert (result.exit_code, "0 wrong, 2 warnings" in result.stdout) == (0, True)


def test_what_is_wrong_comes_with_its_fix(patient: Patient) -> None:
    patient.pipeline.ls.delete_project(patient.record.project_id)
    result = run()
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("WRONG   label_studio.projects: "))
    assert lines[place + 1].startswith("        -> ")


def test_as_json(patient: Patient) -> None:
    findings = json.loads(run("--json").stdout)
    assert {finding["level"] for finding in findings} == {"ok"}
    assert findings[0].keys() == {"name", "level", "text", "fix"}


def test_settings_that_are_wrong_are_told(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELING_ASSETS_SENSORS", "maybe")
    result = run()
    assert (result.exit_code, "sensors: Input should be 'on' or 'off'" in result.stderr) == (1, True)
