"""Single values: ratings, numbers, dates with times."""

from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.value import Value


def _number_kind(name: str) -> Kind:
    def read(value: Value, context: Context) -> Part:
        number = value.number(name)
        return Part(name, attached=value.fields.get(name), properties={f"LS_{name}": number})

    return Kind(Role.ATTACHED, read)


def _read_datetime(value: Value, context: Context) -> Part:
    """The text as it is: its format is the tag's, and may be a year alone."""
    text = value.text("datetime")
    return Part("datetime", attached=text, properties={"LS_datetime": text})


RATING = _number_kind("rating")
NUMBER = _number_kind("number")
DATETIME = Kind(Role.ATTACHED, _read_datetime)
