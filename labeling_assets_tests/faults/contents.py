"""Everything that this package keeps in ApertureDB, in a form that can be compared: no times, no ids of the server."""

from collections import Counter
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
    names.SYNC,
)
_CONNECTIONS: Final = (
    names.BATCH_MEDIA,
    names.PROJECT_CONFIG,
    names.PROJECT_TASK,
    names.TASK_MEDIA,
    names.TASK_ANNOTATION,
    names.ANNOTATION_IMAGE,
    names.ANNOTATION_REGION,
    names.ANNOTATION_HISTORY,
    names.ANNOTATION_PAYLOAD,
    names.REGION_MEDIA,
    names.REGION_LABEL,
    names.REGION_KEYFRAME,
    names.REGION_MASK,
    names.REGION_RELATION,
)


def contents(db: ApertureDB) -> dict[str, Counter[str]]:
    """Class -> its objects, each as text, and how often there is one like it."""
    found = {name: _rows(db, "FindEntity", {"with_class": name}) for name in _ENTITIES}
    found |= {name: _rows(db, "FindConnection", {"with_class": name}) for name in _CONNECTIONS}
    for command in ("FindImage", "FindBlob"):
        found[command] = _rows(db, command, {"blobs": False})
    for command in ("FindBoundingBox", "FindPolygon", "FindClip"):
        found[command] = _rows(db, command, {})
    return found


def _rows(db: ApertureDB, command: str, body: dict[str, Any]) -> Counter[str]:
    listed = {"list": [names.KEY]} if command == "FindConnection" else {"all_properties": True}
    answer = db.one(command, {**body, "results": listed})
    rows = answer.get("entities", answer.get("connections")) or ()
    return Counter(str(sorted((k, v) for k, v in row.items() if k not in _OF_THE_RUN)) for row in rows)


def expire_leases(db: ApertureDB) -> None:
    """As if two minutes had passed: the lease of a killed process ends by itself."""
    for row in db.find("FindEntity", None, class_name=names.SYNC, properties=[names.KEY, "LS_lease_owner"]):
        if row["LS_lease_owner"] is not None:
            query = Query()
            condition = equal(names.KEY, row[names.KEY])
            body = {"with_class": names.SYNC, "constraints": condition, "properties": {"LS_lease_until": 0.5}}
            query.add("UpdateEntity", body)
            db.run(query)
