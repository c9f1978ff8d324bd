"""`labeling-assets batch add`: hands a batch in."""

from pathlib import Path

import click


@click.group()
def batch() -> None:
    """Batches of media in the inbox."""


@batch.command()
@click.argument("source", metavar="PATH_OR_CSV", type=click.Path(exists=True, path_type=Path))
@click.option("--batch", "name", required=True, help="Its name: letters, digits, '.', '_', '-'.")
@click.option("--link", is_flag=True, help="Make hard links instead of copies (same disk only).")
def add(source: Path, name: str, *, link: bool) -> None:
    """Copy a folder of media, or a CSV file with a column `path` or `url`, into the inbox.

    The files that a CSV names stay where they are. A batch that exists already gets what is new.
    """
    from labeling_assets.settings import load_settings
    from labeling_assets.stack.hand_in import hand_in

    done = hand_in(load_settings().inbox, source, batch=name, link=link)
    known = f", {done.known} it already held" if done.known else ""
    click.echo(f"Batch {name}: {done.added} {'rows' if done.is_manifest else 'files'} added{known}, in {done.folder}")
    click.echo("Dagster's sensors will take it from there; in the UI look for the partition of this name.")
