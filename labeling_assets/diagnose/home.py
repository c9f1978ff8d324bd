"""Folders of this machine: projects, inbox, and the home of Dagster."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

from labeling_assets.diagnose.finding import Finding, error, ok, warning
from labeling_assets.errors import InputError
from labeling_assets.projects import Project, readable_projects
from labeling_assets.settings import Settings
from labeling_assets.sync.batch_rows import checked_batch

_SHOWN: Final = 5


def project_findings(settings: Settings, found: list[Project]) -> Iterator[Finding]:
    """Whether the labeling projects can be read; those that can are put into `found`."""
    name = "projects.readable"
    projects, broken = readable_projects(settings.projects)
    found += projects
    for project in broken:
        yield error(name, project.error, f"Correct {project.folder / 'project.yaml'} (docs/projects.md).")
    if projects:
        yield ok(name, f"Labeling projects: {', '.join(project.slug for project in projects)}")
    elif not broken:
        fix = f"Make a folder {settings.projects}/<name> with project.yaml and label_config.xml (examples/README.md)."
        yield warning(name, f"There is no labeling project in {settings.projects}", fix)


def inbox_findings(settings: Settings) -> Iterator[Finding]:
    """Whether batches that are put into the inbox are seen."""
    name, inbox = "inbox.readable", settings.inbox
    if not inbox.exists() and not inbox.is_symlink():
        yield warning(name, f"The inbox {inbox} does not exist", f"mkdir -p {inbox}")
        return
    try:
        entries = sorted(entry for entry in inbox.iterdir() if not entry.name.startswith("."))
        for entry in entries:
            if entry.is_dir():
                next(entry.iterdir(), None)
    except OSError as problem:
        yield error(name, f"The inbox cannot be read: {problem}", f"Let the user of Dagster read {problem.filename}.")
        return
    yield ok(name, f"The inbox {inbox} can be read ({len(entries)} entries)")
    wrong = [entry for entry in entries if _is_batch(entry) and not _has_name(entry)]
    for entry in wrong[:_SHOWN]:
        text = f"{entry.name!r} in the inbox cannot be the name of a batch, and is not imported"
        yield warning(
            "inbox.names", text, "Rename it: letters, digits, '.', '_', '-', beginning with a letter or digit."
        )


def _is_batch(entry: Path) -> bool:
    return entry.is_dir() or entry.suffix == ".csv"


def _has_name(entry: Path) -> bool:
    try:
        checked_batch(entry.name.removesuffix(".csv"))
    except InputError:
        return False
    return True


def dagster_findings(settings: Settings) -> Iterator[Finding]:
    """Whether Dagster keeps what it knows: runs, partitions, cursors."""
    name, given = "dagster.home", os.environ.get("DAGSTER_HOME")
    folder = Path(given) if given else settings.home.absolute() / "dagster"
    if not given and not folder.exists():
        text = "DAGSTER_HOME is not set: Dagster forgets runs and partitions when it stops"
        yield warning(
            name, text, "export DAGSTER_HOME=/absolute/folder with a dagster.yaml, or use labeling-assets up."
        )
        return
    if not folder.is_absolute() or not folder.is_dir():
        yield error(
            name, f"DAGSTER_HOME is {given!r}, which is no folder", f"mkdir -p {folder.absolute()}, and set it."
        )
        return
    configuration = folder / "dagster.yaml"
    try:
        held = yaml.safe_load(configuration.read_text(encoding="utf-8"))
    except FileNotFoundError:
        text = f"{configuration} is missing: Dagster takes defaults, without limits of runs at the same time"
        yield warning(name, text, "Copy the one that labeling-assets up makes (labeling_home/dagster/dagster.yaml).")
        return
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        yield error(name, f"{configuration} cannot be read: {problem}", "Correct it: Dagster does not start with it.")
        return
    if held is not None and not isinstance(held, dict):
        yield error(name, f"{configuration} holds no names and values", "Correct it: Dagster does not start with it.")
    elif not os.access(folder, os.W_OK):
        yield error(name, f"{folder} cannot be written", f"Give it to the user of Dagster: chown USER {folder}")
    else:
        yield ok(name, f"Dagster's home is {folder}")
