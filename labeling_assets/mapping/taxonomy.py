"""Nodes of a taxonomy, of a task or of a region: each is the path that leads to it."""

import json
from collections.abc import Sequence
from dataclasses import replace

from labeling_assets.mapping import labels
from labeling_assets.mapping.json_text import json_text, storable
from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.region import Region
from labeling_assets.mapping.value import Value, is_list

Path = tuple[str, ...]


def read_paths(value: Value, name: str, *, of: str) -> tuple[Path, ...]:
    """A list of paths, each a list of names from the root, or one name alone; `of` is what a problem calls a path."""
    given = value.fields.get(name)
    if not is_list(given):
        value.expected(f"a list of {of}s", name)
        return ()
    return tuple(_path(value, item, f"{name}[{index}]", of) for index, item in enumerate(given))


def _path(value: Value, given: object, name: str, of: str) -> Path:
    names = given if is_list(given) else [given]
    if not names or not all(isinstance(it, str) for it in names):
        value.expected(f"a {of}", name)
    return tuple(storable(str(it)) for it in names if isinstance(it, str))


def joined_paths(paths: Sequence[Path]) -> tuple[str, ...]:
    """ "a/b/c" for each path. A name may hold a "/" itself: what is exact is LS_paths."""
    return tuple("/".join(path) for path in paths)


def above(paths: Sequence[Path]) -> tuple[str, ...]:
    """The paths above these, each once, from the root down: "a" and "a/b" of "a/b/c"."""
    return tuple(dict.fromkeys("/".join(path[:end]) for path in paths for end in range(1, len(path))))


def _read(value: Value, context: Context) -> Part:
    """With `labeling="true"` the taxonomy marks a range or a box itself, as labels do."""
    paths = read_paths(value, "taxonomy", of="path")
    given = value.fields.get("taxonomy")
    if value.problems:
        return Part("taxonomy")
    place = _place(value, context)
    return replace(
        place,
        properties={**place.properties, "LS_paths": json_text(given)},
        choices=joined_paths(paths),
        ancestors=above(paths),
        attached=given,
    )


def _place(value: Value, context: Context) -> Part:
    if value.says_where():
        alone = Value({**value.fields, "labels": []}, "labels", value.path)
        part = labels.KIND.read(alone, context)
        if part.kind != "raw" and not alone.problems:
            return replace(part, role=None)
    return Part("taxonomy")


def _write(region: Region) -> dict[str, object]:
    place = labels.KIND.write(region) or {}
    return {**place, "taxonomy": json.loads(str(region.properties["LS_paths"]))}


KIND = Kind(
    Role.ATTACHED,
    _read,
    write=_write,
    tags=("Taxonomy",),
    becomes="LS_region about the whole medium, found by each path and by every path above it; about a part of it, "
    "properties of that part; with `labeling` what the range or box is that it marks",
    properties=("LS_paths",),
)
