"""Rows of Label Studio's JSON-MIN export: results without ids, and mostly without types."""

from collections.abc import Iterator, Mapping
from typing import Final

from labeling_assets.mapping.kinds import KINDS
from labeling_assets.mapping.label_config import Control, LabelConfig
from labeling_assets.mapping.value import is_list

_OF_EVERY_ROW: Final = frozenset({"annotation_id", "annotator", "created_at", "updated_at", "lead_time"})
_BESIDE_VALUE: Final = ("original_width", "original_height", "original_length", "item_index")


def is_min_row(given: object) -> bool:
    return isinstance(given, Mapping) and "annotation_id" in given and ("annotator" in given or "lead_time" in given)


def results_of_row(row: Mapping[str, object], config: LabelConfig | None) -> list[dict[str, object]]:
    """The result items of a row, as far as it tells them.

    A column holds the values of one control, or one value. Their type is the key they have in common with the table
    of kinds, or comes from `config`; a column of plain texts is one of the task's data without it.
    """
    found = []
    for name, column in row.items():
        if name in _OF_EVERY_ROW:
            continue
        control = config.control(name) if config else None
        for value in column if is_list(column) else [column]:
            found += [_item(name, fields, control) for fields in _fields(value, control)]
    return found


def _item(name: str, fields: Mapping[str, object], control: Control | None) -> dict[str, object]:
    beside = {key: fields[key] for key in _BESIDE_VALUE if key in fields}
    to_name = ",".join(control.to_names) if control else ""
    return {"type": _type(fields, control), "from_name": name, "to_name": to_name, **beside, "value": dict(fields)}


def _fields(value: object, control: Control | None) -> Iterator[Mapping[str, object]]:
    if isinstance(value, Mapping):
        if control or _type(value, None):
            yield value
    elif isinstance(value, str) and control:  # a single choice or text is written without its list
        tag = control.tag.lower()
        yield {tag if tag in KINDS and control.has_vocabulary else "text": [value]}


def _type(fields: Mapping[str, object], control: Control | None) -> str:
    known = next((key for key in fields if key in KINDS), None)
    return known or (control.tag.lower() if control else "")
