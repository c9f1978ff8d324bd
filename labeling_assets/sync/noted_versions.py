"""Versions of annotations that a webhook brought and no sync saw: two edits between two looks are two versions."""

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Object
from labeling_assets.clients.constraints import Condition, equal, one_of
from labeling_assets.clients.label_studio_query import format_time, parse_time
from labeling_assets.clients.query import Query
from labeling_assets.errors import RefusedError
from labeling_assets.identity import labels_guid
from labeling_assets.mapping.annotation import content_hash
from labeling_assets.mapping.payload import payload
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.lease import Lease
from labeling_assets.sync.media_store import ROLE, chunks
from labeling_assets.sync.report import Note
from labeling_assets.sync.stored_annotations import annotation_guid
from labeling_assets.sync.webhook_notes import carried_by, remove_notes
from labeling_assets.sync.write_annotation import PAYLOAD_LIMIT

_CHUNK: Final = 20
_TYPES: Final[dict[str, type | tuple[type, ...]]] = {
    "id": int,
    "task": int,
    "result": list,
    "completed_by": (int, type(None)),
    "lead_time": (int, float, type(None)),
}


@dataclass(slots=True)
class KeptVersions:
    """How many versions became revisions, and what could not be one."""

    count: int = 0
    problems: list[Note] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Version:
    """What a note carries, checked; `guid` is the annotation's."""

    guid: str
    task_id: int
    updated_at: datetime
    hash: str
    annotation: Mapping[str, Any]


def keep_noted_versions(
    db: ApertureDB,
    record: ProjectRecord,
    keys: Sequence[str],
    *,
    batch: str,
    held: Lease,
    annotators: Mapping[int, str],
    run_id: str = "",
    erase: bool = False,
) -> KeptVersions:
    """Make revisions of the versions that these notes carry and no sync has seen, and remove the notes.

    To be called when the batch has been read and written. Such a revision has `LS_noted`, no `LS_revision`, and is
    valid for no time (`LS_valid_from` = `LS_valid_to`): ApertureDB never had it as the current version. An annotation
    that was made and deleted between two syncs has nothing but such revisions; with `erase` it has none.

    Raises:
        TransientError: another process has the batch now; the notes stay.
    """
    kept = KeptVersions()
    keeper = _Keeper(db, record, held, batch=batch, annotators=annotators, run_id=run_id, erase=erase)
    for some in chunks(keys, _CHUNK):
        keeper.keep(some, kept)
    return kept


class _Keeper:
    """A few notes in one query; one that ApertureDB refuses is dropped by name, for it must not hold up the sync."""

    def __init__(
        self,
        db: ApertureDB,
        record: ProjectRecord,
        held: Lease,
        *,
        batch: str,
        annotators: Mapping[int, str],
        run_id: str,
        erase: bool,
    ) -> None:
        self._db, self._record, self._held, self._erase = db, record, held, erase
        self._batch, self._annotators, self._run_id = batch, annotators, run_id

    def keep(self, keys: Sequence[str], kept: KeptVersions) -> None:
        try:
            count, problems = self._write(keys)
        except RefusedError as error:
            if len(keys) > 1:
                half = len(keys) // 2
                self.keep(keys[:half], kept)
                self.keep(keys[half:], kept)
                return
            count, problems = 0, [Note(f"webhook note {keys[0]}", f"ApertureDB refuses what it carries: {error}")]
            query = Query()
            remove_notes(query, keys)
            self._held.run(self._db, query)
        kept.count += count
        kept.problems += problems

    def _write(self, keys: Sequence[str]) -> tuple[int, list[Note]]:
        versions, problems = _versions(self._db, self._record, keys)
        current, revisions = _known(self._db, {version.guid for version in versions})
        media = _media_of_tasks(self._db, self._record, [v for v in versions if v.guid not in current])
        query = Query()
        kept = [version for version in versions if version.guid in current or not self._erase]
        new = unseen(kept, _times([*current.values(), *revisions]))
        for version in new:
            found = current.get(version.guid)
            medium = str(found["LS_media_guid"]) if found else media.get(version.task_id, "")
            owner = _found(query, version.guid) if found else None
            _add_revision(query, version, self._properties(version, medium), owner)
        remove_notes(query, keys)
        self._held.run(self._db, query)
        return len(new), problems

    def _properties(self, version: Version, medium: str) -> dict[str, Any]:
        given, now = version.annotation, {"_date": format_time(datetime.now(UTC))}
        author = given.get("completed_by")
        values = {
            "LS_annotation_guid": version.guid,
            "LS_annotation_id": int(given["id"]),
            "LS_project": self._record.slug,
            "LS_batch": self._batch,
            "LS_task_id": version.task_id,
            "LS_media_guid": medium or None,
            "LS_annotator": "unknown" if author is None else self._annotators.get(int(author), f"user {author}"),
            "LS_updated_at": {"_date": format_time(version.updated_at)},
            "LS_lead_time_s": given.get("lead_time"),
            "LS_ground_truth": bool(given.get("ground_truth")),
            "LS_was_cancelled": bool(given.get("was_cancelled")),
            "LS_content_hash": version.hash,
            "LS_config_hash": self._record.config_hash,
            "LS_valid_from": now,
            "LS_valid_to": now,
            "LS_noted": True,
            "LS_run_id": self._run_id or None,
        }
        return {key: value for key, value in values.items() if value is not None}


def unseen(versions: Iterable[Version], known: Mapping[str, Sequence[tuple[datetime, str]]]) -> list[Version]:
    """Those whose content nobody has; `known` is GUID -> (time, hash) of what ApertureDB has.

    In the order of their times, neighbours with the same content are one version: Label Studio moves the time also
    when somebody saves without a change.
    """
    found: list[Version] = []
    for guid, own in itertools.groupby(sorted(versions, key=lambda v: (v.guid, v.updated_at)), key=lambda v: v.guid):
        timeline: list[tuple[datetime, str, Version | None]] = [(v.updated_at, v.hash, v) for v in own]
        timeline += [(time, hash_, None) for time, hash_ in known.get(guid, ())]
        timeline.sort(key=lambda entry: entry[:2])
        for _, equals in itertools.groupby(timeline, key=lambda entry: entry[1]):
            same = [version for _, _, version in equals]
            if None not in same:
                found += [version for version in same[:1] if version is not None]
    return found


def _versions(db: ApertureDB, record: ProjectRecord, keys: Sequence[str]) -> tuple[list[Version], list[Note]]:
    versions: list[Version] = []
    problems: list[Note] = []
    for key, text in carried_by(db, keys):
        try:
            versions.append(_version(record, json.loads(text)))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            problems.append(Note(f"webhook note {key}", f"it carries no annotation of this project: {error}"))
    return versions, problems


def _version(record: ProjectRecord, annotation: Mapping[str, Any]) -> Version:
    if int(annotation["project"]) != record.project_id:
        raise ValueError(f"its project is {annotation['project']}")
    for name, kinds in _TYPES.items():
        if not isinstance(annotation.get(name), kinds):
            raise ValueError(f"its {name} is {annotation.get(name)!r:.60}")
    return Version(
        annotation_guid(record, annotation),
        int(annotation["task"]),
        parse_time(str(annotation["updated_at"])),
        content_hash(annotation),
        annotation,
    )


def _known(db: ApertureDB, guids: Iterable[str]) -> tuple[dict[str, Object], list[Object]]:
    """GUID -> annotation, tombstones included, and all their earlier versions."""
    current: dict[str, Object] = {}
    revisions: list[Object] = []
    shared = ["LS_updated_at", "LS_content_hash"]
    for some in chunks(sorted(guids), _CHUNK):
        wanted = [names.LS_GUID, "LS_media_guid", *shared]
        rows = db.find("FindEntity", one_of(names.LS_GUID, some), class_name=names.ANNOTATION, properties=wanted)
        current |= {str(row[names.LS_GUID]): {**row, "LS_annotation_guid": row[names.LS_GUID]} for row in rows}
        wanted = ["LS_annotation_guid", *shared]
        condition: Condition = one_of("LS_annotation_guid", some)
        revisions += db.find("FindEntity", condition, class_name=names.REVISION, properties=wanted)
    return current, revisions


def _times(rows: Iterable[Object]) -> dict[str, list[tuple[datetime, str]]]:
    found: dict[str, list[tuple[datetime, str]]] = {}
    for row in rows:
        if row["LS_updated_at"] is not None:
            when = parse_time(str(row["LS_updated_at"]["_date"]))
            found.setdefault(str(row["LS_annotation_guid"]), []).append((when, str(row["LS_content_hash"])))
    return found


def _media_of_tasks(db: ApertureDB, record: ProjectRecord, versions: Sequence[Version]) -> dict[int, str]:
    """Task id -> GUID of its medium, of tasks that ApertureDB knows."""
    tasks = sorted({int(version.annotation["task"]) for version in versions})
    if not tasks:
        return {}
    condition = record.condition(one_of("LS_task_id", tasks))
    wanted = ["LS_task_id", "LS_media_guid"]
    rows = db.find("FindEntity", condition, class_name=names.TASK, properties=wanted)
    return {int(row["LS_task_id"]): str(row["LS_media_guid"]) for row in rows}


def _found(query: Query, guid: str) -> int:
    reference = query.reference()
    body = {"_ref": reference, "with_class": names.ANNOTATION, "constraints": equal(names.LS_GUID, guid)}
    query.add("FindEntity", body)
    return reference


def _add_revision(query: Query, version: Version, properties: dict[str, Any], owner: int | None) -> None:
    guid = labels_guid("revision", version.guid, "noted", format_time(version.updated_at), version.hash)
    text, data = payload(version.annotation, limit=PAYLOAD_LIMIT)
    revision, once = query.reference(), equal(names.LS_GUID, guid)
    properties = {names.LS_GUID: guid, **properties, **({"LS_data": text} if text is not None else {})}
    body = {"_ref": revision, "class": names.REVISION, "properties": properties, "if_not_found": once}
    query.add("AddEntity", body)
    if owner is not None:
        query.connect(names.ANNOTATION_HISTORY, guid, source=owner, destination=revision)
    if text is None:
        blob, key = query.reference(), labels_guid("payload", guid, version.hash)
        held = {names.LS_GUID: key, ROLE: "payload", "LS_mime_type": "application/json"}
        query.add("AddBlob", {"_ref": blob, "properties": held, "if_not_found": equal(names.LS_GUID, key)}, data)
        query.connect(names.ANNOTATION_PAYLOAD, f"{guid}|payload", source=revision, destination=blob)
