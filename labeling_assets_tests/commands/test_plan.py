"""`labeling-assets plan`, and `sync --plan`, as a person types them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from labeling_assets.cli import main
from labeling_assets_tests.pipeline import Pipeline, box

pytestmark = pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")
pytest_plugins = ("labeling_assets_tests.pipeline_fixtures",)


@pytest.fixture
def labelled(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """Twelve pictures with a label each, none of them synced."""
    for task in pipeline.imported("may", 12):
        pipeline.label(task, box())
    monkeypatch.setenv("LABELING_ASSETS_HOME", str(pipeline.settings.home))
    return pipeline


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_ten_of_each_kind_are_shown_and_nothing_is_written(labelled: Pipeline) -> None:
    for _ in range(2):
        printed = run("plan").stdout.splitlines()
        assert printed[0] == "cars may: 12 to create"
        assert len([line for line in printed if line.startswith("  create annotation ")]) == 10
        assert printed[-1] == "  ... and 2 more to create"


def test_a_sync_does_what_the_plan_has_and_nothing_else(labelled: Pipeline, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(run("plan", "--json").stdout)
    assert len(json.loads(file.read_text())[0]["changes"]) == 12
    done = run("sync", "--plan", str(file))
    assert (done.exit_code, done.stdout.splitlines()[1].split(",")[0]) == (0, "cars may: 12 created")
    assert run("plan").stdout == "There is nothing to do.\n"
    task = labelled.tasks("may")[0]
    file.write_text(run("plan", "--full", "--json").stdout)
    labelled.label(task, box(region="r2"))
    late = run("sync", "--plan", str(file))
    assert late.exit_code == 1
    assert "does not have 1 changes that are due now" in late.stderr


def test_a_plan_of_another_project_or_with_a_choice_of_batches_is_refused(labelled: Pipeline, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text('[{"project": "cows", "batch": "may", "full": false, "changes": []}]')
    assert "'cows', which is not among those chosen" in run("sync", "--plan", str(file)).stderr
    assert "leave out --batch and --full" in run("sync", "--plan", str(file), "--full").stderr


def test_mass_deletion_is_planned_refused_and_allowed(labelled: Pipeline) -> None:
    run("sync")
    number = labelled.project_id("cars")
    tasks = [int(task["id"]) for task in labelled.tasks("may")]
    labelled.ls.run_action(number, "delete_tasks_annotations", tasks)
    assert "The sync would stop: At least 12 of 12 annotations" in run("plan").stdout
    refused = run("sync")
    assert (refused.exit_code, "--allow-mass-deletion" in refused.stderr) == (1, True)
    assert "12 deleted" in run("sync", "--batch", "may", "--allow-mass-deletion").stdout


def test_dagster_asks_too(labelled: Pipeline) -> None:
    run("sync")
    tasks = [int(task["id"]) for task in labelled.tasks("may")]
    labelled.ls.run_action(labelled.project_id("cars"), "delete_tasks_annotations", tasks)
    failed = labelled.run("sync_cars", "may", "cars/annotations")
    assert not failed.success
    allowed = {"ops": {"cars__annotations": {"config": {"allow_mass_deletion": True}}}}
    assert labelled.run("sync_cars", "may", "cars/annotations", run_config=allowed).success
