"""Notes of webhooks: what the gateway heard from Label Studio, kept in ApertureDB until a sync has used it.

A note is a hint and a copy, never an order: it wakes the sensor, and the version of an annotation that it carries is
kept as an earlier version if no sync has seen it. What is current is only ever read from Label Studio, so notes that
are lost, doubled, late or invented change nothing that is current.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import equal, one_of
from labeling_assets.clients.query import Query
from labeling_assets.identity import labels_guid
from labeling_assets.mapping.annotation import content_hash
from labeling_assets.mapping.payload import payload
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.media_store import ROLE
from labeling_assets.sync.write_annotation import PAYLOAD_LIMIT

_CHUNK: Final = 100
_CHUNK_BYTES: Final = 16_000_000


@dataclass(frozen=True, slots=True)
class WebhookNote:
    """One call of a webhook, or one annotation of it.

    `mark` tells one call from another. `annotation` is as Label Studio sent it, None where the call carried none;
    only then `batch` may be empty.
    """

    instance: str
    slug: str
    action: str
    mark: str
    received_at: str
    batch: str = ""
    annotation: Mapping[str, Any] | None = None

    @property
    def key(self) -> str:
        """The same for a call that came twice, and one for all the calls of a project that carry nothing."""
        project = f"{self.instance}|{self.slug}"
        if self.annotation is None:
            return f"{project}|wake"
        given = self.annotation
        parts = (str(given.get("project")), str(given.get("id")), str(given.get("updated_at")), content_hash(given))
        return labels_guid("note", project, *parts)


def send_notes(db: ApertureDB, notes: Sequence[WebhookNote]) -> None:
    """Keep notes in ApertureDB, each once however often it is sent.

    Raises:
        TransientError: ApertureDB is out of reach; send them again.
        RefusedError: it refuses one of them.
    """
    for some in _chunked(notes):
        query = Query()
        for note in some:
            _add(query, note)
        for project in {(note.instance, note.slug): note for note in some}.values():
            _ring(query, project)
        db.run(query)


def _chunked(notes: Sequence[WebhookNote]) -> Iterator[list[WebhookNote]]:
    some: list[WebhookNote] = []
    size = 0
    for note in notes:
        some.append(note)
        size += len(json.dumps(note.annotation))
        if len(some) == _CHUNK or size >= _CHUNK_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some


def _add(query: Query, note: WebhookNote) -> None:
    if note.annotation is None:
        return
    text, data = payload(note.annotation, limit=PAYLOAD_LIMIT)
    properties = {
        names.KEY: note.key,
        "LS_instance": note.instance,
        "LS_project": note.slug,
        "LS_batch": note.batch,
        "LS_action": note.action,
        "LS_received_at": {"_date": note.received_at},
        **({"LS_data": text} if text is not None else {}),
    }
    body = {"class": names.NOTE, "properties": properties, "if_not_found": equal(names.KEY, note.key)}
    query.add("AddEntity", body)
    if text is None:
        guid = _payload_guid(note.key)
        held = {names.LS_GUID: guid, ROLE: "payload", "LS_mime_type": "application/json"}
        query.add("AddBlob", {"properties": held, "if_not_found": equal(names.LS_GUID, guid)}, data)


def _ring(query: Query, note: WebhookNote) -> None:
    """One entity a project says that something came; its mark changes with every call."""
    key = f"{note.instance}|{note.slug}|wake"
    properties = {names.KEY: key, "LS_instance": note.instance, "LS_project": note.slug, "LS_mark": note.mark}
    query.add("AddEntity", {"class": names.NOTE, "properties": properties, "if_not_found": equal(names.KEY, key)})
    body = {"with_class": names.NOTE, "constraints": equal(names.KEY, key), "properties": {"LS_mark": note.mark}}
    query.add("UpdateEntity", body)


def _payload_guid(key: str) -> str:
    return labels_guid("note payload", key)


@dataclass(frozen=True, slots=True)
class News:
    """What the webhook of a project has brought: a mark that changes with every call, and batches with notes."""

    mark: str = ""
    batches: frozenset[str] = frozenset()

    def of(self, batches: Collection[str]) -> "News":
        """Without what is about other batches: people write anything into the data of a task."""
        return News(self.mark, self.batches.intersection(batches))


def news_of(db: ApertureDB, record: ProjectRecord) -> News:
    """The notes of a project that no sync has used yet, in one query, without what they carry."""
    rows = db.find("FindEntity", record.condition(), class_name=names.NOTE, properties=["LS_mark", "LS_batch"])
    mark = next((str(row["LS_mark"]) for row in rows if row["LS_mark"] is not None), "")
    return News(mark, frozenset(str(row["LS_batch"]) for row in rows if row["LS_batch"] is not None))


def notes_of_batch(db: ApertureDB, record: ProjectRecord, batch: str) -> list[str]:
    """The keys of the notes of a batch. To be asked before Label Studio is read: they are older than what it says."""
    condition = record.condition(equal("LS_batch", batch))
    return [
        str(row[names.KEY]) for row in db.find("FindEntity", condition, class_name=names.NOTE, properties=[names.KEY])
    ]


def carried_by(db: ApertureDB, keys: Sequence[str]) -> Iterator[tuple[str, str | bytes]]:
    """Key and annotation, as JSON, of these notes."""
    condition = one_of(names.KEY, list(keys))
    for row in db.find("FindEntity", condition, class_name=names.NOTE, properties=[names.KEY, "LS_data"]):
        key = str(row[names.KEY])
        if row["LS_data"] is not None:
            yield key, str(row["LS_data"])
            continue
        query = Query()
        constraint = equal(names.LS_GUID, _payload_guid(key))
        query.add("FindBlob", {"constraints": constraint, "blobs": True, "uniqueids": True})
        yield key, next(iter(db.run(query).blobs), b"")


def remove_notes(query: Query, keys: Sequence[str]) -> None:
    """Append the removal of notes that were used, and of what they carry."""
    query.add("DeleteEntity", {"with_class": names.NOTE, "constraints": one_of(names.KEY, list(keys))})
    payloads = [_payload_guid(key) for key in keys]
    query.add("DeleteBlob", {"constraints": one_of(names.LS_GUID, payloads)})
