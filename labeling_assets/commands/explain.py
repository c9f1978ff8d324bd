"""`labeling-assets explain`: what a Label Studio JSON file becomes in ApertureDB, offline."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labeling_assets.errors import ConfigurationError

if TYPE_CHECKING:
    from labeling_assets.mapping.documents import Contents
    from labeling_assets.mapping.explain import Explained
    from labeling_assets.mapping.label_config import LabelConfig

FIRST = 10  # annotations that are shown without --all
_SLOW = 2_000  # annotations that take about two seconds
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=_FILE)
@click.option("--config", "config_file", type=_FILE, help="The label configuration (XML) of the project.")
@click.option("--round-trip", is_flag=True, help="Exit with 0 only if the way back gives the same annotations.")
@click.option("--all", "show_all", is_flag=True, help=f"Show every annotation, not only the first {FIRST}.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document with every object.")
def explain(*, file: Path, config_file: Path | None, round_trip: bool, show_all: bool, as_json: bool) -> None:
    """Show what the annotations of a Label Studio JSON FILE become in ApertureDB; needs no server.

    FILE is an export (JSON or JSON-MIN), a list of tasks, a task, an annotation, or a bare list of results. Exit code
    1: the way back differs (--round-trip). 2: FILE or the configuration cannot be read.
    """
    from labeling_assets.mapping.explain import Totals
    from labeling_assets.mapping.explain import explain as explained

    config = _config(config_file)
    contents = _contents(file, config)
    totals = Totals()

    def each() -> "Iterator[Explained]":
        hidden = len(contents.found) < _SLOW or not sys.stderr.isatty()
        with click.progressbar(contents.found, label="annotations", file=sys.stderr, hidden=hidden) as bar:
            for found in bar:
                one = explained(found, config, round_trip=round_trip)
                totals.add(one)
                yield one

    if as_json:
        _print_json(each(), contents, totals, round_trip=round_trip)
    else:
        _print_text(each(), contents, totals, round_trip=round_trip, first=None if show_all else FIRST)
    if totals.different:
        raise SystemExit(1)


def _config(path: Path | None) -> "LabelConfig | None":
    from labeling_assets.mapping.label_config import LabelConfig

    if path is None:
        return None
    try:
        return LabelConfig.parse(path.read_text(encoding="utf-8-sig"))
    except (ConfigurationError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{path}: {error}", param_hint="--config") from error


def _contents(path: Path, config: "LabelConfig | None") -> "Contents":
    from labeling_assets.mapping.documents import contents_of

    document, repeated = _document(path)
    contents = contents_of(document, config)
    if not contents.recognized:
        raise click.BadParameter(
            f"{path} is JSON, but nothing of Label Studio's: {'; '.join(contents.problems[:3])}. "
            "Give an export, a list of tasks, a task, an annotation, or a list of results.",
            param_hint="FILE",
        )
    for key, count in repeated.most_common():
        times = f"{count} time{'s' if count != 1 else ''}"
        contents.problems.append(f"the key {key!r} stands twice in one object, of which the last counts ({times})")
    return contents


def _document(path: Path) -> tuple[object, "Counter[str]"]:
    """What the file holds, and the keys that stand in an object more than once."""
    repeated: Counter[str] = Counter()

    def fields(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            repeated.update(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        return found

    data = path.read_bytes()
    if not data.strip():
        raise click.BadParameter(f"{path} is empty.", param_hint="FILE")
    try:
        return json.loads(data, object_pairs_hook=fields), repeated
    except RecursionError as error:
        raise click.BadParameter(f"{path} is nested too deeply to be read.", param_hint="FILE") from error
    except ValueError as error:  # also a number of more than 4300 digits, and bytes that are no UTF-8
        raise click.BadParameter(f"{path} is not JSON: {error}.", param_hint="FILE") from error


def _print_json(each: "Iterator[Explained]", contents: "Contents", totals: Any, *, round_trip: bool) -> None:
    """Annotation by annotation: a large file's objects need not be in memory together."""
    from labeling_assets.mapping.explain_text import annotation_object, totals_object

    click.echo('{"annotations": [')
    for number, one in enumerate(each):
        click.echo(("," if number else "") + json.dumps(annotation_object(one, round_trip=round_trip)))
    click.echo(f'], "totals": {json.dumps(totals_object(totals, contents, round_trip=round_trip))}}}')


def _print_text(
    each: "Iterator[Explained]", contents: "Contents", totals: Any, *, round_trip: bool, first: int | None
) -> None:
    from labeling_assets.mapping.explain_text import annotation_lines, printable, totals_lines

    hidden = 0
    for number, one in enumerate(each):
        # What differs is always shown.
        if first is None or number < first or (one.differences and totals.different <= first):
            for line in annotation_lines(one):
                click.echo(printable(line, sys.stdout.encoding))
        else:
            hidden += 1
    if hidden:
        click.echo(f"... and {hidden} more annotations; --all shows them.")
    for line in totals_lines(totals, contents, round_trip=round_trip):
        click.echo(printable(line, sys.stdout.encoding))
