"""Annotations of one task with regions of every form, written without a Label Studio."""

import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from PIL import Image

from labeling_assets import names
from labeling_assets.clients.aperturedb import Object, Reply
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.query import Query
from labeling_assets.mapping.annotation import MappedAnnotation
from labeling_assets.mapping.region import (
    FrameRange,
    Keyframe,
    Mask,
    PixelBox,
    PixelPolygon,
    Region,
    Relation,
    TimeRange,
)
from labeling_assets.sync.database import prepare_database
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.media_store import FACTS, media_by_guid
from labeling_assets.sync.stored_annotations import annotation_guid, annotations_by_guid, old_versions
from labeling_assets.sync.task_record import add_task, find_project
from labeling_assets.sync.write_annotation import AnnotationWriter
from labeling_assets.sync.write_regions import Detail, TaskContext
from labeling_assets_tests.sync.world import Stock, pictures

NOON: Final = "2026-05-01T12:00:00.000000Z"
RECORD: Final = ProjectRecord("i|cars", "cars", "i", 1, NOON, "h", "http://ls.example.org/projects/1")
FINDS: Final = ("FindBoundingBox", "FindPolygon", "FindClip")
CLASSES: Final = (names.REGION, names.KEYFRAME, names.LABEL, names.ANNOTATION, names.REVISION)
EDGES: Final = (
    names.ANNOTATION_REGION,
    names.REGION_MEDIA,
    names.REGION_LABEL,
    names.REGION_KEYFRAME,
    names.REGION_MASK,
    names.REGION_RELATION,
)


def region(region_id: str, kind: str, *labels: str, **values: Any) -> Region:
    vocabulary = {"label": labels} if labels else {}
    return Region(region_id, "label", "medium", kind, kind, labels=labels, **{"vocabulary": vocabulary, **values})


def png(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (width, height), 255).save(file, "PNG")
    return file.getvalue()


BOX = region("r1", "box", "car", native=PixelBox(4, 6, 12, 12))
TRIANGLE = PixelPolygon(((4, 3), (24, 3), (4, 18)))
OUTLINE = region("r2", "polygon", "road", native=TRIANGLE, derived_box=PixelBox(4, 3, 20, 15))
PAINTED = region(
    "r3",
    "mask",
    "road",
    derived_box=PixelBox(0, 0, 40, 30),
    derived_polygon=(PixelPolygon(((0, 0), (4, 0), (0, 4))), PixelPolygon(((20, 20), (24, 20), (20, 24)))),
    mask=Mask(40, 30, png(40, 30)),
    properties={"LS_area_px": 1200},
    reason="a mask is kept as a picture",
)
CHOICE = region("r4", "choices", "animal/dog", ancestors=("animal",), task_level=True)
ON_PICTURE = MappedAnnotation(
    (BOX, OUTLINE, PAINTED, CHOICE),
    (Relation("r1", "r2", "right", ("on",)), Relation("r3", "r4", "bi"), Relation("r2", "r3", "left")),
)
MOMENT = region("v1", "timeline_range", "goal", native=FrameRange(0, 1))
CUT = region("v2", "video_range", "goal", native=TimeRange(0.1, 0.2))
TRACK = region(
    "v3",
    "video_track",
    "car",
    spans=(FrameRange(0, 0), FrameRange(2, 2)),
    keyframes=(Keyframe(0, {"LS_x": 10.0, "LS_enabled": False}), Keyframe(2, {"LS_x": 20.0, "LS_enabled": True})),
)
ON_VIDEO = MappedAnnotation((MOMENT, CUT, TRACK), (Relation("v1", "v3", "right"), Relation("v2", "v1", "right")))


@dataclass
class Desk:
    """Writes annotations of one task, as a sync does."""

    stock: Stock
    guid: str
    task_id: int = 7
    query: Query = field(default_factory=Query)

    def writer(self, detail: Detail | None = None) -> tuple[AnnotationWriter, TaskContext]:
        self.query = Query()
        (medium,) = media_by_guid(self.stock.db, [self.guid], (*FACTS, "LS_fps"))[self.guid]
        project = find_project(self.query, RECORD)
        task, shown = add_task(
            self.query, RECORD, project=project, task_id=self.task_id, created_at=NOON, batch="May", medium=medium
        )
        context = TaskContext(RECORD, "May", self.task_id, medium, shown, task, {1: "ada@example.org"}, "run-1")
        return AnnotationWriter(self.query, detail=detail or Detail()), context

    def create(self, mapped: MappedAnnotation, detail: Detail | None = None) -> AnnotationWriter:
        writer, context = self.writer(detail)
        writer.create(context, annotation(), mapped)
        self.send()
        return writer

    def update(self, mapped: MappedAnnotation, **values: Any) -> AnnotationWriter:
        guid = annotation_guid(RECORD, annotation())
        stored, old = annotations_by_guid(self.stock.db, [guid])[guid], old_versions(self.stock.db, [guid])[guid]
        writer, context = self.writer()
        writer.update(context, annotation(**values), mapped, stored=stored, old=old)
        self.send()
        return writer

    def bury(self) -> None:
        guid = annotation_guid(RECORD, annotation())
        writer, _ = self.writer()
        writer.bury(annotations_by_guid(self.stock.db, [guid])[guid], "run-2")
        self.send()

    def send(self) -> Reply:
        return self.stock.db.run(self.query)

    def find(self, command: str, *wanted: str, **body: Any) -> list[Object]:
        found = self.stock.db.one(command, {"results": {"list": [*wanted]}, **body})
        return list(found.get("entities") or found.get("connections") or ())

    def counts(self) -> Counter[str]:
        """How many there are of each class that regions bring, and of their blobs."""
        db, found = self.stock.db, Counter[str]()
        for command in FINDS:
            found[command] = db.count(command, None)
        for class_name in CLASSES:
            found[class_name] = db.count("FindEntity", None, class_name=class_name)
        for class_name in EDGES:
            found[class_name] = db.count("FindConnection", None, class_name=class_name)
        found["masks"] = db.count("FindBlob", equal("LS_role", "mask"))
        return +found

    def of_regions(self) -> Counter[str]:
        kept = (names.LABEL, names.ANNOTATION, names.REVISION)
        return Counter({name: count for name, count in self.counts().items() if name not in kept})


def annotation(**values: Any) -> dict[str, Any]:
    times = {"created_at": NOON, "updated_at": NOON}
    return {"id": 1, "completed_by": 1, "result": [], "was_cancelled": False, **times, **values}


def desk(stock: Stock, name: str, content: bytes | str) -> Desk:
    """A project with one medium and one task."""
    return _desks(stock, {name: content})[0]


def desks_of(stock: Stock, count: int) -> list[Desk]:
    """Pictures of one batch, each with a task of its own."""
    return _desks(stock, pictures(count))


def _desks(stock: Stock, files: Mapping[str, bytes | str]) -> list[Desk]:
    guids = stock.hand_in(files).guids
    prepare_database(stock.db)
    stock.db.one("AddEntity", {"class": names.PROJECT, "properties": {names.KEY: RECORD.key}})
    return [Desk(stock, guid, 7 + number) for number, guid in enumerate(guids)]
