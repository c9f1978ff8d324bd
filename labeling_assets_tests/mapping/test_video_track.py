from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling_assets.mapping.annotation import map_annotation
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.region import FrameRange
from labeling_assets_tests.mapping.ranges import mapped, written

VIDEO = Medium("video", width=640, height=360, fps=25.0, frame_count=250, duration_s=10.0)
percents = st.floats(-50, 150)
keyframes = st.fixed_dictionaries(
    {"frame": st.integers(-5, 300)},
    optional={
        **dict.fromkeys(("x", "y", "width", "height", "rotation", "time"), percents),
        "enabled": st.booleans(),
        "closed": st.booleans(),
        "vertices": st.lists(st.fixed_dictionaries({"id": st.text("ab1"), "x": percents, "y": percents}), max_size=3),
        "auto": st.booleans() | st.none(),
    },
)
tracks = st.fixed_dictionaries(
    {"sequence": st.lists(keyframes, max_size=6)},
    optional={"framesCount": st.integers(0, 400), "duration": st.floats(0, 20)},
)


def keyframe(frame: int, enabled: bool = True, **more: Any) -> dict[str, Any]:
    return {"frame": frame, "enabled": enabled, "x": 1, "y": 2, "width": 3, "height": 4, "rotation": 0, **more}


def track(*sequence: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"sequence": list(sequence), "framesCount": 250, "duration": 10.0, "labels": ["Car"], **more}


@settings(deadline=None)
@given(tracks, st.sampled_from([VIDEO, Medium("video"), Medium("image")]))
def test_it_comes_back_as_it_was(value: dict[str, Any], medium: Medium):
    """Every number, every missing key, the order of the key frames, and the labels under a key of their own."""
    value = {**value, "labels": ["Car", "parked"]}
    assert written("videorectangle", value, medium) == value


@settings(deadline=None)
@given(tracks)
def test_spans_are_inside_the_video(value: dict[str, Any]):
    spans = mapped("videorectangle", value, VIDEO).spans
    assert all(0 <= span.first <= span.last < 250 for span in spans)
    assert list(spans) == sorted(spans, key=lambda span: span.first)


def test_labels_of_a_vector_come_back_under_the_name_of_the_type():
    value = {"sequence": [keyframe(1, vertices=[])], "framesCount": 250, "videovectorlabels": ["left arm"]}
    assert mapped("videovectorlabels", value, VIDEO).labels == ("left arm",)
    assert written("videovectorlabels", value, VIDEO) == value


def test_frames_count_from_0():
    region = mapped("videorectangle", track(keyframe(1), keyframe(26, False)), VIDEO)
    assert [it.frame for it in region.keyframes] == [0, 25]
    assert region.spans == (FrameRange(0, 25),)
    assert (region.kind, region.labels, region.reason) == ("video_track", ("Car",), None)


def test_the_length_of_the_video_is_not_one_of_the_track():
    properties = mapped("videorectangle", track(keyframe(1)), VIDEO).properties
    assert properties["LS_video_duration_s"] == 10
    assert "LS_duration_s" not in properties


@pytest.mark.parametrize(("counted", "last"), [(250, 249), (251, 249), (249, 249)])
def test_an_open_end_is_the_end_of_the_video_although_a_browser_counts_one_frame_more_or_less(counted: int, last: int):
    region = mapped("videorectangle", track(keyframe(200), framesCount=counted), VIDEO)
    assert region.spans == (FrameRange(199, last),)


def test_frames_of_another_frame_rate_are_no_clips():
    """The tag's frameRate is 24 unless it says otherwise; the numbers then mean other frames of the video."""
    region = mapped("videorectangle", track(keyframe(1), keyframe(25, False), framesCount=240), VIDEO)
    assert region.spans == ()
    assert region.reason == "Label Studio counted 240 frames, the video has 250: its frameRate is another"
    assert len(region.keyframes) == 2


@pytest.mark.parametrize(
    ("sequence", "spans", "reason"),
    [
        ([], [], "no key frames"),
        ([keyframe(0), keyframe(5, False)], [(0, 4)], "a frame before the first, which is 1 in Label Studio"),
        ([keyframe(240), keyframe(251, False)], [], "a frame beyond the 250 of the video"),
        ([keyframe(9, False), keyframe(5)], [(4, 8)], "key frames are not in order"),
        ([keyframe(5), keyframe(5, False)], [(4, 4)], "several key frames in one frame"),
        ([{"frame": 5, "x": 1}], [(4, 4)], None),
    ],
)
def test_degenerate(sequence: list[dict[str, Any]], spans: list[tuple[int, int]], reason: str | None):
    region = mapped("videorectangle", track(*sequence), VIDEO)
    assert [(it.first, it.last) for it in region.spans] == spans
    assert region.reason == reason
    assert written("videorectangle", track(*sequence), VIDEO) == track(*sequence)


@pytest.mark.parametrize("bad", ["wide", [1], float("nan"), 10**400, True])
def test_what_is_no_number_is_named(bad: object):
    region = mapped("videorectangle", track(keyframe(1), keyframe(2, x=bad)), VIDEO)
    assert region.kind == "raw"
    assert region.reason == "expected a number @ $.result[0].value.sequence[1].x"


def test_frames_that_no_video_has_are_no_span():
    value = {"sequence": [{"frame": 1, "enabled": True}, {"frame": 2**53, "enabled": False}]}
    item = {"id": "a", "type": "videorectangle", "from_name": "t", "to_name": "v", "value": value}
    (region,) = map_annotation([item], Medium("video")).regions
    assert region.spans == ()
    assert region.reason == "a frame beyond 2147483648: no video has so many"
