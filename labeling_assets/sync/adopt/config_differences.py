"""What keeps a project in Label Studio from being that of a folder: labels and tags that the folder does not have."""

from labeling_assets.mapping.label_config import Control, LabelConfig


def config_differences(folder: LabelConfig, there: LabelConfig) -> list[str]:
    """What `folder` lacks of the configuration `there`, or needs beyond it, a line each; more labels do no harm."""
    objects = {shown.name: shown.tag for shown in folder.objects}
    lines: list[str] = []
    for shown in there.objects:
        lines += _of_tag("object", shown.name, shown.tag, objects.get(shown.name))
    for control in there.controls:
        lines += _of_control(folder, there, control)
    added = sorted(set(folder.variables) - set(there.variables))
    if added:
        lines.append(f"it needs ${', $'.join(added)}, which the tasks need not have: use the names of the project")
    return lines


def _of_control(folder: LabelConfig, there: LabelConfig, control: Control) -> list[str]:
    own = next((it for it in folder.controls if it.name == control.name), None)
    lines = _of_tag("control", control.name, control.tag, own.tag if own else None)
    if own is None:
        return lines
    if set(own.to_names) != set(control.to_names):
        lines.append(f"{control.name!r} labels {_quoted(own.to_names)}, in the project {_quoted(control.to_names)}")
    accepted, used = folder.labels_of(control.name), there.labels_of(control.name)
    if accepted is None:
        return lines
    if used is None:
        return [*lines, f"{control.name!r} has fixed labels, in the project they come with each task"]
    lacking = [label for label in used if label not in accepted]
    return [*lines, f"{control.name!r} lacks {_quoted(lacking)}"] if lacking else lines


def _of_tag(what: str, name: str, tag: str, own: str | None) -> list[str]:
    if own is None:
        return [f"it lacks the {what} {name!r}, in the project a <{tag}>"]
    return [] if own.lower() == tag.lower() else [f"{name!r} is a <{own}>, in the project a <{tag}>"]


def _quoted(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(map(repr, names))
