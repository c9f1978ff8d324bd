"""What must be in ApertureDB before the first write: indexes, and no property of another type in the way."""

from collections.abc import Iterator
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import not_equal
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
    names.SENT: (names.LS_GUID,),
    names.REVISION: (names.LS_GUID, "LS_annotation_guid", "LS_run_id", "LS_deleted_run_id"),
    names.REGION: _OF_REGIONS,
    names.KEYFRAME: _OF_REGIONS,
    names.BOUNDING_BOX: _OF_REGIONS,
    names.POLYGON: _OF_REGIONS,
    names.CLIP: _OF_REGIONS,
    names.LABEL: (names.KEY, "LS_label"),
    names.SYNC: (names.KEY,),
    names.NOTE: (names.KEY, "LS_batch"),
    names.LINK_RULE: (names.KEY,),
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
# The version of the data model. What another one wrote is neither read nor written: docs/data_model.md says what to do.
SCHEMA_VERSION: Final = 2
# Types that this package writes to classes it shares with others.
_MEDIA_TYPES: Final = {
    names.GUID: "string",
    "LS_sha256": "string",
    "LS_media_type": "string",
    "LS_mime_type": "string",
    "LS_stored_at": "string",
    "LS_stored_version": "string",
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
_ANNOTATION_TYPES: Final = {
    **dict.fromkeys(("LS_annotation_id", "LS_task_id", "LS_project_id", "LS_revision", "LS_lead_time_s"), "number"),
    "LS_mapping_version": "number",
    **dict.fromkeys((names.LS_GUID, "LS_instance", "LS_project", "LS_batch", "LS_media_guid"), "string"),
    **dict.fromkeys(("LS_completed_by", "LS_annotator", "LS_data", "LS_content_hash", "LS_config_hash"), "string"),
    **dict.fromkeys(("LS_source", "LS_run_id", "LS_incomplete"), "string"),
    **dict.fromkeys(("LS_ground_truth", "LS_was_cancelled"), "boolean"),
    **dict.fromkeys(("LS_created_at", "LS_updated_at", "LS_valid_from", "LS_deleted_at"), "datetime"),
}
_REGION_TYPES: Final = {
    **dict.fromkeys((names.LS_GUID, "LS_id", "LS_annotation_guid", "LS_label", "LS_source"), "string"),
    **dict.fromkeys(("LS_annotation_id", "LS_task_id"), "number"),
    "LS_derived": "boolean",
    "LS_updated_at": "datetime",
}
_TYPES: Final[dict[str, dict[str, str]]] = {
    **dict.fromkeys((names.IMAGE, names.VIDEO, names.BLOB), _MEDIA_TYPES),
    names.ANNOTATION: _ANNOTATION_TYPES,
    names.REVISION: _ANNOTATION_TYPES,
    **dict.fromkeys((names.REGION, names.BOUNDING_BOX, names.POLYGON, names.CLIP), _REGION_TYPES),
}
_MEDIA_CLASSES: Final = (names.IMAGE, names.VIDEO, names.BLOB)


def prepare_database(db: ApertureDB, state_properties: tuple[str, ...] = ()) -> None:
    """Create the indexes that are missing, after checking the schema. Reads once and writes nothing if all is there.

    Raises:
        DataError: another version of this package wrote to it, or a class holds one of our properties with another
            type; nothing was written.
    """
    query = Query()
    other = not_equal(names.SCHEMA_VERSION, SCHEMA_VERSION)
    listed = {"results": {"list": [names.SLUG, names.SCHEMA_VERSION]}, "limit": 1}
    projects = query.add("FindEntity", {"with_class": names.PROJECT, "constraints": other, **listed})
    schema = query.add("GetSchema", {"type": "entities"})
    indexes = query.add("GetIndexes", {})
    reply = db.run(query)
    answers = reply.answers
    for project in reply.objects(projects):
        refuse_other_schema(str(project[names.SLUG]), project[names.SCHEMA_VERSION])
    _refuse_conflicts(answers[schema], state_properties)
    missing = _missing_indexes(answers[indexes].get("indexes") or {}, state_properties)
    if missing:
        create = Query()
        for target, class_name, prop in missing:
            create.create_index(target, class_name, prop)
        db.run(create)


def refuse_other_schema(slug: str, version: float | None) -> None:
    """Check the version of the data model that a project was written with.

    Raises:
        DataError: it is another one.
    """
    if version is not None and int(version) == SCHEMA_VERSION:
        return
    found = "without a version" if version is None else f"version {int(version)}"
    raise DataError(
        f"ApertureDB holds project {slug!r} in a data model of labeling_assets ({found}) that this release, which has "
        f"version {SCHEMA_VERSION}, does not read. Nothing was read or written. Use the release that wrote it, or "
        "begin with an empty ApertureDB: docs/data_model.md, 'Another version', says how the labels get there."
    )


def _missing_indexes(existing: dict[str, Any], states: tuple[str, ...]) -> list[tuple[str, str, str]]:
    wanted = [("entity", cls, prop) for cls, props in _ENTITIES.items() for prop in props]
    wanted += [("entity", cls, state) for cls in (names.IMAGE, names.VIDEO, names.BLOB) for state in states]
    wanted += [("connection", cls, names.KEY) for cls in _CONNECTIONS]
    wanted += [("connection", names.BATCH_MEDIA, prop) for prop in ("LS_batch", "LS_run_id")]
    return [entry for entry in wanted if entry[2] not in (existing.get(entry[0]) or {}).get(entry[1], {})]


def schema_conflicts(db: ApertureDB, state_properties: tuple[str, ...] = ()) -> list[str]:
    """Our properties that a class has with another type, one sentence each."""
    return list(_conflicts(db.one("GetSchema", {"type": "entities"}), state_properties))


def _refuse_conflicts(answer: dict[str, Any], states: tuple[str, ...]) -> None:
    for conflict in _conflicts(answer, states):
        raise DataError(f"{conflict}. A type is fixed per class: remove or rename the property.")


def _conflicts(answer: dict[str, Any], states: tuple[str, ...]) -> Iterator[str]:
    classes = (answer.get("entities") or {}).get("classes") or {}
    for class_name, types in _TYPES.items():
        held = (classes.get(class_name) or {}).get("properties") or {}
        marks = dict.fromkeys(states, "string") if class_name in _MEDIA_CLASSES else {}
        for prop, wanted in {**types, **marks}.items():
            found = _type_of(held.get(prop))
            if found not in (None, wanted):
                yield (
                    f"ApertureDB's class {class_name} already has a property {prop!r} of type {found}; "
                    f"labeling_assets needs it as {wanted}"
                )


def _type_of(held: Any) -> str | None:
    if held is None:
        return None
    name = held["type"] if isinstance(held, dict) else held[2]
    return str(name).lower()
