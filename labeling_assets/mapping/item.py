"""One item of an annotation's `result`: what all items have, and what its kind reads from its value."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from labeling_assets.mapping.kind import Context, Part, Role
from labeling_assets.mapping.kinds import kind_of_value
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.picture import Placement, placement, shown_properties
from labeling_assets.mapping.value import Value


@dataclass(frozen=True, slots=True)
class Item:
    """`region_id` is None if the item has none. `is_about_part`: its value says which part of the medium it is about.

    `picture_problem` is what is odd about the picture the percents refer to: the same for most items of a picture.
    """

    position: int
    path: str
    region_id: str | None
    from_name: str
    to_name: str
    type: str
    role: Role
    part: Part
    is_about_part: bool = False
    score: float | None = None
    origin: str | None = None
    parent_id: str | None = None
    item_index: int | None = None
    problems: tuple[str, ...] = ()
    picture_problem: str | None = None


def read_item(given: object, medium: Medium, *, position: int, path: str) -> Item:
    """The item at `position`, counted from 0; `path` is its place. Never raises."""
    if not isinstance(given, Mapping):
        problem = f"expected an object @ {path}"
        part = Part("raw", reason=problem)
        return Item(position, path, None, "", "", "", Role.UNKNOWN_FORM, part, problems=(problem,))
    envelope = Value(given, "", path)
    result_type = envelope.text("type")
    value = _value(given, result_type, f"{path}.value")
    kind = kind_of_value(result_type, value.fields)
    region_id, from_name, to_name = envelope.identifier("id"), envelope.text("from_name"), envelope.text("to_name")
    shown = medium.shown_by(to_name)
    own = shown or Medium(medium.media_type)
    on_picture = shown is not None and kind.role is Role.FORM and kind.on_picture
    place = placement(given, own) if on_picture else Placement(None)
    part = Part("raw") if value.problems else kind.read(value, Context(place.picture, own, given))
    part, role = _judged(part, part.role or kind.role, value, place)
    if shown is None:
        part = _of_another(part, to_name)
    return Item(
        position=position,
        path=path,
        region_id=region_id,
        from_name=from_name,
        to_name=to_name,
        type=result_type,
        role=role,
        part=part,
        is_about_part=value.says_where(),
        score=envelope.optional_number("score"),
        origin=envelope.optional_text("origin"),
        parent_id=envelope.identifier("parentID") or envelope.identifier("parent_id"),
        item_index=envelope.optional_count("item_index"),
        problems=(*envelope.problems, *value.problems),
        picture_problem=place.problem,
    )


def _value(given: Mapping[str, object], result_type: str, path: str) -> Value:
    fields = given.get("value")
    if isinstance(fields, Mapping):
        return Value(fields, result_type, path)
    return Value({}, result_type, path, [f"expected an object @ {path}"])


def _of_another(part: Part, to_name: str) -> Part:
    """Without what would be a place in this medium: the part is about another object of the task."""
    places = part.native, part.derived_box, part.derived_polygon, part.spans
    if not any(places) and (part.kind == "raw" or not part.properties or part.attached is not None):
        return part
    reason = f"about another object, {to_name!r}"
    return replace(part, native=None, derived_box=None, derived_polygon=(), spans=(), reason=reason)


def _judged(part: Part, role: Role, value: Value, place: Placement) -> tuple[Part, Role]:
    """Raw if something is wrong with the value; else with what is known of the picture."""
    if value.problems:
        return Part("raw", part.labels, reason="; ".join(value.problems)), min(role, Role.UNKNOWN_FORM)
    if role is not Role.FORM:
        return part, role
    shown = shown_properties(place.picture) if place.picture else {}
    return replace(part, properties={**part.properties, **shown}, reason=part.reason or place.reason), role
