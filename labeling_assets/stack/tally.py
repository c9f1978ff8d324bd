"""What Label Studio and ApertureDB hold of one batch, counted in the live systems, without asking the pipeline."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Object
from labeling_assets.clients.constraints import Condition, all_of, equal, missing, not_equal, present
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.query import Query
from labeling_assets.sync.stored_annotations import payload_of

# id of an annotation -> its content, as text that is equal if and only if the content is
Contents = dict[int, str]


@dataclass(frozen=True, slots=True)
class LabelStudioTally:
    """One batch in Label Studio; `regions` are the distinct ids in annotations that are not skipped."""

    tasks: int
    skipped: int
    regions: int
    contents: Contents

    @property
    def annotations(self) -> int:
        """Annotations that exist, skipped ones included."""
        return len(self.contents)


@dataclass(frozen=True, slots=True)
class ApertureDBTally:
    """One batch in ApertureDB; `deleted` counts tombstones, which `contents` leaves out."""

    media: int
    tasks: int
    deleted: int
    boxes: int
    polygons: int
    other_regions: int
    contents: Contents

    @property
    def annotations(self) -> int:
        """Annotations that are current, skipped ones included."""
        return len(self.contents)

    @property
    def regions(self) -> int:
        """Regions of every kind; what is derived from them is left out."""
        return self.boxes + self.polygons + self.other_regions


def count_label_studio(label_studio: LabelStudio, project_id: int, batch: str) -> LabelStudioTally:
    """Read every task of the batch."""
    tasks = [task for task in label_studio.iterate_by_id(project_id) if task["data"].get("import_batch") == batch]
    annotations = [annotation for task in tasks for annotation in task["annotations"]]
    current = [annotation for annotation in annotations if not annotation["was_cancelled"]]
    return LabelStudioTally(
        tasks=len(tasks),
        skipped=len(annotations) - len(current),
        regions=sum(len({item["id"] for item in annotation["result"]}) for annotation in current),
        contents={annotation["id"]: _content(annotation) for annotation in annotations},
    )


def count_aperturedb(db: ApertureDB, project: str, batch: str) -> ApertureDBTally:
    """Count by the properties that users search by."""
    mine = (equal("LS_project", project), equal("LS_batch", batch))
    own = all_of(*mine, not_equal("LS_derived", True))
    rows = db.find(
        "FindEntity",
        all_of(*mine, missing("LS_deleted_at")),
        class_name=names.ANNOTATION,
        properties=["LS_annotation_id", names.LS_GUID, "LS_content_hash", "LS_data"],
    )
    return ApertureDBTally(
        media=_media(db, batch),
        tasks=_entities(db, names.TASK, all_of(*mine)),
        deleted=_entities(db, names.ANNOTATION, all_of(*mine, present("LS_deleted_at"))),
        boxes=db.count("FindBoundingBox", own),
        polygons=db.count("FindPolygon", own),
        other_regions=db.count("FindClip", own) + _entities(db, names.REGION, own),
        contents={int(row["LS_annotation_id"]): _content(_stored(db, row)) for row in rows},
    )


def _stored(db: ApertureDB, row: Object) -> Mapping[str, Any]:
    """The annotation as it is kept: in a property, or, if it is large, in a blob."""
    text = row["LS_data"]
    if text is None:
        text = payload_of(db, str(row[names.LS_GUID]), str(row["LS_content_hash"])) or b"{}"
    found: Mapping[str, Any] = json.loads(text)
    return found


def _content(annotation: Mapping[str, Any]) -> str:
    return json.dumps([annotation.get("result"), bool(annotation.get("was_cancelled"))], sort_keys=True)


def _entities(db: ApertureDB, class_name: str, condition: Condition) -> int:
    return db.count("FindEntity", condition, class_name=class_name)


def _media(db: ApertureDB, batch: str) -> int:
    """Images that the batch is connected to."""
    query = Query()
    reference = query.reference()
    query.add("FindEntity", {"_ref": reference, "with_class": names.BATCH, "constraints": equal(names.KEY, batch)})
    connected = {"ref": reference, "connection_class": names.BATCH_MEDIA}
    place = query.add("FindImage", {"is_connected_to": connected, "blobs": False, "results": {"count": True}})
    return db.run(query).count(place)
