import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling_assets.mapping.annotation import MappedAnnotation, content_hash, map_annotation
from labeling_assets.mapping.kinds import KINDS
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.region import PixelBox, PixelPolygon

IMAGE = Medium("image", width=1000, height=500)


def box_item(**value: Any) -> dict[str, Any]:
    place = {"x": 10, "y": 10, "width": 10, "height": 10, "rotation": 0, "rectanglelabels": ["car"]}
    return {
        "id": "a",
        "type": "rectanglelabels",
        "from_name": "l",
        "to_name": "i",
        "value": {**place, **value},
    }


percent = st.floats(-20, 120)
extent = st.floats(0, 120)
box_values = st.fixed_dictionaries(
    {"x": percent, "y": percent, "width": extent, "height": extent, "rotation": st.floats(-720, 720)}
)


@settings(deadline=None)
@given(box_values)
def test_percents_survive_exactly(value: dict[str, float]):
    region = map_annotation([box_item(**value)], IMAGE).regions[0]
    assert {name: region.properties[f"LS_{name}"] for name in value} == value


@settings(deadline=None)
@given(st.lists(st.tuples(percent, percent), max_size=8))
def test_points_survive_exactly(points: list[tuple[float, float]]):
    item = {"id": "a", "type": "polygon", "value": {"points": points, "closed": True}}
    region = map_annotation([item], IMAGE).regions[0]
    assert [tuple(point) for point in json.loads(str(region.properties["LS_points"]))] == points


@settings(deadline=None)
@given(box_values, st.integers(1, 8))
def test_boxes_are_inside_the_stored_picture(value: dict[str, float], orientation: int):
    region = map_annotation([box_item(**value)], Medium("image", 97, 61, orientation)).regions[0]
    width, height = (97, 61) if orientation < 5 else (61, 97)
    for box in (region.native, region.derived_box):
        if isinstance(box, PixelBox):
            assert box.x >= 0
            assert box.y >= 0
            assert box.width >= 1
            assert box.height >= 1
            assert box.x + box.width <= width
            assert box.y + box.height <= height


@settings(deadline=None)
@given(st.floats(0, 50), st.floats(0, 50), st.floats(1, 50), st.floats(1, 50))
def test_a_box_is_rounded_outward_by_less_than_a_pixel(x: float, y: float, width: float, height: float):
    region = map_annotation([box_item(x=x, y=y, width=width, height=height)], IMAGE).regions[0]
    assert isinstance(region.native, PixelBox)
    exact = (x * 10, y * 5, (x + width) * 10, (y + height) * 5)
    box = region.native
    assert -1e-5 < exact[0] - box.x < 1
    assert -1e-5 < exact[1] - box.y < 1
    assert -1e-5 < box.x + box.width - exact[2] < 1
    assert -1e-5 < box.y + box.height - exact[3] < 1


@settings(deadline=None)
@given(st.floats(45, 55), st.floats(45, 55), st.floats(1, 20), st.floats(1, 20), st.floats(1, 359))
def test_a_rotated_box_keeps_its_sides(x: float, y: float, width: float, height: float, rotation: float):
    value = {"x": x, "y": y, "width": width, "height": height, "rotation": rotation}
    region = map_annotation([box_item(**value)], IMAGE).regions[0]
    assert isinstance(region.native, PixelPolygon)
    a, b, c, _ = region.native.points
    assert a == pytest.approx((x * 10, y * 5), abs=1e-6)
    assert math.dist(a, b) == pytest.approx(width * 10, abs=1e-6)
    assert math.dist(b, c) == pytest.approx(height * 5, abs=1e-6)


junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.just(10**400)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=8,
)
keys = st.sampled_from(
    [
        "x",
        "y",
        "width",
        "height",
        "rotation",
        "points",
        "closed",
        "choices",
        "text",
        "rating",
        "number",
        "datetime",
        "labels",
        "start",
        "rectanglelabels",
        "polygonlabels",
    ]
)
numbers = st.one_of(st.floats(), st.integers(), percent)
values = st.dictionaries(keys, st.one_of(junk, numbers, st.lists(st.lists(numbers, max_size=3)), st.lists(st.text())))
items = st.fixed_dictionaries(
    {"type": st.one_of(st.sampled_from([*KINDS, "relation", "tomorrow"]), junk), "value": st.one_of(values, junk)},
    optional={
        name: st.one_of(st.sampled_from(["a", "b"]), numbers, junk)
        for name in (
            [
                "id",
                "from_name",
                "to_name",
                "original_width",
                "original_height",
                "score",
                "origin",
                "parentID",
                "item_index",
                "from_id",
                "to_id",
                "direction",
                "labels",
            ]
        )
    },
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(junk, st.lists(st.one_of(items, junk), max_size=5)), st.integers(-1, 9))
def test_nothing_raises(result: Any, orientation: int):
    mapped = map_annotation(result, Medium("image", 1000, 500, orientation))
    positions = [position for region in mapped.regions for position in region.positions]
    if isinstance(result, list):
        relations = [it for it in result if isinstance(it, dict) and it.get("type") == "relation"]
        assert len(positions) + len(relations) == len(result)
    for region in mapped.regions:
        json.dumps(region.as_properties(), allow_nan=False)


def test_an_unmapped_form_says_why():
    for result_type in (*KINDS, "tomorrow"):
        region = map_annotation([{"id": "a", "type": result_type, "value": {"x": 1}}], IMAGE).regions[0]
        assert region.native is None
        assert region.reason


def test_no_result_is_an_annotation_without_regions():
    assert map_annotation(None, IMAGE) == MappedAnnotation()  # type: ignore[arg-type]


def test_a_result_that_is_no_list_is_a_problem():
    mapped = map_annotation({"a": 1}, IMAGE, path="$[2].result")  # type: ignore[arg-type]
    assert mapped.problems == ("expected a list @ $[2].result",)


def test_an_invented_id_avoids_those_that_are_there():
    rating = {"type": "rating", "from_name": "q", "to_name": "i", "value": {"rating": 1}}
    mapped = map_annotation([rating, {**rating, "id": "item-q-0"}], IMAGE)
    assert [region.region_id for region in mapped.regions] == ["item-q-1", "item-q-0"]


def test_task_labels_are_the_regions_without_a_place():
    choice = {"id": "c", "type": "choices", "from_name": "s", "to_name": "i", "value": {"choices": ["day"]}}
    assert [it.region_id for it in map_annotation([box_item(), choice], IMAGE).task_labels] == ["c"]


def test_a_choice_about_a_lost_form_is_no_task_label():
    value = {"x": 1, "y": 1, "width": 2, "height": 2, "choices": ["day"]}
    region = map_annotation([{"id": "c", "type": "choices", "value": value}], IMAGE).regions[0]
    assert not region.task_level


def test_labels_are_known_by_their_control():
    choice = {**box_item(choices=["yes"]), "type": "choices", "from_name": "occluded"}
    region = map_annotation([box_item(), choice], IMAGE).regions[0]
    assert region.vocabulary == {"l": ("car",), "occluded": ("yes",)}


ANNOTATION = {
    "result": [box_item()],
    "was_cancelled": False,
    "ground_truth": False,
    "completed_by": 7,
    "updated_at": "2025-01-01",
    "lead_time": 3.5,
}


@pytest.mark.parametrize(
    "change",
    [
        {"result": [box_item(x=11)]},
        {"was_cancelled": True},
        {"ground_truth": True},
        {"completed_by": 8},
    ],
)
def test_hash_sees_a_change(change: dict[str, Any]):
    assert content_hash({**ANNOTATION, **change}) != content_hash(ANNOTATION)


@pytest.mark.parametrize(
    "change",
    [
        {"updated_at": "2026-01-01", "lead_time": 9, "updated_by": 3},
        {"completed_by": {"id": 7, "email": "a@example.com"}},
        {"result": [dict(reversed(box_item().items()))]},
        {"was_cancelled": None},
    ],
)
def test_hash_ignores(change: dict[str, Any]):
    assert content_hash({**ANNOTATION, **change}) == content_hash(ANNOTATION)


def test_hash_is_the_same_for_ever():
    assert content_hash({}) == content_hash({"result": []})
    assert content_hash({}) == "b5824d684baec1851febaf5726a4f6ddbe7489899e255ceeec75aeefcd87dd30"
