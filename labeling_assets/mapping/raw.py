"""Items without a form of their own in ApertureDB: their JSON is kept with the annotation, and they say why."""

from labeling_assets.mapping.json_text import storable
from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.value import Value, is_list


def raw_kind(reason: str, role: Role = Role.UNKNOWN_FORM) -> Kind:
    """A kind of which only what every item has is read, and its labels."""

    def read(value: Value, context: Context) -> Part:
        labels = value.labels() or next((found for name in value.fields if (found := _labels(value, name))), ())
        return Part("raw", labels, reason=reason)

    return Kind(role, read)


def _labels(value: Value, name: str) -> tuple[str, ...]:
    """Labels that stand under the name of another type; what is no label is no problem of a kind that is unknown."""
    given = value.fields[name] if name.endswith("labels") else None
    return tuple(storable(label) for label in given if isinstance(label, str)) if is_list(given) else ()


UNKNOWN = raw_kind("unknown kind")
