"""Items with one region id are one region: a form, its labels, and what was said about it."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from labeling_assets.mapping.item import Item
from labeling_assets.mapping.json_text import joined, json_text
from labeling_assets.mapping.kind import Role
from labeling_assets.mapping.kinds import kind_of
from labeling_assets.mapping.region import PropertyValue, Region

T = TypeVar("T")


def merge(region_id: str, items: Sequence[Item]) -> tuple[Region, list[str]]:
    """The region of these items (at least one), and what contradicts itself in them."""
    main = items[0] if len(items) == 1 else max(items, key=_rank)  # the first of several
    attached, problems = _attached([item for item in items if item is not main])
    region = Region(
        region_id=region_id,
        from_name=main.from_name,
        to_name=main.to_name,
        type=main.type,
        kind=main.part.kind,
        labels=_labels(main, items),
        text=_text(items),
        score=_first(item.score for item in items),
        origin=_first(item.origin for item in items),
        parent_id=_first(item.parent_id for item in items),
        item_index=_first(item.item_index for item in items),
        task_level=main.role is Role.ATTACHED and not any(item.is_about_part for item in items),
        properties={**attached, **main.part.properties},
        native=main.part.native,
        derived_box=main.part.derived_box,
        derived_polygon=main.part.derived_polygon,
        spans=main.part.spans,
        keyframes=main.part.keyframes,
        mask=main.part.mask,
        ancestors=tuple(dict.fromkeys(name for item in items for name in item.part.ancestors)),
        reason=main.part.reason,
        vocabulary=_vocabulary(items),
        positions=tuple(item.position for item in items),
        parts=tuple(merge(region_id, [item])[0] for item in items) if len(items) > 1 else (),
    )
    return region, problems + _second_forms(main, items)


def _rank(item: Item) -> tuple[int, int, bool]:
    """By its role; where that is the same, what is always a form before labels that repeat one, then what has one."""
    kind = kind_of(item.type)
    return item.role, kind.role, item.role is Role.ATTACHED and not item.part.properties.keys() <= set(kind.properties)


def _labels(main: Item, items: Sequence[Item]) -> tuple[str, ...]:
    labels = [label for item in items for label in item.part.labels]
    if main.role is Role.ATTACHED:
        labels += [choice for item in items for choice in item.part.choices]
    return tuple(dict.fromkeys(labels))


def _text(items: Sequence[Item]) -> str | None:
    return joined([text for item in items for text in item.part.texts])


def _attached(items: Sequence[Item]) -> tuple[dict[str, PropertyValue], list[str]]:
    """Properties of what was said about a form: by type the first value, and by control every value as JSON."""
    properties: dict[str, PropertyValue] = {}
    values: dict[str, object] = {}
    problems: list[str] = []
    for item in items:
        if item.role is not Role.ATTACHED or item.part.attached is None:
            continue
        if values.setdefault(item.from_name, item.part.attached) != item.part.attached:
            problems.append(f"a second value of {item.from_name!r} for one region @ {item.path}")
            continue
        about = kind_of(item.type).properties  # a form that it repeats is the region's
        properties |= {
            name: it for name, it in item.part.properties.items() if name in about and name not in properties
        }
        if item.part.choices:
            properties.setdefault("LS_choice", item.part.choices[0])
    if values:
        properties["LS_attributes"] = json_text(dict(sorted(values.items())))
    return properties, problems


def _vocabulary(items: Sequence[Item]) -> dict[str, tuple[str, ...]]:
    used: dict[str, dict[str, None]] = {}
    for item in items:
        names = (*item.part.labels, *item.part.choices)
        if names:
            used.setdefault(item.from_name, {}).update(dict.fromkeys(names))
    return {from_name: tuple(names) for from_name, names in used.items()}


def _second_forms(main: Item, items: Sequence[Item]) -> list[str]:
    """Label Studio repeats the form in every item of a region; another form under the same id is an error."""
    forms = [item for item in items if item.role is Role.FORM and item is not main]
    others = [
        item for item in forms if (item.part.properties, item.part.mask) != (main.part.properties, main.part.mask)
    ]
    return [f"a second form for one region, the first was taken @ {item.path}" for item in others]


def _first(values: Iterable[T | None]) -> T | None:
    return next((value for value in values if value is not None), None)
