"""One item of an annotation's `result`: what all items have, and what its kind reads from its value."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from labeling_assets.mapping.kind import Context, Part, Role
from labeling_assets.mapping.kinds import kind_of
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
    kind = kind_of(result_type)
    role = kind.role
    place = placement(given, medium) if role is Role.FORM and kind.on_picture else Placement(None)
    value, part = _read_value(given.get("value"), f"{path}.value", Context(place.picture, medium, given), result_type)
    part, role = _judged(part, part.role or role, value, place)
    return Item(
        position=position,
        path=path,
        region_id=envelope.identifier("id"),
        from_name=envelope.text("from_name"),
        to_name=envelope.text("to_name"),
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


def _read_value(fields: object, path: str, context: Context, result_type: str) -> tuple[Value, Part]:
    if isinstance(fields, Mapping):
        value = Value(fields, result_type, path)
        return value, kind_of(result_type).read(value, context)
    return Value({}, result_type, path, [f"expected an object @ {path}"]), Part("raw")


def _judged(part: Part, role: Role, value: Value, place: Placement) -> tuple[Part, Role]:
    """Raw if something is wrong with the value; else with what is known of the picture."""
    if value.problems:
        return Part("raw", part.labels, reason="; ".join(value.problems)), min(role, Role.UNKNOWN_FORM)
    if role is not Role.FORM:
        return part, role
    shown = shown_properties(place.picture) if place.picture else {}
    return replace(part, properties={**part.properties, **shown}, reason=part.reason or place.reason), role
