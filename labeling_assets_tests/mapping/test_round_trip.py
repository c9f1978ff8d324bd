"""Label Studio -> ApertureDB -> Label Studio: the identity on the JSON, and 1e-6 on the geometry."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling_assets.mapping.annotation import map_annotation
from labeling_assets.mapping.kind import no_way_back
from labeling_assets.mapping.kinds import KINDS
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.payload import annotation_of, differences, payload
from labeling_assets.mapping.region import PropertyValue, Region
from labeling_assets.mapping.round_trip import check_regions, lossless_differences
from labeling_assets.mapping.way_back import is_written, results_of
from labeling_assets_tests.mapping import label_strategies as labels

TYPES = sorted(KINDS)
garbage = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def test_every_row_of_the_table_has_a_strategy():
    assert {name.removesuffix("labels") for name in KINDS} == set(labels.VALUES)


@pytest.mark.parametrize("result_type", TYPES)
def test_plausible_labels_come_back(result_type: str):
    medium = Medium(labels.media_type_of(result_type))

    @settings(max_examples=15, deadline=None)
    @given(labels.regions(result_type))
    def check(result: list[dict[str, Any]]) -> None:
        mapped = map_annotation(result, medium)
        assert list(lossless_differences({"id": 1, "result": result}, "$")) == []
        assert check_regions(result, mapped, medium, "$.result").differences == ()
        (region,) = mapped.regions
        written = KINDS[result_type].write is not no_way_back
        assert (region.kind != "raw") == written, region.reason
        assert is_written(region) == written
        assert len(results_of(mapped)) == (len(result) if written else 0)
        assert_storable(mapped.regions)

    check()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(TYPES).flatmap(labels.regions), max_size=4), garbage)
def test_whole_annotations_come_back(groups: list[list[dict[str, Any]]], extra: Any):
    """Several regions, perhaps with the same ids, on a medium that fits only some of them."""
    result = [item for group in groups for item in group]
    medium = Medium("image")
    mapped = map_annotation(result, medium)
    assert list(lossless_differences({"result": result, "extra": extra}, "$")) == []
    assert check_regions(result, mapped, medium, "$.result").differences == ()
    assert sorted(position for region in mapped.regions for position in region.positions) == list(range(len(result)))
    assert_storable(mapped.regions)


@settings(max_examples=200, deadline=None)
@given(garbage | st.lists(st.fixed_dictionaries({"type": st.sampled_from(TYPES) | garbage, "value": garbage})))
def test_garbage_comes_back(result: Any):
    assert list(lossless_differences({"result": result}, "$")) == []
    mapped = map_annotation(result, Medium("image"))
    if isinstance(result, list):
        assert check_regions(result, mapped, Medium("image"), "$.result").differences == ()
    assert_storable(mapped.regions)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(), garbage), st.integers(0, 200))
def test_a_payload_is_text_up_to_its_limit_and_bytes_always(annotation: dict[str, Any], limit: int):
    text, data = payload(annotation, limit=limit)
    assert (text is not None) == (len(data) <= limit)
    assert annotation_of(data) == annotation
    if text is not None:
        assert annotation_of(text) == annotation


def assert_storable(regions: tuple[Region, ...]) -> None:
    """Texts are Unicode, numbers finite and whole ones have 64 bits: a database refuses all else."""
    for region in regions:
        for properties in (region.as_properties(), *(it.properties for it in region.keyframes)):
            assert [name for name, value in properties.items() if not _storable(value)] == []
        assert all(_storable(name) for name in region.searchable)


def _storable(value: PropertyValue) -> bool:
    if isinstance(value, str):
        return not any("\ud800" <= char <= "\udfff" for char in value)
    return abs(value) < 2**63 if isinstance(value, int) else math.isfinite(value)


EXACT = {
    "big": 2**80,
    "float": 0.1 + 0.2,
    "small": 5e-324,
    "one": 1.0,
    "null": None,
    "empty": {},
    "nothing": [],
    "half a pair": "\ud800 and \udc00",
    "control": "\x00\x1f\x7f\u2028",
    "\ud8ff": "a key",
    "emoji": "👩‍👩‍👧",
}


def test_what_json_can_hold_survives_exactly():
    assert list(lossless_differences(EXACT, "$")) == []
    _, data = payload(EXACT, limit=0)
    assert json.loads(data) == EXACT
    assert b"\\ud800 and \\udc00" in data


def test_nan_is_kept_and_named():
    """Python reads and writes it, and nobody else does."""
    annotation = {"result": [{"value": {"x": math.nan, "y": -math.inf}}]}
    assert list(lossless_differences(annotation, "$")) == [
        "nan is no number of JSON, and Label Studio refuses it @ $.result[0].value.x",
        "-inf is no number of JSON, and Label Studio refuses it @ $.result[0].value.y",
    ]


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [
        (1, 1.0, None),
        (math.nan, math.nan, None),
        (1, True, "$: 1 became true"),
        (0, False, "$: 0 became false"),
        (None, 0, "$: null became 0"),
        ("1", 1, '$: "1" became 1'),
        ({"a": None}, {}, "$.a: missing"),
        ({}, {"a": None}, "$.a: not there before"),
        ([1, 2], [1], "$: [1, 2] became [1]"),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, "$.a[0].b: 1 became 2"),
        (10**400, 10**400 + 1, "$: a number of 1329 bits became a number of 1329 bits"),
        ("a" * 99, "b", f'$: "{"a" * 59}... became "b"'),
    ],
)
def test_differences(before: Any, after: Any, difference: str | None):
    assert list(differences(before, after)) == ([difference] if difference else [])


BOX = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0}


def item(result_type: str, from_name: str, **value: Any) -> dict[str, Any]:
    return {"id": "a", "type": result_type, "from_name": from_name, "to_name": "i", "value": value}


def test_everything_about_a_region_is_written_with_its_form():
    result = [
        item("rectangle", "box", **BOX),
        item("labels", "label", **BOX, labels=["car"]),
        item("textarea", "words", **BOX, text=['["a"]']),
        item("choices", "state", **BOX, choices=["wet", "wet"]),
        item("taxonomy", "class", **BOX, taxonomy=[["a/b", "c"]]),
        item("rating", "sharp", **BOX, rating=2),
        {"type": "relation", "from_id": "a", "to_id": "a", "direction": "bi", "labels": ["x"]},
    ]
    assert results_of(map_annotation(result, Medium("image"))) == result


def test_what_only_the_json_can_give_back_is_left_out():
    result = [
        {**item("cuboid", "c", x=1), "id": "b"},
        item("rectangle", "box", **BOX),
        {"type": "relation", "from_id": "a", "to_id": "b"},
    ]
    mapped = map_annotation(result, Medium("image"))
    assert results_of(mapped) == [result[1]]
    assert [is_written(region) for region in mapped.regions] == [False, True]


def test_a_moved_corner_is_a_difference():
    result = [item("rectangle", "box", **BOX)]
    moved = map_annotation([item("rectangle", "box", **{**BOX, "x": 10.00001})], Medium("image"))
    found = list(check_regions(result, moved, Medium("image"), "$.result").differences)
    assert found == ["$.result[0].value.x: 10 became 10.00001"]


def test_a_kind_that_forgets_something_on_the_way_back_is_found(monkeypatch: pytest.MonkeyPatch):
    forgetful = replace(
        KINDS["rectangle"], write=lambda region: {name: BOX[name] for name in ("x", "y", "width", "height")}
    )
    result = [item("rectangle", "box", **{**BOX, "rotation": 30})]
    mapped = map_annotation(result, Medium("image"))
    assert check_regions(result, mapped, Medium("image"), "$.result").differences == ()
    monkeypatch.setitem(KINDS, "rectangle", forgetful)  # type: ignore[arg-type]
    assert list(check_regions(result, mapped, Medium("image"), "$.result").differences) == [
        '$.result[0] as a region.properties.LS_kind: "rotated_box" became "box"',
        "$.result[0] as a region.properties.LS_rotation: 30.0 became 0.0",
    ]


def test_half_of_a_surrogate_pair_becomes_a_replacement_character_in_properties():
    region = map_annotation([item("rectanglelabels", "l\udc00", **BOX, rectanglelabels=["\ud800x"])], Medium("image"))
    assert region.regions[0].labels == ("\ufffdx",)
    assert region.regions[0].from_name == "l\ufffd"


def whole(*items: dict[str, Any]) -> int:
    mapped = map_annotation(items, Medium("image"))
    checked = check_regions(items, mapped, Medium("image"), "$.result")
    assert checked.differences == ()
    return checked.whole


def test_only_what_is_compared_whole_counts():
    box = item("rectangle", "box", **BOX)
    assert whole(box) == 1
    assert whole({**item("rectanglelabels", "box", **BOX), "id": "b"}, box) == 2
    assert whole(item("rectangle", "box", **BOX, rectanglelabels=[], meta=None)) == 1
    assert whole(item("rectangle", "box", **BOX, tomorrow=1)) == 0
    assert whole(box, item("rectangle", "box", **{**BOX, "x": 99})) == 0
    assert whole(box, item("polygon", "box", points=[[1, 1], [2, 2]], closed=True)) == 0
    assert whole(box, item("choices", "c", choices=["a"]), item("choices", "c", choices=["b"])) == 0
    assert whole({**box, "item_index": "1"}) == 0
    assert whole(item("tomorrow", "t", x=1)) == 0
