from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling_assets.mapping.annotation import map_annotation
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.objects import objects_of
from labeling_assets.mapping.region import PixelBox, Region
from labeling_assets.mapping.round_trip import check_regions
from labeling_assets.mapping.way_back import is_written, results_of
from labeling_assets_tests.mapping.ranges import item_of, mapped

BOX = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0}
IMAGE = Medium("image", width=1000, height=500)
NODES = {"start": "/p[1]", "end": "/p[1]", "startOffset": 0, "endOffset": 2}
RANGE = {"start": 3, "end": 5}


@pytest.mark.parametrize(
    ("media_type", "value", "kind"),
    [
        ("text", RANGE, "text_span"),
        ("html", RANGE, "text_span"),
        ("audio", RANGE, "audio_range"),
        ("video", RANGE, "video_range"),
        ("csv", RANGE, "time_series_range"),
        ("image", RANGE, "raw"),
        ("image", {**RANGE, "text": "ab"}, "text_span"),
        ("audio", {**RANGE, "text": "ab"}, "text_span"),  # a transcript beside the sound
        ("image", {**RANGE, "channel": 0}, "audio_range"),
        ("text", {**RANGE, "channel": 0}, "audio_range"),
        ("image", {**RANGE, "instant": False}, "time_series_range"),
        ("audio", NODES, "html_span"),
        ("audio", {**NODES, "start": "0", "end": "0"}, "paragraph_span"),
        ("video", {"sequence": [{"frame": 1}]}, "video_track"),
        ("video", {"ranges": [RANGE]}, "timeline_range"),
        ("image", BOX, "box"),
        ("image", {**BOX, "rotation": 30}, "rotated_box"),
        ("text", {}, "raw"),
    ],
)
def test_the_keys_and_the_medium_say_what_they_label(media_type: str, value: dict[str, Any], kind: str):
    region = mapped("labels", {**value, "labels": ["a"]}, Medium(media_type))
    assert (region.kind, region.labels, region.task_level) == (kind, ("a",), False)


def test_the_length_beside_the_value_is_one_of_a_sound():
    assert mapped("labels", {**RANGE, "labels": []}, Medium("image"), original_length=9.5).kind == "audio_range"


def test_labels_of_a_rectangle_are_no_second_box():
    items = [item_of("rectangle", BOX), item_of("labels", {**BOX, "labels": ["Total"]})]
    for order in (items, items[::-1]):
        (region,) = map_annotation(order, IMAGE).regions
        assert (region.type, region.kind, region.labels) == ("rectangle", "box", ("Total",))
        assert region.native == PixelBox(100, 100, 300, 200)


def test_alone_with_a_box_they_are_a_box_with_its_picture():
    region = mapped("labels", {**BOX, "labels": ["Total"]}, IMAGE)
    assert region.native == PixelBox(100, 100, 300, 200)
    assert region.properties["LS_shown_width"] == 1000


def test_a_box_on_what_is_no_image_says_so():
    reason = mapped("labels", {**BOX, "labels": ["Total"]}, Medium("pdf")).reason
    assert reason == "no picture: the medium is of type pdf"


def test_two_controls_label_one_range():
    items = [item_of("labels", {**RANGE, "labels": ["PER"]}), item_of("labels", {**RANGE, "labels": ["subject"]})]
    mapped_annotation = map_annotation(items, Medium("text"))
    assert [region.labels for region in mapped_annotation.regions] == [("PER", "subject")]
    assert mapped_annotation.problems == ()
    assert results_of(mapped_annotation) == items


names = st.sampled_from(
    [
        "start",
        "end",
        "startOffset",
        "endOffset",
        "globalOffsets",
        "text",
        "channel",
        "instant",
        "sequence",
        "ranges",
        "framesCount",
        "duration",
        "labels",
        "hypertextlabels",
        "paragraphlabels",
        "timeserieslabels",
        "timelinelabels",
        "x",
        "y",
        "width",
        "height",
        "rotation",
        "frame",
        "enabled",
        "time",
        "vertices",
        "closed",
    ]
)
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["3", "-1", "/p[1]", 10**400, "\ud83d", float("nan"), 2**53, -(2**70)])
)
garbage = st.recursive(
    leaves, lambda it: st.lists(it, max_size=3) | st.dictionaries(names, it, max_size=6), max_leaves=20
)
types = st.sampled_from(
    [
        "labels",
        "hypertextlabels",
        "paragraphlabels",
        "timeserieslabels",
        "videorectangle",
        "videovector",
        "videovectorlabels",
        "timelinelabels",
    ]
)
media = st.sampled_from(
    [
        Medium("text", text="a😀b"),
        Medium("text", text=""),
        Medium("html"),
        Medium("audio", duration_s=3.0),
        Medium("video", fps=25.0, frame_count=10, duration_s=0.4),
        Medium("video"),
        Medium("csv"),
        IMAGE,
    ]
)


def what_it_is(region: Region) -> tuple[object, ...]:
    return region.kind, region.labels, region.properties, region.native, region.spans, region.keyframes


@settings(deadline=None, max_examples=400)
@given(st.lists(st.tuples(types, st.dictionaries(names, garbage, max_size=8) | garbage), max_size=3), media)
def test_nothing_raises_and_nothing_is_lost(given_items: list[tuple[str, Any]], medium: Medium):
    items = [
        {**item_of(result_type, value), "id": str(index)} for index, (result_type, value) in enumerate(given_items)
    ]
    mapped_annotation = map_annotation(items, medium)
    positions = [position for region in mapped_annotation.regions for position in region.positions]
    assert sorted(positions) == list(range(len(items)))
    assert isinstance(objects_of(mapped_annotation), dict)
    again = map_annotation(results_of(mapped_annotation), medium).regions
    assert [what_it_is(region) for region in again] == [
        what_it_is(region) for region in mapped_annotation.regions if is_written(region)
    ]


@pytest.mark.parametrize("value", [None, [], "x", {"sequence": {1, 2}}, {"ranges": [{"start": 1, "end": {1}}]}])
def test_what_json_cannot_hold(value: object):
    assert mapped("labels", value, Medium("video")).kind == "raw"


def test_a_key_frame_that_json_cannot_hold():
    sequence = [{"frame": 1, "vertices": {1, 2}}, {"frame": 2, "later": object()}]
    assert mapped("videorectangle", {"sequence": sequence}, Medium("video")).kind == "raw"


@pytest.mark.parametrize("name", ["channel", "instant", "startOffset", "sequence", "ranges"])
def test_null_says_nothing_about_what_the_labels_are(name: str):
    value = {"start": 1, "end": 2, "text": "a", "labels": ["x"], name: None}
    item = {"id": "a", "type": "labels", "from_name": "l", "to_name": "t", "value": value}
    mapped = map_annotation([item], Medium("image"))
    assert mapped.regions[0].kind == "text_span"
    assert check_regions([item], mapped, Medium("image"), "$.result").differences == ()
