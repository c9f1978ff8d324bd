"""Choices, of a task or of a region."""

from labeling_assets.mapping.kind import Kind, Part, Role
from labeling_assets.mapping.picture import Picture
from labeling_assets.mapping.value import Value, is_list


def _read(value: Value, picture: Picture | None) -> Part:
    """A nested choice (`allowNested`) comes as the list of what leads to it: it becomes one text, "a/b/c"."""
    given = value.fields.get("choices")
    if not is_list(given):
        value.expected("a list of choices", "choices")
        return Part("choices")
    paths = [list(item) if is_list(item) else [item] for item in given]
    for index, path in enumerate(paths):
        if not path or not all(isinstance(name, str) for name in path):
            value.expected("a choice", f"choices[{index}]")
    return Part(
        "choices",
        choices=tuple("/".join(str(name) for name in path) for path in paths),
        attached=list(given),
    )


KIND = Kind(Role.ATTACHED, _read)
