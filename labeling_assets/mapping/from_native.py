"""Boxes and polygons that somebody put into ApertureDB, as items of a Label Studio result."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labeling_assets.mapping.label_config import Control, Label, LabelConfig, nearest_name
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.picture import Picture, placement
from labeling_assets.mapping.region import PixelBox, PixelPolygon
from labeling_assets.mapping.value import Point, finite_number, is_list

_EXACT_BOX = ("LS_x", "LS_y", "LS_width", "LS_height")


@dataclass(frozen=True, slots=True)
class NativeRegion:
    """A box or polygon in pixels of the stored bytes, its native label, and what else is known of it.

    `region_id` names it in Label Studio. `properties` may hold exact percents (`LS_x`, ... or `LS_points`), which are
    then taken instead of the pixels, and `LS_score`, 0 to 1.
    """

    form: PixelBox | PixelPolygon
    label: str | None
    region_id: str
    properties: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Place:
    """Who draws the form, who gives its label (the same control, mostly), and on which object."""

    draws: Control
    names: Control | None
    to_name: str
    label: str | None


def items_of(region: NativeRegion, config: LabelConfig, medium: Medium) -> list[dict[str, Any]] | str:
    """The items of the region (two where a form and its label have controls of their own), or why there are none.

    The control is the one of the form's kind that has the label and is for a picture. The label may be spelled as
    Label Studio writes it or by its value; case counts.
    """
    picture = placement({}, medium)
    if picture.picture is None:
        return picture.reason or "the size of the picture is not known"
    place = _place(region, config)
    if isinstance(place, str):
        return place
    value = _value(region, picture.picture)
    items = [_item(region, place.draws, place, value, picture.picture)]
    if place.names is not None and place.names is not place.draws:
        items.append(_item(region, place.names, place, value, picture.picture))
    return items


def _item(
    region: NativeRegion, control: Control, place: _Place, value: Mapping[str, object], picture: Picture
) -> dict[str, Any]:
    kind = control.tag.lower()
    labels = {kind: [place.label]} if place.label is not None and kind.endswith("labels") else {}
    item: dict[str, Any] = {
        "id": region.region_id,
        "type": kind,
        "from_name": control.name,
        "to_name": place.to_name,
        "original_width": round(picture.width),
        "original_height": round(picture.height),
        "image_rotation": 0,
        "origin": "prediction",
        "value": {**value, **labels},
    }
    score = finite_number(region.properties.get("LS_score"))
    return item if score is None else {**item, "score": score}


def _place(region: NativeRegion, config: LabelConfig) -> _Place | str:
    tag = "rectangle" if isinstance(region.form, PixelBox) else "polygon"
    pictures = {shown.name for shown in config.objects if shown.tag.lower() == "image"}
    if not pictures:
        return "the label configuration shows no picture"
    if not region.label:
        return _one([*_bare(config, tag, pictures)], f"it has no label, and no <{tag.capitalize()}> takes one without")
    offers = [*_labelled(config, tag, pictures)]
    fitting = [offer for place in offers if (offer := _named(place, region.label)) is not None]
    return _one(fitting, _unknown(region.label, offers, config))


def _one(places: Sequence[_Place], otherwise: str) -> _Place | str:
    if not places:
        return otherwise
    if len(places) > 1:
        names = ", ".join(repr((place.names or place.draws).name) for place in places)
        label = f"the label {places[0].label!r}" if places[0].label is not None else "a form without a label"
        return f"{label} is ambiguous: {names} all take it"
    return places[0]


def _bare(config: LabelConfig, tag: str, pictures: set[str]) -> Iterator[_Place]:
    for control in config.controls:
        if control.tag.lower() == tag:
            yield from (_Place(control, None, name, None) for name in control.to_names if name in pictures)


def _labelled(config: LabelConfig, tag: str, pictures: set[str]) -> Iterator[_Place]:
    """Controls that draw and name, and pairs of one that draws and `<Labels>` for the same picture."""
    for control in config.controls:
        targets = [name for name in control.to_names if name in pictures]
        if control.tag.lower() == f"{tag}labels":
            yield from (_Place(control, control, name, None) for name in targets)
        elif control.tag.lower() == "labels":
            for drawing in _bare(config, tag, set(targets)):
                yield _Place(drawing.draws, control, drawing.to_name, None)


def _named(place: _Place, label: str) -> _Place | None:
    assert place.names is not None
    found = [known for known in place.names.labels if _spelled(known, label)]
    if not found and not place.names.dynamic:
        return None
    return _Place(place.draws, place.names, place.to_name, found[0].name if found else label)


def _spelled(known: Label, label: str) -> bool:
    return label in (known.name, known.value)


def _unknown(label: str, offers: Sequence[_Place], config: LabelConfig) -> str:
    others = [
        f"<{control.tag}> {control.name!r}"
        for control in config.controls
        if any(_spelled(known, label) for known in control.labels)
    ]
    if others:
        return f"the label {label!r} belongs to {', '.join(others)}, which cannot draw it"
    if not offers:
        return "no control of the label configuration draws this form on a picture"
    known = {spelling.name for place in offers if place.names for spelling in place.names.labels}
    nearest = nearest_name(label, known)
    return f"no control has the label {label!r}" + (f"; did you mean {nearest!r}?" if nearest else "")


def _value(region: NativeRegion, picture: Picture) -> dict[str, Any]:
    if isinstance(region.form, PixelPolygon):
        points = _exact_points(region.properties) or _percents(region.form.points, picture)
        return {"points": [list(point) for point in points], "closed": True}
    return _exact_box(region.properties) or _box(region.form, picture)


def _box(form: PixelBox, picture: Picture) -> dict[str, Any]:
    corners = _percents(((form.x, form.y), (form.x + form.width, form.y + form.height)), picture)
    left, right = sorted(x for x, _ in corners)
    top, bottom = sorted(y for _, y in corners)
    return {"x": left, "y": top, "width": right - left, "height": bottom - top, "rotation": 0}


def _percents(pixels: Sequence[Point], picture: Picture) -> tuple[Point, ...]:
    shown = picture.to_shown(pixels)
    return tuple((100 * x / picture.width, 100 * y / picture.height) for x, y in shown)


def _exact_box(properties: Mapping[str, object]) -> dict[str, Any] | None:
    numbers = [finite_number(properties.get(name)) for name in _EXACT_BOX]
    if any(number is None for number in numbers):
        return None
    rotation = finite_number(properties.get("LS_rotation")) or 0
    return dict(zip(("x", "y", "width", "height"), numbers, strict=True)) | {"rotation": rotation}


def _exact_points(properties: Mapping[str, object]) -> tuple[Point, ...] | None:
    text = properties.get("LS_points")
    try:
        points = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    pairs = [_pair(point) for point in points] if is_list(points) else []
    found = tuple(pair for pair in pairs if pair is not None)
    return found if len(found) == len(pairs) >= 3 else None


def _pair(given: object) -> Point | None:
    x, y = given if is_list(given) and len(given) == 2 else (None, None)
    point = finite_number(x), finite_number(y)
    return None if point[0] is None or point[1] is None else (point[0], point[1])
