"""The current labels of a batch as one Parquet table, read from ApertureDB only."""

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Object
from labeling_assets.clients.constraints import all_of, equal, missing, one_of
from labeling_assets.projects import Project
from labeling_assets.sync.media_store import chunks

if TYPE_CHECKING:
    import pandas as pd

# Column -> (property, pandas type). Percent is of the picture as shown, pixels are those of the stored bytes.
_COLUMNS: Final[dict[str, tuple[str, str]]] = {
    "media_guid": ("LS_media_guid", "string"),
    "batch": ("LS_batch", "string"),
    "project": ("LS_project", "string"),
    "task_id": ("LS_task_id", "Int64"),
    "annotation_guid": ("LS_annotation_guid", "string"),
    "annotation_id": ("LS_annotation_id", "Int64"),
    "region_id": ("LS_id", "string"),
    "annotator": ("LS_annotator", "string"),
    "source": ("LS_source", "string"),
    "from_name": ("LS_from_name", "string"),
    "to_name": ("LS_to_name", "string"),
    "type": ("LS_type", "string"),
    "kind": ("LS_kind", "string"),
    "label": ("LS_label", "string"),
    "labels": ("LS_labels", "string"),
    "text": ("LS_text", "string"),
    "rating": ("LS_rating", "Float64"),
    "number": ("LS_number", "Float64"),
    "choice": ("LS_choice", "string"),
    "attributes": ("LS_attributes", "string"),
    "task_level": ("LS_task_level", "boolean"),
    "score": ("LS_score", "Float64"),
    "origin": ("LS_origin", "string"),
    "parent_region_id": ("LS_parent_id", "string"),
    "page": ("LS_item_index", "Int64"),
    "datetime": ("LS_datetime", "string"),
    "taxonomy_paths": ("LS_paths", "string"),
    "selected": ("LS_selected", "string"),
    "ranking": ("LS_ranking", "string"),
    "x_percent": ("LS_x", "Float64"),
    "y_percent": ("LS_y", "Float64"),
    "width_percent": ("LS_width", "Float64"),
    "height_percent": ("LS_height", "Float64"),
    "radius_x_percent": ("LS_radius_x", "Float64"),
    "radius_y_percent": ("LS_radius_y", "Float64"),
    "rotation_degrees": ("LS_rotation", "Float64"),
    "points_percent": ("LS_points", "string"),
    "vertices_percent": ("LS_vertices", "string"),
    "closed": ("LS_closed", "boolean"),
    "mask_format": ("LS_mask_format", "string"),
    "mask_width": ("LS_mask_width", "Int64"),
    "mask_height": ("LS_mask_height", "Int64"),
    "mask_area_px": ("LS_area_px", "Int64"),
    "start_s": ("LS_start_s", "Float64"),
    "end_s": ("LS_end_s", "Float64"),
    "length_s": ("LS_length_s", "Float64"),
    "channel": ("LS_channel", "Int64"),
    "start_frame": ("LS_start_frame", "Int64"),
    "end_frame": ("LS_end_frame", "Int64"),
    "keyframes": ("LS_keyframe_count", "Int64"),
    "start": ("LS_start", "Float64"),
    "end": ("LS_end", "Float64"),
    "start_text": ("LS_start_text", "string"),
    "end_text": ("LS_end_text", "string"),
    "start_codepoint": ("LS_start_codepoint", "Int64"),
    "end_codepoint": ("LS_end_codepoint", "Int64"),
    "start_paragraph": ("LS_start_paragraph", "Int64"),
    "end_paragraph": ("LS_end_paragraph", "Int64"),
    "start_xpath": ("LS_start_xpath", "string"),
    "end_xpath": ("LS_end_xpath", "string"),
    "start_offset": ("LS_start_offset", "Int64"),
    "end_offset": ("LS_end_offset", "Int64"),
    "quote": ("LS_quote", "string"),
    "reason_no_native_form": ("LS_reason", "string"),
}
_PIXELS: Final = {"x": "Int64", "y": "Int64", "width": "Int64", "height": "Int64"}
_ORDER: Final = ("media_guid", "annotation_guid", "region_id")
# So many media are in memory at once, with all their labels.
_MEDIA_AT_ONCE: Final = 200
_PREVIEW_ROWS: Final = 100


@dataclass(slots=True)
class DatasetReport:
    """The table that was written. `digest` is of its content, so an unchanged dataset has an unchanged digest.

    `table` holds its first rows, at most 100.
    """

    path: Path
    rows: int
    media: int
    annotations: int
    labels: dict[str, int] = field(default_factory=dict)
    digest: str = ""
    seconds: float = 0.0
    table: "pd.DataFrame | None" = field(default=None, repr=False)


def build_dataset(db: ApertureDB, project: Project, *, batch: str, folder: Path) -> DatasetReport:
    """Write `<folder>/<project>/<batch>.parquet`: one row for each region or task-level label that is current.

    The file is replaced at once, so a reader never sees half a table. Rows are in a fixed order. Memory holds a few
    hundred media and their labels, however many the batch has.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    started = time.monotonic()
    path = folder / project.slug / f"{batch}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.partial")
    empty = _table([])
    report = DatasetReport(path, rows=0, media=0, annotations=0, table=empty)
    schema = pa.Schema.from_pandas(empty, preserve_index=False)
    digest, labels = hashlib.sha256(), Counter[str]()
    try:
        with pq.ParquetWriter(temporary, schema) as writer:
            for table in label_tables(db, project, batch):
                writer.write_table(pa.Table.from_pandas(table, schema=schema, preserve_index=False))
                digest.update(table.to_json(orient="records", lines=True).encode())
                labels.update(str(label) for label in table["label"].dropna())
                _count(report, table)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    report.labels = dict(sorted(labels.items(), key=lambda item: (-item[1], item[0])))
    report.digest = digest.hexdigest()
    report.seconds = time.monotonic() - started
    return report


def _count(report: DatasetReport, table: "pd.DataFrame") -> None:
    """No medium and no annotation is in two tables."""
    import pandas as pd

    report.rows += len(table)
    report.media += int(table["media_guid"].nunique())
    report.annotations += int(table["annotation_guid"].nunique())
    if report.table is not None and len(report.table) < _PREVIEW_ROWS:
        report.table = pd.concat([report.table, table]).head(_PREVIEW_ROWS)


def columns() -> dict[str, str]:
    """Column -> pandas type, in order; docs/dataset.md says what they mean."""
    types = {name: kind for name, (_, kind) in _COLUMNS.items()}
    return (
        types | {"form": "string"} | {f"{name}_px": kind for name, kind in _PIXELS.items()} | {"polygon_px": "string"}
    )


def label_tables(db: ApertureDB, project: Project, batch: str) -> "Iterator[pd.DataFrame]":
    """The table of `build_dataset` in pieces of at most 200 media, columns as in docs/dataset.md; none is empty."""
    current = all_of(equal("LS_project", project.slug), equal("LS_batch", batch), missing("LS_deleted_at"))
    found = db.find("FindEntity", current, class_name=names.ANNOTATION, properties=["LS_media_guid"])
    media = sorted({str(row["LS_media_guid"]) for row in found})
    for chunk in chunks(media, _MEDIA_AT_ONCE):
        rows = sorted(_rows(db, project, batch, chunk), key=lambda row: [str(row[name]) for name in _ORDER])
        if rows:
            yield _table(rows)


def _table(rows: list[dict[str, Any]]) -> "pd.DataFrame":
    import pandas as pd

    types = columns()
    return pd.DataFrame(rows, columns=list(types)).astype(types)


def _rows(db: ApertureDB, project: Project, batch: str, media: list[str]) -> Iterator[dict[str, Any]]:
    """The labels of some media. What is derived gives no row, but pixels to the row of its region."""
    condition = all_of(one_of("LS_media_guid", media), equal("LS_project", project.slug), equal("LS_batch", batch))
    current = all_of(condition, equal("LS_derived", False))
    wanted = [prop for prop, _ in _COLUMNS.values()]
    rows: list[dict[str, Any]] = []
    pixels: dict[tuple[str, str], dict[str, Any]] = {}
    for polygon in db.find("FindPolygon", condition, properties=[*wanted, "LS_derived"], bounds=True, vertices=True):
        corners = {"polygon_px": json.dumps(polygon["_vertices"])}
        _outline(pixels, polygon).update(_rectangle(polygon["_bounds"]) | corners)
        if not polygon["LS_derived"]:
            rows.append(_row(polygon, "polygon"))
    for box in db.find("FindBoundingBox", condition, properties=[*wanted, "LS_derived"], coordinates=True):
        _outline(pixels, box).update(_rectangle(box["_coordinates"]))
        if not box["LS_derived"]:
            rows.append(_row(box, "box"))
    rows += [_row(clip, "clip") for clip in db.find("FindClip", current, properties=wanted)]
    found = db.find("FindEntity", current, class_name=names.REGION, properties=wanted)
    rows += [_row(region, None) for region in found]
    for row in rows:
        yield row | pixels.get((row["annotation_guid"], row["region_id"]), {})


def _outline(pixels: dict[tuple[str, str], dict[str, Any]], found: Object) -> dict[str, Any]:
    return pixels.setdefault((str(found["LS_annotation_guid"]), str(found["LS_id"])), {})


def _rectangle(at: Object) -> dict[str, Any]:
    return {f"{name}_px": at[name] for name in _PIXELS}


def _row(found: Object, form: str | None) -> dict[str, Any]:
    return {name: found.get(prop) for name, (prop, _) in _COLUMNS.items()} | {"form": form}
