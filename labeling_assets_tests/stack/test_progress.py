"""Progress is plain lines, or a live line on a terminal."""

import time

import pytest

from labeling_assets.stack.progress import Progress


def test_a_step_is_announced_and_its_result_is_kept() -> None:
    lines: list[str] = []
    with Progress(lines.append, interactive=False) as progress, progress.step("Label Studio") as step:
        step.note = "http://127.0.0.1:8080"
    assert lines == ["Label Studio ...", "Label Studio: http://127.0.0.1:8080 (0.0 s)"]


def test_a_step_that_failed_says_so() -> None:
    lines: list[str] = []
    progress = Progress(lines.append, interactive=False)
    with pytest.raises(ValueError, match="no"), progress, progress.step("Dagster"):
        raise ValueError("no")
    assert lines[-1] == "Dagster: gave up (0.0 s)"


def test_a_step_that_goes_on_is_mentioned_again() -> None:
    lines: list[str] = []
    with Progress(lines.append, interactive=False, reminder_s=0.02) as progress, progress.step("Dagster"):
        deadline = time.monotonic() + 10
        while len(lines) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert "Dagster ... (0 s so far)" in lines


def test_a_terminal_shows_what_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    shown = ""
    with Progress(interactive=True) as progress, progress.step("Label Studio") as step:
        progress.note(step, "installing")
        deadline = time.monotonic() + 10
        while "installing" not in shown and time.monotonic() < deadline:
            time.sleep(0.05)
            shown += capsys.readouterr().out
    assert "Label Studio: installing 0 s" in shown
