"""Everything that this package keeps in ApertureDB, in a form that can be compared: no times, no ids of the server."""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.query import Query

# What differs between two clean runs: when they ran. A lease that expired is no lease.
_OF_THE_RUN: Final = (
    "LS_valid_from",
    "LS_valid_to",
    "LS_deleted_at",
    "LS_imported_at",
    "LS_lease_owner",
    "LS_lease_until",
    "LS_lease_firm",
    "_uniqueid",
)
# What differs between two labeling projects in Label Studio that are made and filled alike.
_OF_THE_PROJECT: Final = (
    "LS_project_id",
    "LS_project_created_at",
    "LS_first_created_at",
    "LS_task_id",
    "LS_task_created_at",
)
_ENTITIES: Final = (
    names.BATCH,
    names.INSTANCE,
    names.PROJECT,
    names.CONFIG,
    names.TASK,
    names.ANNOTATION,
    names.REVISION,
    names.REGION,
    names.KEYFRAME,
    names.LABEL,
    names.PREDICTION,
    names.SYNC,
)
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
_FORMS: Final = ("FindBoundingBox", "FindPolygon", "FindClip")
_MEDIA: Final = ("FindImage", "FindVideo", "FindBlob")

Contents = dict[str, Counter[str]]


def contents(db: ApertureDB, aliases: Mapping[str, str] | None = None) -> Contents:
    """Class -> its objects, each as text, and how often there is one like it; media and masks with their bytes.

    With `aliases` (text -> what to call it, in values and keys) two projects that were filled alike are equal.
    """
    found = {name: _rows(db, "FindEntity", {"with_class": name}, aliases) for name in _ENTITIES}
    found |= {name: _rows(db, "FindConnection", {"with_class": name}, aliases) for name in _CONNECTIONS}
    found |= {command: _rows(db, command, {}, aliases) for command in _FORMS}
    found |= {command: _rows(db, command, {"blobs": True}, aliases) for command in _MEDIA}
    return found


def objects_as_text(
    db: ApertureDB, command: str, body: dict[str, Any] | None = None, *, without: Collection[str] = ()
) -> Counter[str]:
    """The objects that a command finds, in the same form, without these properties."""
    found = db.one(command, {**(body or {}), "results": {"all_properties": True}})
    rows = found.get("entities") or found.get("connections") or ()
    return Counter(_text({key: value for key, value in row.items() if key not in without}, None) for row in rows)


def _rows(db: ApertureDB, command: str, body: dict[str, Any], aliases: Mapping[str, str] | None) -> Counter[str]:
    query = Query()
    place = query.add(command, {**body, "results": {"all_properties": True}})
    reply = db.run(query)
    rows = reply.objects(place)
    if body.get("blobs"):
        rows = [{**row, "bytes": hashlib.sha256(blob).hexdigest()} for row, blob in zip(rows, reply.blobs, strict=True)]
    return Counter(_text(row, aliases) for row in rows)


def _text(row: Mapping[str, Any], aliases: Mapping[str, str] | None) -> str:
    without = _OF_THE_RUN if aliases is None else (*_OF_THE_RUN, *_OF_THE_PROJECT)
    # A property that was removed and one that was never there are the same.
    text = str(sorted((k, v) for k, v in row.items() if k not in without and v is not None))
    for given, alias in (aliases or {}).items():
        text = text.replace(given, alias)
    return text


def differences(found: Contents, expected: Contents) -> dict[str, tuple[list[str], list[str]]]:
    """Class -> what is too much, and what is missing; empty if both are equal."""
    classes = {name: (found[name] - expected[name], expected[name] - found[name]) for name in expected}
    return {
        name: (sorted(more.elements()), sorted(less.elements()))
        for name, (more, less) in classes.items()
        if more or less
    }


def expire_leases(db: ApertureDB) -> None:
    """As if two minutes had passed: the lease of a killed process ends by itself."""
    for row in db.find("FindEntity", None, class_name=names.SYNC, properties=[names.KEY, "LS_lease_owner"]):
        if row["LS_lease_owner"] is not None:
            query = Query()
            condition = equal(names.KEY, row[names.KEY])
            body = {"with_class": names.SYNC, "constraints": condition, "properties": {"LS_lease_until": 0.5}}
            query.add("UpdateEntity", body)
            db.run(query)
