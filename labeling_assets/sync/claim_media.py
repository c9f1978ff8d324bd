"""Media that ApertureDB already holds become a batch: they get a GUID if they have none, and the project's mark."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Object
from labeling_assets.clients.constraints import Condition, all_of, any_of, equal, missing, present
from labeling_assets.clients.query import Query
from labeling_assets.errors import InputError, RefusedError
from labeling_assets.identity import checked_guid, content_guid, sha256_of
from labeling_assets.projects import Project, claim_name, claimed_by
from labeling_assets.sync.database import prepare_database
from labeling_assets.sync.facts.media_facts import media_facts
from labeling_assets.sync.media_store import FACTS, ROLE, STORED_AT, find_media, kind_of, media_of_batch
from labeling_assets.sync.report import IngestReport, Note, Progress

_CHUNK: Final = 20  # media in one query; their bytes are read one by one


def claimable(db: ApertureDB, project: Project) -> int:
    """How many media match the project's query and carry no mark of it. Asks ApertureDB only."""
    condition = project.condition()
    if condition is None:
        return 0
    return sum(db.count(f"Find{kind}", _unclaimed(project, kind, condition)) for kind in _kinds(project))


def next_claim(db: ApertureDB, project: Project) -> str:
    """The name of the next batch to claim into: numbered after the last one that exists."""
    found = db.find("FindEntity", None, class_name=names.BATCH, properties=[names.KEY])
    mine = [str(row[names.KEY]) for row in found if claimed_by(str(row[names.KEY])) == project.slug]
    last = max((int(batch.rpartition("-")[2]) for batch in mine), default=0)
    return claim_name(project.slug, last + 1)


def claim_media(
    db: ApertureDB,
    project: Project,
    *,
    batch: str,
    limit: int = 5000,
    run_id: str = "",
    progress: Progress = lambda _: None,
) -> IngestReport:
    """Claim up to `limit` media that match the project's query into a batch.

    Media keep the GUID they have; without one they get one made from their bytes. Equal bytes or GUIDs: the first
    keeps it, later ones get `LS_duplicate_of` and no task. A GUID that cannot be one is refused by name, and its
    medium is marked withdrawn.
    """
    started = time.monotonic()
    prepare_database(db, (project.state,))
    report = IngestReport(batch)
    condition = equal(names.KEY, batch)
    db.one("AddEntity", {"class": names.BATCH, "properties": {names.KEY: batch}, "if_not_found": condition})
    claimer = Claimer(db, project, batch, report, run_id=run_id)
    for kind in _kinds(project):
        for page in _pages(db, project, kind):
            claimer.claim(kind, page)
            progress(f"{report.rows} media claimed")
            if report.rows >= limit:
                return _finished(db, report, started)
    return _finished(db, report, started)


def _finished(db: ApertureDB, report: IngestReport, started: float) -> IngestReport:
    report.guids = sorted(medium.guid for medium in media_of_batch(db, report.batch, properties=(names.GUID,)))
    report.seconds = time.monotonic() - started
    return report


def _kinds(project: Project) -> list[str]:
    """Registered pictures and videos are blobs."""
    return list(dict.fromkeys([*(kind_of(media_type) for media_type in project.media_types), "Blob"]))


def _unclaimed(project: Project, kind: str, condition: Condition) -> Condition:
    """Blobs that are masks or payloads of this package are no media."""
    parts: list[Condition] = [condition, missing(project.state)]
    if kind == "Blob":
        parts.append(any_of(missing(ROLE), equal(ROLE, "media")))
        if not any(kind_of(media_type) == "Blob" for media_type in project.media_types):
            parts.append(present(STORED_AT))
    return all_of(*parts)


def _pages(db: ApertureDB, project: Project, kind: str) -> Iterator[list[Object]]:
    """Unclaimed media without their bytes; each page is claimed before the next one is asked for, so no offset."""
    condition = project.condition()
    assert condition is not None
    while True:
        query = Query()
        place = query.add(
            f"Find{kind}",
            {
                "constraints": _unclaimed(project, kind, condition),
                "results": {"list": [*FACTS, ROLE]},
                "uniqueids": True,
                "blobs": False,
                "limit": _CHUNK,
            },
        )
        page = db.run(query).objects(place)
        if not page:
            return
        yield page


@dataclass(frozen=True, slots=True)
class Claim:
    """What a medium becomes: the properties to write, and what its bytes are. A duplicate has the GUID of the first."""

    guid: str
    media_type: str
    properties: dict[str, Any]
    facts: dict[str, Any]
    duplicate: bool = False


class Claimer:
    """Turns media that somebody put into ApertureDB into media of a project and batch, and counts in `report`."""

    def __init__(self, db: ApertureDB, project: Project, batch: str, report: IngestReport, *, run_id: str = "") -> None:
        self._db, self._project, self._batch, self._report = db, project, batch, report
        self._run = {"LS_run_id": run_id} if run_id else {}

    def claim(self, kind: str, page: Sequence[Object]) -> None:
        """Claim these media, in one query."""
        query = Query()
        source = query.reference()
        condition = equal(names.KEY, self._batch)
        query.add("FindEntity", {"_ref": source, "with_class": names.BATCH, "constraints": condition})
        taken: dict[str, str] = {}  # guid or sha256 -> guid, of this page
        for found in page:
            self._report.rows += 1
            self._claim_one(query, source, kind, found, taken)
        self._db.run(query)

    def _bytes(self, kind: str, unique: str) -> bytes:
        """One at a time: how large the media of other people are is not known."""
        query = Query()
        query.add(f"Find{kind}", {"constraints": equal("_uniqueid", unique), "blobs": True})
        try:
            blobs = self._db.run(query).blobs
        except RefusedError as error:
            raise InputError(f"its bytes cannot be read: {error}") from error
        if not blobs:
            raise InputError("its bytes cannot be read: ApertureDB no longer has it.")
        return blobs[0]

    def examine(self, kind: str, found: Object, taken: dict[str, str]) -> Claim:
        """What a medium is to become; writes nothing. `taken` has GUID and SHA-256 of those examined before it.

        Raises:
            InputError: its bytes cannot be read, or its GUID cannot be one.
        """
        if found.get(STORED_AT) is not None:  # registered by this package: what it is is known, its bytes are not here
            return Claim(str(found[names.GUID]), str(found["LS_media_type"]), {}, {})
        unique = str(found["_uniqueid"])
        data = self._bytes(kind, unique)
        # Not the id alone, whose last number would be read as a suffix: `.123` is a spreadsheet.
        facts = media_facts(data, f"{kind} {unique} of ApertureDB")
        sha256 = sha256_of(data)
        guid = self._guid(found, sha256)
        first = taken.get(guid) or taken.get(sha256) or self._held(guid, sha256, unique)
        known: dict[str, Any] = {"LS_sha256": sha256, "LS_size_bytes": len(data), **facts.properties()}
        if first is not None:
            return Claim(first, facts.media_type, {"LS_duplicate_of": first}, known, duplicate=True)
        taken[guid] = taken[sha256] = guid
        if facts.warning:
            self._report.warnings.append(Note(f"{kind} {unique}", facts.warning))
        return Claim(guid, facts.media_type, {names.GUID: guid, ROLE: "media", **known}, known)

    def _claim_one(self, query: Query, source: int, kind: str, found: Object, taken: dict[str, str]) -> None:
        unique = str(found["_uniqueid"])
        try:
            claim = self.examine(kind, found, taken)
        except InputError as error:
            self._report.failed.append(Note(f"{kind} {unique}", str(error)))
            self._update(query, kind, unique, {self._project.state: "withdrawn"})
            return
        if claim.duplicate:
            text = f"same GUID or bytes as medium {claim.guid}; no task"
            self._report.duplicates.append(Note(f"{kind} {unique}", text))
            self._update(query, kind, unique, {self._project.state: "withdrawn", **claim.properties})
            return
        wanted = claim.media_type in self._project.taken_types
        state = "new" if wanted else "withdrawn"
        reference = self._update(query, kind, unique, {**claim.properties, self._project.state: state})
        key = f"{self._batch}|{claim.guid}|{unique}"
        query.connect(names.BATCH_MEDIA, key, source=source, destination=reference, LS_batch=self._batch, **self._run)
        self._report.known += 1
        self._report.media_types[claim.media_type] = self._report.media_types.get(claim.media_type, 0) + 1

    def _guid(self, found: Object, sha256: str) -> str:
        held = found.get(names.GUID)
        if held is None:
            if self._project.guid == "property":
                raise InputError(
                    f"it has no property {names.GUID!r}, and the GUID is to come from there (guid: property)."
                )
            return content_guid(sha256)
        if not isinstance(held, str):
            raise InputError(f"its property {names.GUID!r} is {held!r}, not a string: store GUIDs as strings.")
        return checked_guid(held)

    def _held(self, guid: str, sha256: str, unique: str) -> str | None:
        """The GUID of another medium that has this GUID or these bytes already."""
        condition = any_of(equal(names.GUID, guid), equal("LS_sha256", sha256))
        wanted = (names.GUID, "_uniqueid", "LS_duplicate_of", ROLE)
        for medium in find_media(self._db, condition, wanted):
            ours = medium.properties.get(ROLE) == "media"  # of any project or batch; else its turn is still to come
            if ours and medium.properties.get("_uniqueid") != unique and not medium.properties.get("LS_duplicate_of"):
                return medium.guid
        return None

    def _update(self, query: Query, kind: str, unique: str, properties: dict[str, Any]) -> int:
        reference = query.reference()
        query.add(f"Find{kind}", {"_ref": reference, "constraints": equal("_uniqueid", unique), "blobs": False})
        query.add(f"Update{kind}", {"ref": reference, "properties": properties})
        return reference
