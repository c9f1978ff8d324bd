"""Labels that ApertureData's own Label Studio storage wrote become labels of one of our projects, with a plan first.

An annotation stays the entity that it is, with everything the storage wrote (`LS_id`, `LS_data`, ...), so that the
storage and its readers go on; it gets what ours have. Its boxes become our boxes where they stand, with all other
properties and connections that they have. If the storage writes an annotation again, adopting again brings that in.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import all_of, equal, missing, present
from labeling_assets.clients.query import Query
from labeling_assets.errors import DataError, InputError, RefusedError
from labeling_assets.mapping.annotation import map_annotation
from labeling_assets.projects import Project
from labeling_assets.sync.adopt import adoption_report as found
from labeling_assets.sync.adopt.adopted_images import AdoptedImages
from labeling_assets.sync.adopt.adoption_report import AdoptionReport, batch_of
from labeling_assets.sync.adopt.deleted_adoptions import deleted_adoptions, remove_regions
from labeling_assets.sync.adopt.storage_annotations import (
    STORAGE_ID,
    StorageAnnotation,
    linked_image,
    list_storage_annotations,
    read_storage_annotations,
)
from labeling_assets.sync.adopt.storage_boxes import match_boxes
from labeling_assets.sync.adopt.write_adopted import (
    INSTANCE,
    AdoptingWriter,
    Adoption,
    NoRoomError,
    adopted_guid,
    unwritten_since,
)
from labeling_assets.sync.database import prepare_database
from labeling_assets.sync.lease import Lease, lease
from labeling_assets.sync.report import Progress
from labeling_assets.sync.shown_medium import picture_of
from labeling_assets.sync.write_regions import LESS, Detail

# At once in memory: so many annotations, or so much of their JSON. One query: so many regions of several annotations.
_CHUNK: Final = 50
_CHUNK_CHARACTERS: Final = 4_000_000
_CHUNK_REGIONS: Final = 5_000
# Every command of a query comes from at least two characters of LS_data, so up to here there is room for all of them.
_SMALL_CHARACTERS: Final = 100_000
_REASON_CHARACTERS: Final = 300


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
        InputError: the storage has no annotation of a project with this id.
        DataError: a property that this package needs is there with another type; nothing was written.
        TransientError: another process adopts into the project.
    """
    started = time.monotonic()
    if project_id is not None:
        _refuse_unknown(db, project_id)
    if apply:
        prepare_database(db, (project.state,))
        with lease(db, f"{INSTANCE}|{project.slug}", wait_s=30) as held:
            report = _Adopter(db, project, held).run(project_id, progress)
    else:
        report = _Adopter(db, project, None).run(project_id, progress)
    report.seconds = time.monotonic() - started
    return report


class _Adopter:
    """Reads annotations in chunks, decides, counts, and writes if it holds a lease."""

    def __init__(self, db: ApertureDB, project: Project, held: Lease | None) -> None:
        self._db, self._project, self._held = db, project, held
        self._report = AdoptionReport(project.slug, applied=held is not None)
        self._images = AdoptedImages(db, project, self._report)
        self._boxes: set[str] = set()
        self._guids: set[str] = set()
        self._ids = Counter(str(row[STORAGE_ID]) for row in list_storage_annotations(db))

    def run(self, project_id: int | None, progress: Progress) -> AdoptionReport:
        for chunk in _chunked(read_storage_annotations(self._db, project_id)):
            adoptions = [adoption for old in chunk if (adoption := self._decided(old)) is not None]
            if self._held is not None:
                self._write_images(adoptions)
                self._write(adoptions)
            else:
                for adoption in adoptions:
                    self._count(adoption)
            progress(f"{self._report.annotations} annotations")
        self._deleted(project_id)
        if project_id is None:
            self._orphans()
        self._report.boxes = len(self._boxes)
        return self._report

    def _decided(self, old: StorageAnnotation) -> Adoption | None:
        """What is to be written of one annotation; None if nothing is, or nothing can be without guessing."""
        report = self._report
        report.annotations += 1
        report.source(old.project_id, old.project_title).annotations += 1
        self._boxes |= {box.unique for box in old.boxes if not box.properties.get("LS_derived")} | set(old.strays)
        try:
            adoption = self._adoption(old)
            if not adoption.is_done:
                _refuse_too_large(adoption)
        except _Refused as refused:
            self._refuse(old, refused.what, refused.text)
            return None
        self._guids.add(adoption.guid)
        if adoption.is_done:
            report.unchanged += 1
            return None
        return adoption

    def _refuse(self, old: StorageAnnotation, what: str, text: str) -> None:
        self._report.refused += 1
        self._report.find(what, old.name(), text)

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
        image = self._images.look_at(old.images[0])
        if image.problem:
            raise _Refused(found.BAD_IMAGE, image.problem)
        mapped = map_annotation(annotation["result"], picture_of(image.medium))
        match = match_boxes(old, annotation, mapped, others=self._ids)
        batch = batch_of(old.project_id)
        return Adoption(old, annotation, mapped, match, image.medium, self._project.slug, batch)

    def _count(self, adoption: Adoption) -> None:
        """What was written, or would be."""
        report, old, match = self._report, adoption.old, adoption.match
        if names.LS_GUID in old.properties:
            report.changed += 1
        else:
            report.adopt += 1
            report.source(old.project_id, old.project_title).adopt += 1
        self._count_regions(adoption)
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

    def _count_regions(self, adoption: Adoption) -> None:
        report = self._report
        if adoption.annotation.get("was_cancelled"):
            report.skipped_tasks += 1
            return
        counted = Counter(region.kind for region in adoption.mapped.regions)
        report.regions = dict(sorted((Counter(report.regions) + counted).items()))

    def _write_images(self, adoptions: Sequence[Adoption]) -> None:
        """GUIDs, facts and batches first: an annotation is never there without its medium."""
        query = Query()
        self._images.add(query, adoptions)
        if query.commands:
            self._run(query)

    def _write(self, adoptions: Sequence[Adoption]) -> None:
        """All in one query; what is too much for one, or is refused, is split until it is alone."""
        if len(adoptions) == 1:
            self._write_one(adoptions[0])
        elif adoptions and not self._write_together(adoptions):
            half = len(adoptions) // 2
            self._write(adoptions[:half])
            self._write(adoptions[half:])

    def _write_together(self, adoptions: Sequence[Adoption]) -> bool:
        if sum(len(adoption.mapped.regions) for adoption in adoptions) > _CHUNK_REGIONS:
            return False
        writer = AdoptingWriter(Query())
        try:
            for adoption in adoptions:
                writer.adopt(adoption)
            if writer.regions.left_out:
                return False
            self._run(writer.query)
        except (NoRoomError, RefusedError):
            return False
        for adoption in adoptions:
            self._count(adoption)
        return True

    def _write_one(self, adoption: Adoption) -> None:
        """One that is refused is written with less detail, if that helps, so that it does not hold up all others."""
        old, refusal = adoption.old, self._attempt(adoption, Detail())
        if refusal is None:
            return
        if not self._db.one("FindEntity", {**unwritten_since(old), "results": {"count": True}})["count"]:
            self._report.overtaken += 1
            self._report.find(found.OVERTAKEN, old.name(), "the storage wrote it just now")
            return
        reason = (refusal.partition("): ")[2] or refusal)[:_REASON_CHARACTERS]
        for less in LESS:
            detail = replace(less, reason=reason)
            if self._attempt(adoption, detail) is None:
                self._report.find(found.REDUCED, old.name(), f"without its {detail.missing}: {reason}")
                return
        self._refuse(old, found.REFUSED, reason)

    def _attempt(self, adoption: Adoption, detail: Detail) -> str | None:
        """Write and count one; if that is refused, why."""
        writer = AdoptingWriter(Query(), detail=detail)
        try:
            if not writer.adopt(adoption):
                return "its boxes would be there twice"
            self._run(writer.query)
        except (NoRoomError, RefusedError) as error:
            return str(error)
        self._count(adoption)
        for what in writer.regions.left_out:
            self._report.find(found.LEFT_OUT, adoption.old.name(), what)
        return None

    def _run(self, query: Query) -> None:
        assert self._held is not None
        self._held.run(self._db, query)

    def _deleted(self, project_id: int | None) -> None:
        """The storage deletes an annotation with its boxes; of the rest of what is here it knows nothing."""
        batch = None if project_id is None else batch_of(project_id)
        deleted = deleted_adoptions(self._db, self._project.slug, batch=batch, but=self._guids)
        self._report.gone = len(deleted)
        for gone in deleted:
            self._report.find(found.GONE, f"annotation {gone.id} of {gone.batch}", gone.regions())
        if self._held is not None:
            remove_regions(deleted, self._run)

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


def _refuse_unknown(db: ApertureDB, project_id: int) -> None:
    if list_storage_annotations(db, (equal("LS_project_id", project_id),)):
        return
    rows = list_storage_annotations(db)
    projects = sorted({(int(row["LS_project_id"] or 0), str(row["LS_project_title"] or "")) for row in rows})
    known = ", ".join(f"{number} {title!r}" for number, title in projects) or "none"
    raise InputError(f"There is no annotation of ApertureData's storage of a project {project_id}; it has: {known}.")


def _refuse_too_large(adoption: Adoption) -> None:
    if len(adoption.old.data) <= _SMALL_CHARACTERS:
        return
    try:
        AdoptingWriter(Query()).adopt(adoption)
    except NoRoomError as error:
        number = len(adoption.mapped.regions)
        raise _Refused(found.TOO_LARGE, f"its {number:,} regions; what is there stays as it is") from error


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
