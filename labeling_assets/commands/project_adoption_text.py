"""The plan, or what was done, of `labeling-assets adopt project`, for people."""

from typing import Final

from labeling_assets.sync.adopt.project_adoption_report import ProjectAdoption

_SHOWN: Final = 10


def project_adoption_text(report: ProjectAdoption) -> str:
    """Some lines: what there is, what becomes of it, how long it takes, and what is left alone."""
    done = report.applied
    matched = ", ".join(f"{count} by {how}" for how, count in report.matched.items() if how != "ingested")
    batches = ", ".join(f"{count} in batch {batch}" for batch, count in report.batches.items()) or "none"
    lines = [
        f"Project {report.project_id} {report.title!r}: {report.tasks} tasks, {report.annotations} annotations.",
        f"{'Adopted' if done else 'To adopt'} as {report.project}: {report.adopt} tasks ({batches}); "
        f"{report.unchanged} need nothing, {report.refused} are left alone.",
        f"Their media: {matched or 'none'} in ApertureDB already, {report.ingested - report.registered} "
        f"{'stored' if done else 'to store'} ({report.bytes_ingested / 1e6:.1f} MB)"
        + (
            f", {report.registered} {'registered' if done else 'to register'} where they are."
            if report.registered
            else "."
        ),
        _changes(report),
    ]
    if report.differences:
        lines.append("Its configuration differs from that of the folder (refused unless label_config_changes: allow):")
        lines += [f"  {line}" for line in report.differences]
    lines += _findings(report)
    if done:
        lines.append(
            f"labeling-assets sync --project {report.project} brings the annotations. Dagster sees it "
            "within ten seconds, if its sensors are on."
        )
    else:
        lines.append("Nothing was written. Add --apply to do it.")
    return "\n".join(lines)


def _changes(report: ProjectAdoption) -> str:
    if report.applied:
        return f"The data of {report.changed} tasks were changed; all took {report.seconds:.0f} s."
    if not report.changed:
        return "The data of no task are to be changed."
    shortest, longest = report.shortest_s, report.longest_s
    return (
        f"The data of {report.changed} tasks are to be changed in Label Studio, which takes one at a time: "
        f"{shortest:.0f} to {longest:.0f} s, and it may be stopped and started again."
    )


def _findings(report: ProjectAdoption) -> list[str]:
    lines = []
    for what, notes in report.findings.items():
        lines.append(f"{len(notes)} {what}:")
        lines += [f"  {note.subject}: {note.text}" for note in notes[:_SHOWN]]
        if len(notes) > _SHOWN:
            lines.append(f"  ... and {len(notes) - _SHOWN} more; --json lists all.")
    return lines
