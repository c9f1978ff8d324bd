"""What must be in ApertureDB before the first write: indexes, and no property of another type in the way."""

from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.query import Query
from labeling_assets.errors import DataError

_OF_REGIONS: Final = (names.LS_GUID, "LS_annotation_guid", "LS_label", "LS_batch", "LS_media_guid", "LS_run_id")
_ENTITIES: Final[dict[str, tuple[str, ...]]] = {
    names.IMAGE: (names.GUID, "LS_sha256", "LS_run_id"),
    names.VIDEO: (names.GUID, "LS_sha256", "LS_run_id", "LS_duration_s"),
    names.BLOB: (
        names.GUID,
        "LS_sha256",
        "LS_run_id",
        "LS_media_type",
        "LS_duration_s",
        names.LS_GUID,
        "LS_annotation_guid",
    ),
    names.BATCH: (names.KEY,),
    names.INSTANCE: ("LS_url",),
    names.PROJECT: (names.KEY, names.SLUG),
    names.CONFIG: ("LS_hash",),
    names.TASK: (names.LS_GUID, "LS_project", "LS_batch", "LS_state", "LS_task_id", "LS_media_guid", "LS_run_id"),
    names.ANNOTATION: (
        names.LS_GUID,
        "LS_project",
        "LS_batch",
        "LS_updated_at",
        "LS_task_id",
        "LS_media_guid",
        "LS_annotator",
        "LS_run_id",
        "LS_deleted_run_id",
    ),
    names.PREDICTION: (names.LS_GUID, "LS_model_version"),
    names.REVISION: (names.LS_GUID, "LS_annotation_guid", "LS_run_id", "LS_deleted_run_id"),
    names.REGION: _OF_REGIONS,
    names.KEYFRAME: _OF_REGIONS,
    names.BOUNDING_BOX: _OF_REGIONS,
    names.POLYGON: _OF_REGIONS,
    names.CLIP: _OF_REGIONS,
    names.LABEL: (names.KEY, "LS_label"),
    names.SYNC: (names.KEY,),
}
_CONNECTIONS: Final = (
    names.BATCH_MEDIA,
    names.PROJECT_CONFIG,
    names.PROJECT_TASK,
    names.TASK_MEDIA,
    names.TASK_ANNOTATION,
    names.ANNOTATION_IMAGE,
    names.ANNOTATION_MEDIA,
    names.ANNOTATION_REGION,
    names.ANNOTATION_HISTORY,
    names.ANNOTATION_PAYLOAD,
    names.REGION_MEDIA,
    names.REGION_LABEL,
    names.REGION_KEYFRAME,
    names.REGION_MASK,
    names.REGION_RELATION,
)
# Types that this package writes to classes it shares with others.
_MEDIA_TYPES: Final = {
    names.GUID: "string",
    "LS_sha256": "string",
    "LS_media_type": "string",
    "LS_mime_type": "string",
    "LS_width": "number",
    "LS_height": "number",
    "LS_orientation": "number",
    "LS_duration_s": "number",
    "LS_fps": "number",
    "LS_frame_count": "number",
    "LS_channels": "number",
    "LS_sample_rate_hz": "number",
    "LS_codec": "string",
    "LS_pages": "number",
}


def prepare_database(db: ApertureDB, state_properties: tuple[str, ...] = ()) -> None:
    """Create the indexes that are missing, after checking the schema. Reads once and writes nothing if all is there.

    Raises:
        DataError: a class holds one of our properties with another type; nothing was written.
    """
    query = Query()
    schema = query.add("GetSchema", {"type": "entities"})
    indexes = query.add("GetIndexes", {})
    answers = db.run(query).answers
    _refuse_conflicts(answers[schema], state_properties)
    missing = _missing_indexes(answers[indexes].get("indexes") or {}, state_properties)
    if missing:
        create = Query()
        for target, class_name, prop in missing:
            create.create_index(target, class_name, prop)
        db.run(create)


def _missing_indexes(existing: dict[str, Any], states: tuple[str, ...]) -> list[tuple[str, str, str]]:
    wanted = [("entity", cls, prop) for cls, props in _ENTITIES.items() for prop in props]
    wanted += [("entity", cls, state) for cls in (names.IMAGE, names.VIDEO, names.BLOB) for state in states]
    wanted += [("connection", cls, names.KEY) for cls in _CONNECTIONS]
    wanted += [("connection", names.BATCH_MEDIA, prop) for prop in ("LS_batch", "LS_run_id")]
    return [entry for entry in wanted if entry[2] not in (existing.get(entry[0]) or {}).get(entry[1], {})]


def _refuse_conflicts(answer: dict[str, Any], states: tuple[str, ...]) -> None:
    classes = (answer.get("entities") or {}).get("classes") or {}
    for class_name in (names.IMAGE, names.VIDEO, names.BLOB):
        held = (classes.get(class_name) or {}).get("properties") or {}
        for prop, wanted in {**_MEDIA_TYPES, **dict.fromkeys(states, "string")}.items():
            found = _type_of(held.get(prop))
            if found not in (None, wanted):
                raise DataError(
                    f"ApertureDB's class {class_name} already has a property {prop!r} of type {found}; "
                    f"labeling_assets needs it as {wanted}. A type is fixed per class: remove or rename the property."
                )


def _type_of(held: Any) -> str | None:
    if held is None:
        return None
    name = held["type"] if isinstance(held, dict) else held[2]
    return str(name).lower()
