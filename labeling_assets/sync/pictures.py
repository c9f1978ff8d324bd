"""Thumbnails of a batch with the labels drawn on them, from ApertureDB: what came back is what is drawn."""

from dataclasses import dataclass

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import all_of, equal, missing
from labeling_assets.errors import InputError
from labeling_assets.projects import Project
from labeling_assets.quality.draw import Shape, thumbnail
from labeling_assets.sync.media_store import Medium, media_by_guid
from labeling_assets.sync.publish_tasks import read_bytes


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A JPEG, and what to write under it."""

    guid: str
    jpeg: bytes
    task_id: int
    labels: tuple[str, ...]


def labelled_pictures(
    db: ApertureDB, project: Project, *, batch: str, limit: int = 6, max_side: int = 220
) -> list[LabelledPicture]:
    """The pictures whose annotations changed last, newest first, at most `limit`."""
    condition = all_of(equal("LS_project", project.slug), equal("LS_batch", batch), missing("LS_deleted_at"))
    newest = db.one(
        "FindEntity",
        {
            "with_class": names.ANNOTATION,
            "constraints": condition,
            "results": {"list": ["LS_media_guid", "LS_task_id"]},
            "sort": {"key": "LS_updated_at", "order": "descending"},
            "limit": 4 * limit,
        },
    )
    tasks = {str(row["LS_media_guid"]): int(row["LS_task_id"]) for row in newest.get("entities") or ()}
    media = media_by_guid(db, tasks)
    pictures: list[LabelledPicture] = []
    for guid, task_id in tasks.items():
        found = media.get(guid, [])
        if len(found) == 1 and found[0].kind == "Image" and len(pictures) < limit:
            pictures += _drawn(db, project, found[0], task_id, max_side)
    return pictures


def _drawn(db: ApertureDB, project: Project, medium: Medium, task_id: int, max_side: int) -> list[LabelledPicture]:
    shapes = _shapes(db, project, medium.guid)
    try:
        jpeg = thumbnail(read_bytes(db, medium), shapes, max_side=max_side)
    except InputError:
        return []  # a picture that ApertureDB reads and Pillow does not: no thumbnail, no failure
    labels = tuple(dict.fromkeys(shape.label for shape in shapes if shape.label))
    return [LabelledPicture(medium.guid, jpeg, task_id, labels)]


def _shapes(db: ApertureDB, project: Project, guid: str) -> list[Shape]:
    """Boxes and polygons as they were drawn, and dashed the outlines of ellipses and masks."""
    condition = all_of(equal("LS_media_guid", guid), equal("LS_project", project.slug))
    drawn = all_of(condition, equal("LS_derived", False))
    shapes = []
    for box in db.find("FindBoundingBox", drawn, properties=["LS_label"], coordinates=True):
        at = box["_coordinates"]
        left, top = at["x"], at["y"]
        right, bottom = left + at["width"], top + at["height"]
        shapes.append(Shape(((left, top), (right, top), (right, bottom), (left, bottom)), box["LS_label"] or ""))
    for polygon in db.find("FindPolygon", condition, properties=["LS_label", "LS_derived"], vertices=True):
        label, dashed = polygon["LS_label"] or "", bool(polygon["LS_derived"])
        shapes += [Shape(tuple((x, y) for x, y in part), label, dashed=dashed) for part in polygon["_vertices"]]
    return shapes
