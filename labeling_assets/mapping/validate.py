"""Results against a label configuration, without Label Studio: what it would drop in silence, or nobody could show."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from labeling_assets.mapping.item import Item, read_item
from labeling_assets.mapping.kinds import types_of_tag
from labeling_assets.mapping.label_config import Control, LabelConfig, nearest_name
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.relation import is_relation, read_relation
from labeling_assets.mapping.validate_ranges import out_of_range
from labeling_assets.mapping.value import Value, is_list

Code = Literal[
    "malformed",
    "unknown_control",
    "wrong_kind",
    "wrong_to_name",
    "unknown_label",
    "out_of_range",
    "relation",
    "picture",
]

# Where a track in a video has the labels that another control gave it.
_TRACK_LABELS: Final = "labels"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about one item of `result`: `position` from 0, or None if it is about the whole list.

    An `error` would be lost or unusable in Label Studio, a `warning` is odd. `control` is the item's `from_name`.
    """

    code: Code
    severity: Literal["error", "warning"]
    position: int | None
    path: str
    control: str
    message: str

    def __str__(self) -> str:
        return f"{self.message} @ {self.path}"


def validate_results(
    results: object, config: LabelConfig, medium: Medium, *, path: str = "$.result", tolerance_percent: float = 1.0
) -> tuple[Finding, ...]:
    """Everything that is wrong with a list of results, in its order. Never raises, whatever it is given.

    Args:
        results: The `result` of an annotation or a prediction.
        config: What is to show it.
        medium: What it is about; what is not known of it is not checked.
        path: Where the list stands; begins every place.
        tolerance_percent: How far beyond 0 and 100 percent, or the end of a medium (percent of it), a place may be.
    """
    if not is_list(results):
        message = f"expected a list, not {type(results).__name__}"
        return (Finding("malformed", "error", None, path, "", message),)
    return tuple(
        finding
        for position, given in enumerate(results)
        for finding in _about_item(given, config, medium, position, f"{path}[{position}]", tolerance_percent)
    ) + tuple(_relations(results, path))


def _about_item(
    given: object, config: LabelConfig, medium: Medium, position: int, path: str, tolerance_percent: float
) -> Iterator[Finding]:
    if is_relation(given):
        return
    item = read_item(given, medium, position=position, path=path)
    for problem in item.problems:
        message, _, place = problem.rpartition(" @ ")
        yield Finding("malformed", "error", position, place or path, item.from_name, message or problem)
    if item.picture_problem:
        yield Finding("picture", "warning", position, path, item.from_name, item.picture_problem)
    if not isinstance(given, Mapping) or not isinstance(given.get("from_name"), str):
        return
    value = given.get("value")
    fields = value if isinstance(value, Mapping) else {}
    shown = medium.shown_by(item.to_name) or Medium(medium.media_type)
    for message in out_of_range(item.type, fields, shown, tolerance_percent):
        yield Finding("out_of_range", "error", position, f"{path}.value", item.from_name, message)
    yield from _about_control(item, fields, config)


def _about_control(item: Item, fields: Mapping[object, object], config: LabelConfig) -> Iterator[Finding]:
    def error(code: Code, key: str, message: str) -> Finding:
        return Finding(code, "error", item.position, f"{item.path}.{key}", item.from_name, message)

    control = config.control(item.from_name)
    if control is None:
        nearest = nearest_name(item.from_name, [known.name for known in config.controls])
        hint = f"; did you mean {nearest!r}?" if nearest else ""
        found = error("unknown_control", "from_name", f"there is no control {item.from_name!r}{hint}")
        # The magic wand's regions name a tool that stands in no configuration, and the editor shows them.
        yield replace(found, severity="warning") if item.type == "magicwand" else found
        return
    if item.type not in types_of_tag(control.tag):
        yield error("wrong_kind", "type", f"<{control.tag}> {item.from_name!r} does not give {item.type!r}")
        return
    if not _is_target(item.to_name, control):
        targets = " or ".join(repr(name) for name in control.to_names)
        yield error("wrong_to_name", "to_name", f"{item.from_name!r} is for {targets}, not {item.to_name!r}")
    is_track = item.part.kind == "video_track" and item.type != _TRACK_LABELS
    for key in (item.type,) if control.has_vocabulary else (_TRACK_LABELS,) if is_track else ():
        for unknown in config.not_among(dict.fromkeys(_named(fields.get(key))), item.from_name, item.to_name):
            yield error("unknown_label", f"value.{key}", str(unknown))


def _is_target(to_name: str, control: Control) -> bool:
    """A control may name itself (Pairwise, TextArea), several objects ("a,b"), or one that a Repeater made."""
    if to_name == control.name or control.made(to_name):
        return True
    known = {name.split("{{")[0]: "{{" in name for name in control.to_names}
    return all(
        any(part == name or (repeated and part.startswith(name)) for name, repeated in known.items())
        for part in to_name.split(",")
    )


def _named(given: object) -> Iterator[str]:
    """Labels and choices are texts, nodes of a taxonomy paths of texts."""
    for label in given if is_list(given) else ():
        if isinstance(label, str):
            yield label
        elif is_list(label) and all(isinstance(part, str) for part in label):
            yield "/".join(str(part) for part in label)


def _relations(results: Sequence[object], path: str) -> Iterator[Finding]:
    """A relation whose end is missing is drawn nowhere, and harms nothing."""
    envelopes = [Value(given, "", path) for given in results if isinstance(given, Mapping)]
    there = {envelope.identifier("id") for envelope in envelopes}
    for position, given in enumerate(results):
        if not isinstance(given, Mapping) or not is_relation(given):
            continue
        place = f"{path}[{position}]"
        relation, problems = read_relation(given, place)
        for problem in problems:
            message, _, at = problem.rpartition(" @ ")
            yield Finding("malformed", "error", position, at or place, "", message or problem)
        for end in () if relation is None else (relation.from_id, relation.to_id):
            if end not in there:
                yield Finding("relation", "warning", position, place, "", f"there is no region {end!r}")
