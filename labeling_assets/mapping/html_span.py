"""Ranges in HTML: paths to text nodes with offsets in them, and offsets in the text as it is displayed."""

from collections.abc import Mapping

from labeling_assets.mapping import text_span
from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.range_ends import (
    ZERO_LENGTH,
    check_order,
    offset,
    optional_offset,
    optional_text,
    whole_number,
)
from labeling_assets.mapping.region import PropertyValue, Region
from labeling_assets.mapping.value import Value


def read(value: Value, context: Context) -> Part:
    """XPaths `start`, `end`, with `startOffset`, `endOffset` in UTF-16 units; `globalOffsets` in characters displayed.

    On a plain text Label Studio writes two numbers instead.
    """
    if is_plain(value.fields):
        return text_span.read(value, context)
    given: dict[str, PropertyValue | None] = {
        "LS_start_xpath": optional_text(value, "start"),
        "LS_end_xpath": optional_text(value, "end"),
        "LS_start_offset": optional_offset(value, "startOffset"),
        "LS_end_offset": optional_offset(value, "endOffset"),
        "LS_quote": optional_text(value, "text"),
    }
    displayed = read_global_offsets(value)
    if not displayed:
        for name in ("start", "end", "startOffset", "endOffset"):
            if value.fields.get(name) is None:
                value.expected("a place in the document", name)
    properties = {name: it for name, it in given.items() if it is not None} | displayed
    same = bool(displayed) and displayed["LS_start"] == displayed["LS_end"]
    reason = ZERO_LENGTH if same else None
    return Part("html_span", value.labels(), properties=properties, reason=reason, role=Role.FORM)


def is_plain(fields: Mapping[str, object]) -> bool:
    """Whether the range is one of a plain text: whole numbers, and nothing about nodes."""
    about_nodes = any(fields.get(name) is not None for name in ("startOffset", "endOffset", "globalOffsets"))
    return not about_nodes and whole_number(fields.get("start")) is not None


def read_global_offsets(value: Value) -> dict[str, PropertyValue]:
    """`globalOffsets` as LS_start and LS_end; older versions write none."""
    given = value.fields.get("globalOffsets")
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        value.expected("an object", "globalOffsets")
        return {}
    inner = Value(given, value.type, f"{value.path}.globalOffsets", value.problems)
    start, end = offset(inner, "start"), offset(inner, "end")
    check_order(inner, ordered=start <= end)
    return {"LS_start": start, "LS_end": end}


def write_global_offsets(region: Region) -> dict[str, object]:
    if "LS_start" not in region.properties:
        return {}
    return {"globalOffsets": {"start": region.properties["LS_start"], "end": region.properties["LS_end"]}}


def write(region: Region) -> dict[str, object]:
    if region.kind == "text_span":
        return text_span.write(region)
    names = {
        "start": "LS_start_xpath",
        "end": "LS_end_xpath",
        "startOffset": "LS_start_offset",
        "endOffset": "LS_end_offset",
    }
    value = {name: region.properties[own] for name, own in names.items() if own in region.properties}
    return {**value, **write_global_offsets(region), **text_span.quoted(region)}


KIND = Kind(
    Role.FORM,
    read,
    write=write,
    tags=("HyperTextLabels",),
    becomes="LS_region",
    properties=(
        "LS_start",
        "LS_end",
        "LS_quote",
        "LS_start_xpath",
        "LS_end_xpath",
        "LS_start_offset",
        "LS_end_offset",
    ),
    on_picture=False,
)
