"""What the annotations of a document become in ApertureDB, what stays raw only, and why."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from labeling_assets.mapping import time_series_range
from labeling_assets.mapping.annotation import MappedAnnotation, map_annotation
from labeling_assets.mapping.documents import Found
from labeling_assets.mapping.kind import Role
from labeling_assets.mapping.kinds import KINDS, kind_of
from labeling_assets.mapping.label_config import USUAL_MEDIA_TYPE, LabelConfig, ObjectTag
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.region import PixelBox, PixelPolygon, Region
from labeling_assets.mapping.round_trip import Checked, check_regions, lossless_differences
from labeling_assets.mapping.validate import validate_results
from labeling_assets.mapping.value import finite_number, is_list

# What stands in a value only if its medium is of this type; the first that matches counts.
_SIGNS: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("video", frozenset({"sequence", "ranges", "framesCount"})),
    ("html", frozenset({"globalOffsets"})),
    ("text", frozenset({"startOffset"})),
    ("audio", frozenset({"channel"})),
    ("time_series", frozenset({"instant"})),
    ("image", frozenset({"x", "points", "vertices", "rle", "imageDataURL"})),
)
# Media of which ranges are marked, which say where they start and end.
_WITH_RANGES: Final = frozenset({"audio", "video", "text", "html", "time_series"})
_OF_TIME: Final = frozenset({"audio", "video", "time_series"})
# File ending -> media type.
_ENDINGS: Final = {
    **dict.fromkeys(("mp3", "wav", "ogg", "oga", "flac", "m4a", "aac", "opus", "weba"), "audio"),
    **dict.fromkeys(("mp4", "webm", "mov", "avi", "mkv", "m4v", "ogv"), "video"),
    **dict.fromkeys(("jpg", "jpeg", "png", "gif", "bmp", "tif", "tiff", "webp", "svg"), "image"),
    **dict.fromkeys(("csv", "tsv"), "time_series"),
    **dict.fromkeys(("txt", "md"), "text"),
    **dict.fromkeys(("html", "htm"), "html"),
    "pdf": "pdf",
}
# Already among what the mapping itself finds.
_SAID_BY_THE_MAPPING: Final = frozenset({"malformed", "picture", "relation"})
NO_TYPE: Final = "(no type)"
WHY_NO_REGIONS: Final = "skipped by its annotator: its JSON is kept, and no region"


@dataclass(frozen=True, slots=True)
class Explained:
    """One annotation. `findings` are about the label configuration.

    `media_type` names several if its items are about several media. `differences` are those on the way back; of `whole`
    regions all that their items say about a place was compared, both ways.
    """

    found: Found
    media_type: str
    mapped: MappedAnnotation
    problems: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    whole: int = 0

    @property
    def is_skipped(self) -> bool:
        """A skipped annotation has no regions in ApertureDB."""
        given = self.found.annotation.get("was_cancelled")
        return given.lower() in ("true", "1") if isinstance(given, str) else bool(given)

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
    """Counts of many annotations: by class, kind, type and reason. Skipped ones have no regions."""

    sources: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    regions: int = 0
    whole: int = 0
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
        self.regions += len(one.regions)
        self.whole += 0 if one.is_skipped else one.whole
        self.objects.update(one.objects())
        self.kinds.update(region.kind for region in one.regions)
        self.raw.update((name, why) for name, why in raw_items(one.regions))
        self.not_native.update((region.kind, why) for region in one.regions if (why := _why_not_native(region)))
        self.unknown_kinds.update(unknown_kinds(one.regions))
        self.problems += len(one.problems)
        self.findings.update(text.rpartition(" @ ")[0] or text for text in one.findings)
        self.differences += len(one.differences)
        self.different += bool(one.differences)


def explain(found: Found, config: LabelConfig | None = None, *, round_trip: bool = False) -> Explained:
    """What one annotation becomes; never raises, whatever it holds."""
    medium = medium_of(found, config)
    shown = ", ".join(dict.fromkeys(it.media_type for it in medium.others.values())) or medium.media_type
    place = found.result_place
    try:
        mapped = map_annotation(found.result, medium, path=place)  # type: ignore[arg-type]  # whatever it is
        findings = tuple(_findings(found.result, config, medium, place)) if config else ()
        checked = _checked(found, mapped, medium) if round_trip else Checked((), 0)
    except RecursionError:
        problem = f"nested too deeply @ {found.place}"
        return Explained(found, shown, MappedAnnotation(), (problem,), (), (problem,) if round_trip else ())
    return Explained(found, shown, mapped, mapped.problems, findings, checked.differences, checked.whole)


def _checked(found: Found, mapped: MappedAnnotation, medium: Medium) -> Checked:
    """With the differences on the way through the JSON."""
    lossless = tuple(lossless_differences(found.annotation, found.place))
    if not is_list(found.result):
        return Checked(lossless, 0)
    checked = check_regions(found.result, mapped, medium, found.result_place)
    return Checked(lossless + checked.differences, checked.whole)


def _findings(result: object, config: LabelConfig, medium: Medium, place: str) -> Iterator[str]:
    for finding in validate_results(result, config, medium, path=place):
        if finding.code not in _SAID_BY_THE_MAPPING:
            yield str(finding)


def media_type(found: Found, config: LabelConfig | None = None) -> str:
    """What the annotation is about: as its first object tag says, else as its items and its task's data look."""
    shown = _shown(found, config)
    return _shown_type(shown[0]) if shown else _guessed(found)


def medium_of(found: Found, config: LabelConfig | None = None) -> Medium:
    """What the file says about the medium, or, where the items name several object tags, about each of their media."""
    tags = _shown(found, config)
    media = {tag.name: Medium(_shown_type(tag), text=_text(tag, found.data)) for tag in tags}
    if not media:
        return Medium(_guessed(found))
    first = media[tags[0].name]
    return replace(first, others=media) if len(media) > 1 else first


def _shown(found: Found, config: LabelConfig | None) -> list[ObjectTag]:
    """The object tags that items name; if there are no items, all of them."""
    named = {name for item in _items(found) for name in str(item.get("to_name")).split(",")}
    known = [tag for tag in config.objects if tag.tag.lower() in USUAL_MEDIA_TYPE] if config else []
    return [tag for tag in known if tag.name in named or not named]


def _shown_type(tag: ObjectTag) -> str:
    return USUAL_MEDIA_TYPE[tag.tag.lower()]


def _text(tag: ObjectTag, data: Mapping[str, object]) -> str | None:
    """The characters of a text that stands in the task itself."""
    is_text = tag.tag.lower() == "text" and tag.value_type == "text" and tag.variables
    given = data.get(tag.variables[0]) if is_text else None
    return given if isinstance(given, str) else None


def _items(found: Found) -> list[Mapping[str, object]]:
    return [item for item in found.result if isinstance(item, Mapping)] if is_list(found.result) else []


def _guessed(found: Found) -> str:
    items = _items(found)
    values = [value for item in items if isinstance(value := item.get("value"), Mapping)]
    keys = {key for value in values for key, given in value.items() if given is not None}
    if any("original_length" in item for item in items) and "sequence" not in keys:
        return "audio"
    if any(kind_of(str(item.get("type"))) is time_series_range.KIND for item in items):
        return "time_series"
    by_keys = next((kind for kind, signs in _SIGNS if signs & keys), None)
    if by_keys is None and "start" in keys:
        return _with_ranges(values, found.data)
    return by_keys or _by_data(found.data)


def _with_ranges(values: Sequence[Mapping[str, object]], data: Mapping[str, object]) -> str:
    """What ranges are about that say where they start and end: in a text they quote it, and have no fractions."""
    if any("start" in value and isinstance(value.get("text"), str) for value in values):
        return "text"
    by_data = _by_data(data)
    numbers = [finite_number(value.get(name)) for value in values for name in ("start", "end")]
    if any(number is not None and number != int(number) for number in numbers):
        return by_data if by_data in _OF_TIME else "audio"
    return by_data if by_data in _WITH_RANGES else "unknown"


def _by_data(data: Mapping[str, object]) -> str:
    """By the endings of files, if they say one thing, else by the names of a task's variables, which mostly say it."""
    files = (str(value).split("?")[0].split("#")[0] for value in data.values() if isinstance(value, str))
    endings = {_ENDINGS[ending] for name in files if (ending := name.rpartition(".")[2].lower()) in _ENDINGS}
    if len(endings) == 1:
        return endings.pop()
    names = " ".join(str(name).lower() for name in data)
    return next((kind for tag, kind in USUAL_MEDIA_TYPE.items() if tag in names), "unknown")


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
