"""A project's labeling configuration: which controls there are, what they label, with which labels."""

import difflib
import functools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from labeling_assets.errors import ConfigurationError
from labeling_assets.mapping.config_xml import Node, fingerprint, parse_xml, variable
from labeling_assets.mapping.region import Region

# Tag, lower case -> types of the media it shows, the usual one first; of several tags for a type, the usual first.
_MEDIA_TYPES: Final = {
    "image": ("image",),
    "video": ("video",),
    "audio": ("audio",),
    "audioplus": ("audio",),
    "text": ("text",),
    "pdf": ("pdf",),
    "paragraphs": ("text", "json"),
    "hypertext": ("html", "text", "pdf"),
    "timeseries": ("time_series", "csv", "json"),
    "table": ("csv", "json"),
    "list": ("json",),
    "chat": ("text", "json"),
}
USUAL_MEDIA_TYPE: Final = {tag: types[0] for tag, types in _MEDIA_TYPES.items()}
# What a tag takes if `valueType` does not say it; everything else takes an address.
_VALUE_TYPES: Final = {
    "text": "text",
    "hypertext": "text",
    "paragraphs": "json",
    "table": "json",
    "list": "json",
    "chat": "json",
}
# Tags that are what they label, so that they need no toName.
_USUAL_FPS: Final = 24.0
_SELF_LABELED: Final = frozenset({"chat", "reactcode"})


@dataclass(frozen=True, slots=True)
class Label:
    """A label, choice or node of a taxonomy. `name` is what Label Studio writes: the alias if there is one.

    `path` are the names that lead to it, itself last: one for a label, more for nested choices.
    """

    name: str
    value: str
    path: tuple[str, ...]

    @property
    def spellings(self) -> tuple[str, ...]:
        """Every way an annotation may name it: alone, by its value, or with all that leads to it."""
        return self.name, self.value, "/".join(self.path)


@dataclass(frozen=True)
class Control:
    """A tag that annotators label with. `dynamic`: its labels come with each task, so any label is accepted.

    `has_vocabulary`: it gives labels at all; a rectangle, a text area, a rating does not.
    """

    name: str
    tag: str
    to_names: tuple[str, ...]
    labels: tuple[Label, ...]
    has_vocabulary: bool
    dynamic: bool

    @functools.cached_property
    def spellings(self) -> frozenset[str]:
        """Every way an annotation may name one of the labels."""
        return frozenset(name for label in self.labels for name in label.spellings)

    def made(self, from_name: str) -> bool:
        """Whether results with this `from_name` are the control's: a Repeater's `x_{{idx}}` makes x_0, x_1, ..."""
        pattern = ".+".join(re.escape(part) for part in re.split(r"\{\{.*?\}\}", self.name))
        return re.fullmatch(pattern, from_name) is not None


@dataclass(frozen=True, slots=True)
class ObjectTag:
    """A tag that shows something. `variables` are keys of a task's data; `value_type` is url, text or json.

    `frame_rate` is what a tag of a video says of its frames per second, empty if nothing.
    """

    name: str
    tag: str
    variables: tuple[str, ...]
    value_type: str
    frame_rate: str = ""


@dataclass(frozen=True, slots=True)
class UnknownLabel:
    """A label that its control does not have; `nearest` is the one most like it."""

    label: str
    from_name: str
    nearest: str | None

    def __str__(self) -> str:
        hint = f"; did you mean {self.nearest!r}?" if self.nearest else ""
        return f"{self.from_name!r} has no label {self.label!r}{hint}"


@dataclass(frozen=True, slots=True)
class LabelConfig:
    """`variables` are all keys that a task's data must have. `hash` is equal if nothing but the layout differs."""

    controls: tuple[Control, ...]
    objects: tuple[ObjectTag, ...]
    variables: tuple[str, ...]
    hash: str

    @classmethod
    def parse(cls, xml: str) -> "LabelConfig":
        """The configuration that `xml` describes.

        Raises:
            ConfigurationError: not XML, a name used twice, a toName without its tag, nothing to show or to label
                with; says where and what to do.
        """
        root = parse_xml(xml)
        nodes = list(root.walk())
        _check_names(nodes)
        controls = tuple(_control(node) for node in nodes if _is_control(node))
        objects = tuple(_object(node) for node in nodes if _is_object(node))
        _check_targets(nodes)
        if not objects:
            raise ConfigurationError(
                "The label configuration shows nothing. Add a tag for the media, such as "
                '<Image name="image" value="$image"/>.'
            )
        if not controls:
            raise ConfigurationError(
                "The label configuration has nothing to label with. Add a control, such as "
                f'<Choices name="choice" toName="{objects[0].name}">...</Choices>.'
            )
        return cls(controls, objects, _variables(nodes), fingerprint(root))

    def control(self, from_name: str) -> Control | None:
        """The control that gives results with this `from_name`."""
        exact = (control for control in self.controls if control.name == from_name)
        return next(exact, None) or next((it for it in self.controls if it.made(from_name)), None)

    def labels_of(self, from_name: str) -> tuple[str, ...] | None:
        """The labels of a control as Label Studio writes them; None if any is accepted, () without such a control."""
        control = self.control(from_name)
        if control is None:
            return ()
        if control.dynamic or not control.has_vocabulary:
            return None
        return tuple(dict.fromkeys(label.name for label in control.labels))

    def unknown_labels(self, region: Region) -> tuple[UnknownLabel, ...]:
        """Labels and choices of the region that the control which gave them does not have.

        Where the control itself is not in the configuration (an older name, a tool such as the magic wand), all
        labels for the same object count.
        """
        return tuple(
            unknown
            for from_name, used in region.vocabulary.items()
            for unknown in self.not_among(used, from_name, region.to_name)
        )

    def not_among(self, labels: Iterable[str], from_name: str, to_name: str) -> Iterator[UnknownLabel]:
        """Those of the labels that the control does not have.

        Of a control that gives no labels (a track takes them from another), those that no other for the object has.
        """
        known = self._known(from_name, to_name)
        for label in labels if known is not None else ():
            if known is not None and not any(label in names for names in known):
                names = known[0] if len(known) == 1 else frozenset().union(*known)
                yield UnknownLabel(label, from_name, nearest_name(label, names))

    def object_for_media_type(self, media_type: str) -> ObjectTag | None:
        """The tag that shows media of this type: image, video, audio, text, html, pdf, time_series, csv, json."""
        for tag in (name for name, types in _MEDIA_TYPES.items() if media_type in types):
            for shown in self.objects:
                if shown.tag.lower() == tag and shown.variables:
                    return shown
        return None

    def frame_rates(self, data: Mapping[str, object]) -> dict[str, float]:
        """Name of each tag that shows a video -> the frames per second that its player counts.

        Args:
            data: That of the task, since `frameRate="$fps"` takes the rate from there.
        """
        videos = (shown for shown in self.objects if shown.tag.lower() == "video")
        return {shown.name: _frames_per_second(shown.frame_rate, data) for shown in videos}

    def _known(self, from_name: str, to_name: str) -> list[frozenset[str]] | None:
        """Every spelling of the labels that may come from a control, by giver; None if any may."""
        control = self.control(from_name)
        targets = set(to_name.split(","))
        own = control is not None and control.has_vocabulary
        givers = [control] if control and own else [it for it in self.controls if targets & set(it.to_names)]
        givers = [it for it in givers if it.has_vocabulary]
        if not givers or any(it.dynamic for it in givers):
            return None
        return [it.spellings for it in givers]


def nearest_name(label: str, known: Iterable[str]) -> str | None:
    """The name most like `label`, without regard to case, which is what people get wrong first; None if none is."""
    return _nearest(label, frozenset(known))


@functools.lru_cache(maxsize=10_000)
def _nearest(label: str, known: frozenset[str]) -> str | None:
    """An export has the same wrong label many times, and each look takes milliseconds where there are many names."""
    folded = {name.casefold(): name for name in sorted(known)}
    matches = difflib.get_close_matches(label.casefold(), folded, n=1)
    return folded[matches[0]] if matches else None


def _is_control(node: Node) -> bool:
    attributes = node.attributes
    return bool(attributes.get("name") and (attributes.get("toName") or node.tag.lower() in _SELF_LABELED))


def _is_object(node: Node) -> bool:
    attributes = node.attributes
    shows = any(attributes.get(name) for name in ("value", "valueList", "valuelist", "data"))
    to_name = attributes.get("toName")
    return bool(attributes.get("name")) and shows and to_name in (None, attributes["name"])


def _frames_per_second(text: str, data: Mapping[str, object]) -> float:
    """As Label Studio 1.23.2 reads the attribute: what is no number counts as 24, below 1 it is seconds per frame."""
    given: object = text.strip()
    if text.strip().startswith("$"):
        given = data
        for key in text.strip()[1:].split("."):
            given = given.get(key) if isinstance(given, Mapping) else None
    try:
        rate = float(given) if isinstance(given, str | int | float) else 0.0
    except ValueError:
        rate = 0.0
    if not math.isfinite(rate) or rate <= 0:
        return _USUAL_FPS
    return 1 / rate if rate < 1 else rate


def _control(node: Node) -> Control:
    own_tag = node.tag.lower()
    has_vocabulary = own_tag.endswith("labels") or own_tag in ("choices", "taxonomy")
    comes_with_task = variable(node.attributes.get("value", "")) is not None or "apiUrl" in node.attributes
    return Control(
        name=node.attributes["name"],
        tag=node.tag,
        to_names=_to_names(node) or (node.attributes["name"],),
        labels=tuple(_labels(node)),
        has_vocabulary=has_vocabulary,
        dynamic=has_vocabulary and comes_with_task,
    )


def _labels(node: Node, path: tuple[str, ...] = ()) -> Iterator[Label]:
    for child in node.children:
        value = child.attributes.get("value")
        if child.tag not in ("Label", "Choice"):
            yield from _labels(child, path)  # a <View> that only arranges them
        elif value is not None or child.attributes.get("alias"):
            name = child.attributes.get("alias") or value or ""
            below = (*path, name)
            yield Label(name, value if value is not None else name, below)
            yield from _labels(child, below)


def _object(node: Node) -> ObjectTag:
    attributes = node.attributes
    return ObjectTag(
        name=attributes["name"],
        tag=node.tag,
        variables=_variables([node]),
        value_type=attributes.get("valueType")
        or attributes.get("valuetype")
        or _VALUE_TYPES.get(node.tag.lower(), "url"),
        # The editor has no regard to the case of attributes.
        frame_rate=next((value for name, value in attributes.items() if name.lower() == "framerate"), ""),
    )


def _variables(nodes: Sequence[Node]) -> tuple[str, ...]:
    found = (variable(value) for node in nodes for value in node.attributes.values())
    return tuple(dict.fromkeys(name for name in found if name))


def _to_names(node: Node) -> tuple[str, ...]:
    return tuple(name.strip() for name in node.attributes.get("toName", "").split(",") if name.strip())


def _check_names(nodes: Sequence[Node]) -> None:
    seen: dict[str, Node] = {}
    for node in nodes:
        name = node.attributes.get("name")
        if name and (other := seen.setdefault(name, node)) is not node:
            raise ConfigurationError(
                f"The label configuration uses the name {name!r} twice: {other} and {node}. Rename one of them."
            )


def _check_targets(nodes: Sequence[Node]) -> None:
    names = [node.attributes["name"] for node in nodes if node.attributes.get("name")]
    for node in nodes:
        for target in _to_names(node):
            if target in names:
                continue
            nearest = nearest_name(target, names)
            hint = f"did you mean {nearest!r}?" if nearest else f"the names are {', '.join(names)}."
            raise ConfigurationError(
                f"The label configuration has {node} with toName={target!r}, but no tag of that name: {hint}"
            )
