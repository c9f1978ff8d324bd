"""Choices, of a task or of a region."""

import json

from labeling_assets.mapping.json_text import json_text
from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.region import PropertyValue, Region
from labeling_assets.mapping.taxonomy import above, joined_paths, read_paths
from labeling_assets.mapping.value import Value, is_list


def _read(value: Value, context: Context) -> Part:
    """A nested choice (`allowNested`) comes as the list of what leads to it: it becomes one text, "a/b/c"."""
    given = value.fields.get("choices")
    paths = read_paths(value, "choices", of="choice")
    if value.problems:
        return Part("choices")
    names = joined_paths(paths)
    # What the names alone do not say.
    exact = is_list(given) and (any(is_list(item) for item in given) or len(set(names)) < len(names))
    properties: dict[str, PropertyValue] = {"LS_paths": json_text(given)} if exact else {}
    return Part("choices", properties=properties, choices=names, ancestors=above(paths), attached=given)


def _write(region: Region) -> dict[str, object]:
    paths = region.properties.get("LS_paths")
    return {"choices": json.loads(paths) if isinstance(paths, str) else list(region.labels)}


KIND = Kind(
    Role.ATTACHED,
    _read,
    write=_write,
    tags=("Choices",),
    becomes="LS_region about the whole medium, found by each choice; about a part of it, properties of that part",
    properties=("LS_choice", "LS_paths"),
)
