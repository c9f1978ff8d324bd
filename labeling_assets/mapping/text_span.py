"""Ranges of characters in a text.

Label Studio counts code points today, and counted UTF-16 units before: then a character such as an emoji is two. Both
are in use, as old annotations keep their numbers, so the quoted text decides, if the text itself is at hand.
"""

import bisect
import functools
import re
from collections.abc import Iterator, Mapping
from typing import Final

from labeling_assets.mapping.json_text import storable
from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.range_ends import ZERO_LENGTH, check_order, offset, optional_text
from labeling_assets.mapping.region import PropertyValue, Region
from labeling_assets.mapping.value import Value

CODE_POINTS: Final = "codepoint"
UTF_16: Final = "utf16"
# Characters that are two units in UTF-16.
_PAIRS: Final = re.compile("[\U00010000-\U0010ffff]")


def read(value: Value, context: Context) -> Part:
    """`start` and `end` count characters from 0, `end` is not in it; both are numbers or digits."""
    start, end = offset(value, "start"), offset(value, "end")
    check_order(value, ordered=start <= end)
    quote = optional_text(value, "text")
    properties: dict[str, PropertyValue] = {"LS_start": start, "LS_end": end}
    if quote is not None:
        properties["LS_quote"] = quote
    reason = ZERO_LENGTH if start == end else None
    medium = context.medium
    if medium.text is not None and not value.problems:
        found, doubt = _located(medium.text, start, end, quote)
        properties |= found
        reason = doubt or reason
    return Part("text_span", value.labels(), properties=properties, reason=reason, role=Role.FORM)


def write(region: Region) -> dict[str, object]:
    value: dict[str, object] = {"start": region.properties["LS_start"], "end": region.properties["LS_end"]}
    return {**value, **quoted(region)}


def quoted(region: Region) -> dict[str, object]:
    """The marked text as Label Studio wrote it, if it did."""
    return {"text": region.properties["LS_quote"]} if "LS_quote" in region.properties else {}


def _located(text: str, start: int, end: int, quote: str | None) -> tuple[Mapping[str, PropertyValue], str | None]:
    """Where the range is in code points, and what is wrong or doubtful about it."""
    readings = dict(_readings(text, start, end))
    unit = _unit(text, readings, quote)
    if unit is None:
        return {}, _why_not(text, (start, end), quote)
    first, stop = readings[unit]
    found: dict[str, PropertyValue] = {"LS_start_codepoint": first, "LS_end_codepoint": stop}
    if _utf16_offset(text, stop) != stop:
        found["LS_offset_unit"] = unit
    if quote is None and len(readings) > 1:
        return found, "no quoted text says whether an emoji counts as one or as two: counted as one"
    return found, None


def _readings(text: str, start: int, end: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """What the numbers may mean, today's meaning first; the older one only if it is another."""
    if end <= len(text):
        yield CODE_POINTS, (start, end)
    first, stop = code_point_offset(text, start), code_point_offset(text, end)
    if first is not None and stop is not None and (first, stop) != (start, end):
        yield UTF_16, (first, stop)


def _unit(text: str, readings: Mapping[str, tuple[int, int]], quote: str | None) -> str | None:
    """The reading under which the text is the quoted one; a browser may have changed the space in it."""
    if quote is None:
        return next(iter(readings), None)
    for unit, (first, stop) in readings.items():
        if storable(text[first:stop]) == quote:
            return unit
    bare = _without_space(quote)
    for unit, (first, stop) in readings.items():
        if _without_space(storable(text[first:stop])) == bare:
            return unit
    return None


def _without_space(text: str) -> str:
    r"""Label Studio quotes the end of a line as the two characters \n."""
    return "".join(text.replace("\\n", " ").split())


def _why_not(text: str, units: tuple[int, int], quote: str | None) -> str:
    end = _utf16_offset(text, len(text))
    cut = units[1] <= end and any(code_point_offset(text, unit) is None for unit in units)
    if cut and quote in (None, _utf16_slice(text, *units)):
        return "the range cuts a character of two UTF-16 units in half"
    if quote is None:
        return f"the range ends beyond the text of {len(text)} characters"
    return "the text has changed: the quoted text is not where the range is"


def _utf16_slice(text: str, start: int, end: int) -> str:
    encoded = text.encode("utf-16-le", "surrogatepass")[2 * start : 2 * end]
    return storable(encoded.decode("utf-16-le", "surrogatepass"))


def code_point_offset(text: str, unit: int) -> int | None:
    """The offset in code points of one in UTF-16 units; None within a character, and beyond the end of the text."""
    pairs = _units_of_pairs(text)
    before = bisect.bisect_left(pairs, unit)
    within = before > 0 and pairs[before - 1] == unit - 1
    return None if within or unit - before > len(text) else unit - before


def _utf16_offset(text: str, code_point: int) -> int:
    """The inverse of `code_point_offset`."""
    pairs = _units_of_pairs(text)
    # The k-th pair stands at code point pairs[k] - k, which grows with k.
    return code_point + bisect.bisect_left(range(len(pairs)), code_point, key=lambda index: pairs[index] - index)


@functools.lru_cache(maxsize=4)
def _units_of_pairs(text: str) -> tuple[int, ...]:
    """Where each character of two units begins, in UTF-16 units: made once for all ranges of a text."""
    if text.isascii():
        return ()
    return tuple(found.start() + index for index, found in enumerate(_PAIRS.finditer(text)))


KIND = Kind(
    Role.FORM,
    read,
    write=write,
    tags=("Labels on Text",),
    becomes="LS_region; where the text is at hand also with code points, and checked against the quoted text",
    properties=("LS_start", "LS_end", "LS_quote", "LS_start_codepoint", "LS_end_codepoint", "LS_offset_unit"),
    on_picture=False,
)
