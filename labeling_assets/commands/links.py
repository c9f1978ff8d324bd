"""`labeling-assets links`: which media links open, and the keys that sign them."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from labeling_assets.clients.aperturedb import ApertureDB
    from labeling_assets.media_urls import MediaLinks
    from labeling_assets.settings import Settings
    from labeling_assets.sync.link_rules import LinkRules
    from labeling_assets.sync.refresh_links import RefreshReport
    from labeling_assets.sync.retire_key import KeyUses

_SHOWN: Final = 10
_SOON: Final = "Gateways notice within five seconds; what browsers have loaded, they may keep for an hour."


@click.group()
def links() -> None:
    """Which media links open, and the keys that sign them."""


@links.command()
@click.argument("guid")
@click.option("--reason", default="", help="Why; the log of the gateway says it.")
def deny(*, guid: str, reason: str) -> None:
    """Let no link open the medium GUID any more, whatever signed it."""
    from labeling_assets.identity import checked_guid
    from labeling_assets.sync.link_rules import deny_medium
    from labeling_assets.sync.media_store import media_by_guid

    with _database() as (_, db):
        deny_medium(db, checked_guid(guid), reason)
        known = bool(media_by_guid(db, [guid], ["guid"]))
    click.echo(f"Denied {guid}. {_SOON}")
    if not known:
        click.echo(f"Warning: ApertureDB holds no medium {guid}.", err=True)


@links.command()
@click.argument("guid")
def allow(*, guid: str) -> None:
    """Take back what `deny` did."""
    from labeling_assets.sync.link_rules import allow_medium

    with _database() as (_, db):
        allowed = allow_medium(db, guid)
    click.echo(f"Links open {guid} again." if allowed else f"{guid} was not denied.")


@links.command()
@click.argument("key")
@click.option("--reason", default="", help="Why; the log of the gateway says it.")
@click.option("--force", is_flag=True, help="Do not ask Label Studio: links in tasks stop to open at once.")
@click.option("--undo", is_flag=True, help="Take it back: links of the key open again, if the settings still have it.")
def retire(*, key: str, reason: str, force: bool, undo: bool) -> None:
    """Let no link that KEY has signed open any more.

    KEY is the id of a link key, with all keys of projects that are made of it, or KEY.PROJECT for one of those. Refused
    while tasks in Label Studio have such links, and for the key that signs new ones.
    """
    from labeling_assets.sync.link_rules import take_back_retirement

    with _database() as (settings, db):
        if undo:
            back = take_back_retirement(db, key)
            click.echo(f"Links of {key} open again." if back else f"{key} was not retired.")
            return
        _retire(settings, db, key, reason=reason, force=force)
    click.echo(f"Retired {key}. {_SOON}")
    if "." not in key:
        click.echo(f"Now you can take {key} out of LABELING_ASSETS_LINK_KEYS, or of link_keys.json in the home folder.")


def _retire(settings: "Settings", db: "ApertureDB", key: str, *, reason: str, force: bool) -> None:
    from labeling_assets.clients.label_studio import LabelStudio
    from labeling_assets.sync.retire_key import retire_key

    signer = settings.links()
    if force:
        retire_key(db, None, key, links=signer, reason=reason)
        return
    with LabelStudio(*settings.label_studio()) as ls:
        retire_key(db, ls, key, links=signer, reason=reason, progress=_progress)


@links.command()
@click.option("--project", "slug", required=True, help="The labeling project.")
@click.option("--apply", is_flag=True, help="Do it. Without this, only the plan is printed.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def refresh(*, slug: str, apply: bool, as_json: bool) -> None:
    """Sign the links in the tasks of a labeling project anew, where they need it.

    After another key signs, after a lifetime was set, or when the gateway has another address. Everything else in the
    tasks' data stays. It may be stopped and started again. Exit code 1: some links were left alone.
    """
    from labeling_assets.clients.label_studio import LabelStudio
    from labeling_assets.commands.sync import chosen_projects
    from labeling_assets.sync.refresh_links import refresh_links

    (project,) = chosen_projects((slug,))
    with _database() as (settings, db), LabelStudio(*settings.label_studio()) as ls:
        report = refresh_links(db, ls, project, links=settings.links(), apply=apply, progress=_progress)
    click.echo(json.dumps(asdict(report), indent=2) if as_json else _refreshed(report))
    if report.left:
        sys.exit(1)


@links.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def show(*, as_json: bool) -> None:
    """The keys, how many tasks have links of each, and what was denied. Reads every task in Label Studio."""
    from labeling_assets.clients.label_studio import LabelStudio
    from labeling_assets.sync.link_rules import load_link_rules
    from labeling_assets.sync.retire_key import key_uses

    with _database() as (settings, db), LabelStudio(*settings.label_studio()) as ls:
        uses, rules = key_uses(db, ls, progress=_progress), load_link_rules(db)
    signer = settings.links()
    if as_json:
        keys = {"keys": list(signer.keys), "signs": signer.signing_key, **asdict(rules), **asdict(uses)}
        click.echo(json.dumps(keys, indent=2))
    else:
        click.echo(_shown(signer, rules, uses))


def _shown(signer: "MediaLinks", rules: "LinkRules", uses: "KeyUses") -> str:
    seen = {key for project in uses.projects for key in project.tasks}
    lines = []
    for key in sorted({*signer.keys, *seen, *rules.retired}):
        state = ["signs new links"] if key == signer.signing_key else []
        retired = rules.retires(key)
        if retired is not None:
            state.append(f"retired{f' ({why})' if (why := rules.retired[retired]) else ''}")
        elif key.partition(".")[0] not in signer.keys:
            state.append("not among the link keys: its links do not open")
        tasks = [
            f"{count} tasks of {project.project}" for project in uses.projects if (count := project.tasks.get(key))
        ]
        lines.append(f"{key}: {', '.join([*state, *tasks]) or 'no task has links of it'}")
    lines += [f"Denied: {guid}{f' ({why})' if why else ''}" for guid, why in rules.denied.items()]
    lines += [f"Not asked: {project}" for project in uses.not_asked]
    return "\n".join(lines)


def _refreshed(report: "RefreshReport") -> str:
    done = report.applied
    lines = [
        f"{report.project} (project {report.project_id}): {report.tasks} tasks, {report.current} with links that need "
        f"nothing, {report.without_links} without links.",
        f"{report.changed} tasks {'have' if done else 'would get'} links signed by {report.signed_by}"
        + ("." if done or not report.changed else f", which takes about {max(1, report.changed // 10)} s."),
        *(f"  {count} links were signed by {key}" for key, count in report.keys.items()),
    ]
    if report.left:
        lines.append(f"{len(report.left)} are left alone:")
        lines += [f"  {note.subject}: {note.text}" for note in report.left[:_SHOWN]]
        if len(report.left) > _SHOWN:
            lines.append(f"  ... and {len(report.left) - _SHOWN} more; --json lists all.")
    if not done:
        lines.append("Nothing was written. Add --apply to do it.")
    return "\n".join(lines)


@contextmanager
def _database() -> "Iterator[tuple[Settings, ApertureDB]]":
    from labeling_assets.clients.aperturedb import ApertureDB
    from labeling_assets.settings import load_settings

    settings = load_settings()
    with ApertureDB(settings.database_key(), dialect=settings.aperturedb_dialect) as db:
        yield settings, db


def _progress(line: str) -> None:
    click.echo(line, err=True)
