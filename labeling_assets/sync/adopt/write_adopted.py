"""One annotation of ApertureData's storage as commands that make it one of ours, where it stands."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.constraints import all_of, equal, one_of
from labeling_assets.clients.label_studio_query import format_time, parse_time
from labeling_assets.clients.query import Body
from labeling_assets.identity import labels_guid, sha256_of
from labeling_assets.mapping.annotation import MappedAnnotation, content_hash
from labeling_assets.sync.adopt.storage_annotations import ADOPTED_HASH, StorageAnnotation, StorageBox
from labeling_assets.sync.adopt.storage_boxes import BoxMatch
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.media_store import ROLE, Medium
from labeling_assets.sync.write_annotation import PAYLOAD_LIMIT, AnnotationWriter
from labeling_assets.sync.write_regions import TaskContext

# In the place of the Label Studio server: no sync looks for annotations of this one.
INSTANCE: Final = "adopted"
# What the storage wrote stays as it is, so that its own readers find it.
_OF_THE_STORAGE: Final = ("LS_id", "LS_project_id", "LS_created_at", "LS_updated_at", "LS_completed_by", "LS_data")


@dataclass(frozen=True, slots=True)
class Adoption:
    """An annotation that is to be adopted. `medium` is what it shows; its GUID may be that of equal bytes elsewhere."""

    old: StorageAnnotation
    annotation: Mapping[str, Any]
    mapped: MappedAnnotation
    match: BoxMatch
    medium: Medium
    slug: str
    batch: str

    @property
    def guid(self) -> str:
        """The annotation's key; no annotation of a Label Studio that we sync can have it."""
        return adopted_guid(self.old, self.annotation)

    @property
    def has_regions(self) -> bool:
        """A skipped task has none, whatever was drawn in it."""
        return bool(self.mapped.regions) and not self.annotation.get("was_cancelled")

    @property
    def is_done(self) -> bool:
        """It was adopted, and the storage has not written it since."""
        properties = self.old.properties
        return properties.get(names.LS_GUID) == self.guid and properties.get(ADOPTED_HASH) == data_hash(self.old)


def adopted_guid(old: StorageAnnotation, annotation: Mapping[str, Any]) -> str:
    """Made from the ids in the old Label Studio and the time of creation, since ids are given again."""
    created_at = format_time(parse_time(str(annotation["created_at"])))
    return labels_guid(INSTANCE, old.project_id, int(old.id), created_at)


def data_hash(old: StorageAnnotation) -> str:
    """SHA-256 of `LS_data`: what tells that the storage wrote the annotation again."""
    return sha256_of(old.data.encode())


def unwritten_since(old: StorageAnnotation) -> Body:
    """A search for the annotation as it was read."""
    condition = all_of(equal("_uniqueid", old.unique), equal("LS_data", old.data))
    return {"with_class": names.ANNOTATION, "constraints": condition}


class NoRoomError(Exception):
    """The regions of an annotation do not fit into the query."""


class AdoptingWriter(AnnotationWriter):
    """Writes regions as every annotation has them, but takes over the boxes that are there."""

    __slots__ = ()

    def adopt(self, adoption: Adoption) -> bool:
        """Append the commands for one annotation; the query is refused if the storage wrote it meanwhile.

        Returns:
            Whether each box that is to be kept is kept; else a region with less detail would stand beside its box.

        Raises:
            NoRoomError: its regions are more than the query can hold; the query is of no use then.
        """
        old, query = adoption.old, self.query
        entity, image = query.reference(), query.reference()
        query.add("FindEntity", {"_ref": entity, "unique": True, **unwritten_since(old), "results": {"count": True}})
        condition = equal("_uniqueid", str(old.images[0]["_uniqueid"]))
        query.add("FindImage", {"_ref": image, "constraints": condition, "blobs": False})
        self._keep_as_it_was(adoption, entity)
        task = _context(adoption, image)
        properties = self._properties(task, adoption.annotation, adoption.guid, None)
        own = {key: value for key, value in properties.items() if key not in _OF_THE_STORAGE}
        own |= {"LS_revision": _revision(old) + 1, ADOPTED_HASH: data_hash(old)}
        query.add("UpdateEntity", {"ref": entity, "properties": own})
        self._name_edge(names.ANNOTATION_IMAGE, f"{adoption.guid}|media", entity, image)
        for foreign in adoption.match.foreign:
            self._disconnect(names.ANNOTATION_REGION, src=entity, dst=self._found(foreign))
        self._clear(adoption)
        before = len(query.commands)
        self._regions(task, adoption.annotation, adoption.mapped, adoption.guid, entity)
        added, query.commands[before:] = query.commands[before:], []
        if adoption.has_regions and not added:
            raise NoRoomError(f"{len(adoption.mapped.regions):,} regions do not fit into one query")
        taken_over: set[str] = set()
        for name, body in added:
            if name == "AddBoundingBox" and not body["properties"].get("LS_derived"):
                region_id = str(body["properties"]["LS_id"])
                box = adoption.match.kept.get(region_id)
                if box is not None:
                    self._take_over(box, body, entity)
                    taken_over.add(region_id)
            query.commands.append((name, body))
        return taken_over == adoption.match.kept.keys()

    def _keep_as_it_was(self, adoption: Adoption, entity: int) -> None:
        """The version of the storage, with its boxes, as a revision."""
        old, query = adoption.old, self.query
        guid = labels_guid("revision", adoption.guid, _revision(old), INSTANCE, data_hash(old))
        boxes = json.dumps([_box_json(box) for box in old.boxes], ensure_ascii=False, sort_keys=True)
        properties: dict[str, Any] = {
            names.LS_GUID: guid,
            "LS_annotation_guid": adoption.guid,
            "LS_revision": _revision(old),
            "LS_data": old.data,
            "LS_content_hash": content_hash(adoption.annotation),
            "LS_annotator": old.author or "unknown",
            "LS_updated_at": {"_date": format_time(parse_time(str(adoption.annotation["updated_at"])))},
            "LS_valid_from": {"_date": format_time(parse_time(str(adoption.annotation["updated_at"])))},
            "LS_valid_to": {"_date": format_time(self.now)},
        }
        large = len(boxes.encode()) > PAYLOAD_LIMIT
        if not large:
            properties["LS_boxes"] = boxes
        reference, condition = query.reference(), equal(names.LS_GUID, guid)
        body = {"_ref": reference, "class": names.REVISION, "properties": properties, "if_not_found": condition}
        query.add("AddEntity", body)
        query.connect(names.ANNOTATION_HISTORY, guid, source=entity, destination=reference)
        if large:
            key, blob = labels_guid("boxes", guid), query.reference()
            kept = {names.LS_GUID: key, ROLE: "payload", "LS_mime_type": "application/json"}
            held = equal(names.LS_GUID, key)
            query.add("AddBlob", {"_ref": blob, "properties": kept, "if_not_found": held}, boxes.encode())
            query.connect(names.ANNOTATION_PAYLOAD, key, source=reference, destination=blob)

    def _clear(self, adoption: Adoption) -> None:
        """What an earlier adoption made goes, but for the boxes that stay; so do boxes that stand for nothing."""
        kept = [box.unique for box in adoption.match.kept.values()]
        if kept:
            body = {"constraints": one_of("_uniqueid", kept), "remove_props": ["LS_annotation_guid"]}
            self.query.add("UpdateBoundingBox", body)
        self.regions.remove(adoption.guid)
        gone = [box.unique for box in adoption.match.to_go]
        if gone:
            self.query.add("DeleteBoundingBox", {"constraints": one_of("_uniqueid", gone)})

    def _take_over(self, box: StorageBox, body: Body, entity: int) -> None:
        """Make the box the one that the following command would add; that command then finds it."""
        query, properties = self.query, body["properties"]
        reference = self._found(box)
        ours = {key for key in box.properties if key.startswith("LS_") and key != "LS_annotation"}
        update = {"properties": properties, "rectangle": body["rectangle"], "label": body.get("label", "")}
        left = sorted(ours - properties.keys() - {"LS_annotation_guid"})
        query.add("UpdateBoundingBox", {"ref": reference, **update, **({"remove_props": left} if left else {})})
        self._name_edge(names.ANNOTATION_REGION, str(properties[names.LS_GUID]), entity, reference)
        if names.LS_GUID in box.properties:  # from an earlier adoption: its labels may be other ones now
            self._disconnect(names.REGION_LABEL, src=reference)
            self._disconnect(names.REGION_RELATION, src=reference)

    def _found(self, box: StorageBox) -> int:
        reference = self.query.reference()
        self.query.add("FindBoundingBox", {"_ref": reference, "constraints": equal("_uniqueid", box.unique)})
        return reference

    def _disconnect(self, class_name: str, **ends: int) -> None:
        reference = self.query.reference()
        self.query.add("FindConnection", {"_ref": reference, "with_class": class_name, **ends})
        self.query.add("DeleteConnection", {"ref": reference})

    def _name_edge(self, class_name: str, key: str, source: int, destination: int) -> None:
        """The storage's connection gets the key that ours have, so that there is never a second one."""
        reference = self.query.reference()
        ends = {"src": source, "dst": destination}
        self.query.add("FindConnection", {"_ref": reference, "with_class": class_name, **ends})
        self.query.add("UpdateConnection", {"ref": reference, "properties": {names.KEY: key}})


def _context(adoption: Adoption, image: int) -> TaskContext:
    old, task = adoption.old, adoption.annotation.get("task")
    task_id = task.get("id") if isinstance(task, Mapping) else task
    author = adoption.annotation.get("completed_by")
    user = author.get("id") if isinstance(author, Mapping) else author
    record = ProjectRecord(f"{INSTANCE}|{adoption.slug}", adoption.slug, INSTANCE, old.project_id, "", "", "")
    return TaskContext(
        record=record,
        batch=adoption.batch,
        task_id=task_id if isinstance(task_id, int) else 0,
        medium=adoption.medium,
        medium_reference=image,
        task_reference=0,
        annotators={user: old.author} if isinstance(user, int) and old.author else {},
        run_id="",
    )


def _revision(old: StorageAnnotation) -> int:
    return int(old.properties.get("LS_revision") or 0)


def _box_json(box: StorageBox) -> dict[str, Any]:
    x, y, width, height = box.rectangle
    rectangle = {"x": x, "y": y, "width": width, "height": height}
    return {"_uniqueid": box.unique, "rectangle": rectangle, "label": box.label, "properties": dict(box.properties)}
