"""What ApertureData's own Label Studio storage wrote: its annotations with their images and boxes, as they stand.

That storage writes `LS_id` to an `LS_annotation`: the annotation's id in one Label Studio database, as text. Ours have
`LS_annotation_id`, so the storage, which looks for `LS_id` before it writes, can never write over one of ours. Early
versions of this package wrote `LS_id`, too, as a number; those annotations have our key and were never adopted.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Object
from labeling_assets.clients.constraints import Condition, all_of, any_of, equal, missing, one_of, present
from labeling_assets.clients.query import Query
from labeling_assets.errors import DataError
from labeling_assets.sync.media_store import FACTS, ROLE, chunks
from labeling_assets.sync.stored_annotations import annotation_in

STORAGE_ID: Final = "LS_id"
ADOPTED_HASH: Final = "LS_adopted_hash"
_CHUNK: Final = 100
_PROPERTIES: Final = (
    STORAGE_ID,
    "LS_project_id",
    "LS_project_title",
    "LS_created_at",
    "LS_updated_at",
    "LS_completed_by",
    "LS_updated_by",
    "LS_data",
    "LS_project",
    "LS_revision",
    names.LS_GUID,
    ADOPTED_HASH,
)
# The link that the storage makes for a task: .../data/aperturedb/?title=...&key=<_uniqueid>
_LINK: Final = re.compile(r"[?&]key=(\d+\.\d+\.\d+)")


@dataclass(frozen=True, slots=True)
class StorageBox:
    """A bounding box. `rectangle` is x, y, width, height in pixels; `properties` are all that it has."""

    unique: str
    rectangle: tuple[int, int, int, int]
    label: str
    properties: Mapping[str, Any]

    @property
    def region_id(self) -> str | None:
        """`LS_id`: the id of the region in Label Studio; None for a box that a model or a person put there."""
        value = self.properties.get("LS_id")
        return None if value is None else str(value)


@dataclass(frozen=True, slots=True)
class StorageAnnotation:
    """One annotation of that storage.

    `images` are all images it is connected to (one, if all is well). `boxes` lie on the first of them and are
    connected to the annotation or name it; `strays` are connected to it and lie elsewhere, by `_uniqueid`.
    """

    properties: Mapping[str, Any]
    images: tuple[Object, ...] = ()
    boxes: tuple[StorageBox, ...] = ()
    strays: tuple[str, ...] = field(default=())

    @property
    def unique(self) -> str:
        """The `_uniqueid` of the entity."""
        return str(self.properties["_uniqueid"])

    @property
    def id(self) -> str:
        """The annotation's id in its Label Studio, as text."""
        return str(self.properties[STORAGE_ID])

    @property
    def project_id(self) -> int:
        """The project's id in that Label Studio; 0 if it is not known."""
        return int(self.properties.get("LS_project_id") or 0)

    @property
    def project_title(self) -> str:
        """The project's title in that Label Studio."""
        return str(self.properties.get("LS_project_title") or "")

    @property
    def author(self) -> str:
        """The e-mail address of who completed it; empty if it is not known."""
        return str(self.properties.get("LS_completed_by") or "")

    @property
    def data(self) -> str:
        """`LS_data`, byte for byte."""
        return str(self.properties.get("LS_data") or "")

    @property
    def image(self) -> str | None:
        """The `_uniqueid` of its image, if it has one."""
        return str(self.images[0]["_uniqueid"]) if len(self.images) == 1 else None

    @property
    def media_guid(self) -> str | None:
        """The GUID of its image, if that has one."""
        guid = self.images[0].get(names.GUID) if len(self.images) == 1 else None
        return None if guid is None else str(guid)

    def name(self) -> str:
        """For people."""
        return f"annotation {self.id} of project {self.project_id} ({self.unique})"

    def annotation(self) -> dict[str, Any]:
        """The annotation in Label Studio's JSON, with `id`, `created_at` and `updated_at` in any case.

        Raises:
            DataError: `LS_data` holds no such annotation, or nothing says when it was made.
        """
        if not self.id.isdecimal():
            raise DataError(f"LS_id {self.id!r} is no annotation id.")
        found = annotation_in(self.data, int(self.id))
        times = {key: found.get(key) or _time(self.properties.get(f"LS_{key}")) for key in ("created_at", "updated_at")}
        times["updated_at"] = times["updated_at"] or times["created_at"]
        if times["created_at"] is None:
            raise DataError("neither LS_data nor LS_created_at says when it was made.")
        return {**found, "id": int(self.id), **times}


def read_storage_annotations(db: ApertureDB, project_id: int | None = None) -> Iterator[StorageAnnotation]:
    """Every annotation of that storage, adopted or not, in the order in which they were added.

    Args:
        db: Where they are.
        project_id: Only those of the project with this id in their Label Studio.
    """
    listed = list_storage_annotations(db, () if project_id is None else (equal("LS_project_id", project_id),))
    # Named before they are read: reading by pages would lose its place when something is added or removed.
    for chunk in chunks([str(row["_uniqueid"]) for row in listed], _CHUNK):
        yield from _read(db, chunk)


def list_storage_annotations(db: ApertureDB, conditions: Sequence[Condition] = ()) -> list[Object]:
    """`_uniqueid`, `LS_id`, `LS_project_id` and `LS_project_title` of every annotation of that storage that matches."""
    of_the_storage = (present(STORAGE_ID), any_of(missing(names.LS_GUID), present(ADOPTED_HASH)))
    wanted = ["_uniqueid", STORAGE_ID, "LS_project_id", "LS_project_title"]
    condition = all_of(*of_the_storage, *conditions)
    rows = db.find("FindEntity", condition, class_name=names.ANNOTATION, properties=wanted, uniqueids=True)
    return [row for row in rows if isinstance(row[STORAGE_ID], str)]


def linked_image(annotation: Mapping[str, Any]) -> str | None:
    """The `_uniqueid` of the image that the annotation's own task shows, if `LS_data` tells."""
    task = annotation.get("task")
    data = task.get("data") if isinstance(task, Mapping) else None
    for value in data.values() if isinstance(data, Mapping) else ():
        match = _LINK.search(value) if isinstance(value, str) else None
        if match:
            return match[1]
    return None


def _read(db: ApertureDB, uniques: Sequence[str]) -> Iterator[StorageAnnotation]:
    query = Query()
    source, image = query.reference(), query.reference()
    entities = query.add(
        "FindEntity",
        {
            "_ref": source,
            "with_class": names.ANNOTATION,
            "constraints": one_of("_uniqueid", uniques),
            "results": {"list": list(_PROPERTIES)},
            "uniqueids": True,
        },
    )
    listed = {"results": {"list": [*FACTS, ROLE, "LS_duplicate_of"]}, "blobs": False, "uniqueids": True}
    edge = {"ref": source, "connection_class": names.ANNOTATION_IMAGE, "direction": "out"}
    images = query.add("FindImage", {"is_connected_to": edge, "group_by_source": True, **listed})
    query.add("FindImage", {"_ref": image, "is_connected_to": edge, "blobs": False})
    edge = {"ref": source, "connection_class": names.ANNOTATION_REGION, "direction": "out"}
    connected = query.add("FindBoundingBox", {"is_connected_to": edge, "group_by_source": True, "uniqueids": True})
    boxes = query.add(
        "FindBoundingBox",
        {
            "image_ref": image,
            "group_by_source": True,
            "constraints": any_of(present("LS_id"), present("LS_annotation")),
            "results": {"all_properties": True},
            "coordinates": True,
            "labels": True,
            "uniqueids": True,
        },
    )
    reply = db.run(query)
    of_annotation, on_image = _grouped(reply.answers[connected]), _grouped(reply.answers[boxes])
    shown = _grouped(reply.answers[images])
    for row in reply.objects(entities):
        unique = str(row["_uniqueid"])
        mine = {str(box["_uniqueid"]) for box in of_annotation.get(unique, ())}
        pictures = tuple(shown.get(unique, ()))
        held = [_box(box) for box in (on_image.get(str(pictures[0]["_uniqueid"]), ()) if pictures else ())]
        there = {box.unique for box in held}
        yield StorageAnnotation(
            {key: value for key, value in row.items() if value is not None},
            pictures,
            tuple(box for box in held if box.unique in mine or _names(box, str(row[STORAGE_ID]))),
            tuple(sorted(mine - there)) if pictures else (),
        )


def _grouped(answer: Object) -> dict[str, list[Object]]:
    found = answer.get("entities")
    return dict(found) if isinstance(found, dict) else {}


def _names(box: StorageBox, annotation_id: str) -> bool:
    """The storage connects no box that was there before, a model's for example: it only notes the annotation."""
    return bool(box.properties.get("LS_annotation") == annotation_id)


def _box(row: Object) -> StorageBox:
    at = row["_coordinates"]
    own = {key: value for key, value in row.items() if not key.startswith("_") and value is not None}
    rectangle = (int(at["x"]), int(at["y"]), int(at["width"]), int(at["height"]))
    return StorageBox(str(row["_uniqueid"]), rectangle, str(row.get("_label") or ""), own)


def _time(value: Any) -> str | None:
    return str(value["_date"]) if isinstance(value, Mapping) and "_date" in value else None
