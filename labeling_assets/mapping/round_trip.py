"""Whether an annotation comes back as it was: exactly through its JSON, and its geometry through its regions."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from labeling_assets.mapping.annotation import MappedAnnotation, map_annotation
from labeling_assets.mapping.json_text import json_text, storable
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.objects import region_object
from labeling_assets.mapping.payload import annotation_of, differences, no_numbers, payload, shown
from labeling_assets.mapping.picture import page_of
from labeling_assets.mapping.region import Region
from labeling_assets.mapping.value import finite_number, is_list
from labeling_assets.mapping.way_back import Written, is_whole, written_items

# Percent, seconds, degrees, frames: what a coordinate may move on the way.
TOLERANCE: Final = 1e-6
# Two encoders write one mask differently: its pixels are compared, after reading it again.
_ENCODED: Final = frozenset({"rle", "imageDataURL"})


def lossless_differences(annotation: Mapping[str, object], place: str) -> Iterator[str]:
    """Where the annotation is not the same after it was written to ApertureDB as JSON and read back."""
    try:
        text, data = payload(annotation, limit=2**62)
        # The driver sends a property as JSON itself, in ASCII; a blob is sent as it is.
        for back in (annotation_of(json.loads(json.dumps(text))), annotation_of(data)):
            # The same canonical JSON is the same value; where it differs, 1 and 1.0 still are.
            if json_text(back, compact=True) != text:
                yield from differences(annotation, back, place)
    except (ValueError, RecursionError) as error:
        yield f"cannot be written as JSON ({error}) @ {place}"
        return
    if text and ("NaN" in text or "Infinity" in text):
        yield from no_numbers(annotation, place)


@dataclass(frozen=True, slots=True)
class Checked:
    """`differences` on the way through the regions alone; `whole` of them have everything their items say.

    Not whole is what only the JSON gives back: unknown kinds, items that contradict each other, keys of no meaning.
    """

    differences: tuple[str, ...]
    whole: int


def check_regions(result: Sequence[object], mapped: MappedAnnotation, medium: Medium, place: str) -> Checked:
    """Where items made from the regions differ from those at `place`, or would become other regions."""
    differences: list[str] = []
    whole = 0
    for region in mapped.regions:
        items = list(written_items(region))
        if is_whole(region, items) and not any(page_of(_fields(result[at])) is None for at in region.positions):
            for written in items:
                at = f"{place}[{written.position}].value"
                differences += _item_differences(_value(result[written.position]), written, at)
            again = map_annotation([it.item for it in items], _same_picture(region, medium))
            differences += _region_differences(region, again.regions, f"{place}[{region.positions[0]}]")
            whole += not again.problems and all(_has_every_key(_value(result[it.position]), it) for it in items)
    return Checked(tuple(differences), whole)


def _fields(given: object) -> Mapping[str, object]:
    return given if isinstance(given, Mapping) else {}


def _value(item: object) -> Mapping[str, object]:
    return _fields(_fields(item).get("value"))


def _has_every_key(before: Mapping[str, object], written: Written) -> bool:
    """Lists without a label are no labels."""
    after = _value(written.item)
    return all(name in after or given is None or given == [] for name, given in before.items())


def _item_differences(before: Mapping[str, object], written: Written, place: str) -> Iterator[str]:
    """Of keys that both have, null being none. Labels, and the form that was repeated, are compared with the region."""
    after = _value(written.item)
    for name in sorted(written.own - _ENCODED):
        if before.get(name) is not None:
            yield from _near(before[name], after[name], f"{place}.{name}")


def _same_picture(region: Region, medium: Medium) -> Medium:
    """Where nobody knew how the picture was shown, its own size is no help."""
    if "LS_shown_width" in region.properties:
        return medium
    others = {name: replace(other, width=None, height=None) for name, other in medium.others.items()}
    return replace(medium, width=None, height=None, others=others)


def _region_differences(region: Region, again: Sequence[Region], place: str) -> Iterator[str]:
    if len(again) != 1:
        yield f"becomes {len(again)} regions on the way back @ {place}"
        return
    one, other = (replace(it, reason=None, positions=(), parts=()) for it in (region, again[0]))
    if one != other:
        yield from _near(_comparable(one), _comparable(other), f"{place} as a region", both=True)


def _comparable(region: Region) -> object:
    """The region as ApertureDB gets it, JSON in properties as what it says."""
    given = region_object(region)
    properties = given["properties"]
    if isinstance(properties, Mapping):
        given["properties"] = {name: _parsed(value) for name, value in properties.items()}
    return given


def _parsed(value: object) -> object:
    if not isinstance(value, str) or value[:1] not in ("[", "{"):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _near(before: object, after: object, place: str, *, both: bool = False) -> Iterator[str]:
    """Differences beyond the tolerance; of objects the keys that both have, or with `both` every key."""
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        if both and before.keys() != after.keys():
            names = sorted(map(str, before.keys() ^ after.keys()))
            yield f"{place}: only on one side: {', '.join(names)}"
        for key in before:
            if key in after:
                yield from _near(before[key], after[key], f"{place}.{key}", both=both)
    elif is_list(before) and is_list(after) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _near(one, other, f"{place}[{index}]", both=both)
    elif not _is_near(before, after):
        yield f"{place}: {shown(before)} became {shown(after)}"


def _is_near(before: object, after: object) -> bool:
    if isinstance(before, str) and (isinstance(after, str) or is_list(after)):
        return after in (storable(before), [storable(before)])  # texts made elsewhere come without their list
    numbers = _number(before), _number(after)
    if numbers[0] is None or numbers[1] is None:
        return before == after
    return abs(numbers[0] - numbers[1]) <= max(TOLERANCE, 1e-12 * abs(numbers[0]))


def _number(value: object) -> float | None:
    """A number, also as a text, as some converters write offsets."""
    if isinstance(value, str):
        try:
            return finite_number(float(value))
        except ValueError:
            return None
    return finite_number(value)
