"""`labeling-assets sync` and `status` as a person types them: what fails, what goes on, what is printed."""

import json
import re

import pytest
from click.testing import CliRunner, Result

from labeling_assets import names
from labeling_assets.cli import main
from labeling_assets_tests.pipeline import Pipeline, add_project, box

pytest_plugins = ("labeling_assets_tests.pipeline_fixtures",)


@pytest.fixture
def labelled(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """The projects cars and dogs have one picture each way, which somebody labelled."""
    pipeline.add_project("dogs")
    pipeline.imported("may", 1)
    for slug in ("cars", "dogs"):
        pipeline.label(pipeline.tasks("may", slug)[0], box())
    monkeypatch.setenv("LABELING_ASSETS_HOME", str(pipeline.settings.home))
    return pipeline


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def written_by(pipeline: Pipeline) -> dict[str, str]:
    """Project -> run id of its annotation in ApertureDB."""
    wanted = ["LS_project", "LS_run_id"]
    rows = pipeline.db.find("FindEntity", None, class_name=names.ANNOTATION, properties=wanted)
    return {row["LS_project"]: row["LS_run_id"] for row in rows}


def test_a_project_that_fails_does_not_hold_up_the_others(labelled: Pipeline) -> None:
    labelled.ls.delete_project(labelled.project_id("cars"))
    add_project(labelled.settings, "ants")
    (labelled.settings.projects / "ants" / "project.yaml").write_text("title: ants\ncolour: red")
    result = run("sync")
    assert result.exit_code == 1
    assert "dogs may: 1 created" in result.stdout
    assert "2 of 3 projects failed." in result.stderr
    assert re.search(r"- ants: .*project\.yaml is wrong: colour", result.stderr)
    assert re.search(r"- cars: Project \d+ \(cars\) is gone", result.stderr)
    assert list(written_by(labelled)) == ["dogs"]
    chosen = run("sync", "--project", "dogs")
    assert (chosen.exit_code, chosen.stdout) == (0, "Nothing changed.\n")
    shown = run("status")
    assert shown.exit_code == 1
    assert ("dogs" in shown.stdout, "colour" in shown.stderr) == (True, True)


def test_everything_one_call_wrote_can_be_found_by_the_id_it_prints(labelled: Pipeline) -> None:
    result = run("sync", "--json")
    reports = json.loads(result.stdout)
    assert [report["project"] for report in reports] == ["cars", "dogs"]
    (run_id,) = {report["run_id"] for report in reports}
    assert re.fullmatch(r"cli-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", run_id)
    assert written_by(labelled) == {"cars": run_id, "dogs": run_id}
    labelled.label(labelled.tasks("may")[0], box(region="r2"))
    printed = run("sync").stdout.splitlines()
    assert printed[0].startswith("Run cli-")
    assert printed[0] != f"Run {run_id}"
    assert [line.split(":")[0] for line in printed[1:]] == ["cars may"]


def test_a_label_configuration_that_was_changed_in_label_studio_is_told(labelled: Pipeline) -> None:
    assert "label configuration" not in run("sync", "--project", "cars").stderr
    number = labelled.project_id("cars")
    changed = labelled.ls.project(number).label_config.replace('<Label value="dog"', '<Label value="cat"')
    labelled.ls.update_project(number, label_config=changed)
    told = run("sync", "--project", "cars")
    assert told.exit_code == 0
    assert f"The label configuration of 'cars' was changed in Label Studio ({labelled.ls.url}" in told.stderr


def test_an_unknown_project_is_named(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELING_ASSETS_HOME", str(pipeline.settings.home))
    result = run("status", "--project", "cats")
    assert (result.exit_code, "There is no labeling project 'cats'; there are: cars." in result.stderr) == (1, True)
