"""`labeling-assets dataset`: the table of a batch, also of one that Dagster has no partition for."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from labeling_assets.clients.aperturedb import ApertureDB
    from labeling_assets.projects import Project


@click.command()
@click.argument("slug")
@click.option("--batch", "batches", multiple=True, required=True, help="Which batch; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print the reports as JSON.")
def dataset(*, slug: str, batches: tuple[str, ...], as_json: bool) -> None:
    """Write the table of a batch of the labeling project SLUG, from ApertureDB, without Dagster."""
    from labeling_assets.clients.aperturedb import ApertureDB
    from labeling_assets.commands.sync import chosen_projects
    from labeling_assets.settings import load_settings
    from labeling_assets.sync.build_dataset import build_dataset

    settings = load_settings()
    (project,) = chosen_projects((slug,))
    with ApertureDB(settings.database_key(), dialect=settings.aperturedb_dialect) as db:
        for batch in batches:
            _refuse(db, project, batch)
        reports = [build_dataset(db, project, batch=batch, folder=settings.home / "datasets") for batch in batches]
    if as_json:
        shown = [{key: value for key, value in asdict(report).items() if key != "table"} for report in reports]
        click.echo(json.dumps(shown, indent=2, default=str))
        return
    for report in reports:
        click.echo(f"{report.path}: {report.rows} rows, {report.annotations} annotations, {report.media} media")


def _refuse(db: "ApertureDB", project: "Project", batch: str) -> None:
    """A batch that is not there, and one with annotations that are not known to belong to one medium."""
    from labeling_assets import names
    from labeling_assets.clients.constraints import equal
    from labeling_assets.errors import DataError, InputError
    from labeling_assets.sync.watermark import load_state

    if not db.count("FindEntity", equal(names.KEY, batch), class_name=names.BATCH):
        raise InputError(f"There is no batch {batch!r} in ApertureDB; labeling-assets status lists those there are.")
    records = db.find("FindEntity", equal(names.SLUG, project.slug), class_name=names.PROJECT, properties=[names.KEY])
    for record in records:
        for task, reason in load_state(db, f"{record[names.KEY]}|{batch}").quarantined.items():
            raise DataError(
                f"Task {task} of batch {batch!r} is quarantined ({reason}), so its table would lack labels. "
                "Correct the task in Label Studio and sync again."
            )
