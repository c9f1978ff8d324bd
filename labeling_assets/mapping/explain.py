"""What the annotations of a document become in ApertureDB, what stays raw only, and why."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from labeling_assets.mapping.annotation import MappedAnnotation, map_annotation
from labeling_assets.mapping.documents import Found
from labeling_assets.mapping.kind import Role
from labeling_assets.mapping.kinds import KINDS, kind_of
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.region import PixelBox, PixelPolygon, Region
from labeling_assets.mapping.round_trip import lossless_differences, native_differences
from labeling_assets.mapping.validate import validate_results
from labeling_assets.mapping.value import is_list
from labeling_assets.mapping.way_back import is_written

# Tags that show media, lower case -> media type.
_MEDIA_TYPES: Final = {
    "image": "image",
    "video": "video",
    "audio": "audio",
    "audioplus": "audio",
    "text": "text",
    "paragraphs": "text",
    "chat": "text",
    "hypertext": "html",
    "pdf": "pdf",
    "timeseries": "time_series",
    "table": "csv",
    "list": "json",
}
# What stands in a value only if its medium is of this type; the first that matches counts.
_SIGNS: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("video", frozenset({"sequence", "ranges", "framesCount"})),
    ("html", frozenset({"globalOffsets"})),
    ("text", frozenset({"startOffset"})),
    ("audio", frozenset({"channel"})),
    ("time_series", frozenset({"instant"})),
    ("image", frozenset({"x", "points", "vertices", "rle", "imageDataURL"})),
    ("text", frozenset({"start"})),
)
# Already among what the mapping itself finds.
_SAID_BY_THE_MAPPING: Final = frozenset({"malformed", "picture", "relation"})
NO_TYPE: Final = "(no type)"
WHY_NO_REGIONS: Final = "skipped by its annotator: its JSON is kept, and no region"


@dataclass(frozen=True, slots=True)
class Explained:
    """One annotation. `findings` are about the label configuration.

    `differences` are those on the way back, and `written` regions have one without the annotation's JSON.
    """

    found: Found
    media_type: str
    mapped: MappedAnnotation
    problems: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    written: int = 0

    @property
    def is_skipped(self) -> bool:
        """A skipped annotation has no regions in ApertureDB."""
        return bool(self.found.annotation.get("was_cancelled"))

    @property
    def regions(self) -> tuple[Region, ...]:
        """Those that ApertureDB gets."""
        return () if self.is_skipped else self.mapped.regions

    def objects(self) -> Counter[str]:
        """How many objects of each class the regions and relations become, derived ones by themselves."""
        counts = Counter(name for region in self.regions for name in classes_of(region))
        counts["LS_relation"] += len(self.mapped.relations) if self.regions else 0
        return +counts


@dataclass(slots=True)
class Totals:
    """Counts of many annotations: by class, kind, type and reason."""

    sources: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    regions: int = 0
    written: int = 0
    objects: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    raw: Counter[tuple[str, str]] = field(default_factory=Counter)
    not_native: Counter[tuple[str, str]] = field(default_factory=Counter)
    unknown_kinds: Counter[str] = field(default_factory=Counter)
    problems: int = 0
    findings: Counter[str] = field(default_factory=Counter)
    differences: int = 0
    different: int = 0

    def add(self, one: Explained) -> None:
        """Count one annotation."""
        self.sources[one.found.source] += 1
        self.skipped += one.is_skipped
        self.regions += len(one.mapped.regions)
        self.written += one.written
        self.objects.update(one.objects())
        self.kinds.update(region.kind for region in one.mapped.regions)
        self.raw.update((name, why) for name, why in raw_items(one.mapped.regions))
        self.not_native.update((region.kind, why) for region in one.mapped.regions if (why := _why_not_native(region)))
        self.unknown_kinds.update(unknown_kinds(one.mapped.regions))
        self.problems += len(one.problems)
        self.findings.update(text.rpartition(" @ ")[0] or text for text in one.findings)
        self.differences += len(one.differences)
        self.different += bool(one.differences)


def explain(found: Found, config: LabelConfig | None = None, *, round_trip: bool = False) -> Explained:
    """What one annotation becomes; never raises, whatever it holds."""
    medium = Medium(media_type(found, config))
    place = found.result_place
    try:
        mapped = map_annotation(found.result, medium, path=place)  # type: ignore[arg-type]  # whatever it is
        findings = tuple(_findings(found.result, config, medium, place)) if config else ()
        differences = tuple(_differences(found, mapped, medium)) if round_trip else ()
        written = sum(map(is_written, mapped.regions)) if round_trip else 0
    except RecursionError:
        problem = f"nested too deeply @ {found.place}"
        return Explained(found, medium.media_type, MappedAnnotation(), (problem,), (), (problem,) if round_trip else ())
    return Explained(found, medium.media_type, mapped, mapped.problems, findings, differences, written)


def _differences(found: Found, mapped: MappedAnnotation, medium: Medium) -> Iterator[str]:
    yield from lossless_differences(found.annotation, found.place)
    if is_list(found.result):
        yield from native_differences(found.result, mapped, medium, found.result_place)


def _findings(result: object, config: LabelConfig, medium: Medium, place: str) -> Iterator[str]:
    for finding in validate_results(result, config, medium, path=place):
        if finding.code not in _SAID_BY_THE_MAPPING:
            yield str(finding)


def media_type(found: Found, config: LabelConfig | None = None) -> str:
    """What the annotation is about: as its first item's object tag says, else as the values of its items look."""
    items = [item for item in found.result if isinstance(item, Mapping)] if is_list(found.result) else []
    named = {name for item in items for name in str(item.get("to_name")).split(",")}
    for tag in config.objects if config else ():
        if (tag.name in named or not named) and tag.tag.lower() in _MEDIA_TYPES:
            return _MEDIA_TYPES[tag.tag.lower()]
    values = [value for item in items if isinstance(value := item.get("value"), Mapping)]
    if any("original_length" in item for item in items) and not any("sequence" in value for value in values):
        return "audio"
    keys = {key for value in values for key in value}
    return next((kind for kind, signs in _SIGNS if signs & keys), _by_data(found.data))


def _by_data(data: Mapping[str, object]) -> str:
    """By the names of a task's variables, which mostly say it."""
    names = " ".join(str(name).lower() for name in data)
    return next((kind for tag, kind in _MEDIA_TYPES.items() if tag in names), "unknown")


def classes_of(region: Region) -> Iterator[str]:
    """The class of the region's object, and of each that is derived from it or belongs to it."""
    if isinstance(region.native, PixelBox):
        yield "BoundingBox"
    elif isinstance(region.native, PixelPolygon):
        yield "Polygon"
    else:
        yield "LS_region" if region.native is None else "Clip"
    if region.derived_box is not None:
        yield "BoundingBox (derived)"
    if region.derived_polygon:
        yield "Polygon (derived)"
    yield from ("Clip (derived)" for _ in region.spans)
    yield from ("LS_keyframe" for _ in region.keyframes)
    if region.mask is not None:
        yield "Blob (mask)"


def raw_items(regions: Iterable[Region]) -> Iterator[tuple[str, str]]:
    """Type and reason of every item that is kept in the annotation's JSON only."""
    for region in regions:
        for part in region.parts or (region,):
            only_labels = part is not region and kind_of(part.type).role is Role.LABELS and part.labels
            if part.kind == "raw" and not only_labels:
                yield part.type or NO_TYPE, general(part.reason or "")


def unknown_kinds(regions: Iterable[Region]) -> Iterator[str]:
    """The type of every item of a kind that is not in the table of kinds."""
    for region in regions:
        yield from (part.type or NO_TYPE for part in region.parts or (region,) if part.type not in KINDS)


def _why_not_native(region: Region) -> str | None:
    return general(region.reason) if region.kind != "raw" and region.native is None and region.reason else None


def general(reason: str) -> str:
    """A reason without the places in it, each part once: equal ones can be counted."""
    return "; ".join(dict.fromkeys(part.split(" @ ")[0] for part in reason.split("; ")))
