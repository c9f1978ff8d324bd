"""What adopting the data of ApertureData's storage would do, or did: counts, and a line for everything odd."""

from dataclasses import dataclass, field
from typing import Final

from labeling_assets.sync.report import Note

# Findings: what they are about, in the words that people read. Of these nothing is written:
NO_IMAGE: Final = "annotations without an image, not adopted"
SEVERAL_IMAGES: Final = "annotations of several images, not adopted"
UNREADABLE: Final = "annotations whose LS_data cannot be read, not adopted"
TWICE: Final = "annotations with an LS_id that another one has, not adopted"
OVERWRITTEN: Final = "annotations that another Label Studio wrote over, not adopted"
ELSEWHERE: Final = "annotations that belong to another project of labeling_assets, not adopted"
BAD_IMAGE: Final = "annotations of an image that cannot be a medium, not adopted"
TOO_LARGE: Final = "annotations with more regions than one query holds, not adopted"
REFUSED: Final = "annotations that ApertureDB refused, not adopted"
OVERTAKEN: Final = "annotations that changed while they were adopted: run it again"
# These are adopted as LS_data has them, and what was there before stays in the annotation's revision:
STALE: Final = "boxes of removed regions, to go"
DOUBLED: Final = "boxes written twice, all but the first to go"
FORMLESS: Final = "boxes of regions that have no area on the image, to go"
DIFFERENT: Final = "boxes that differ from LS_data, to be corrected"
SHARED: Final = "boxes that two annotations have, to stay with the one that they name"
LACKING: Final = "regions that have no box, to get one"
PROBLEMS: Final = "annotations with something that no region can express"
REDUCED: Final = "annotations of which ApertureDB refused a part: that is in LS_data only"
LEFT_OUT: Final = "annotations with a part that one query has no room for: that is in LS_data only"
# These were adopted, and are no more:
GONE: Final = "annotations that the storage deleted since they were adopted: the rest of their regions goes"
# These are left alone:
PREDICTED: Final = "boxes of models that an annotation no longer uses, left alone"
ORPHANS: Final = "boxes of annotations that are gone, left alone"
DUPLICATES: Final = "images with the bytes of another medium: their annotations get its GUID"


@dataclass(slots=True)
class StorageProject:
    """One project of the old Label Studio, by id and title. `batch` is the import batch that its labels get."""

    id: int
    title: str
    batch: str
    annotations: int = 0
    adopt: int = 0


@dataclass(slots=True)
class AdoptionReport:
    """Counts of a plan, or of what was done if `applied`.

    `annotations` = `adopt` (never adopted before) + `changed` (the storage wrote them again since) + `unchanged`
    (adopted, nothing to do) + `refused` + `overtaken` (changed while they were adopted; `findings` has both).
    `gone` are adopted ones that the storage deleted and of which regions are left. `boxes` are those of all
    annotations, `images` of those that can be read; `boxes_taken_over` become boxes of this package with everything
    else they have. `regions` counts what the annotations to be written become, by kind.
    """

    project: str
    applied: bool
    annotations: int = 0
    adopt: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: int = 0
    overtaken: int = 0
    gone: int = 0
    skipped_tasks: int = 0
    images: int = 0
    images_with_guid: int = 0
    images_to_get_guid: int = 0
    boxes: int = 0
    boxes_taken_over: int = 0
    boxes_to_add: int = 0
    boxes_to_go: int = 0
    regions: dict[str, int] = field(default_factory=dict)
    sources: list[StorageProject] = field(default_factory=list)
    findings: dict[str, list[Note]] = field(default_factory=dict)
    seconds: float = 0.0

    def find(self, what: str, subject: str, text: str) -> None:
        """Note something odd."""
        self.findings.setdefault(what, []).append(Note(subject, text))

    def source(self, id_: int, title: str) -> StorageProject:
        """The line of an old project, made when it is first met."""
        for line in self.sources:
            if (line.id, line.title) == (id_, title):
                return line
        self.sources.append(StorageProject(id_, title, batch_of(id_)))
        return self.sources[-1]


def batch_of(project_id: int) -> str:
    """The import batch of what is adopted from a project of the old Label Studio."""
    return f"adopted-{project_id}"
