"""Choices, of a task or of a region."""

import json

from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.region import PropertyValue, Region
from labeling_assets.mapping.value import Value, is_list


def _read(value: Value, context: Context) -> Part:
    """A nested choice (`allowNested`) comes as the list of what leads to it: it becomes one text, "a/b/c"."""
    given = value.fields.get("choices")
    if not is_list(given):
        value.expected("a list of choices", "choices")
        return Part("choices")
    paths = [list(item) if is_list(item) else [item] for item in given]
    for index, path in enumerate(paths):
        if not path or not all(isinstance(name, str) for name in path):
            value.expected("a choice", f"choices[{index}]")
    nested = any(is_list(item) for item in given)
    properties: dict[str, PropertyValue] = {"LS_paths": json.dumps(given, ensure_ascii=False)} if nested else {}
    return Part(
        "choices",
        properties=properties,
        choices=tuple("/".join(str(name) for name in path) for path in paths),
        attached=list(given),
    )


def _write(region: Region) -> dict[str, object]:
    paths = region.properties.get("LS_paths")
    return {"choices": json.loads(paths) if isinstance(paths, str) else list(region.labels)}


KIND = Kind(
    Role.ATTACHED,
    _read,
    write=_write,
    tags=("Choices",),
    becomes="LS_region about the whole medium; about a part of it, properties of that part",
    properties=("LS_choice", "LS_paths"),
)
