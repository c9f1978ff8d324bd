"""`labeling-assets push`: labels from ApertureDB to the tasks of a labeling project."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from labeling_assets.projects import Project
    from labeling_assets.sync.push.report import PushReport, PushRequest

_SHOWN: Final = 20
_SOURCES: Final = ("annotations", "predictions", "regions")


@click.command()
@click.argument("slug")
@click.option(
    "--as", "target", required=True, type=click.Choice(("predictions", "annotations")), help="What they become."
)
@click.option(
    "--from",
    "source",
    type=click.Choice(_SOURCES),
    help="Annotations of a project, LS_prediction entities, or boxes and polygons. Default: the same as --as.",
)
@click.option("--from-project", metavar="SLUG", help="Whose annotations. Default: those of SLUG itself.")
@click.option("--batch", help="Only media of this batch.")
@click.option(
    "--model-version", metavar="NAME", help="Name of the predictions; with --from predictions, send only this one."
)
@click.option("--plan", is_flag=True, help="Print what would be done, and write nothing.")
@click.option("--strict", is_flag=True, help="Send nothing at all if anything is refused.")
@click.option("--include-touched", is_flag=True, help="Also write to tasks on which somebody has worked.")
@click.option("--include-deleted", is_flag=True, help="Make annotations again that somebody deleted in Label Studio.")
@click.option("--remove-stale", is_flag=True, help="Delete predictions of this version that ApertureDB has no longer.")
@click.option("--show", is_flag=True, help="Let annotators see these predictions instead of another version.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def push(*, slug: str, as_json: bool, **options: Any) -> None:
    """Bring labels from ApertureDB to the tasks of the labeling project SLUG, each exactly once.

    Everything is validated first; what the label configuration does not know is listed and not sent. Predictions of
    the same model version are replaced where they differ, those of other versions stay. Exit code 1: something was
    refused.
    """
    request = _request(slug, **options)
    report = _run(slug, request, quiet=as_json)
    if as_json:
        click.echo(json.dumps(asdict(report), indent=2, ensure_ascii=False))
    else:
        _print(report)
    if report.refused or report.errors_found:
        sys.exit(1)


def _request(slug: str, *, source: str | None, from_project: str | None, **options: Any) -> "PushRequest":
    from labeling_assets.sync.push.report import PushRequest

    source = source or options["target"]
    if from_project is not None and source != "annotations":
        raise click.UsageError(f"--from-project names a project with annotations: it does not go with --from {source}.")
    if options["target"] == "annotations" and options["model_version"] is not None and source == "annotations":
        raise click.UsageError("--model-version is for predictions: annotations have none.")
    _refuse_flags(options)
    return PushRequest(source=source, from_project=from_project or slug, **options)  # type: ignore[arg-type]  # a Choice


def _refuse_flags(options: dict[str, Any]) -> None:
    annotations = options["target"] == "annotations"
    for flag, of_annotations in (("include_deleted", True), ("remove_stale", False), ("show", False)):
        if options[flag] and annotations is not of_annotations:
            wanted = "annotations" if of_annotations else "predictions"
            raise click.UsageError(f"--{flag.replace('_', '-')} goes with --as {wanted} only.")


def _run(slug: str, request: "PushRequest", *, quiet: bool) -> "PushReport":
    from labeling_assets.clients.aperturedb import ApertureDB
    from labeling_assets.clients.label_studio import LabelStudio
    from labeling_assets.settings import load_settings
    from labeling_assets.stack.progress import Progress
    from labeling_assets.sync.push.push_labels import push_labels

    project = _project(slug)
    settings = load_settings()
    database = ApertureDB(settings.database_key(), dialect=settings.aperturedb_dialect)
    echo = (lambda line: click.echo(line, err=True)) if quiet else click.echo
    with (
        database as db,
        LabelStudio(*settings.label_studio()) as ls,
        Progress(echo, interactive=False if quiet else None) as progress,
        progress.step(f"{'Planning' if request.plan else 'Pushing'} {request.source} to {slug}") as step,
    ):

        def note(text: str) -> None:
            step.note = text  # shown with the next look at the step: a line for each chunk would be too many

        return push_labels(db, ls, project, request, progress=note)


def _project(slug: str) -> "Project":
    from labeling_assets.commands.sync import chosen_projects

    (project,) = chosen_projects((slug,))
    return project


def _print(report: "PushReport") -> None:
    would = "would be " if report.plan else ""
    if report.stopped:
        click.echo(f"{report.project}: nothing was sent, because --strict was given and {report.refused} were refused.")
    else:
        click.echo(
            f"{report.project} {report.target}: {report.created} {would}created, {report.replaced} {would}replaced, "
            f"{report.removed} {would}deleted, {report.unchanged} unchanged, {report.refused} refused"
        )
    for count, text in (
        (report.touched, "left out: somebody has worked on their tasks (--include-touched)"),
        (report.differing, "left alone: they differ from what is in Label Studio by now"),
        (report.deleted, "left out: somebody deleted them in Label Studio (--include-deleted)"),
        (report.stale, "predictions stay in Label Studio that ApertureDB has no longer (--remove-stale)"),
        (report.without_task, "media have no task in this project"),
    ):
        if count:
            click.echo(f"  {count} {text}")
    if report.shown_version:
        sent = ", ".join(repr(version) for version in report.model_versions)
        how = "--show" if len(report.model_versions) == 1 else "--model-version NAME --show"
        click.echo(f"  annotators see {report.shown_version!r}, not {sent}: choose in the project's settings, or {how}")
    for example in report.examples:
        click.echo(f"  {example}")
    rows = [*report.errors, *(row for row in report.rows if row.severity == "warning")]
    for row in rows[:_SHOWN]:
        click.echo(f"  {row}")
    more = len(rows) - _SHOWN + report.rows_left_out
    if more > 0:
        click.echo(f"  and {more} more rows: --json lists them")
