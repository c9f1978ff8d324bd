"""`labeling-assets sync` and `labeling-assets status`: the same functions that Dagster's assets call."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from labeling_assets.projects import BrokenProject, Project
    from labeling_assets.sync.collect.planned_changes import BatchPlan
    from labeling_assets.sync.report import CollectReport


@click.command()
@click.option("--project", "slugs", multiple=True, help="Only this labeling project; may be repeated.")
@click.option("--batch", "batches", multiple=True, help="Only this batch; may be repeated.")
@click.option("--full", is_flag=True, help="Compare everything again, whatever the watermarks say.")
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Do what this plan has and nothing else, as `labeling-assets plan --json` printed it.",
)
@click.option(
    "--allow-mass-deletion",
    is_flag=True,
    help="It is meant that much of a batch, or a whole project, is gone from Label Studio.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the reports as JSON.")
def sync(
    *,
    slugs: tuple[str, ...],
    batches: tuple[str, ...],
    full: bool,
    plan_file: Path | None,
    allow_mass_deletion: bool,
    as_json: bool,
) -> None:
    """Bring changed annotations from Label Studio to ApertureDB, without Dagster.

    A project that fails does not hold up the others; the exit code is 1 then.
    """
    from labeling_assets.clients.aperturedb import ApertureDB
    from labeling_assets.clients.label_studio import LabelStudio
    from labeling_assets.errors import LabelingAssetsError
    from labeling_assets.settings import load_settings
    from labeling_assets.sync.sync_project import sync_project

    agreed = _agreed(plan_file, batches, full=full)
    settings = load_settings()
    projects, broken = _readable(slugs)
    if agreed is not None:
        projects = _planned(projects, agreed)
    failures = [f"{project.name}: {project.error}" for project in broken]
    run_id = f"cli-{uuid.uuid4()}"
    reports: list[CollectReport] = []
    database = ApertureDB(settings.database_key(), dialect=settings.aperturedb_dialect)
    with database as db, LabelStudio(*settings.label_studio()) as ls:
        for project in projects:
            try:
                sync_project(
                    db,
                    ls,
                    project,
                    batches=batches,
                    full=full,
                    run_id=run_id,
                    warn=_warn,
                    done=reports.append,
                    allow_mass_deletion=allow_mass_deletion,
                    agreed=None if agreed is None else agreed[project.slug],
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


def _agreed(
    plan_file: Path | None, batches: tuple[str, ...], *, full: bool
) -> "dict[str, dict[str, BatchPlan]] | None":
    """Slug -> batch -> what may be done, from a file; None without a plan."""
    if plan_file is None:
        return None
    from labeling_assets.errors import InputError
    from labeling_assets.sync.collect.planned_changes import load_plans

    if batches or full:
        raise InputError("--plan says which batches, and whether in full: leave out --batch and --full.")
    agreed: dict[str, dict[str, BatchPlan]] = {}
    for (slug, batch), plan in load_plans(plan_file.read_text(encoding="utf-8"), str(plan_file)).items():
        agreed.setdefault(slug, {})[batch] = plan
    return agreed


def _planned(projects: "list[Project]", agreed: "Mapping[str, object]") -> "list[Project]":
    """Those of the projects that the plan has; one that it has and that is not there is an error."""
    from labeling_assets.errors import InputError

    unknown = sorted(agreed.keys() - {project.slug for project in projects})
    if unknown:
        raise InputError(f"The plan is for the labeling project {unknown[0]!r}, which is not among those chosen here.")
    return [project for project in projects if project.slug in agreed]


def _print(reports: "Sequence[CollectReport]", run_id: str, *, failed: bool) -> None:
    if reports:
        click.echo(f"Run {run_id}")
    elif not failed:
        click.echo("Nothing changed.")
    for report in reports:
        click.echo(
            f"{report.project} {report.batch}: {report.created} created, {report.updated} updated, "
            f"{report.deleted} deleted, {report.unchanged} unchanged, {len(report.quarantined)} tasks quarantined"
            f"{', read from a snapshot' if report.read_by == 'snapshot' else ''}"
        )
        for note in report.problems:
            click.echo(f"  {note.subject}: {note.text}")
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
