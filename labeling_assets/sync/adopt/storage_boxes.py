"""Which boxes of ApertureData's storage are which regions of an annotation, and which should not be there. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labeling_assets.mapping.annotation import MappedAnnotation
from labeling_assets.mapping.region import PixelBox, Region
from labeling_assets.sync.adopt.storage_annotations import StorageAnnotation, StorageBox

Rectangle = tuple[int, int, int, int]


@dataclass(slots=True)
class BoxMatch:
    """The boxes of one annotation.

    `kept`: region id -> the box that becomes the box of that region. `stale` stand for regions that were removed,
    `doubled` for regions that have a box already, `formless` for regions without an area on the image: the storage
    never removes a box. `predicted` were put there by a model and are the annotation's no longer. `different` are
    region ids of kept boxes that are not as the annotation has them. `lacking` are region ids without a box. `foreign`
    are connected to this annotation and belong to another one that has a region with the same id.
    """

    kept: dict[str, StorageBox] = field(default_factory=dict)
    stale: list[StorageBox] = field(default_factory=list)
    doubled: list[StorageBox] = field(default_factory=list)
    formless: list[StorageBox] = field(default_factory=list)
    predicted: list[StorageBox] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    foreign: list[StorageBox] = field(default_factory=list)

    @property
    def to_go(self) -> list[StorageBox]:
        """Boxes that a search by label must not find any more."""
        return [*self.stale, *self.doubled, *self.formless]


def match_boxes(
    old: StorageAnnotation, annotation: Mapping[str, Any], mapped: MappedAnnotation, *, others: Collection[str]
) -> BoxMatch:
    """Sort the boxes of an annotation. `others` are the `LS_id` of all annotations.

    A box names one annotation; one that is connected to this and names another one is the other's, if that exists.
    """
    regions: dict[str, Region] = {}
    if not annotation.get("was_cancelled"):
        regions = {region.region_id: region for region in mapped.regions}
    match = BoxMatch()
    for box in sorted(old.boxes, key=lambda box: [int(part) for part in box.unique.split(".")]):
        named = str(box.properties.get("LS_annotation") or old.id)
        if box.properties.get("LS_derived"):
            continue
        if named == old.id or named not in others:
            _sort(match, box, regions)
        else:
            match.foreign.append(box)
    items = {str(item.get("id")): item for item in _rectangles(annotation["result"])}
    for region_id, box in match.kept.items():
        if not _is_as_labelled(box, regions[region_id], items.get(region_id)):
            match.different.append(region_id)
    boxes = [region.region_id for region in regions.values() if isinstance(region.native, PixelBox)]
    match.lacking = [region_id for region_id in boxes if region_id not in match.kept]
    return match


def _sort(match: BoxMatch, box: StorageBox, regions: Mapping[str, Region]) -> None:
    # The storage found a model's box by its _uniqueid, which Label Studio had as the region's id, and gave it no LS_id.
    region_id = box.region_id or box.unique
    region = regions.get(region_id)
    if region is None:
        (match.stale if box.region_id else match.predicted).append(box)
    elif not isinstance(region.native, PixelBox):
        match.formless.append(box)
    elif region_id in match.kept:
        match.doubled.append(box)
    else:
        match.kept[region_id] = box


def _is_as_labelled(box: StorageBox, region: Region, item: Mapping[str, Any] | None) -> bool:
    """The storage cut percents down to whole pixels; ours are rounded outward. Either is as it should be."""
    form = region.native
    assert isinstance(form, PixelBox)
    allowed = [(form.x, form.y, form.width, form.height), _cut_down(item)]
    return box.rectangle in allowed and box.label == (region.labels[0] if region.labels else "")


def _cut_down(item: Mapping[str, Any] | None) -> Rectangle | None:
    if item is None:
        return None
    value = item["value"]
    width, height = item.get("original_width"), item.get("original_height")
    try:
        x, y = int(value["x"] * width / 100), int(value["y"] * height / 100)
        return x, y, int(value["width"] * width / 100), int(value["height"] * height / 100)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _rectangles(result: Sequence[Any]) -> Iterable[Mapping[str, Any]]:
    for item in result:
        if not isinstance(item, Mapping) or not isinstance(item.get("value"), Mapping):
            continue
        if str(item.get("type")).startswith("rectangle"):
            yield item
