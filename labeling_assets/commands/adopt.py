"""`labeling-assets adopt`: labels that something else wrote become labels of a project, with a plan first."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from labeling_assets.sync.adopt.adoption_report import AdoptionReport

_SHOWN: Final = 10


@click.group()
def adopt() -> None:
    """Labels that something else wrote, or that people made elsewhere, become labels of a project."""


@adopt.command()
@click.option("--into", "slug", required=True, help="The labeling project that they become labels of.")
@click.option("--project-id", type=int, help="Only this project of the old Label Studio, by its id there.")
@click.option("--apply", is_flag=True, help="Do it. Without this, only the plan is printed.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def storage(*, slug: str, project_id: int | None, apply: bool, as_json: bool) -> None:
    """Adopt what ApertureData's own Label Studio storage wrote to ApertureDB.

    The annotations stay where they are and keep what the storage wrote, so that its readers find it. Their boxes
    become boxes of the project; a box of a region that was removed goes, and its last state stays in the revision.
    """
    from labeling_assets.clients.aperturedb import ApertureDB
    from labeling_assets.commands.sync import chosen_projects
    from labeling_assets.settings import load_settings
    from labeling_assets.sync.adopt.adopt_storage import adopt_storage

    settings = load_settings()
    (project,) = chosen_projects((slug,))
    with ApertureDB(settings.database_key(), dialect=settings.aperturedb_dialect) as db:
        report = adopt_storage(db, project, project_id=project_id, apply=apply, progress=_progress)
    click.echo(json.dumps(asdict(report), indent=2) if as_json else _text(report))


@adopt.command()
@click.argument("project_id", type=int)
@click.option("--into", "slug", required=True, help="The labeling project that it becomes.")
@click.option(
    "--match",
    default="link",
    show_default=True,
    help="How tasks are matched to media: link, name (of the file), hash (of its bytes), column:KEY (of the tasks' "
    "data and the media's properties) or column:KEY=PROPERTY.",
)
@click.option("--link", "link_key", help="The key of the tasks' data that holds the link, if they show several files.")
@click.option("--batch", default="", help="The import batch that the tasks come into.  [default: project-PROJECT_ID]")
@click.option("--no-ingest", is_flag=True, help="Leave tasks alone whose medium ApertureDB does not have.")
@click.option(
    "--register",
    is_flag=True,
    help="Do not store missing media: register them, their bytes stay where the tasks show them.",
)
@click.option("--apply", is_flag=True, help="Do it. Without this, only the plan is printed.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def project(
    *,
    project_id: int,
    slug: str,
    match: str,
    link_key: str | None,
    batch: str,
    no_ingest: bool,
    register: bool,
    apply: bool,
    as_json: bool,
) -> None:
    """Adopt project PROJECT_ID of Label Studio, with all the work in it.

    Its tasks are matched to media in ApertureDB; media that are not there are fetched from where the tasks show them.
    The tasks' data get `guid` and `import_batch`, and nothing else changes. Tasks whose medium is not certain are
    listed and left alone. It may be stopped and started again.
    """
    from labeling_assets.clients.aperturedb import ApertureDB
    from labeling_assets.clients.label_studio import LabelStudio
    from labeling_assets.commands.project_adoption_text import project_adoption_text
    from labeling_assets.commands.sync import chosen_projects
    from labeling_assets.settings import load_settings
    from labeling_assets.sync.adopt.adopt_project import Matching, adopt_project

    settings = load_settings()
    if register and no_ingest:
        raise click.UsageError("--register and --no-ingest contradict each other.")
    limit = 0 if register else int(settings.media_size_limit_mb * 1e6)
    sources = settings.registered_media
    matching = Matching(match, link_key, ingest=not no_ingest, size_limit_bytes=limit, sources=sources)
    (chosen,) = chosen_projects((slug,))
    database = ApertureDB(settings.database_key(), dialect=settings.aperturedb_dialect)
    with database as db, LabelStudio(*settings.label_studio()) as ls:
        report = adopt_project(
            db, ls, chosen, project_id=project_id, matching=matching, batch=batch, apply=apply, progress=_progress
        )
    click.echo(json.dumps(asdict(report), indent=2) if as_json else project_adoption_text(report))


def _progress(line: str) -> None:
    click.echo(line, err=True)


def _text(report: "AdoptionReport") -> str:
    done = report.applied
    lines = [
        f"{report.annotations} annotations of ApertureData's storage, {report.boxes} boxes, {report.images} images.",
        f"{'Adopted' if done else 'To adopt'} into {report.project}: {report.adopt} new, {report.changed} changed "
        f"since they were adopted; {report.unchanged} need nothing, {report.refused} cannot be adopted"
        + (f", {report.overtaken} changed meanwhile." if report.overtaken else "."),
    ]
    lines += [
        f"  project {line.id} {line.title!r}: {line.annotations} annotations, {line.adopt} new, batch {line.batch}"
        for line in report.sources
    ]
    kinds = ", ".join(f"{count} {kind}" for kind, count in report.regions.items()) or "no regions"
    lines += [
        f"They become {kinds}; {report.skipped_tasks} are skipped tasks, which have no regions.",
        f"Boxes: {report.boxes_taken_over} are taken over, {report.boxes_to_add} added, {report.boxes_to_go} removed. "
        "What they were stays in the annotation's revision.",
        f"Images: {report.images_with_guid} have a GUID, {report.images_to_get_guid} get one from their bytes.",
    ]
    for what, notes in report.findings.items():
        lines.append(f"{len(notes)} {what}:")
        lines += [f"  {note.subject}: {note.text}" for note in notes[:_SHOWN]]
        if len(notes) > _SHOWN:
            lines.append(f"  ... and {len(notes) - _SHOWN} more; --json lists all.")
    if done:
        batches = dict.fromkeys(line.batch for line in report.sources)
        lines += [f"For their table: labeling-assets dataset {report.project} --batch {batch}" for batch in batches]
    else:
        lines.append("Nothing was written. Add --apply to do it.")
    return "\n".join(lines)
