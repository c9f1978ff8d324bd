from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling_assets.mapping.annotation import map_annotation
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.region import FrameRange
from labeling_assets_tests.mapping.ranges import mapped, written

VIDEO = Medium("video", fps=25.0, frame_count=250)
frames = st.integers(-5, 300)
ranges = st.tuples(frames, frames).map(lambda it: {"start": min(it), "end": max(it)})


def timeline(*given_ranges: object) -> dict[str, Any]:
    return {"ranges": list(given_ranges), "timelinelabels": ["goal"]}


@settings(deadline=None)
@given(st.lists(ranges | st.just({"start": 5, "end": None}) | st.just({"start": 5, "end": 6, "enabled": True})))
def test_it_comes_back_as_it_was(given_ranges: list[dict[str, Any]]):
    assert written("timelinelabels", timeline(*given_ranges), VIDEO) == timeline(*given_ranges)


@settings(deadline=None)
@given(st.lists(ranges, max_size=4))
def test_clips_are_inside_the_video(given_ranges: list[dict[str, Any]]):
    region = mapped("timelinelabels", timeline(*given_ranges), VIDEO)
    clips = [*region.spans, *([region.native] if isinstance(region.native, FrameRange) else [])]
    assert all(0 <= clip.first <= clip.last < 250 for clip in clips)
    assert (region.native is None) is (region.reason is not None)
    assert len(clips) == sum(it["start"] >= 1 and it["end"] <= 250 for it in given_ranges)


def test_both_ends_belong_to_it():
    """75 frames of 25 a second are three seconds."""
    region = mapped("timelinelabels", timeline({"start": 101, "end": 175}), VIDEO)
    assert region.native == FrameRange(100, 174)
    assert region.properties == {
        "LS_start_frame": 100,
        "LS_end_frame": 174,
        "LS_start_s": 4.0,
        "LS_end_s": 7.0,
        "LS_duration_s": 3.0,
    }


def test_an_instant_is_one_frame():
    region = mapped("timelinelabels", timeline({"start": 250, "end": 250}), VIDEO)
    assert region.native == FrameRange(249, 249)
    assert region.properties["LS_duration_s"] == 0.04


def test_several_ranges_are_derived_clips_and_their_lengths_add_up():
    region = mapped("timelinelabels", timeline({"start": 1, "end": 25}, {"start": 51, "end": 60}), VIDEO)
    assert (region.native, region.reason) == (None, "several ranges")
    assert region.spans == (FrameRange(0, 24), FrameRange(50, 59))
    assert (region.properties["LS_start_frame"], region.properties["LS_end_frame"]) == (0, 59)
    assert region.properties["LS_duration_s"] == 1.4


@pytest.mark.parametrize("fps", [None, 0.0, -1.0])
def test_without_a_frame_rate_there_are_no_seconds(fps: float | None):
    region = mapped("timelinelabels", timeline({"start": 1, "end": 25}), Medium("video", fps=fps))
    assert region.properties == {"LS_start_frame": 0, "LS_end_frame": 24}


@pytest.mark.parametrize(
    ("given_ranges", "kind", "reason"),
    [
        ([], "timeline_range", "no ranges"),
        ([{"start": 0, "end": 3}], "timeline_range", "a frame before the first, which is 1 in Label Studio"),
        ([{"start": 9, "end": 251}], "timeline_range", "a frame beyond the 250 of the video"),
        ([{"start": None, "end": 3}], "timeline_range", "a range without an end"),
        (
            [{"start": 9, "end": 3}],
            "raw",
            "expected an end that is not before the start @ $.result[0].value.ranges[0].end",
        ),
        ([{"start": 0.5, "end": 3}], "raw", "expected the number of a frame @ $.result[0].value.ranges[0].start"),
        ([7], "raw", "expected an object @ $.result[0].value.ranges[0]"),
    ],
)
def test_degenerate(given_ranges: list[Any], kind: str, reason: str):
    region = mapped("timelinelabels", timeline(*given_ranges), VIDEO)
    assert (region.kind, region.reason, region.native) == (kind, reason, None)


def test_frames_that_no_video_has_are_no_clip():
    value = {"ranges": [{"start": 1, "end": 2**53}], "timelinelabels": ["x"]}
    item = {"id": "a", "type": "timelinelabels", "from_name": "t", "to_name": "v", "value": value}
    (region,) = map_annotation([item], Medium("video")).regions
    assert (region.native, region.spans) == (None, ())
    assert region.reason == "a frame beyond 2147483648: no video has so many"
