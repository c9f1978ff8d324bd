"""From regions back to result items of Label Studio: how `explain --round-trip` checks that a region has all of them.

What is written to Label Studio is made of the annotation's JSON, or of native regions (from_native.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from labeling_assets.mapping.annotation import MappedAnnotation
from labeling_assets.mapping.kind import Role
from labeling_assets.mapping.kinds import kind_of, kind_of_region
from labeling_assets.mapping.region import PropertyValue, Region, Relation
from labeling_assets.mapping.relation import RELATION_TYPE
from labeling_assets.mapping.value import Value

Fields = dict[str, object]
# Beside its form a track has its labels under this key, which no other item repeats.
_LABELS: Final = "labels"


@dataclass(frozen=True, slots=True)
class Written:
    """An item made from a region: where in `result` it stood, and which keys of its value are not repeated only.

    `contradicts`: it has another form than the region, which Label Studio never writes.
    """

    position: int
    item: Fields
    own: frozenset[str]
    contradicts: bool = False


def results_of(mapped: MappedAnnotation) -> list[Fields]:
    """Items that read as these regions and relations again, regions first, in their order.

    Of regions that are not `is_written`, only what can be written; relations only if both ends are. What was
    attached to a form repeats the form, as Label Studio writes it.
    """
    written = {region.region_id: [it.item for it in written_items(region)] for region in mapped.regions}
    relations = [_relation(it) for it in mapped.relations if written.get(it.from_id) and written.get(it.to_id)]
    return [item for items in written.values() for item in items] + relations


def is_written(region: Region) -> bool:
    """Whether every item of the region can be made again from what it became, without the annotation's JSON."""
    return is_whole(region, list(written_items(region)))


def is_whole(region: Region, items: Sequence[Written]) -> bool:
    """Whether these, its `written_items`, are all, and none contradicts another."""
    return len(items) == max(len(region.parts), 1) and not any(it.contradicts for it in items)


def written_items(region: Region) -> Iterator[Written]:
    """The items of one region; none without a way back but the JSON."""
    attached = _is_attached(region)
    parts = region.parts or (region,)
    main = next((part for part in parts if _names(part) == _names(region)), region)
    form = _value(main)
    if form is None:
        return
    if attached and not region.task_level and not Value(form, "", "").says_where():
        return  # it was about a form that was not there
    shared = {} if attached else {name: it for name, it in form.items() if name != _LABELS}
    for part in parts:
        own = form if part is main else _value(part, labels_only=True)
        if own is not None:
            # Labels that came without the form would be taken for the form if they repeated it.
            form_again = {} if kind_of(part.type).role is Role.LABELS else shared
            item = {**_envelope(part, region), "value": {**form_again, **own, **_labels(part)}}
            contradicts = part is not main and not _is_attached(part) and own not in ({}, form)
            yield Written(part.positions[0], item, frozenset(own) - {_LABELS}, contradicts)


def _is_attached(part: Region) -> bool:
    return kind_of(part.type).role is Role.ATTACHED


def _names(region: Region) -> tuple[str, str, str]:
    return region.from_name, region.type, region.kind


def _value(region: Region, *, labels_only: bool = False) -> Fields | None:
    """What the kind writes. With `labels_only`, labels without a form of their own are enough."""
    if region.kind != "raw":
        return kind_of_region(region).write(region)
    return {} if labels_only and region.labels and kind_of(region.type).role is Role.LABELS else None


def _labels(part: Region) -> Fields:
    return {part.type: list(part.labels)} if part.labels and part.type.endswith("labels") else {}


def _envelope(part: Region, region: Region) -> Fields:
    """What stands beside `value`; the size of the picture belongs to every item of a region."""
    fields = {
        "parentID": part.parent_id,
        "item_index": part.item_index,
        "origin": part.origin,
        "score": part.score,
        "original_length": region.properties.get("LS_original_length_s"),
    }
    return {
        "id": part.region_id,
        "type": part.type,
        "from_name": part.from_name,
        "to_name": part.to_name,
        **_size(region),
        **{name: value for name, value in fields.items() if value is not None},
    }


def _size(region: Region) -> Fields:
    """Of run lengths that of the mask, which they do not hold: it may have been painted on a preview."""
    if region.mask is not None and region.properties.get("LS_mask_format") == "rle":
        width: PropertyValue | None = region.mask.width
        height: PropertyValue | None = region.mask.height
    else:
        width, height = (region.properties.get(f"LS_shown_{name}") for name in ("width", "height"))
    return {"original_width": width, "original_height": height, "image_rotation": 0} if width and height else {}


def _relation(relation: Relation) -> Fields:
    ends = {"from_id": relation.from_id, "to_id": relation.to_id}
    return {"type": RELATION_TYPE, **ends, "direction": relation.direction, "labels": list(relation.labels)}
