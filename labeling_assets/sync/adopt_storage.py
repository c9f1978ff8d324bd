"""Labels that ApertureData's own Label Studio storage wrote become labels of one of our projects, with a plan first.

An annotation stays the entity that it is, with everything the storage wrote (`LS_id`, `LS_data`, ...), so that the
storage and its readers go on; it gets what ours have. Its boxes become our boxes where they stand, with all other
properties and connections that they have. If the storage writes an annotation again, adopting again brings that in.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Object
from labeling_assets.clients.constraints import all_of, equal, missing, present
from labeling_assets.clients.query import Query
from labeling_assets.errors import DataError, InputError, RefusedError
from labeling_assets.mapping.annotation import map_annotation
from labeling_assets.projects import Project
from labeling_assets.sync import adoption_report as found
from labeling_assets.sync.adoption_report import AdoptionReport, batch_of
from labeling_assets.sync.claim_media import Claim, Claimer
from labeling_assets.sync.collect_annotations import picture_of
from labeling_assets.sync.database import prepare_database
from labeling_assets.sync.lease import Lease, lease
from labeling_assets.sync.media_store import ROLE, Medium, media_by_guid
from labeling_assets.sync.report import IngestReport, Progress
from labeling_assets.sync.storage_annotations import (
    STORAGE_ID,
    StorageAnnotation,
    linked_image,
    read_storage_annotations,
)
from labeling_assets.sync.storage_boxes import match_boxes
from labeling_assets.sync.write_adopted import INSTANCE, AdoptingWriter, Adoption, adopted_guid, unwritten_since

# One query: so many annotations, or so much of their JSON.
_CHUNK: Final = 50
_CHUNK_CHARACTERS: Final = 4_000_000


def adopt_storage(
    db: ApertureDB,
    project: Project,
    *,
    project_id: int | None = None,
    apply: bool = False,
    progress: Progress = lambda _: None,
) -> AdoptionReport:
    """Plan, or with `apply` do, the adoption of what the storage wrote; done again, it does what is left.

    Args:
        db: Where the labels are and stay.
        project: The labeling project that they become labels of.
        project_id: Only those of the project with this id in the old Label Studio.
        apply: Write. Without it nothing is written.
        progress: Gets a line of text now and then.

    Raises:
        DataError: a property that this package needs is there with another type; nothing was written.
        TransientError: another process adopts into the project.
    """
    started = time.monotonic()
    if apply:
        prepare_database(db, (project.state,))
        with lease(db, f"{INSTANCE}|{project.slug}", wait_s=30) as held:
            report = _Adopter(db, project, held).run(project_id, progress)
    else:
        report = _Adopter(db, project, None).run(project_id, progress)
    report.seconds = time.monotonic() - started
    return report


@dataclass(frozen=True, slots=True)
class _Image:
    """What an image is as a medium; `problem` says why it cannot be one."""

    claim: Claim | None
    medium: Medium
    problem: str = ""


@dataclass(slots=True)
class _Images:
    """Every image that was looked at, by `_uniqueid`, and which are to be written for which batch."""

    looked_at: dict[str, _Image] = field(default_factory=dict)
    connected: set[tuple[str, str]] = field(default_factory=set)
    taken: dict[str, str] = field(default_factory=dict)  # GUID or SHA-256 -> GUID
    sha256: dict[str, str] = field(default_factory=dict)  # GUID -> SHA-256


class _Adopter:
    """Reads annotations in chunks, decides, counts, and writes if it holds a lease."""

    def __init__(self, db: ApertureDB, project: Project, held: Lease | None) -> None:
        self._db, self._project, self._held = db, project, held
        self._report = AdoptionReport(project.slug, applied=held is not None)
        self._claimer = Claimer(db, project, "", IngestReport(""))
        self._images = _Images()
        self._boxes: set[str] = set()
        rows = db.find("FindEntity", present(STORAGE_ID), class_name=names.ANNOTATION, properties=[STORAGE_ID])
        self._ids = Counter(str(row[STORAGE_ID]) for row in rows)

    def run(self, project_id: int | None, progress: Progress) -> AdoptionReport:
        for chunk in _chunked(read_storage_annotations(self._db, project_id)):
            adoptions = [adoption for old in chunk if (adoption := self._decided(old)) is not None]
            if self._held is not None:
                self._write_images(adoptions)
                self._write([adoption for adoption in adoptions if not adoption.is_done])
            progress(f"{self._report.annotations} annotations")
        if project_id is None:
            self._orphans()
        self._report.boxes = len(self._boxes)
        return self._report

    def _decided(self, old: StorageAnnotation) -> Adoption | None:
        """What becomes of one annotation; None, and a line in the report, if nothing can without guessing."""
        report = self._report
        report.annotations += 1
        line = report.source(old.project_id, old.project_title)
        line.annotations += 1
        self._boxes |= {box.unique for box in old.boxes if not box.properties.get("LS_derived")} | set(old.strays)
        try:
            adoption = self._adoption(old)
        except _Refused as refused:
            report.refused += 1
            report.find(refused.what, old.name(), refused.text)
            return None
        if adoption.is_done:
            report.unchanged += 1
            return adoption
        if names.LS_GUID in old.properties:
            report.changed += 1
        else:
            report.adopt += 1
            line.adopt += 1
        self._count(adoption)
        return adoption

    def _adoption(self, old: StorageAnnotation) -> Adoption:
        _refuse_contradictions(old, self._ids)
        try:
            annotation = old.annotation()
            guid = adopted_guid(old, annotation)
        except (DataError, ValueError) as error:
            raise _Refused(found.UNREADABLE, str(error)) from error
        linked, shown = linked_image(annotation), str(old.images[0]["_uniqueid"])
        if linked is not None and linked != shown:
            raise _Refused(found.OVERWRITTEN, f"it is connected to image {shown}, and its LS_data is about {linked}")
        held = old.properties.get("LS_project")
        if held is not None and held != self._project.slug:
            raise _Refused(found.ELSEWHERE, f"it was adopted into {held!r}")
        if old.properties.get(names.LS_GUID, guid) != guid:
            text = "it was adopted, and since then LS_data is another annotation with the same id"
            raise _Refused(found.OVERWRITTEN, text)
        image = self._image(old.images[0])
        if image.problem:
            raise _Refused(found.BAD_IMAGE, image.problem)
        mapped = map_annotation(annotation["result"], picture_of(image.medium))
        match = match_boxes(old, annotation, mapped, others=self._ids)
        batch = batch_of(old.project_id)
        return Adoption(old, annotation, mapped, match, image.medium, self._project.slug, batch)

    def _count(self, adoption: Adoption) -> None:
        report, old, match = self._report, adoption.old, adoption.match
        if adoption.annotation.get("was_cancelled"):
            report.skipped_tasks += 1
        else:
            counted = Counter(region.kind for region in adoption.mapped.regions)
            report.regions = dict(sorted((Counter(report.regions) + counted).items()))
        report.boxes_taken_over += len(match.kept)
        report.boxes_to_add += len(match.lacking)
        report.boxes_to_go += len(match.to_go)
        for what, boxes in (
            (found.STALE, match.stale),
            (found.DOUBLED, match.doubled),
            (found.FORMLESS, match.formless),
            (found.SHARED, match.foreign),
            (found.PREDICTED, match.predicted),
        ):
            for box in boxes:
                report.find(what, f"box {box.unique}", f"{box.label!r}, region {box.region_id} of {old.name()}")
        for region_id in match.different:
            box = match.kept[region_id]
            text = f"{box.label!r} at {box.rectangle}, region {region_id} of {old.name()}"
            report.find(found.DIFFERENT, f"box {box.unique}", text)
        for region_id in match.lacking:
            report.find(found.LACKING, f"region {region_id}", f"of {old.name()}")
        for problem in adoption.mapped.problems:
            report.find(found.PROBLEMS, old.name(), problem)

    def _image(self, row: Object) -> _Image:
        unique = str(row["_uniqueid"])
        if unique not in self._images.looked_at:
            image = self._images.looked_at[unique] = self._examined(row)
            self._report.images += 1
            if row.get(names.GUID) is not None:
                self._report.images_with_guid += 1
            elif image.claim is not None and not image.claim.duplicate:
                self._report.images_to_get_guid += 1
            if image.claim is not None and image.claim.duplicate:
                self._report.find(found.DUPLICATES, f"image {unique}", f"the same bytes as medium {image.claim.guid}")
        return self._images.looked_at[unique]

    def _examined(self, row: Object) -> _Image:
        """One that is a medium already keeps what it has; any other is claimed by the rules for all media."""
        images = self._images
        facts = {key: value for key, value in row.items() if value is not None}
        if {names.GUID, "LS_sha256", "LS_media_type"} <= facts.keys() and facts.get(ROLE) == "media":
            guid = str(facts[names.GUID])
            images.taken[guid] = images.taken[str(facts["LS_sha256"])] = guid
            images.sha256[guid] = str(facts["LS_sha256"])
            return _Image(None, Medium(guid, "Image", facts))
        try:
            claim = self._claimer.examine("Image", row, images.taken)
        except InputError as error:
            return _Image(None, Medium("", "Image", facts), str(error))
        medium = Medium(claim.guid, "Image", {**facts, **claim.facts, names.GUID: claim.guid})
        sha256 = str(claim.facts["LS_sha256"])
        if claim.duplicate and self._sha256(claim.guid) != sha256:
            return _Image(None, medium, f"its GUID {claim.guid!r} is that of another medium")
        images.sha256[claim.guid] = sha256
        return _Image(claim, medium)

    def _sha256(self, guid: str) -> str | None:
        """That of the first medium with a GUID."""
        if guid not in self._images.sha256:
            media = media_by_guid(self._db, [guid], (names.GUID, "LS_sha256", "LS_duplicate_of"))
            first = next((m for m in media.get(guid, []) if not m.properties.get("LS_duplicate_of")), None)
            self._images.sha256[guid] = str(first.properties["LS_sha256"]) if first else ""
        return self._images.sha256[guid]

    def _write_images(self, adoptions: Iterable[Adoption]) -> None:
        """GUIDs, facts and batches first: an annotation is never there without its medium."""
        query = Query()
        batches: dict[str, int] = {}
        for adoption in adoptions:
            unique = str(adoption.old.images[0]["_uniqueid"])
            if adoption.is_done or (unique, adoption.batch) in self._images.connected:
                continue
            self._images.connected.add((unique, adoption.batch))
            if adoption.batch not in batches:
                batches[adoption.batch] = _add_batch(query, adoption.batch)
            self._write_image(query, unique, adoption.batch, batches[adoption.batch])
        if query.commands:
            self._run(query)

    def _write_image(self, query: Query, unique: str, batch: str, source: int) -> None:
        image = self._images.looked_at[unique]
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

    def _write(self, adoptions: Sequence[Adoption]) -> None:
        """All in one query; one that is refused is split until what the server refuses is alone."""
        if not adoptions:
            return
        query = Query()
        writer = AdoptingWriter(query)
        for adoption in adoptions:
            writer.adopt(adoption)
        try:
            self._run(query)
        except RefusedError:
            if len(adoptions) > 1:
                half = len(adoptions) // 2
                self._write(adoptions[:half])
                self._write(adoptions[half:])
            elif self._db.one("FindEntity", {**unwritten_since(adoptions[0].old), "results": {"count": True}})["count"]:
                raise
            else:
                self._report.find(found.OVERTAKEN, adoptions[0].old.name(), "the storage wrote it just now")

    def _run(self, query: Query) -> None:
        assert self._held is not None
        self._held.run(self._db, query)

    def _orphans(self) -> None:
        """Boxes that name an annotation which is not there, and are no annotation's by connection."""
        condition = all_of(present("LS_annotation"), missing("LS_annotation_guid"))
        wanted = ["_uniqueid", "LS_annotation", "LS_id"]
        for box in self._db.find("FindBoundingBox", condition, properties=wanted, uniqueids=True, labels=True):
            named, unique = str(box["LS_annotation"]), str(box["_uniqueid"])
            if named not in self._ids and unique not in self._boxes:
                text = f"{box['_label']!r}, region {box['LS_id']} of annotation {named}"
                self._report.find(found.ORPHANS, f"box {unique}", text)


class _Refused(Exception):
    """An annotation that cannot be adopted without guessing."""

    def __init__(self, what: str, text: str) -> None:
        super().__init__(text)
        self.what, self.text = what, text


def _refuse_contradictions(old: StorageAnnotation, ids: Counter[str]) -> None:
    if ids[old.id] > 1:
        raise _Refused(found.TWICE, f"{ids[old.id]} annotations have the LS_id {old.id}")
    if not old.images:
        raise _Refused(found.NO_IMAGE, "it is connected to no image")
    if len(old.images) > 1:
        named = ", ".join(str(image["_uniqueid"]) for image in old.images)
        raise _Refused(found.SEVERAL_IMAGES, f"it is connected to {named}")
    if old.strays:
        text = f"it is connected to image {old.images[0]['_uniqueid']}, and its boxes {', '.join(old.strays)} are not"
        raise _Refused(found.OVERWRITTEN, text)


def _add_batch(query: Query, batch: str) -> int:
    reference = query.reference()
    condition = equal(names.KEY, batch)
    body = {"_ref": reference, "class": names.BATCH, "properties": {names.KEY: batch}, "if_not_found": condition}
    query.add("AddEntity", body)
    return reference


def _chunked(annotations: Iterator[StorageAnnotation]) -> Iterator[list[StorageAnnotation]]:
    chunk: list[StorageAnnotation] = []
    characters = 0
    for annotation in annotations:
        chunk.append(annotation)
        characters += len(annotation.data)
        if len(chunk) == _CHUNK or characters >= _CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk
