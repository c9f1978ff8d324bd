"""Which of two media an annotator preferred."""

from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.region import Region
from labeling_assets.mapping.value import Value


def _read(value: Value, context: Context) -> Part:
    """`to_name` is "a,b", or the tag's own name: what is left and right is in the label configuration."""
    selected = value.text("selected")
    return Part("pairwise", attached=selected, properties={"LS_selected": selected})


def _write(region: Region) -> dict[str, object]:
    return {"selected": region.properties["LS_selected"]}


KIND = Kind(
    Role.ATTACHED,
    _read,
    write=_write,
    tags=("Pairwise",),
    becomes="LS_region about the task",
    properties=("LS_selected",),
)
