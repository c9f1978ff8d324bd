"""`labeling-assets tasks`: a task list as a file, or the address at which Label Studio can read it."""

import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

if TYPE_CHECKING:
    from labeling_assets.projects import Project
    from labeling_assets.settings import Settings
    from labeling_assets.sync.task_lists import Format, ListReport

_NAMED = 20
_PIECE_BYTES = 2**18


@click.command()
@click.argument("slug")
@click.option("--format", "form", type=click.Choice(["json", "csv", "txt"]), default="json", show_default=True)
@click.option("--batch", default="", help="Only this batch; else all batches of the project.")
@click.option("--all", "everything", is_flag=True, help="Also media that have their task already.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="A file; else standard output.")
@click.option("--url", "as_url", is_flag=True, help="Print an address of the list instead, which needs no token.")
@click.option("--hours", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True, help="Life of --url.")
def tasks(
    *, slug: str, form: "Format", batch: str, everything: bool, output: Path | None, as_url: bool, hours: float
) -> None:
    """Write the tasks that the labeling project SLUG lacks, for Label Studio's import.

    Publishing the batch adopts what was imported, and makes nothing of it again. Whoever has the list, or its address,
    can open the media in it.
    """
    from labeling_assets.commands.sync import chosen_projects
    from labeling_assets.settings import load_settings

    settings = load_settings()
    (project,) = chosen_projects((slug,))
    if as_url:
        click.echo(_address(settings, slug, form, batch, everything=everything, hours=hours))
        return
    with tempfile.SpooledTemporaryFile(max_size=2**22) as file:
        report = _write(settings, project, file, form, batch, everything=everything)
        file.seek(0)
        if output is None:
            while piece := file.read(_PIECE_BYTES):
                click.echo(piece, nl=False)
        else:
            _save(file, output)
            click.echo(f"{output}: {report.tasks} tasks", err=True)
    for note in report.left_out[:_NAMED]:
        click.echo(f"left out: medium {note.subject}: {note.text}", err=True)
    if len(report.left_out) > _NAMED:
        click.echo(f"left out: {len(report.left_out) - _NAMED} more", err=True)


def _write(
    settings: "Settings", project: "Project", file: IO[bytes], form: "Format", batch: str, *, everything: bool
) -> "ListReport":
    from labeling_assets.clients.aperturedb import ApertureDB
    from labeling_assets.sync.task_lists import TaskList

    with ApertureDB(settings.database_key(), dialect=settings.aperturedb_dialect) as db:
        listed = TaskList(db, project, settings.links())
        return listed.write(file, form, batch=batch or None, everything=everything)


def _address(settings: "Settings", slug: str, form: "Format", batch: str, *, everything: bool, hours: float) -> str:
    from labeling_assets.gateway.api_token import ApiToken, ListQuery
    from labeling_assets.sync.batch_rows import checked_batch

    if batch:
        checked_batch(batch)
    query = ListQuery(slug, form, batch, "all" if everything else "new")
    return ApiToken(settings.api_token()).list_address(settings.links().base_url, query, valid_s=hours * 3600)


def _save(file: IO[bytes], path: Path) -> None:
    """Whole or not at all, and for its owner only: its links are capabilities."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as target:
            shutil.copyfileobj(file, target)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
