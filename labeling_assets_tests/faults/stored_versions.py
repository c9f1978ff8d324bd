"""Versions of annotations as they lie in ApertureDB, the current ones and the earlier ones."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Object
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.query import Query
from labeling_assets_tests.faults.raw_label_studio import Key, content_of
from labeling_assets_tests.sync.world import World


@dataclass(frozen=True)
class Stored:
    """One version. `guid` is that of the annotation, `data` its JSON."""

    key: Key
    guid: str
    content: str
    data: Mapping[str, Any]
    row: Object

    @property
    def deleted(self) -> bool:
        return self.row.get("LS_deleted_at") is not None


def stored_versions(world: World, class_name: str, users: Mapping[int, str]) -> list[Stored]:
    """Every version of a class; `users` is user id -> e-mail address."""
    return [_version(world.db, row, class_name, users) for row in world.stored(class_name)]


def _version(db: ApertureDB, row: Object, class_name: str, users: Mapping[int, str]) -> Stored:
    data = json.loads(row.get("LS_data") or _payload(db, class_name, str(row[names.LS_GUID])))
    skipped, truth = bool(row["LS_was_cancelled"]), bool(row["LS_ground_truth"])
    content = content_of(data["result"], users[data["completed_by"]], skipped=skipped, ground_truth=truth)
    guid = str(row.get("LS_annotation_guid") or row[names.LS_GUID])
    return Stored((int(row["LS_annotation_id"]), data["created_at"]), guid, content, data, row)


def _payload(db: ApertureDB, class_name: str, guid: str) -> bytes:
    """The blob that a version is connected to: its only one."""
    query = Query()
    owner = query.reference()
    query.add("FindEntity", {"_ref": owner, "with_class": class_name, "constraints": equal(names.LS_GUID, guid)})
    edge = {"ref": owner, "connection_class": names.ANNOTATION_PAYLOAD, "direction": "out"}
    query.add("FindBlob", {"is_connected_to": edge, "blobs": True, "uniqueids": True})
    (blob,) = db.run(query).blobs
    return blob
