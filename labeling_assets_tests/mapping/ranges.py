"""What the tests of ranges and tracks share: one item, read and written again."""

from typing import Any

from labeling_assets.mapping.annotation import map_annotation
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.region import Region
from labeling_assets.mapping.way_back import results_of

Value = dict[str, Any]


def item_of(result_type: str, value: Any, **beside: Any) -> dict[str, Any]:
    return {"id": "a", "type": result_type, "from_name": "label", "to_name": "medium", "value": value, **beside}


def mapped(result_type: str, value: Any, medium: Medium, **beside: Any) -> Region:
    return map_annotation([item_of(result_type, value, **beside)], medium).regions[0]


def written(result_type: str, value: Any, medium: Medium, **beside: Any) -> Any:
    """The value that comes back."""
    (item,) = results_of(map_annotation([item_of(result_type, value, **beside)], medium))
    return item["value"]
