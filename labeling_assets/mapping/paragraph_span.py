"""Ranges in paragraphs, such as those of a dialogue: numbers of paragraphs, and offsets in them."""

from labeling_assets.mapping.html_span import read_global_offsets, write_global_offsets
from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.range_ends import ZERO_LENGTH, check_order, offset, optional_text
from labeling_assets.mapping.region import PropertyValue, Region
from labeling_assets.mapping.text_span import quoted
from labeling_assets.mapping.value import Value


def read(value: Value, context: Context) -> Part:
    """`start` and `end` are paragraphs from 0, as digits; `startOffset`, `endOffset` UTF-16 units within them."""
    start = offset(value, "start"), offset(value, "startOffset")
    end = offset(value, "end"), offset(value, "endOffset")
    check_order(value, ordered=start <= end)
    properties: dict[str, PropertyValue] = {
        "LS_start_paragraph": start[0],
        "LS_end_paragraph": end[0],
        "LS_start_offset": start[1],
        "LS_end_offset": end[1],
        **read_global_offsets(value),
    }
    quote = optional_text(value, "text")
    if quote is not None:
        properties["LS_quote"] = quote
    reason = ZERO_LENGTH if start == end else None
    return Part("paragraph_span", value.labels(), properties=properties, reason=reason, role=Role.FORM)


def write(region: Region) -> dict[str, object]:
    """The numbers of paragraphs as digits: Label Studio's editor takes no others."""
    it = region.properties
    value: dict[str, object] = {
        "start": str(it["LS_start_paragraph"]),
        "end": str(it["LS_end_paragraph"]),
        "startOffset": it["LS_start_offset"],
        "endOffset": it["LS_end_offset"],
    }
    return {**value, **write_global_offsets(region), **quoted(region)}


KIND = Kind(
    Role.FORM,
    read,
    write=write,
    tags=("ParagraphLabels",),
    becomes="LS_region",
    properties=("LS_start_paragraph", "LS_end_paragraph", "LS_start_offset", "LS_end_offset", "LS_quote"),
    on_picture=False,
)
