"""Tables as the tags of Label Studio take them: rows for Table, columns for TimeSeries, from CSV or JSON."""

import csv
import io
import math
import re
from typing import Any, Final

from labeling_assets.errors import InputError
from labeling_assets.sync.facts.document_facts import parsed_json

_SEPARATORS: Final = ",;\t|"
_NUMBER: Final = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*\Z", re.ASCII)
_LONGEST_WHOLE: Final = 15  # digits that a number of JavaScript holds exactly


def json_items(data: bytes) -> list[Any]:
    """A list in JSON, as Paragraphs, List and Chat take it.

    Raises:
        InputError: no JSON, or not a list.
    """
    value = _json(data)
    if not isinstance(value, list):
        raise InputError(f"its JSON is {_kind(value)}, but the tag takes a list: put the items into [ ].")
    return value


def table_rows(data: bytes, media_type: str) -> Any:
    """Rows of a CSV by the names of its columns, every cell as text; or a list or an object in JSON, as it is.

    Raises:
        InputError: it is neither, or a row has more or fewer cells than there are columns.
    """
    if media_type == "json":
        value = _json(data)
        if not isinstance(value, list | dict):
            raise InputError(f"its JSON is {_kind(value)}, but the tag takes a list or an object.")
        return value
    header, *rows = _csv(data)
    names = _distinct(header)
    return [dict(zip(names, row, strict=True)) for row in rows]


def series_columns(data: bytes, media_type: str) -> dict[str, list[Any]]:
    """Columns of a time series: name in lower case (as Label Studio looks for it) -> values, numbers where they are.

    As Label Studio does, a CSV whose first two rows are of the same types has no header, and its columns are named
    0, 1, ... An empty cell is None.

    Raises:
        InputError: it is neither CSV nor an object of lists, or its columns differ in length.
    """
    if media_type == "json":
        return _json_columns(data)
    rows = _csv(data)
    first, second = rows[0], rows[1] if len(rows) > 1 else ()
    headless = bool(second) and all(_is_number(a) == _is_number(b) for a, b in zip(first, second, strict=True))
    names = [str(number) for number in range(len(first))] if headless else _distinct([cell.lower() for cell in first])
    values = rows if headless else rows[1:]
    return {name: [_value(row[number]) for row in values] for number, name in enumerate(names)}


def _json_columns(data: bytes) -> dict[str, list[Any]]:
    value = _json(data)
    if not isinstance(value, dict) or not all(isinstance(column, list) for column in value.values()):
        raise InputError(
            'its JSON is no time series: write {"time": [0, 1], "sensor": [5, 6]}, a list for each column.'
        )
    if len({len(column) for column in value.values()}) > 1:
        raise InputError("the columns of its time series differ in length: make them equal.")
    names = _distinct([name.lower() for name in value])
    return dict(zip(names, value.values(), strict=True))


def _json(data: bytes) -> Any:
    try:
        return parsed_json(data)
    except ValueError as error:
        raise InputError(f"it is not JSON ({error}): replace the file.") from error


def _kind(value: object) -> str:
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else "a single value"


def _csv(data: bytes) -> list[list[str]]:
    """Every row, at least one, all of the same length; empty lines are left out."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"the text is not UTF-8 (byte {error.start}): save it as UTF-8.") from error
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    rows: list[list[str]] = []
    try:
        for row in lines:
            if not any(cell.strip() for cell in row):
                continue
            if rows and len(row) != len(rows[0]):
                raise InputError(
                    f"line {lines.line_num} of the CSV has {len(row)} cells, the first has {len(rows[0])}."
                )
            rows.append([cell.strip() for cell in row])
    except csv.Error as error:
        raise InputError(f"line {lines.line_num} is not CSV ({error}): correct the file.") from error
    if not rows:
        raise InputError("the CSV has no rows: replace the file or remove the row.")
    return rows


def _separator(text: str) -> str:
    """The one that the first line has most of; commas, if it has none."""
    line = re.sub(r'"[^"]*"', "", text.lstrip().partition("\n")[0])
    return max(_SEPARATORS, key=line.count)


def _distinct(header: list[str]) -> list[str]:
    twice = next((name for number, name in enumerate(header) if name in header[:number]), None)
    if twice is not None:
        raise InputError(f"it has two columns {twice!r}: rename one of them.")
    return header


def _is_number(cell: str) -> bool:
    return _NUMBER.match(cell) is not None


def _value(cell: str) -> str | float | None:
    if not _is_number(cell):
        return cell or None
    if cell.lstrip("+-").isdecimal() and len(cell) <= _LONGEST_WHOLE:
        return int(cell)
    return number if math.isfinite(number := float(cell)) else cell
