"""One annotation of Label Studio, as regions and relations."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from labeling_assets.mapping.item import Item, read_item
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.merge import merge
from labeling_assets.mapping.region import Region, Relation
from labeling_assets.mapping.relation import is_relation, read_relation
from labeling_assets.mapping.value import is_list

# To be raised when the same JSON becomes other regions than before: a full sync then writes all regions again.
MAPPING_VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class MappedAnnotation:
    """`regions` holds everything but relations, task-level labels included, in the order of `result`.

    `relations` are those whose two regions exist. `problems` are texts such as
    `expected a number @ $.result[3].value.width`: what they point at is in the annotation's JSON only.
    """

    regions: tuple[Region, ...] = ()
    relations: tuple[Relation, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def task_labels(self) -> tuple[Region, ...]:
        """The labels of the task as a whole: choices, ratings, texts that belong to no part of the medium."""
        return tuple(region for region in self.regions if region.task_level)


def map_annotation(
    result: Sequence[Mapping[str, object]], medium: Medium, *, path: str = "$.result"
) -> MappedAnnotation:
    """The regions of an annotation; never raises, whatever `result` holds. `path` begins the places in problems.

    Items with one id are one region. An item without an id gets `item-<from_name>-<n>`, where n counts those of
    its control from 0.
    """
    if result is None:
        return MappedAnnotation()
    if not is_list(result):
        return MappedAnnotation(problems=(f"expected a list @ {path}",))
    items = [
        read_item(given, medium, position=position, path=f"{path}[{position}]")
        for position, given in enumerate(result)
        if not is_relation(given)
    ]
    problems = [*_item_problems(items), *_mixed_ids(result, path)]
    regions: list[Region] = []
    for region_id, group in _by_region(items).items():
        region, contradictions = merge(region_id, group)
        regions.append(region)
        problems += contradictions
    relations = _relations(result, {region.region_id for region in regions}, path, problems)
    return MappedAnnotation(tuple(regions), relations, tuple(problems))


def content_hash(annotation: Mapping[str, object]) -> str:
    """SHA-256 (hexadecimal) of what a person would call the annotation: if it is equal, nothing was changed.

    That is `result`, `was_cancelled`, `ground_truth` and `completed_by` (the user's id, whether given alone or as
    an object). Not `updated_at`, `updated_by` and `lead_time`: Label Studio moves them when somebody saves without a
    change, and an empty PATCH moves `updated_at`.
    """
    author = annotation.get("completed_by")
    content = {
        "result": annotation.get("result") or [],
        "was_cancelled": bool(annotation.get("was_cancelled")),
        "ground_truth": bool(annotation.get("ground_truth")),
        "completed_by": author.get("id") if isinstance(author, Mapping) else author,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _item_problems(items: Sequence[Item]) -> Iterator[str]:
    seen: set[str] = set()
    for item in items:
        yield from item.problems
        if item.picture_problem and item.picture_problem not in seen:
            seen.add(item.picture_problem)
            yield f"{item.picture_problem} @ {item.path}"


def _mixed_ids(result: Sequence[object], path: str) -> Iterator[str]:
    """Ids are texts in Label Studio: 1 and "1" are the same to us, and what they are to the editor nobody knows."""
    ids = [item.get("id") if isinstance(item, Mapping) else None for item in result]
    numbers = {given: position for position, given in enumerate(ids) if type(given) is int and abs(given) < 2**63}
    texts = {given for given in ids if isinstance(given, str)} if numbers else set()
    for number, position in numbers.items():
        if str(number) in texts:
            yield f'the ids {number} and "{number}" were taken for one region @ {path}[{position}].id'


def _by_region(items: Sequence[Item]) -> dict[str, list[Item]]:
    taken = {item.region_id for item in items}
    counts: dict[str, int] = {}
    regions: dict[str, list[Item]] = {}
    for item in items:
        region_id = item.region_id
        while region_id is None:
            count = counts.get(item.from_name, 0)
            counts[item.from_name] = count + 1
            made = f"item-{item.from_name}-{count}"
            region_id = None if made in taken else made
        regions.setdefault(region_id, []).append(item)
    return regions


def _relations(result: Sequence[object], region_ids: set[str], path: str, problems: list[str]) -> tuple[Relation, ...]:
    relations = []
    for position, item in enumerate(result):
        if not isinstance(item, Mapping) or not is_relation(item):
            continue
        place = f"{path}[{position}]"
        relation, found = read_relation(item, place)
        problems += found
        if relation is None:
            continue
        missing = [end for end in (relation.from_id, relation.to_id) if end not in region_ids]
        problems += [f"a relation with a region that is not there, {end!r} @ {place}" for end in missing]
        if not missing:
            relations.append(relation)
    return tuple(relations)
