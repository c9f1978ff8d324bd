"""Items without a form of their own in ApertureDB: their JSON is kept with the annotation, and they say why."""

from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.value import Value


def raw_kind(reason: str, role: Role = Role.UNKNOWN_FORM) -> Kind:
    """A kind of which only what every item has is read, and its labels."""

    def read(value: Value, context: Context) -> Part:
        return Part("raw", value.labels(), reason=reason)

    return Kind(role, read)


def _read_labels(value: Value, context: Context) -> Part:
    """Labels of a region whose form another item gives. Alone, they label a range of text, sound or video."""
    return Part("raw", value.texts("labels"), reason=NOT_MAPPED_YET)


NOT_MAPPED_YET = "kind not mapped yet"
LABELS = Kind(Role.LABELS, _read_labels)
PLANNED = raw_kind(NOT_MAPPED_YET)
PLANNED_FOR_TASKS = raw_kind(NOT_MAPPED_YET, Role.ATTACHED)
UNKNOWN = raw_kind("unknown kind")
