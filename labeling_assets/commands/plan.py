"""`labeling-assets plan`: what a sync would do."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from labeling_assets.commands.sync import chosen_projects

if TYPE_CHECKING:
    from labeling_assets.sync.collect.planned_changes import BatchPlan


@click.command()
@click.option("--project", "slugs", multiple=True, help="Only this labeling project; may be repeated.")
@click.option("--batch", "batches", multiple=True, help="Only this batch; may be repeated.")
@click.option("--full", is_flag=True, help="Compare everything again, whatever the watermarks say.")
@click.option("--json", "as_json", is_flag=True, help="Print every change as JSON, for `sync --plan`.")
def plan(*, slugs: tuple[str, ...], batches: tuple[str, ...], full: bool, as_json: bool) -> None:
    """Show what a sync would create, update and delete in ApertureDB; writes nothing."""
    from labeling_assets.clients.aperturedb import ApertureDB
    from labeling_assets.clients.label_studio import LabelStudio
    from labeling_assets.settings import load_settings
    from labeling_assets.sync.sync_project import plan_project

    projects = chosen_projects(slugs)
    settings = load_settings()
    database = ApertureDB(settings.database_key(), dialect=settings.aperturedb_dialect)
    plans: list[BatchPlan] = []
    with database as db, LabelStudio(*settings.label_studio()) as ls:
        for project in projects:
            plans += plan_project(db, ls, project, batches=batches, full=full)
    if as_json:
        click.echo(json.dumps([found.as_json() for found in plans], indent=2))
    else:
        _print(plans)


def _print(plans: "Sequence[BatchPlan]") -> None:
    if not any(found.changes or found.problems or found.quarantined for found in plans):
        click.echo("There is nothing to do.")
        return
    for found in plans:
        counts = ", ".join(f"{number} to {action}" for action, number in found.counts.items() if number)
        click.echo(f"{found.project} {found.batch}: {counts or 'nothing to do'}")
        for action, number in found.counts.items():
            for change in found.first(action):
                click.echo(f"  {change}")
            if number > len(found.first(action)):
                click.echo(f"  ... and {number - len(found.first(action))} more to {action}")
        for note in (*found.quarantined, *found.problems):
            click.echo(f"  {note.subject}: {note.text}")
        if found.stops:
            click.echo(f"  The sync would stop: {found.stops}")
