"""The current labels of a batch as one Parquet table, read from ApertureDB only."""

import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Object
from labeling_assets.clients.constraints import all_of, equal
from labeling_assets.projects import Project

if TYPE_CHECKING:
    import pandas as pd

# Column -> (property, pandas type). Percent is of the picture as shown, pixels are those of the stored bytes.
_COLUMNS: Final[dict[str, tuple[str, str]]] = {
    "media_guid": ("LS_media_guid", "string"),
    "batch": ("LS_batch", "string"),
    "project": ("LS_project", "string"),
    "task_id": ("LS_task_id", "Int64"),
    "annotation_guid": ("LS_annotation_guid", "string"),
    "annotation_id": ("LS_annotation", "Int64"),
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
    "x_percent": ("LS_x", "Float64"),
    "y_percent": ("LS_y", "Float64"),
    "width_percent": ("LS_width", "Float64"),
    "height_percent": ("LS_height", "Float64"),
    "rotation_degrees": ("LS_rotation", "Float64"),
    "points_percent": ("LS_points", "string"),
    "reason_no_native_form": ("LS_reason", "string"),
}
_PIXELS: Final = {"x": "Int64", "y": "Int64", "width": "Int64", "height": "Int64"}


@dataclass(slots=True)
class DatasetReport:
    """The table that was written. `digest` is of its content, so an unchanged dataset has an unchanged digest."""

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

    The file is replaced at once, so a reader never sees half a table. Rows are in a fixed order.
    """
    started = time.monotonic()
    table = current_labels(db, project, batch)
    path = folder / project.slug / f"{batch}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.partial")
    table.to_parquet(temporary, index=False)
    os.replace(temporary, path)
    counts = table["label"].dropna().value_counts()
    return DatasetReport(
        path=path,
        rows=len(table),
        media=int(table["media_guid"].nunique()),
        annotations=int(table["annotation_guid"].nunique()),
        labels={str(label): int(count) for label, count in counts.items()},
        digest=hashlib.sha256(table.to_json(orient="values").encode()).hexdigest(),
        seconds=time.monotonic() - started,
        table=table,
    )


def columns() -> dict[str, str]:
    """Column -> pandas type, in order; docs/dataset.md says what they mean."""
    types = {name: kind for name, (_, kind) in _COLUMNS.items()}
    return types | {f"{name}_px": kind for name, kind in _PIXELS.items()} | {"polygon_px": "string"}


def current_labels(db: ApertureDB, project: Project, batch: str) -> "pd.DataFrame":
    """The table of `build_dataset`, columns as in docs/dataset.md; without rows if nothing is labelled."""
    import pandas as pd

    rows = sorted(
        _rows(db, project, batch), key=lambda row: [str(row[k]) for k in ("media_guid", "annotation_guid", "region_id")]
    )
    types = columns()
    return pd.DataFrame(rows, columns=list(types)).astype(types)


def _rows(db: ApertureDB, project: Project, batch: str) -> Iterator[dict[str, Any]]:
    condition = all_of(equal("LS_project", project.slug), equal("LS_batch", batch), equal("LS_derived", False))
    wanted = [prop for prop, _ in _COLUMNS.values()]
    for box in db.find("FindBoundingBox", condition, properties=wanted, coordinates=True):
        yield _row(box) | {f"{name}_px": box["_coordinates"][name] for name in _PIXELS}
    for polygon in db.find("FindPolygon", condition, properties=wanted, bounds=True, vertices=True):
        bounds = polygon["_bounds"]
        yield (
            _row(polygon)
            | {f"{name}_px": bounds[name] for name in _PIXELS}
            | {"polygon_px": json.dumps(polygon["_vertices"])}
        )
    for region in db.find("FindEntity", condition, class_name=names.REGION, properties=wanted):
        yield _row(region)


def _row(found: Object) -> dict[str, Any]:
    return {name: found.get(prop) for name, (prop, _) in _COLUMNS.items()}
