"""`labeling-assets push` as a person types it: exit codes, what it prints, what it leaves alone."""

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from labeling_assets.cli import main
from labeling_assets.commands import push as command
from labeling_assets.sync.push.report import PushReport, PushRow
from labeling_assets_tests.pipeline import Pipeline, box, choice

pytest_plugins = ("labeling_assets_tests.pipeline_fixtures",)

OTHER = """
<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="label" toName="image"><Label value="car"/><Label value="horse"/></RectangleLabels>
  <Choices name="scene" toName="image"><Choice value="outdoors"/></Choices>
</View>
"""
Push = Callable[..., Result]


@pytest.fixture
def push(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Push:
    """Two projects for the same three pictures; all are labelled in the first, one with a label the second lacks."""
    pipeline.add_project("other", OTHER)
    tasks = pipeline.imported("may")
    pipeline.label(tasks[0], box())
    pipeline.label(tasks[1], box(), choice("outdoors"))
    pipeline.label(tasks[2], box(label="dog"))
    pipeline.synced("may")
    monkeypatch.setenv("LABELING_ASSETS_HOME", str(pipeline.settings.home))
    return lambda *arguments: CliRunner().invoke(main, ("push", "other", *arguments))


def test_a_plan_then_the_push_then_nothing_to_do(pipeline: Pipeline, push: Push):
    wanted = ("--as", "predictions", "--from", "annotations", "--from-project", "cars")
    planned = push(*wanted, "--plan")
    assert planned.exit_code == 1
    assert "2 would be created" in planned.stdout
    assert "create prediction of 'annotations of cars' in task" in planned.stdout
    assert "'label' has no label 'dog'" in planned.stdout
    assert [task.get("total_predictions") for task in _with_predictions(pipeline)] == [0, 0, 0]

    strict = push(*wanted, "--strict")
    assert strict.exit_code == 1
    assert "nothing was sent, because --strict was given and 1 were refused" in strict.stdout

    pushed = push(*wanted)
    assert (pushed.exit_code, "2 created" in pushed.stdout) == (1, True)
    assert [task.get("total_predictions") for task in _with_predictions(pipeline)] == [1, 1, 0]

    again = json.loads(push(*wanted, "--json").stdout)
    assert (again["created"], again["unchanged"], again["refused"]) == (0, 2, 1)
    (row,) = again["rows"]
    assert (row["control"], row["severity"]) == ("label", "error")


def test_annotations(pipeline: Pipeline, push: Push):
    pushed = push("--as", "annotations", "--from-project", "cars", "--batch", "may")
    assert (pushed.exit_code, "2 created" in pushed.stdout) == (1, True)
    tasks = pipeline.tasks("may", "other")
    assert [len(task["annotations"]) for task in tasks] == [1, 1, 0]
    assert not any(annotation["ground_truth"] for task in tasks for annotation in task["annotations"])


def _with_predictions(pipeline: Pipeline) -> list[dict]:
    return list(pipeline.ls.iterate_by_id(pipeline.project_id("other"), include=("id", "total_predictions")))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--as", "predictions"], 1, "There is no labeling project 'nobody'; there are: none."),
        ([], 2, "Missing option '--as'"),
        (["--as", "predictions", "--from-project", "cars"], 2, "does not go with --from predictions"),
        (["--as", "annotations", "--model-version", "m1"], 2, "annotations have none"),
        (["--as", "annotations", "--remove-stale"], 2, "--remove-stale goes with --as predictions only"),
        (["--as", "annotations", "--show"], 2, "--show goes with --as predictions only"),
        (["--as", "predictions", "--include-deleted"], 2, "--include-deleted goes with --as annotations only"),
    ],
)
def test_wrong_usage(tmp_path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, message: str):
    monkeypatch.setenv("LABELING_ASSETS_HOME", str(tmp_path))
    result = CliRunner().invoke(main, ["push", "nobody", *arguments])
    assert (result.exit_code, message in result.stderr) == (code, True)


def _row(number: int, severity: str) -> PushRow:
    return PushRow(f"g{number}", f"k{number}", "", "", "Label Studio does not show it", severity)  # type: ignore[arg-type]


def test_an_error_beyond_the_rows_that_are_kept_counts(tmp_path, monkeypatch: pytest.MonkeyPatch):
    report = PushReport("cars", "predictions", "predictions", model_versions=["m2"], shown_version="m1")
    for number in range(10_005):
        report.add(_row(number, "warning"))
    report.add(_row(0, "error"))
    assert (len(report.errors), report.rows_left_out, report.errors_found) == (1, 5, 1)
    report.rows.clear()  # as if all that are kept had been of another kind
    monkeypatch.setenv("LABELING_ASSETS_HOME", str(tmp_path))
    monkeypatch.setattr(command, "_run", lambda *_, **__: report)
    result = CliRunner().invoke(main, ["push", "cars", "--as", "predictions"])
    assert result.exit_code == 1
    assert "annotators see 'm1', not 'm2': choose in the project's settings, or --show" in result.stdout
