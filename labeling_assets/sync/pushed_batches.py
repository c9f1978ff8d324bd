"""Batches whose media somebody pushes, a few at a time: what they hold, and when they are complete.

Their media are in ApertureDB as soon as they were pushed. A batch is closed when its pusher says that it is complete;
the mark of that is kept with the batch, where the sensor of Dagster sees it, on whatever machine it runs.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import all_of, any_of, equal, missing, not_equal, one_of, present
from labeling_assets.clients.label_studio_query import format_time
from labeling_assets.clients.query import Query
from labeling_assets.errors import InputError
from labeling_assets.projects import Project
from labeling_assets.sync.media_store import KINDS, chunks, media_by_guid, media_of_batch

CLOSED_AT: Final = "LS_closed_at"
CLOSED_MARK: Final = "LS_closed_mark"
_MARK_CHARACTERS: Final = 16
_CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class BatchMedium:
    """A medium of a batch, once for each name under which it was handed in."""

    name: str
    guid: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Closing:
    """A closed batch. `closed_at` is when it was closed with the media that it has now."""

    batch: str
    media: int
    mark: str
    closed_at: str


def media_in(db: ApertureDB, batch: str) -> list[BatchMedium]:
    """The media of a batch, by name.

    Raises:
        InputError: there is no such batch.
    """
    if not db.count("FindEntity", equal(names.KEY, batch), class_name=names.BATCH):
        raise InputError(f"There is no batch {batch!r}: push its media first.")
    wanted = [names.KEY, "LS_source_uri"]
    edges = db.find("FindConnection", equal("LS_batch", batch), class_name=names.BATCH_MEDIA, properties=wanted)
    placed = {(str(edge["LS_source_uri"]), str(edge[names.KEY]).split("|", 2)[1]) for edge in edges}
    held = media_by_guid(db, [guid for _, guid in placed], (names.GUID, "LS_sha256"))
    digests = {guid: str(media[0].properties.get("LS_sha256") or "") for guid, media in held.items()}
    return [BatchMedium(name, guid, digests.get(guid, "")) for name, guid in sorted(placed)]


def close_batch(db: ApertureDB, batch: str) -> Closing:
    """Note that a batch is complete. Closed again with the same media, it changes nothing.

    Raises:
        InputError: there is no such batch, or it has no media.
    """
    guids = sorted({medium.guid for medium in media_in(db, batch)})
    if not guids:
        raise InputError(f"The batch {batch!r} has no media: push them first.")
    mark = hashlib.sha256("\n".join(guids).encode()).hexdigest()[:_MARK_CHARACTERS]
    other = all_of(equal(names.KEY, batch), any_of(missing(CLOSED_MARK), not_equal(CLOSED_MARK, mark)))
    properties = {CLOSED_MARK: mark, CLOSED_AT: {"_date": format_time(datetime.now(UTC))}}
    db.one("UpdateEntity", {"with_class": names.BATCH, "constraints": other, "properties": properties})
    (held,) = db.find("FindEntity", equal(names.KEY, batch), class_name=names.BATCH, properties=[CLOSED_AT])
    return Closing(batch, len(guids), mark, str(held[CLOSED_AT]["_date"]))


def batch_marks(db: ApertureDB) -> dict[str, str]:
    """Batch -> mark of every batch, in one query; empty if it was not closed, another when closed with other media."""
    rows = db.find("FindEntity", None, class_name=names.BATCH, properties=[names.KEY, CLOSED_MARK])
    return {str(row[names.KEY]): str(row[CLOSED_MARK] or "") for row in sorted(rows, key=lambda row: row[names.KEY])}


def closed_mark(db: ApertureDB, batch: str) -> str:
    """The mark of a closed batch; empty for any other."""
    condition = all_of(equal(names.KEY, batch), present(CLOSED_MARK))
    rows = db.find("FindEntity", condition, class_name=names.BATCH, properties=[CLOSED_MARK])
    return str(rows[0][CLOSED_MARK]) if rows else ""


def mark_new(db: ApertureDB, batch: str, projects: Iterable[Project]) -> None:
    """Give media of a batch the mark of projects that did not exist, or were not known, when it was handed in."""
    for project in projects:
        wanted = all_of(missing(project.state), one_of("LS_media_type", project.taken_types))
        unmarked = all_of(wanted, missing("LS_duplicate_of"))
        guids = [medium.guid for medium in media_of_batch(db, batch, condition=unmarked, properties=(names.GUID,))]
        for chunk in chunks(guids, _CHUNK):
            _mark(db, project, chunk)


def _mark(db: ApertureDB, project: Project, guids: Sequence[str]) -> None:
    query = Query()
    condition = all_of(one_of(names.GUID, guids), missing(project.state))
    for kind in KINDS:
        query.add(f"Update{kind}", {"constraints": condition, "properties": {project.state: "new"}})
    db.run(query)
