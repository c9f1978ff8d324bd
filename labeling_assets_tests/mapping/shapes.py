"""Result items of images, as random as Label Studio allows, and both ways of the mapping."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from labeling_assets.mapping.annotation import MappedAnnotation, map_annotation
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.region import Region
from labeling_assets.mapping.way_back import results_of

PICTURE = Medium("image", 1000, 500)
percents = st.floats(-20, 120)
pictures = st.builds(Medium, st.just("image"), st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 8))
# What a JSON document may hold where a form is expected.
garbage = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("xyz") | st.text(), inner, max_size=4),
    max_leaves=8,
)


def item(result_type: str, value: Mapping[str, object], **fields: Any) -> dict[str, Any]:
    return {"id": "a", "type": result_type, "from_name": "l", "to_name": "i", **fields, "value": dict(value)}


def mapped(result_type: str, value: Mapping[str, object], medium: Medium = PICTURE, **fields: Any) -> Region:
    (region,) = map_annotation([item(result_type, value, **fields)], medium).regions
    return region


def there_and_back(result_type: str, value: Mapping[str, object], medium: Medium = PICTURE, **fields: Any) -> Any:
    """The value that the way back writes; what it reads as must be the region that it was written from."""
    there = map_annotation([item(result_type, value, **fields)], medium)
    back = results_of(there)
    assert map_annotation(back, medium) == MappedAnnotation(there.regions)
    return back[0]["value"]
