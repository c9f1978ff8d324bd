"""Items without a form of their own in ApertureDB: their JSON is kept with the annotation, and they say why."""

from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.value import Value


def raw_kind(reason: str, role: Role = Role.UNKNOWN_FORM) -> Kind:
    """A kind of which only what every item has is read, and its labels."""

    def read(value: Value, context: Context) -> Part:
        return Part("raw", value.labels(), reason=reason)

    return Kind(role, read)


UNKNOWN = raw_kind("unknown kind")
