"""One annotation as commands of a query: the exact JSON, the native regions, and what it replaces."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import Object
from labeling_assets.clients.constraints import all_of, equal
from labeling_assets.clients.label_studio_query import format_time, parse_time
from labeling_assets.clients.query import Query
from labeling_assets.identity import is_as_sent, labels_guid
from labeling_assets.mapping.annotation import MAPPING_VERSION, MappedAnnotation, content_hash
from labeling_assets.mapping.payload import payload
from labeling_assets.sync.media_store import ROLE
from labeling_assets.sync.stored_annotations import IMPORTED, StoredAnnotation, annotation_guid, known_hash
from labeling_assets.sync.write_regions import Detail, RegionWriter
from labeling_assets.sync.write_regions import TaskContext as TaskContext  # to import both from here

# The size limit of a string property is not documented; larger JSON goes into a connected blob.
PAYLOAD_LIMIT: Final = 32 * 1024


@dataclass(slots=True)
class AnnotationWriter:
    """Appends annotations to one query.

    Args:
        query: Receives the commands.
        now: Time of the writing, for versions and tombstones.
        detail: How much of the regions is written.
        creates: Places in the query whose reply must not say that the annotation existed.
        updates: Places in the query whose reply must count 1. Both with GUID and content hash of what was written,
            which is empty for a tombstone.
    """

    query: Query
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    detail: Detail = field(default_factory=Detail)
    creates: dict[int, tuple[str, str]] = field(default_factory=dict)
    updates: dict[int, tuple[str, str]] = field(default_factory=dict)
    regions: RegionWriter = field(init=False)

    def __post_init__(self) -> None:
        self.regions = RegionWriter(self.query, self.detail)

    def create(self, task: TaskContext, annotation: Mapping[str, Any], mapped: MappedAnnotation) -> None:
        """Add an annotation that ApertureDB does not have."""
        guid = annotation_guid(task.record, annotation)
        reference = self.query.reference()
        text, data = payload(annotation, limit=PAYLOAD_LIMIT)
        properties = self._properties(task, annotation, guid, text) | {"LS_revision": 1}
        properties |= _present({"LS_incomplete": self._incomplete(annotation, mapped)})
        place = self.query.add(
            "AddEntity",
            {
                "_ref": reference,
                "class": names.ANNOTATION,
                "properties": properties,
                "if_not_found": equal(names.LS_GUID, guid),
            },
        )
        self.creates[place] = (guid, content_hash(annotation))
        self._connect_medium(guid, reference, task)
        self._connect_task(guid, reference, task)
        self._payload(reference, guid, content_hash(annotation), None if text is not None else data)
        self._regions(task, annotation, mapped, guid, reference)

    def update(
        self,
        task: TaskContext,
        annotation: Mapping[str, Any],
        mapped: MappedAnnotation,
        *,
        stored: StoredAnnotation,
        old: Object,
    ) -> None:
        """Replace a stored version by the current one; the old one stays as a revision."""
        reference = self._current(stored)
        self._revision(reference, stored, old)
        text, data = payload(annotation, limit=PAYLOAD_LIMIT)
        values = self._values(task, annotation, stored.guid, text)
        values |= {"LS_incomplete": self._incomplete(annotation, mapped), "LS_revision": stored.revision + 1}
        # What the earlier version had and this one has not goes: who annotated it, which run wrote it, its payload.
        absent = ["LS_deleted_at", "LS_deleted_run_id", *(key for key, value in values.items() if value is None)]
        body = {"properties": _present(values), "remove_props": absent}
        self._conditional_update(stored, body, content_hash(annotation))
        if stored.task_id != task.task_id:
            self._cut(names.TASK_ANNOTATION, f"{stored.guid}|task")
            self._connect_task(stored.guid, reference, task)
        if stored.media_guid != task.medium.guid:
            for edge in (names.ANNOTATION_IMAGE, names.ANNOTATION_MEDIA):
                self._cut(edge, f"{stored.guid}|media")
            self._connect_medium(stored.guid, reference, task)
        self._disconnect_payloads(reference)
        self._payload(reference, stored.guid, content_hash(annotation), None if text is not None else data)
        self._remove_regions(stored.guid)
        self._regions(task, annotation, mapped, stored.guid, reference)

    def rewrite(
        self, task: TaskContext, annotation: Mapping[str, Any], mapped: MappedAnnotation, stored: StoredAnnotation
    ) -> None:
        """Write the regions of a version again that stays what it is: no revision."""
        values = {"LS_mapping_version": MAPPING_VERSION, "LS_incomplete": self._incomplete(annotation, mapped)}
        absent = [key for key, value in values.items() if value is None]
        body = {"properties": _present(values), "remove_props": absent}
        self._conditional_update(stored, body, stored.content_hash)
        reference = self._current(stored)
        self._remove_regions(stored.guid)
        self._regions(task, annotation, mapped, stored.guid, reference)

    def bury(self, stored: StoredAnnotation, run_id: str) -> None:
        """Turn an annotation that Label Studio no longer has into a tombstone; its JSON stays, its regions go."""
        deleted: dict[str, Any] = {"LS_deleted_at": _date(self.now)}
        if run_id:
            deleted["LS_deleted_run_id"] = run_id  # LS_run_id stays: which run wrote what was deleted
        self._conditional_update(stored, {"properties": deleted}, "")
        self._remove_regions(stored.guid)

    def erase(self, stored: StoredAnnotation) -> None:
        """Delete an annotation that Label Studio no longer has, with its JSON, regions and earlier versions."""
        current, versions = self.query.reference(), self.query.reference()
        same = all_of(equal(names.LS_GUID, stored.guid), equal("LS_content_hash", stored.content_hash))
        self.query.add("FindEntity", {"_ref": current, "with_class": names.ANNOTATION, "constraints": same})
        condition = equal("LS_annotation_guid", stored.guid)
        self.query.add("FindEntity", {"_ref": versions, "with_class": names.REVISION, "constraints": condition})
        for owner in (current, versions):
            blobs = self.query.reference()
            edge = {"ref": owner, "connection_class": names.ANNOTATION_PAYLOAD, "direction": "out"}
            self.query.add("FindBlob", {"_ref": blobs, "is_connected_to": edge, "blobs": False})
            self.query.add("DeleteBlob", {"ref": blobs})
        self._remove_regions(stored.guid)
        for owner in (versions, current):
            self.query.add("DeleteEntity", {"ref": owner})

    def remove(self, stored: StoredAnnotation, run_id: str, *, erase: bool) -> None:
        """`erase` or `bury`, as the project's policy says."""
        if erase:
            self.erase(stored)
        else:
            self.bury(stored, run_id)

    def _conditional_update(self, stored: StoredAnnotation, body: dict[str, Any], written: str) -> None:
        """Only the version that was read may be replaced: an older sync must not overwrite a newer one."""
        condition = all_of(equal(names.LS_GUID, stored.guid), equal("LS_content_hash", stored.content_hash))
        place = self.query.add("UpdateEntity", {"with_class": names.ANNOTATION, "constraints": condition, **body})
        self.updates[place] = (stored.guid, written)

    def _current(self, stored: StoredAnnotation) -> int:
        reference = self.query.reference()
        body = {"_ref": reference, "with_class": names.ANNOTATION, "constraints": equal(names.LS_GUID, stored.guid)}
        self.query.add("FindEntity", body)
        return reference

    def _connect_medium(self, guid: str, annotation: int, task: TaskContext) -> None:
        edge = names.ANNOTATION_IMAGE if task.medium.kind == "Image" else names.ANNOTATION_MEDIA
        self.query.connect(edge, f"{guid}|media", source=annotation, destination=task.medium_reference)

    def _connect_task(self, guid: str, annotation: int, task: TaskContext) -> None:
        self.query.connect(names.TASK_ANNOTATION, f"{guid}|task", source=task.task_reference, destination=annotation)

    def _cut(self, edge: str, key: str) -> None:
        self.query.add("DeleteConnection", {"with_class": edge, "constraints": equal(names.KEY, key)})

    def _incomplete(self, annotation: Mapping[str, Any], mapped: MappedAnnotation) -> str | None:
        """What ApertureDB refused of this annotation; a full sync tries it again."""
        if annotation.get("was_cancelled") or not self.detail.dropped(mapped.regions):
            return None
        return f"without its {self.detail.missing}, as ApertureDB refused them: {self.detail.reason}"

    def _properties(
        self, task: TaskContext, annotation: Mapping[str, Any], guid: str, text: str | None
    ) -> dict[str, Any]:
        return _present(self._values(task, annotation, guid, text))

    def _values(self, task: TaskContext, annotation: Mapping[str, Any], guid: str, text: str | None) -> dict[str, Any]:
        """Every property that an annotation may have; None for those that this one has not."""
        author = _user(annotation.get("completed_by"))
        return {
            names.LS_GUID: guid,
            "LS_annotation_id": int(annotation["id"]),
            "LS_instance": task.record.instance,
            "LS_project": task.record.slug,
            "LS_project_id": task.record.project_id,
            "LS_batch": task.batch,
            "LS_task_id": task.task_id,
            "LS_media_guid": task.medium.guid,
            "LS_completed_by": None if author is None else task.annotators.get(author),
            "LS_annotator": _annotator(task, author),
            "LS_created_at": _date(parse_time(str(annotation["created_at"]))),
            "LS_updated_at": _date(parse_time(str(annotation["updated_at"]))),
            "LS_lead_time_s": annotation.get("lead_time"),
            "LS_ground_truth": bool(annotation.get("ground_truth")),
            "LS_was_cancelled": bool(annotation.get("was_cancelled")),
            "LS_data": text,
            "LS_content_hash": content_hash(annotation),
            "LS_config_hash": task.record.config_hash,
            "LS_valid_from": _date(self.now),
            "LS_mapping_version": MAPPING_VERSION,
            "LS_source": _source(annotation),
            "LS_run_id": task.run_id or None,
        }

    def _revision(self, annotation: int, stored: StoredAnnotation, old: Object) -> None:
        guid = labels_guid("revision", stored.guid, stored.revision, stored.content_hash)
        reference = self.query.reference()
        properties = {**old, names.LS_GUID: guid, "LS_annotation_guid": stored.guid, "LS_valid_to": _date(self.now)}
        properties["LS_content_hash"] = known_hash(stored.content_hash)
        self.query.add(
            "AddEntity",
            {
                "_ref": reference,
                "class": names.REVISION,
                "properties": properties,
                "if_not_found": equal(names.LS_GUID, guid),
            },
        )
        self.query.connect(names.ANNOTATION_HISTORY, guid, source=annotation, destination=reference)
        if "LS_data" not in old and known_hash(stored.content_hash):
            key = labels_guid("payload", stored.guid, known_hash(stored.content_hash))
            self._hand_over_payload(reference, guid, key)

    def _hand_over_payload(self, revision: int, guid: str, key: str) -> None:
        """The JSON of an earlier version belongs to its revision, so that each version leads to its own only."""
        blob = self.query.reference()
        self.query.add("FindBlob", {"_ref": blob, "constraints": equal(names.LS_GUID, key), "blobs": False})
        body = {"with_class": names.ANNOTATION_PAYLOAD, "constraints": equal(names.KEY, key)}
        self.query.add("DeleteConnection", body)
        self.query.connect(names.ANNOTATION_PAYLOAD, f"{guid}|payload", source=revision, destination=blob)

    def _disconnect_payloads(self, annotation: int) -> None:
        """Of what two writers at once left here, too: a version leads to its own JSON only."""
        connections = self.query.reference()
        body = {"_ref": connections, "with_class": names.ANNOTATION_PAYLOAD, "src": annotation}
        self.query.add("FindConnection", body)
        self.query.add("DeleteConnection", {"ref": connections})

    def _payload(self, annotation: int, guid: str, hash_: str, data: bytes | None) -> None:
        if data is None:
            return
        key = labels_guid("payload", guid, hash_)
        reference = self.query.reference()
        self.query.add(
            "AddBlob",
            {
                "_ref": reference,
                "properties": {names.LS_GUID: key, ROLE: "payload", "LS_mime_type": "application/json"},
                "if_not_found": equal(names.LS_GUID, key),
            },
            data,
        )
        self.query.connect(names.ANNOTATION_PAYLOAD, key, source=annotation, destination=reference)

    def _remove_regions(self, guid: str) -> None:
        self.regions.remove(guid)

    def _regions(
        self, task: TaskContext, annotation: Mapping[str, Any], mapped: MappedAnnotation, guid: str, reference: int
    ) -> None:
        """Native regions exist for current work only: a skipped annotation has none."""
        if annotation.get("was_cancelled"):
            return
        shared = self._shared_properties(task, annotation, guid)
        self.regions.write(task, mapped, shared, guid=guid, annotation=reference)

    def _shared_properties(self, task: TaskContext, annotation: Mapping[str, Any], guid: str) -> dict[str, Any]:
        return {
            "LS_annotation_id": int(annotation["id"]),
            "LS_annotation_guid": guid,
            "LS_project": task.record.slug,
            "LS_batch": task.batch,
            "LS_task_id": task.task_id,
            "LS_media_guid": task.medium.guid,
            "LS_annotator": _annotator(task, _user(annotation.get("completed_by"))),
            "LS_source": _source(annotation),
            "LS_updated_at": _date(parse_time(str(annotation["updated_at"]))),
            **({"LS_run_id": task.run_id} if task.run_id else {}),
        }


def _user(completed_by: Any) -> int | None:
    value = completed_by.get("id") if isinstance(completed_by, Mapping) else completed_by
    return int(value) if value is not None else None


def _source(annotation: Mapping[str, Any]) -> str:
    """Whose work it is: what a push brought from ApertureDB is nobody's until a person changes it."""
    if is_as_sent(annotation):
        return IMPORTED
    return "ground_truth" if annotation.get("ground_truth") else "human"


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _annotator(task: TaskContext, user: int | None) -> str:
    return "unknown" if user is None else task.annotators.get(user, f"user {user}")


def _date(value: datetime) -> dict[str, str]:
    return {"_date": format_time(value)}
