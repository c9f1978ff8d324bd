"""The images of adopted annotations become media: a GUID, the facts of every medium, a batch and a state."""

from collections.abc import Iterable
from dataclasses import dataclass

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Object
from labeling_assets.clients.constraints import all_of, equal, missing
from labeling_assets.clients.query import Query
from labeling_assets.errors import InputError
from labeling_assets.projects import Project
from labeling_assets.sync.adopt import adoption_report as found
from labeling_assets.sync.adopt.adoption_report import AdoptionReport
from labeling_assets.sync.adopt.write_adopted import Adoption
from labeling_assets.sync.claim_media import Claim, Claimer
from labeling_assets.sync.media_store import ROLE, Medium, media_by_guid
from labeling_assets.sync.report import IngestReport


@dataclass(frozen=True, slots=True)
class AdoptedImage:
    """What an image is as a medium; `problem` says why it cannot be one."""

    claim: Claim | None
    medium: Medium
    problem: str = ""


class AdoptedImages:
    """Every image that was looked at, by `_uniqueid`, and which are written for which batch."""

    def __init__(self, db: ApertureDB, project: Project, report: AdoptionReport) -> None:
        self._db, self._project, self._report = db, project, report
        self._claimer = Claimer(db, project, "", IngestReport(""))
        self._looked_at: dict[str, AdoptedImage] = {}
        self._connected: set[tuple[str, str]] = set()
        self._taken: dict[str, str] = {}  # GUID or SHA-256 -> GUID
        self._first: dict[str, str] = {}  # GUID -> SHA-256 of the first medium with it

    def look_at(self, row: Object) -> AdoptedImage:
        """What the image of a row is; counted in the report when it is first seen."""
        unique = str(row["_uniqueid"])
        if unique not in self._looked_at:
            image = self._looked_at[unique] = self._examined(row)
            self._report.images += 1
            if row.get(names.GUID) is not None:
                self._report.images_with_guid += 1
            elif image.claim is not None and not image.claim.duplicate:
                self._report.images_to_get_guid += 1
            if image.claim is not None and image.claim.duplicate:
                self._report.find(found.DUPLICATES, f"image {unique}", f"the same bytes as medium {image.claim.guid}")
        return self._looked_at[unique]

    def _examined(self, row: Object) -> AdoptedImage:
        """One that is a medium already keeps what it has; any other is claimed by the rules for all media."""
        facts = {key: value for key, value in row.items() if value is not None}
        if {names.GUID, "LS_sha256", "LS_media_type"} <= facts.keys() and facts.get(ROLE) == "media":
            guid = str(facts[names.GUID])
            self._taken[guid] = self._taken[str(facts["LS_sha256"])] = guid
            self._first[guid] = str(facts["LS_sha256"])
            return AdoptedImage(None, Medium(guid, "Image", facts))
        try:
            claim = self._claimer.examine("Image", row, self._taken)
        except InputError as error:
            return AdoptedImage(None, Medium("", "Image", facts), str(error))
        medium = Medium(claim.guid, "Image", {**facts, **claim.facts, names.GUID: claim.guid})
        sha256 = str(claim.facts["LS_sha256"])
        if claim.duplicate and self._sha256(claim.guid) != sha256:
            return AdoptedImage(None, medium, f"its GUID {claim.guid!r} is that of another medium")
        self._first[claim.guid] = sha256
        return AdoptedImage(claim, medium)

    def _sha256(self, guid: str) -> str | None:
        """That of the first medium with a GUID."""
        if guid not in self._first:
            media = media_by_guid(self._db, [guid], (names.GUID, "LS_sha256", "LS_duplicate_of"))
            first = next((m for m in media.get(guid, []) if not m.properties.get("LS_duplicate_of")), None)
            self._first[guid] = str(first.properties["LS_sha256"]) if first else ""
        return self._first[guid]

    def add(self, query: Query, adoptions: Iterable[Adoption]) -> None:
        """Append what makes the images of these annotations media, as far as that was not appended before."""
        batches: dict[str, int] = {}
        for adoption in adoptions:
            unique = str(adoption.old.images[0]["_uniqueid"])
            if (unique, adoption.batch) in self._connected:
                continue
            self._connected.add((unique, adoption.batch))
            if adoption.batch not in batches:
                batches[adoption.batch] = _add_batch(query, adoption.batch)
            self._add_image(query, unique, adoption.batch, batches[adoption.batch])

    def _add_image(self, query: Query, unique: str, batch: str, source: int) -> None:
        image = self._looked_at[unique]
        duplicate = image.claim is not None and image.claim.duplicate
        reference = query.reference()
        query.add("FindImage", {"_ref": reference, "constraints": equal("_uniqueid", unique), "blobs": False})
        if image.claim is not None:
            query.add("UpdateImage", {"ref": reference, "properties": image.claim.properties})
        # Somebody labelled it, so no task is made for it; a state that it has in this project stays.
        state = {self._project.state: "withdrawn" if duplicate else "done"}
        condition = all_of(equal("_uniqueid", unique), missing(self._project.state))
        query.add("UpdateImage", {"constraints": condition, "properties": state})
        if not duplicate:
            key = f"{batch}|{image.medium.guid}|{unique}"
            query.connect(names.BATCH_MEDIA, key, source=source, destination=reference, LS_batch=batch)


def _add_batch(query: Query, batch: str) -> int:
    reference = query.reference()
    condition = equal(names.KEY, batch)
    body = {"_ref": reference, "class": names.BATCH, "properties": {names.KEY: batch}, "if_not_found": condition}
    query.add("AddEntity", body)
    return reference
