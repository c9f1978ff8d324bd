"""Explained annotations as lines for people and as JSON objects for programs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from labeling_assets.mapping.documents import Contents, Found
from labeling_assets.mapping.explain import NO_TYPE, WHY_NO_REGIONS, Explained, Totals, classes_of, general, raw_items
from labeling_assets.mapping.labels import NOT_SAID
from labeling_assets.mapping.objects import objects_of
from labeling_assets.mapping.payload import shown
from labeling_assets.mapping.picture import SIZE_NOT_KNOWN
from labeling_assets.mapping.region import Region

_LABELS: Final = 6
_LINES: Final = 5
_SOURCES: Final = {
    "annotation": "annotation",
    "prediction": "prediction",
    "results": "bare result list",
    "json_min": "JSON-MIN row",
}


def annotation_lines(one: Explained) -> Iterator[str]:
    """A few lines, however many regions there are."""
    yield f"{_title(one.found)}, {one.media_type} @ {one.found.place}"
    if one.is_skipped:
        yield f"  {WHY_NO_REGIONS}"
    yield from (f"  {line}" for line in _cut(list(_region_lines(one.regions)), 2 * _LINES))
    extra = Counter({name: count for name, count in one.objects().items() if name not in _MAIN})
    if extra:
        yield f"  also {_counts(extra)}"
    for title, texts in (
        ("problem", one.problems),
        ("configuration", one.findings),
        ("way back", one.differences),
    ):
        yield from (f"  {title}: {text}" for text in _cut(texts))


_MAIN: Final = frozenset({"BoundingBox", "Polygon", "Clip", "LS_region"})


def _title(found: Found) -> str:
    number = found.annotation.get("id")
    own = _SOURCES[found.source] + (
        f" {_identifier(number)}" if number is not None and found.source != "json_min" else ""
    )
    return own + (f" of task {_identifier(found.task_id)}" if found.task_id is not None else "")


def _region_lines(regions: Sequence[Region]) -> Iterator[str]:
    """Regions of one class, kind and reason in one line."""
    groups: dict[tuple[str, str, str], list[Region]] = {}
    for region in regions:
        name = f"raw {region.type or NO_TYPE}" if region.kind == "raw" else region.kind
        groups.setdefault((next(classes_of(region)), name, general(region.reason or "")), []).append(region)
    for (class_name, name, reason), group in groups.items():
        labels = list(dict.fromkeys(label for region in group for label in region.searchable))
        quoted = [f'"{label}"' for label in labels[:_LABELS]] + (["..."] if len(labels) > _LABELS else [])
        why = f": {reason}" if reason else ""
        yield " ".join([str(len(group)), class_name, name, *quoted]) + why


def _cut(texts: Sequence[str], most: int = _LINES) -> Iterator[str]:
    yield from texts[:most]
    if len(texts) > most:
        yield f"... and {len(texts) - most} more"


def totals_lines(totals: Totals, contents: Contents, *, round_trip: bool) -> Iterator[str]:
    """What a whole document becomes."""
    sources = ", ".join(_plural(count, _SOURCES[name]) for name, count in totals.sources.items())
    of_tasks = f" of {_plural(contents.tasks, 'task')}" if contents.tasks else ""
    yield f"{sources or '0 annotations'}{of_tasks}: {_plural(totals.regions, 'region')}"
    if totals.skipped:
        yield f"{totals.skipped} {WHY_NO_REGIONS}"
    if contents.drafts:
        yield f"{_plural(contents.drafts, 'draft')}, only in Label Studio"
    for title, counts in (("in ApertureDB", totals.objects), ("kinds", totals.kinds)):
        if counts:
            yield f"{title}: {_counts(counts)}"
    yield from _reasons("kept in the annotation's JSON only", totals.raw)
    yield from _reasons("no native form, kept as LS_region", totals.not_native)
    if any(why == SIZE_NOT_KNOWN for _, why in totals.not_native):
        yield "  (the file does not hold the size of these pictures; a sync takes it from the media)"
    if any(why == NOT_SAID for _, why in totals.raw):
        yield "  (the label configuration says it: --config)"
    yield f"unknown kinds: {_counts(totals.unknown_kinds, most=2 * _LINES) or 'none'}"
    yield from (
        f"configuration: {text} ({_plural(count, 'time')})" for text, count in totals.findings.most_common(4 * _LINES)
    )
    yield from (f"not read: {text}" for text in _cut(contents.problems))
    yield from contents.notes
    yield f"problems: {totals.problems + len(contents.problems)}"
    if round_trip:
        yield _verdict(totals)


def _reasons(title: str, counts: Counter[tuple[str, str]]) -> Iterator[str]:
    if counts:
        yield f"{title}:"
        yield from (f"  {count} {name}: {why}" for (name, why), count in counts.most_common(4 * _LINES))


def _verdict(totals: Totals) -> str:
    if totals.different:
        return f"way back: {_plural(totals.differences, 'difference')} in {_plural(totals.different, 'annotation')}"
    return (
        f"way back: the same, through the annotation's JSON; also the geometry of {totals.whole} of "
        f"{_plural(totals.regions, 'region')}, checked both ways"
    )


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" + ("s" if count != 1 else "")


def _counts(counts: Counter[str], most: int | None = None) -> str:
    shown_ = [f"{count} {name}" for name, count in counts.most_common(most)]
    return ", ".join(shown_ + ([f"and {len(counts) - len(shown_)} more"] if len(counts) > len(shown_) else []))


def printable(text: str, encoding: str) -> str:
    """One line without what a terminal would obey; what `encoding` does not have as escapes."""
    plain = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return plain if plain.isascii() else plain.encode(encoding, "backslashreplace").decode(encoding)


def annotation_object(one: Explained, *, round_trip: bool) -> dict[str, object]:
    """Everything about one annotation; `objects` as in ApertureDB."""
    objects = {"regions": [], "relations": []} if one.is_skipped else objects_of(one.mapped)
    given: dict[str, object] = {
        "place": one.found.place,
        "source": one.found.source,
        "id": _identifier(one.found.annotation.get("id")),
        "task": _identifier(one.found.task_id),
        "media_type": one.media_type,
        "skipped": one.is_skipped,
        "regions": objects["regions"],
        "relations": objects["relations"],
        "raw": [{"type": name, "reason": why} for name, why in raw_items(one.mapped.regions)],
        "problems": list(one.problems),
        "configuration": list(one.findings),
    }
    return {**given, "differences": list(one.differences)} if round_trip else given


def _identifier(given: object) -> int | str | None:
    """An id as it is; anything else, which may be no JSON, as text."""
    return given if isinstance(given, int | str | None) else shown(given)


def totals_object(totals: Totals, contents: Contents, *, round_trip: bool) -> dict[str, object]:
    """The counts of a document."""
    given: dict[str, object] = {
        "tasks": contents.tasks,
        "drafts": contents.drafts,
        "sources": totals.sources,
        "skipped": totals.skipped,
        "regions": totals.regions,
        "objects": totals.objects,
        "kinds": totals.kinds,
        "raw": _listed(totals.raw, "type"),
        "not_native": _listed(totals.not_native, "kind"),
        "unknown_kinds": totals.unknown_kinds,
        "configuration": totals.findings,
        "problems": totals.problems,
        "not_read": contents.problems,
        "notes": list(contents.notes),
    }
    back = {"same": not totals.different, "differences": totals.differences, "different": totals.different}
    return {**given, "round_trip": {**back, "whole": totals.whole}} if round_trip else given


def _listed(counts: Counter[tuple[str, str]], name: str) -> list[dict[str, object]]:
    return [{name: key, "reason": why, "count": count} for (key, why), count in counts.most_common()]
