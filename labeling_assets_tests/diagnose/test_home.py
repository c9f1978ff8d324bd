"""What can be wrong with folders: projects, inbox, the home of Dagster."""

from pathlib import Path

import pytest

from labeling_assets.diagnose.finding import Finding
from labeling_assets.diagnose.home import dagster_findings, inbox_findings, project_findings
from labeling_assets.projects import Project
from labeling_assets.settings import Settings, load_settings
from labeling_assets_tests.sync.world import write_project


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    home = tmp_path / "home"
    (home / "inbox").mkdir(parents=True)
    (home / "dagster").mkdir()
    (home / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: false}")
    write_project(home / "projects" / "cars")
    return load_settings(home=home)


def of_projects(settings: Settings) -> list[Finding]:
    return list(project_findings(settings, []))


def test_folders_in_which_all_is_well(settings: Settings) -> None:
    found: list[Project] = []
    findings = [*project_findings(settings, found), *inbox_findings(settings), *dagster_findings(settings)]
    assert [finding.level for finding in findings] == ["ok"] * 3
    assert [project.slug for project in found] == ["cars"]


def test_a_broken_project_is_named_and_the_others_go_on(settings: Settings) -> None:
    write_project(settings.projects / "dogs")
    (settings.projects / "dogs" / "project.yaml").write_text("colour: red")
    wrong, right = of_projects(settings)
    assert (wrong.level, "colour" in wrong.text, "dogs/project.yaml" in wrong.fix) == ("error", True, True)
    assert right.text == "Labeling projects: cars"


def test_no_project(settings: Settings, tmp_path: Path) -> None:
    (finding,) = of_projects(load_settings(home=tmp_path / "other"))
    assert (finding.level, "There is no labeling project" in finding.text) == ("warning", True)


def test_an_inbox_that_is_not_there(settings: Settings) -> None:
    settings.inbox.rmdir()
    (finding,) = inbox_findings(settings)
    assert (finding.level, finding.fix) == ("warning", f"mkdir -p {settings.inbox}")


@pytest.mark.parametrize("broken", ["file", "loop", "batch"])
def test_an_inbox_that_cannot_be_read(settings: Settings, broken: str) -> None:
    """A file in its place, or a link that leads to itself: what an administrator cannot read either."""
    place = settings.inbox / "May" if broken == "batch" else settings.inbox
    if broken == "batch":
        place.mkdir()
        (settings.inbox / "May").rmdir()
        place.symlink_to(settings.inbox / "May")
        assert [one.level for one in inbox_findings(settings)] == ["ok"]  # no folder, no batch
        return
    place.rmdir()
    if broken == "file":
        place.write_text("")
    else:
        place.symlink_to(place)
    (finding,) = inbox_findings(settings)
    assert (finding.level, "cannot be read" in finding.text, str(place) in finding.fix) == ("error", True, True)


def test_names_that_can_be_no_batch(settings: Settings) -> None:
    (settings.inbox / "May 2026").mkdir()
    (settings.inbox / "_old.csv").write_text("path\n")
    (settings.inbox / "June").mkdir()
    (settings.inbox / ".hidden thing").mkdir()
    (settings.inbox / "notes of mine.txt").write_text("")
    warned = [one for one in inbox_findings(settings) if one.level == "warning"]
    assert [one.text.partition(" in the inbox")[0] for one in warned] == ["'May 2026'", "'_old.csv'"]


def test_dagster_without_a_home(settings: Settings, tmp_path: Path) -> None:
    (finding,) = dagster_findings(load_settings(home=tmp_path / "other"))
    assert (finding.name, finding.level) == ("dagster.home", "warning")
    assert "forgets runs" in finding.text


@pytest.mark.parametrize("home", ["relative/folder", "/not/there"])
def test_a_home_of_dagster_that_is_no_folder(settings: Settings, home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", home)
    (finding,) = dagster_findings(settings)
    assert (finding.level, home in finding.text, finding.fix.startswith("mkdir -p /")) == ("error", True, True)


def test_the_home_that_the_environment_names_counts(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (finding,) = dagster_findings(settings)
    assert (finding.level, f"{tmp_path}/dagster.yaml is missing" in finding.text) == ("warning", True)


@pytest.mark.parametrize("content", ["a: [", "- a list", "\x00"])
def test_a_configuration_that_dagster_cannot_read(settings: Settings, content: str) -> None:
    (settings.home / "dagster" / "dagster.yaml").write_text(content)
    (finding,) = dagster_findings(settings)
    assert (finding.level, "Correct it" in finding.fix) == ("error", True)
