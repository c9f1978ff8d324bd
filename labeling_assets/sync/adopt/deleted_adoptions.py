"""Adopted annotations that ApertureData's storage deleted: it takes their boxes along, and nothing else of them."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import all_of, equal, missing, one_of
from labeling_assets.clients.query import Query
from labeling_assets.sync.media_store import ROLE, chunks
from labeling_assets.sync.write_regions import MASK, RegionWriter

_AT_ONCE: Final = 200
# What a region can be: how it is found, and what people call it.
_FORMS: Final[tuple[tuple[str, dict[str, Any], str], ...]] = (
    ("FindBoundingBox", {}, "boxes"),
    ("FindPolygon", {}, "polygons"),
    ("FindClip", {}, "clips"),
    ("FindEntity", {"class_name": names.REGION}, "other regions"),
    ("FindEntity", {"class_name": names.KEYFRAME}, "key frames"),
    ("FindBlob", {"blobs": False}, "masks"),
)


@dataclass(slots=True)
class DeletedAdoption:
    """An annotation that is gone, by its key, its id in the old Label Studio and its batch. `left` counts by form."""

    guid: str
    id: int
    batch: str
    left: Counter[str] = field(default_factory=Counter)

    def regions(self) -> str:
        """What is left of it, for people."""
        return ", ".join(f"{number} {what}" for what, number in self.left.items())


def deleted_adoptions(
    db: ApertureDB, slug: str, *, batch: str | None = None, but: Collection[str] = ()
) -> list[DeletedAdoption]:
    """The adopted annotations that are gone and of which something is left.

    Args:
        db: Where they were.
        slug: The labeling project that they belong to.
        batch: Only those of this import batch.
        but: Keys of annotations that are there.
    """
    # Every adopted annotation has a revision, which the storage leaves. That of a sync names its project.
    revisions = db.find(
        "FindEntity", missing("LS_project"), class_name=names.REVISION, properties=["LS_annotation_guid"]
    )
    named = {str(row["LS_annotation_guid"]) for row in revisions}.difference(but)
    found: dict[str, DeletedAdoption] = {}
    for chunk in chunks(sorted(named), _AT_ONCE):
        there = db.find(
            "FindEntity", one_of(names.LS_GUID, chunk), class_name=names.ANNOTATION, properties=[names.LS_GUID]
        )
        gone = sorted(set(chunk).difference(str(row[names.LS_GUID]) for row in there))
        if gone:
            _count(db, slug, gone, found)
    return [deleted for deleted in found.values() if batch in (None, deleted.batch)]


def remove_regions(deleted: Sequence[DeletedAdoption], run: Callable[[Query], object]) -> None:
    """Delete everything that is left of them, with a `run` that sends a query; their revisions stay."""
    for start in range(0, len(deleted), _AT_ONCE):
        query = Query()
        for gone in deleted[start : start + _AT_ONCE]:
            RegionWriter(query).remove(gone.guid)
        run(query)


def _count(db: ApertureDB, slug: str, guids: Sequence[str], found: dict[str, DeletedAdoption]) -> None:
    wanted = ["LS_annotation_guid", "LS_annotation_id", "LS_batch"]
    for command, options, what in _FORMS:
        condition = all_of(one_of("LS_annotation_guid", guids), equal("LS_project", slug))
        if command == "FindBlob":
            condition = all_of(condition, equal(ROLE, MASK))
        for row in db.find(command, condition, properties=wanted, **options):
            guid = str(row["LS_annotation_guid"])
            number, batch = int(row["LS_annotation_id"] or 0), str(row["LS_batch"])
            found.setdefault(guid, DeletedAdoption(guid, number, batch)).left[what] += 1
