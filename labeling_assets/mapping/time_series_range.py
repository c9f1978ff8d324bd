"""Ranges of a time series: values of its time column, as numbers or as dates in the column's own format."""

from labeling_assets.mapping.json_text import storable
from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.range_ends import ZERO_LENGTH, check_order, exact_number
from labeling_assets.mapping.region import PropertyValue, Region
from labeling_assets.mapping.value import Value

_INSTANT = "instant"


def read(value: Value, context: Context) -> Part:
    """`start`, `end` are both included; `instant` marks a moment, drawn as a line."""
    properties = {**_end(value, "start"), **_end(value, "end")}
    start, end = properties.get("LS_start"), properties.get("LS_end")
    if isinstance(start, int | float) and isinstance(end, int | float):
        check_order(value, ordered=start <= end)
    if value.fields.get(_INSTANT) is not None:
        properties["LS_instant"] = value.flag(_INSTANT, default=False)
    same = value.fields.get("start") == value.fields.get("end")
    reason = ZERO_LENGTH if same and not properties.get("LS_instant") else None
    return Part("time_series_range", value.labels(), properties=properties, reason=reason, role=Role.FORM)


def _end(value: Value, name: str) -> dict[str, PropertyValue]:
    """A date stays the text it is: its format is the tag's."""
    given = value.fields.get(name)
    if isinstance(given, str) and given:
        return {f"LS_{name}_text": storable(given)}
    number = exact_number(given)
    if number is None:
        value.expected("a number or a date", name)
        return {}
    return {f"LS_{name}": number}


def write(region: Region) -> dict[str, object]:
    names = {
        "start": ("LS_start", "LS_start_text"),
        "end": ("LS_end", "LS_end_text"),
        _INSTANT: ("LS_instant",),
    }
    return {name: region.properties[own] for name, owns in names.items() for own in owns if own in region.properties}


KIND = Kind(
    Role.FORM,
    read,
    write=write,
    tags=("TimeSeriesLabels",),
    becomes="LS_region; numbers as LS_start and LS_end, dates as LS_start_text and LS_end_text",
    properties=("LS_start", "LS_end", "LS_start_text", "LS_end_text", "LS_instant"),
    on_picture=False,
)
