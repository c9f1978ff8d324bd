"""`labeling-assets sync` and `labeling-assets status`: the same functions that Dagster's assets call."""

import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from labeling_assets.projects import Project


@click.command()
@click.option("--project", "slugs", multiple=True, help="Only this labeling project; may be repeated.")
@click.option("--batch", "batches", multiple=True, help="Only this batch; may be repeated.")
@click.option("--full", is_flag=True, help="Compare everything again, whatever the watermarks say.")
@click.option("--json", "as_json", is_flag=True, help="Print the reports as JSON.")
def sync(*, slugs: tuple[str, ...], batches: tuple[str, ...], full: bool, as_json: bool) -> None:
    """Bring changed annotations from Label Studio to ApertureDB, without Dagster."""
    from labeling_assets.clients.aperturedb import ApertureDB
    from labeling_assets.clients.label_studio import LabelStudio
    from labeling_assets.settings import load_settings
    from labeling_assets.sync.sync_project import sync_project

    settings = load_settings()
    reports = []
    database = ApertureDB(settings.database_key(), dialect=settings.aperturedb_dialect)
    with database as db, LabelStudio(*settings.label_studio()) as ls:
        for project in chosen_projects(slugs):
            reports += sync_project(db, ls, project, batches=batches, full=full)
    if as_json:
        click.echo(json.dumps([asdict(report) for report in reports], indent=2))
        return
    if not reports:
        click.echo("Nothing changed.")
    for report in reports:
        click.echo(
            f"{report.project} {report.batch}: {report.created} created, {report.updated} updated, "
            f"{report.deleted} deleted, {report.unchanged} unchanged, {len(report.quarantined)} tasks quarantined"
        )
        for note in report.quarantined:
            click.echo(f"  task {note.subject}: {note.text}")


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
    with ApertureDB(settings.database_key(), dialect=settings.aperturedb_dialect) as db:
        lines = [asdict(line) for line in project_status(db, chosen_projects(slugs))]
    if as_json:
        click.echo(json.dumps(lines, indent=2))
    elif lines:
        headers = [field.name for field in fields(BatchStatus)]
        click.echo(tabulate([list(line.values()) for line in lines], headers=headers))
    else:
        click.echo(f"No batches yet. Put a folder of media into {settings.inbox}.")


def chosen_projects(slugs: tuple[str, ...]) -> "list[Project]":
    """The labeling projects of these names, or all if none is given; an unknown name is an error."""
    from labeling_assets.errors import InputError
    from labeling_assets.projects import load_projects
    from labeling_assets.settings import load_settings

    projects = load_projects(load_settings().projects)
    unknown = sorted(set(slugs) - {project.slug for project in projects})
    if unknown:
        known = ", ".join(project.slug for project in projects) or "none"
        raise InputError(f"There is no labeling project {unknown[0]!r}; there are: {known}.")
    return [project for project in projects if not slugs or project.slug in slugs]
