"""Annotations as ApertureDB holds them, and how they differ from Label Studio's."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Object
from labeling_assets.clients.constraints import all_of, equal, missing, one_of
from labeling_assets.clients.label_studio_query import format_time, parse_time
from labeling_assets.clients.query import Query
from labeling_assets.errors import DataError
from labeling_assets.identity import labels_guid
from labeling_assets.mapping.annotation import MAPPING_VERSION, content_hash
from labeling_assets.sync.labeling_project import OF_PROJECT, ProjectRecord
from labeling_assets.sync.media_store import chunks

_PROPERTIES: Final = (
    names.LS_GUID,
    "LS_annotation_id",
    "LS_task_id",
    "LS_content_hash",
    "LS_deleted_at",
    "LS_revision",
    "LS_media_guid",
    "LS_mapping_version",
    "LS_incomplete",
    "LS_source",
)
IMPORTED: Final = "imported"  # what a push brought to Label Studio, and nobody has edited: in `LS_source`
# Before the content hash of what two writers wrote at once: no annotation has this hash, so it is written again.
_DOUBTFUL: Final = "?"


@dataclass(frozen=True, slots=True)
class StoredAnnotation:
    """What a sync needs to know of an annotation in ApertureDB.

    `stale`: its regions are those of an older mapping, or ApertureDB refused some of them. `imported`: it is what a
    push sent, and nobody's work.
    """

    guid: str
    id: int
    task_id: int
    media_guid: str
    content_hash: str
    revision: int
    deleted: bool
    stale: bool = False
    imported: bool = False

    @classmethod
    def of(cls, row: Object) -> "StoredAnnotation":
        """From the properties that a Find listed."""
        return cls(
            guid=str(row[names.LS_GUID]),
            id=int(row["LS_annotation_id"]),
            task_id=int(row["LS_task_id"]),
            media_guid=str(row["LS_media_guid"]),
            content_hash=str(row["LS_content_hash"]),
            revision=int(row["LS_revision"] or 1),
            deleted=row["LS_deleted_at"] is not None,
            stale=row["LS_mapping_version"] != MAPPING_VERSION or row["LS_incomplete"] is not None,
            imported=row["LS_source"] == IMPORTED,
        )


def doubtful_hash(stored_hash: str) -> str:
    """What takes the place of a content hash that is not to be trusted."""
    return _DOUBTFUL + known_hash(stored_hash)


def known_hash(stored_hash: str) -> str:
    """The content hash of the JSON that an annotation has, also if it is doubtful."""
    return stored_hash.removeprefix(_DOUBTFUL)


def annotation_guid(record: ProjectRecord, annotation: Mapping[str, Any]) -> str:
    """The key of an annotation; its time of creation belongs to it because SQLite gives ids again."""
    created_at = format_time(parse_time(str(annotation["created_at"])))
    return labels_guid("annotation", record.instance, record.project_id, int(annotation["id"]), created_at)


def annotations_of_tasks(
    db: ApertureDB, record: ProjectRecord, task_ids: Iterable[int]
) -> dict[int, dict[str, StoredAnnotation]]:
    """Task id -> GUID -> annotation, tombstones included."""
    found: dict[int, dict[str, StoredAnnotation]] = {}
    for chunk in chunks([str(task) for task in task_ids], 500):
        condition, wanted = one_of("LS_task_id", [int(task) for task in chunk]), (*_PROPERTIES, *OF_PROJECT)
        for row in filter(record.has, db.find("FindEntity", condition, class_name=names.ANNOTATION, properties=wanted)):
            stored = StoredAnnotation.of(row)
            found.setdefault(stored.task_id, {})[stored.guid] = stored
    return found


def annotations_by_guid(db: ApertureDB, guids: Iterable[str]) -> dict[str, StoredAnnotation]:
    """GUID -> annotation, tombstones included."""
    found: dict[str, StoredAnnotation] = {}
    for chunk in chunks(guids, 500):
        rows = db.find("FindEntity", one_of(names.LS_GUID, chunk), class_name=names.ANNOTATION, properties=_PROPERTIES)
        found |= {str(row[names.LS_GUID]): StoredAnnotation.of(row) for row in rows}
    return found


def current_annotations(db: ApertureDB, task_guids: Iterable[str]) -> list[StoredAnnotation]:
    """Annotations that are no tombstones, by the connection from their task.

    On SQLite a later task may have the id of an earlier one, and people may make it for the same medium.
    """
    found: list[StoredAnnotation] = []
    for chunk in chunks(task_guids, 100):
        query = Query()
        tasks = query.reference()
        query.add("FindEntity", {"_ref": tasks, "with_class": names.TASK, "constraints": one_of(names.LS_GUID, chunk)})
        body = {
            "with_class": names.ANNOTATION,
            "is_connected_to": {"ref": tasks, "connection_class": names.TASK_ANNOTATION, "direction": "out"},
            "constraints": missing("LS_deleted_at"),
            "results": {"list": list(_PROPERTIES)},
        }
        place = query.add("FindEntity", body)
        found += map(StoredAnnotation.of, db.run(query).objects(place))
    return found


def stored_for(
    db: ApertureDB, record: ProjectRecord, tasks: Mapping[int, tuple[str, Iterable[Mapping[str, Any]]]]
) -> dict[int, dict[str, StoredAnnotation]]:
    """What is stored for tasks: task id -> GUID -> annotation; `tasks` has the medium and the annotations of each.

    An annotation that was stored for another task is under the one that shows it now. One of another medium belongs
    to an earlier task with the same id.
    """
    stored = annotations_of_tasks(db, record, tasks)
    found = {
        task: {key: known for key, known in stored.get(task, {}).items() if known.media_guid == medium}
        for task, (medium, _) in tasks.items()
    }
    strange = {
        guid: task
        for task, (_, annotations) in tasks.items()
        for annotation in annotations
        if (guid := annotation_guid(record, annotation)) not in found[task]
    }
    for guid, known in annotations_by_guid(db, strange).items():
        found[strange[guid]][guid] = known
    return found


def old_versions(db: ApertureDB, guids: Iterable[str]) -> dict[str, Object]:
    """GUID -> what a revision keeps of the version that is about to be replaced."""
    kept = [
        names.LS_GUID,
        "LS_annotation_id",
        "LS_project",
        "LS_batch",
        "LS_task_id",
        "LS_media_guid",
        "LS_data",
        "LS_content_hash",
        "LS_config_hash",
        "LS_valid_from",
        "LS_updated_at",
        "LS_annotator",
        "LS_revision",
    ]
    kept += ["LS_was_cancelled", "LS_ground_truth", "LS_lead_time_s", "LS_source", "LS_run_id"]
    kept += ["LS_deleted_at", "LS_deleted_run_id"]  # of a version that was deleted, and is there again
    found: dict[str, Object] = {}
    for chunk in chunks(guids, 200):
        rows = db.find("FindEntity", one_of(names.LS_GUID, chunk), class_name=names.ANNOTATION, properties=kept)
        found |= {str(row[names.LS_GUID]): {k: v for k, v in row.items() if v is not None} for row in rows}
    return found


@dataclass(frozen=True, slots=True)
class TaskChange:
    """What has to be written for one task; annotations as Label Studio gives them, removals as they are stored.

    `rewritten` are what they were, but their regions are to be written again.
    """

    created: tuple[Mapping[str, Any], ...]
    updated: tuple[tuple[Mapping[str, Any], StoredAnnotation], ...]
    removed: tuple[StoredAnnotation, ...]
    unchanged: int
    rewritten: tuple[tuple[Mapping[str, Any], StoredAnnotation], ...] = ()

    @property
    def current(self) -> tuple[Mapping[str, Any], ...]:
        """The annotations that have to be written as they are now."""
        return self.created + tuple(annotation for annotation, _ in (*self.updated, *self.rewritten))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.created or self.updated or self.removed or self.rewritten)


def task_change(
    record: ProjectRecord,
    annotations: Iterable[Mapping[str, Any]],
    stored: Mapping[str, StoredAnnotation],
    *,
    task_id: int,
    full: bool = False,
) -> TaskChange:
    """Compare the annotations of one task with those stored for it, by key, content hash and task.

    A `full` comparison also finds those whose regions are stale.
    """
    created, updated, rewritten, unchanged = [], [], [], 0
    current: set[str] = set()
    for annotation in annotations:
        guid = annotation_guid(record, annotation)
        current.add(guid)
        known = stored.get(guid)
        if known is None:
            created.append(annotation)
        elif known.deleted or known.task_id != task_id or known.content_hash != content_hash(annotation):
            updated.append((annotation, known))
        elif full and known.stale:
            rewritten.append((annotation, known))
        else:
            unchanged += 1
    removed = tuple(known for guid, known in stored.items() if guid not in current and not known.deleted)
    return TaskChange(tuple(created), tuple(updated), removed, unchanged, tuple(rewritten))


def annotation_in(text: str, annotation_id: int) -> dict[str, Any]:
    """The annotation that an `LS_data` holds.

    Ours is the annotation itself. That of ApertureData's own storage is the annotation with the task inside, or,
    where Label Studio is set to save tasks, the task with all its annotations.

    Raises:
        DataError: it is no JSON, or no annotation with this id and a list of results.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise DataError(f"LS_data is no JSON: {error}") from error
    if isinstance(found, dict) and isinstance(found.get("annotations"), list):
        inside = [given for given in found["annotations"] if isinstance(given, dict)]
        task = {key: value for key, value in found.items() if key != "annotations"}
        found = next(({**given, "task": task} for given in inside if given.get("id") == annotation_id), None)
    if not isinstance(found, dict) or not isinstance(found.get("result"), list):
        raise DataError(f"LS_data holds no annotation {annotation_id} with a list of results.")
    if found.get("id") not in (None, annotation_id):
        raise DataError(f"LS_data holds annotation {found['id']!r}, not {annotation_id}.")
    return found


def payload_of(db: ApertureDB, annotation_guid: str, stored_hash: str) -> bytes | None:
    """The JSON of an annotation that was too large for a property, from its blob."""
    query = Query()
    key = labels_guid("payload", annotation_guid, known_hash(stored_hash))
    query.add("FindBlob", {"constraints": equal(names.LS_GUID, key), "blobs": True, "uniqueids": True})
    blobs = db.run(query).blobs
    return blobs[0] if blobs else None


def batch_versions(db: ApertureDB, slug: str, batch: str) -> list[str]:
    """GUID and content hash of every current annotation of a batch, sorted: what a data version is made from."""
    condition = all_of(equal("LS_project", slug), equal("LS_batch", batch), missing("LS_deleted_at"))
    wanted = [names.LS_GUID, "LS_content_hash"]
    rows = db.find("FindEntity", condition, class_name=names.ANNOTATION, properties=wanted)
    return sorted(f"{row[names.LS_GUID]} {row['LS_content_hash']}" for row in rows)
