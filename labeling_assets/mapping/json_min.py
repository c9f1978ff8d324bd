"""Rows of Label Studio's JSON-MIN export: results without ids, and mostly without types."""

from collections.abc import Iterator, Mapping
from typing import Final

from labeling_assets.mapping.kinds import KINDS, type_of_fields
from labeling_assets.mapping.label_config import Control, LabelConfig
from labeling_assets.mapping.value import is_list

_OF_EVERY_ROW: Final = frozenset(
    {"id", "annotation_id", "annotator", "created_at", "updated_at", "lead_time", "agreement"}
)
_BESIDE_VALUE: Final = ("original_width", "original_height", "original_length", "item_index")

Item = dict[str, object]


def is_min_row(given: object) -> bool:
    return isinstance(given, Mapping) and "annotation_id" in given and ("annotator" in given or "lead_time" in given)


def results_of_row(row: Mapping[str, object], config: LabelConfig | None) -> tuple[list[Item], list[str]]:
    """The result items of a row, as far as it tells them, and the names of columns that hold something else.

    A column holds the values of one control, or one value. Their type is what their keys say, or comes from `config`; a
    column of plain texts is one of the task's data without it. Columns of the task's data that `config` shows are not
    among the names.
    """
    found: list[Item] = []
    others = []
    for name, column in row.items():
        if name in _OF_EVERY_ROW:
            continue
        control = config.control(name) if config else None
        if config and control is None and name in config.variables:
            continue
        items = [item for value in (column if is_list(column) else [column]) for item in _items(name, value, control)]
        found += items
        if not items and (control is None or column not in (None, [], {})):
            others.append(name)
    return found, others


def _items(name: str, value: object, control: Control | None) -> Iterator[Item]:
    for fields in _fields(value, control):
        beside = {key: fields[key] for key in _BESIDE_VALUE if key in fields}
        to_name = ",".join(control.to_names) if control else ""
        names = {"type": _type(fields, control), "from_name": name, "to_name": to_name}
        yield {**names, **beside, "value": dict(fields)}


def _fields(value: object, control: Control | None) -> Iterator[Mapping[str, object]]:
    if isinstance(value, Mapping):
        if control or _type(value, None):
            yield value
    elif isinstance(value, str) and control:  # a single choice or text is written without its list
        tag = control.tag.lower()
        yield {tag if tag in KINDS and control.has_vocabulary else "text": [value]}


def _type(fields: Mapping[str, object], control: Control | None) -> str:
    if control is None:
        return type_of_fields(fields) or ""
    return next((name for name in fields if name in KINDS), control.tag.lower())
