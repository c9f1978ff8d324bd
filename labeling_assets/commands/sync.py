"""`labeling-assets sync` and `labeling-assets status`: the same functions that Dagster's assets call."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from labeling_assets.projects import BrokenProject, Project
    from labeling_assets.sync.report import CollectReport


@click.command()
@click.option("--project", "slugs", multiple=True, help="Only this labeling project; may be repeated.")
@click.option("--batch", "batches", multiple=True, help="Only this batch; may be repeated.")
@click.option("--full", is_flag=True, help="Compare everything again, whatever the watermarks say.")
@click.option("--json", "as_json", is_flag=True, help="Print the reports as JSON.")
def sync(*, slugs: tuple[str, ...], batches: tuple[str, ...], full: bool, as_json: bool) -> None:
    """Bring changed annotations from Label Studio to ApertureDB, without Dagster.

    A project that fails does not hold up the others; the exit code is 1 then.
    """
    from labeling_assets.clients.aperturedb import ApertureDB
    from labeling_assets.clients.label_studio import LabelStudio
    from labeling_assets.errors import LabelingAssetsError
    from labeling_assets.settings import load_settings
    from labeling_assets.sync.sync_project import sync_project

    settings = load_settings()
    projects, broken = _readable(slugs)
    failures = [f"{project.name}: {project.error}" for project in broken]
    run_id = f"cli-{uuid.uuid4()}"
    reports: list[CollectReport] = []
    database = ApertureDB(settings.database_key(), dialect=settings.aperturedb_dialect)
    with database as db, LabelStudio(*settings.label_studio()) as ls:
        for project in projects:
            try:
                sync_project(
                    db, ls, project, batches=batches, full=full, run_id=run_id, warn=_warn, done=reports.append
                )
            except LabelingAssetsError as error:
                failures.append(f"{project.slug}: {error}")
    if as_json:
        click.echo(json.dumps([{**asdict(report), "run_id": run_id} for report in reports], indent=2))
    else:
        _print(reports, run_id, failed=bool(failures))
    if failures:
        named = "\n".join(f"  - {failure}" for failure in failures)
        raise click.ClickException(f"{len(failures)} of {len(projects) + len(broken)} projects failed.\n{named}")


def _print(reports: "Sequence[CollectReport]", run_id: str, *, failed: bool) -> None:
    if reports:
        click.echo(f"Run {run_id}")
    elif not failed:
        click.echo("Nothing changed.")
    for report in reports:
        click.echo(
            f"{report.project} {report.batch}: {report.created} created, {report.updated} updated, "
            f"{report.deleted} deleted, {report.unchanged} unchanged, {len(report.quarantined)} tasks quarantined"
        )
        for note in report.quarantined:
            click.echo(f"  task {note.subject}: {note.text}")


def _warn(text: str) -> None:
    click.echo(f"Warning: {text}", err=True)


@click.command()
@click.option("--project", "slugs", multiple=True, help="Only this labeling project; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def status(*, slugs: tuple[str, ...], as_json: bool) -> None:
    """Media, tasks and annotations of every project and batch, counted in ApertureDB."""
    from tabulate import tabulate

    from labeling_assets.clients.aperturedb import ApertureDB
    from labeling_assets.settings import load_settings
    from labeling_assets.sync.status import BatchStatus, project_status

    settings = load_settings()
    projects, broken = _readable(slugs)
    with ApertureDB(settings.database_key(), dialect=settings.aperturedb_dialect) as db:
        lines = [asdict(line) for line in project_status(db, projects)]
    if as_json:
        click.echo(json.dumps(lines, indent=2))
    elif lines:
        headers = [field.name for field in fields(BatchStatus)]
        click.echo(tabulate([list(line.values()) for line in lines], headers=headers))
    elif not broken:
        click.echo(f"No batches yet. Put a folder of media into {settings.inbox}.")
    if broken:
        raise click.ClickException("\n".join(project.error for project in broken))


def chosen_projects(slugs: tuple[str, ...]) -> "list[Project]":
    """The labeling projects of these names, or all if none is given.

    Raises:
        InputError: there is no such project.
        ConfigurationError: one of them is broken.
    """
    from labeling_assets.errors import ConfigurationError

    projects, broken = _readable(slugs)
    if broken:
        raise ConfigurationError(broken[0].error)
    return projects


def _readable(slugs: tuple[str, ...]) -> "tuple[list[Project], list[BrokenProject]]":
    """The projects of these names, or all, and those of them that are broken; an unknown name is an error."""
    from labeling_assets.errors import InputError
    from labeling_assets.projects import readable_projects
    from labeling_assets.settings import load_settings

    projects, broken = readable_projects(load_settings().projects)
    names = [*(project.slug for project in projects), *(project.name for project in broken)]
    unknown = sorted(set(slugs) - set(names))
    if unknown:
        raise InputError(f"There is no labeling project {unknown[0]!r}; there are: {', '.join(names) or 'none'}.")
    return (
        [project for project in projects if not slugs or project.slug in slugs],
        [project for project in broken if not slugs or project.name in slugs],
    )
