"""Single values: ratings, numbers, dates with times."""

from collections.abc import Callable

from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.region import Region
from labeling_assets.mapping.value import Value

_BECOMES = "LS_region about the whole medium; about a part of it, a property of that part"


def _number_kind(name: str, tag: str) -> Kind:
    def read(value: Value, context: Context) -> Part:
        number = value.number(name)
        given = value.fields.get(name)
        # A float holds whole numbers up to 2**53 exactly, ApertureDB up to 2**63.
        exact = given if isinstance(given, int) and number != given and abs(given) < 2**63 else number
        return Part(name, attached=given, properties={f"LS_{name}": exact})

    return _single(name, tag, read)


def _single(name: str, tag: str, read: Callable[[Value, Context], Part]) -> Kind:
    def write(region: Region) -> dict[str, object]:
        return {name: region.properties[f"LS_{name}"]}

    return Kind(Role.ATTACHED, read, write=write, tags=(tag,), becomes=_BECOMES, properties=(f"LS_{name}",))


def _read_datetime(value: Value, context: Context) -> Part:
    """The text as it is: its format is the tag's, and may be a year alone."""
    text = value.text("datetime")
    return Part("datetime", attached=text, properties={"LS_datetime": text})


RATING = _number_kind("rating", "Rating")
NUMBER = _number_kind("number", "Number")
DATETIME = _single("datetime", "DateTime", _read_datetime)
