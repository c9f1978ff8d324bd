"""`labeling-assets doctor`: what is wrong, and what to do."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from labeling_assets.diagnose.finding import Finding

_SIGNS: Final = {"ok": "ok     ", "warning": "WARNING", "error": "WRONG  "}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print all findings as JSON.")
@click.option("--quiet", is_flag=True, help="Leave out what is right.")
def doctor(*, as_json: bool, quiet: bool) -> None:
    """Look at database, Label Studio, gateway, projects and folders, and say what is wrong and how to mend it.

    It changes nothing. Exit code 1: something does not work; warnings alone are 0.
    """
    from labeling_assets.diagnose.run import diagnose
    from labeling_assets.settings import load_settings

    findings: list[Finding] = []
    for finding in diagnose(load_settings()):
        findings.append(finding)
        if not as_json and not (quiet and finding.level == "ok"):
            _print(finding)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        wrong, warned = (sum(one.level == level for one in findings) for level in ("error", "warning"))
        click.echo(f"{len(findings)} looked at: {wrong} wrong, {warned} warnings")
    if any(finding.level == "error" for finding in findings):
        sys.exit(1)


def _print(finding: "Finding") -> None:
    click.echo(f"{_SIGNS[finding.level]} {finding.name}: {finding.text}")
    if finding.fix:
        click.echo(f"        -> {finding.fix}")
