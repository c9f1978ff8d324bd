"""Findings as text and as JSON."""

import json
from collections.abc import Sequence
from typing import Any

from labeling_assets.probe.run import Finding


def text(finding: Finding) -> str:
    """A few lines: the question, what we assume, and what the server did."""
    probe = finding.probe
    lines = [f"{probe.name} [{probe.source}] {probe.says}", f"  assumed  {_short(probe.assumed)}"]
    if finding.error is not None:
        lines.append(f"  FAILED   {finding.error}")
    elif finding.as_assumed:
        lines.append("  server   the same")
    else:
        lines.append(f"  SERVER   {_short(finding.observed)}")
    lines += [f"  LEFT     {name}" for name in finding.left]
    return "\n".join(lines)


def summary(findings: Sequence[Finding]) -> str:
    """The last line."""
    failed = sum(finding.error is not None for finding in findings)
    same = sum(finding.as_assumed for finding in findings)
    return f"{len(findings)} probes: {same} as assumed, {len(findings) - same - failed} different, {failed} failed"


def as_json(address: str, status: dict[str, Any], findings: Sequence[Finding]) -> str:
    """One object; `status` is what GetStatus answered."""
    listed = [
        {
            "name": finding.probe.name,
            "source": finding.probe.source,
            "says": finding.probe.says,
            "assumed": finding.probe.assumed,
            "observed": finding.observed,
            "as_assumed": finding.as_assumed,
            "error": finding.error,
            "left": list(finding.left),
        }
        for finding in findings
    ]
    return json.dumps({"address": address, "status": status, "probes": listed}, indent=2)


def _short(value: object) -> str:
    return json.dumps(value, sort_keys=True)
