"""Reports as the metadata that people read in Dagster: counts, tables, links, pictures."""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from labeling_assets.sync.build_dataset import DatasetReport
from labeling_assets.sync.pictures import LabelledPicture
from labeling_assets.sync.report import CollectReport, IngestReport, Note, PublishReport
from labeling_assets.sync.verify import Outcome

if TYPE_CHECKING:
    import pandas as pd

_ROWS: Final = 50
_PREVIEW: Final = 10
_PREVIEWED: Final = (
    "media_guid",
    "annotator",
    "kind",
    "label",
    "text",
    "rating",
    "x_px",
    "y_px",
    "width_px",
    "height_px",
)
_CELL_CHARACTERS: Final = 80
_MARKDOWN: Final = re.compile(r"([\\`*_\[\]<>|!#~])")
Metadata = dict[str, Any]


def of_ingest(report: IngestReport, signature: str) -> Metadata:
    """Metadata of `media`."""
    return {
        "dagster/partition_row_count": len(report.guids),
        "rows": report.rows,
        "created": report.created,
        "known": report.known,
        "duplicates": len(report.duplicates),
        "failed": len(report.failed),
        "registered": report.registered,
        "megabytes stored": round(report.bytes_stored / 1e6, 3),
        "seconds": round(report.seconds, 3),
        "media types": report.media_types,
        **_notes("failed rows", report.failed),
        **_notes("duplicate rows", report.duplicates),
        **_notes("rows with warnings", report.warnings),
        "inbox_signature": signature,
        "closed_mark": report.closed,
    }


def of_publish(report: PublishReport) -> Metadata:
    """Metadata of `tasks`."""
    return {
        "dagster/partition_row_count": len(report.task_guids),
        "media": report.media,
        "created": report.created,
        "adopted": report.adopted,
        "known": report.known,
        "failed": len(report.failed),
        "Label Studio requests": report.requests,
        "seconds": round(report.seconds, 3),
        "Label Studio project": dg.MetadataValue.url(report.project_url),
        **_notes("media without a task", report.failed),
        **_notes("warnings", report.warnings),
    }


def of_collect(
    report: CollectReport, pictures: Sequence[LabelledPicture], *, current: int, project_url: str, started: float
) -> Metadata:
    """Metadata of `annotations`; `current` annotations stand in ApertureDB, `started` is seconds since the epoch."""
    values: Metadata = {
        "dagster/partition_row_count": current,
        "created": report.created,
        "updated": report.updated,
        "deleted": report.deleted,
        "unchanged": report.unchanged,
        "tasks read": report.tasks_read,
        "read by": report.read_by,
        "tasks withdrawn": report.tasks_withdrawn,
        "regions written": report.regions,
        "quarantined tasks": len(report.quarantined),
        "Label Studio requests": report.requests,
        "seconds": round(report.seconds, 3),
        "nothing to do": report.idle,
        "watermark": report.watermark or "none yet",
        "Label Studio project": dg.MetadataValue.url(project_url),
        **_notes("quarantined", report.quarantined),
        **_notes("problems", report.problems),
        "started_at": dg.MetadataValue.timestamp(started),
    }
    if report.rewritten:
        values["written again by a newer mapping"] = report.rewritten
    if report.unexpected:
        values["tasks of others"] = report.unexpected
    if report.noted:
        values["versions from webhooks"] = report.noted
    if report.raw_kinds:
        values["kept as raw JSON only"] = report.raw_kinds
    if pictures:
        values["pictures"] = dg.MetadataValue.md(_gallery(pictures, project_url))
    return values


def of_dataset(report: DatasetReport) -> Metadata:
    """Metadata of `dataset`."""
    table = report.table
    preview = "" if table is None or table.empty else _preview(table)
    return {
        "dagster/partition_row_count": report.rows,
        "dagster/uri": str(report.path.resolve()),
        "media": report.media,
        "annotations": report.annotations,
        "labels": report.labels,
        "seconds": round(report.seconds, 3),
        **({"preview": dg.MetadataValue.md(preview)} if preview else {}),
        **({} if table is None else {"dagster/column_schema": _columns(table)}),
    }


def summary(outcome: Outcome) -> str | None:
    """One line on what is wrong, for lists of checks; None if nothing is."""
    if outcome.passed:
        return None
    first = {name: value for name, value in outcome.offenders[0].items() if name not in ("problem", "url") and value}
    where = ", ".join(f"{name} {value}" for name, value in first.items())
    more = len(outcome.offenders) - 1
    others = f" (and {more} more)" if more else ""
    return f"{where + ': ' if where else ''}{outcome.offenders[0]['problem']}{others}"


def of_outcome(outcome: Outcome) -> Metadata:
    """Metadata of a check: what was looked at, and the offenders."""
    values: Metadata = {"looked at": outcome.looked_at, "wrong": len(outcome.offenders), **outcome.facts}
    if outcome.offenders:
        values["offenders"] = _table(outcome.offenders)
        url = outcome.offenders[0].get("url")
        if url:
            values["first offender"] = dg.MetadataValue.url(str(url))
    return values


def _notes(name: str, notes: Sequence[Note]) -> Metadata:
    return {name: _table([{"what": note.subject, "why": note.text} for note in notes])} if notes else {}


def _preview(table: "pd.DataFrame") -> str:
    """The first rows as Markdown."""
    cells = table[list(_PREVIEWED)].head(_PREVIEW).astype("string").fillna("").values.tolist()
    rows = [_PREVIEWED, ["---"] * len(_PREVIEWED), *([_plain(cell) for cell in row] for row in cells)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _plain(text: str) -> str:
    """Text in Markdown that means nothing but itself: labels and texts are whatever a person typed."""
    line = " ".join(text.split())
    shown = line if len(line) <= _CELL_CHARACTERS else line[: _CELL_CHARACTERS - 1] + "…"
    return _MARKDOWN.sub(r"\\\1", shown)


def _columns(table: "pd.DataFrame") -> dg.TableSchema:
    return dg.TableSchema([dg.TableColumn(str(name), str(kind)) for name, kind in table.dtypes.items()])


def _table(rows: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue:
    """At most 50 rows; the columns are those that any row has."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return dg.MetadataValue.table(
        records=[dg.TableRecord({name: _cell(row.get(name)) for name in names}) for row in rows[:_ROWS]],
        schema=dg.TableSchema([dg.TableColumn(name, "string") for name in names]),
    )


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def _gallery(pictures: Sequence[LabelledPicture], project_url: str) -> str:
    """Three pictures a row, as Markdown; each links to its task."""
    cells = []
    for picture in pictures:
        encoded = base64.b64encode(picture.jpeg).decode()
        alt = _plain(", ".join(picture.labels) or "no regions")
        url = f"{project_url}/data?task={picture.task_id}"
        cells.append(f"[![{alt}](data:image/jpeg;base64,{encoded})]({url})")
    return "\n\n".join(" ".join(cells[start : start + 3]) for start in range(0, len(cells), 3))
