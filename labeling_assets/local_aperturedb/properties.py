"""Property values: their types, and the form in which they are stored and returned.

Stored is the JSON that a client sees, so an answer needs no conversion. A date is `{"_date": text}` in both; the text
sorts like the date (dates.py), and so does the JSON around it.
"""

import json
from typing import Any, Final

from labeling_assets.local_aperturedb import messages
from labeling_assets.local_aperturedb.arguments import expected, finite, shown, text, user_name
from labeling_assets.local_aperturedb.dates import Date, parse_date
from labeling_assets.local_aperturedb.errors import QueryError

BOOLEAN: Final = "Boolean"
NUMBER: Final = "Number"
STRING: Final = "String"
DATETIME: Final = "Datetime"

Properties = dict[str, Any]

# json_type() of SQLite for each type.
JSON_TYPES: Final = {
    BOOLEAN: ("true", "false"),
    NUMBER: ("integer", "real"),
    STRING: ("text",),
    DATETIME: ("object",),
}
_LARGEST_INTEGER: Final = 2**63 - 1


# Made once: `json.dumps` with options makes one for every call.
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False)


def compact(value: Any) -> str:
    """The one spelling of JSON that is stored; SQLite extracts a date from it in the same spelling."""
    return _ENCODER.encode(value)


def properties(value: Any) -> Properties:
    """Check for the parameter `properties`: names and values, in stored form."""
    if not isinstance(value, dict):
        raise expected("an object", value)
    return {user_name(name): _stored(name, item) for name, item in value.items()}


_TYPES: Final[dict[type, str]] = {bool: BOOLEAN, int: NUMBER, float: NUMBER, str: STRING}


def type_of(stored: Any) -> str:
    """The type of a stored value, or of a literal in a constraint."""
    return _TYPES.get(type(stored), DATETIME)


def date_json(date: Date) -> dict[str, str]:
    return {"_date": date.text}


def number(value: float) -> float:
    """The same number as SQLite can hold it: integers beyond 64 bits become floats."""
    if isinstance(value, int) and -_LARGEST_INTEGER - 1 <= value <= _LARGEST_INTEGER:
        return value
    return float(finite(value))


def _stored(name: str, value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text(value)
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, dict) and list(value) == ["_date"]:
        return date_json(parse_date(value["_date"]))
    raise QueryError(messages.PROPERTY_VALUE.format(name=name, got=shown(value)))
