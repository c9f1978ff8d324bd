"""Frames of a player that counts at another rate than the file."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling_assets.mapping.frame_rate import FrameRates
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.region import FrameRange
from labeling_assets_tests.mapping.ranges import Value, mapped, written

RATES = {"medium": 24.0}
VIDEO = Medium("video", fps=10.0, frame_count=100, duration_s=10.0, shown_fps=RATES)


def timeline(start: int, end: int) -> Value:
    return {"ranges": [{"start": start, "end": end}], "timelinelabels": ["goal"]}


def track(*frames: tuple[int, bool], count: int = 240) -> Value:
    place = {"x": 1.0, "y": 2.0, "width": 3.0, "height": 4.0, "rotation": 0.0}
    sequence = [{"frame": frame, "enabled": enabled, **place} for frame, enabled in frames]
    return {"sequence": sequence, "framesCount": count, "duration": 10.0, "labels": ["Car"]}


def test_a_range_has_the_frames_of_the_file_and_the_seconds_of_the_player():
    """The second second of the video: frames 25 to 48 of 24 a second, 10 to 19 of 10 a second."""
    region = mapped("timelinelabels", timeline(25, 48), VIDEO)
    assert (region.native, region.reason) == (FrameRange(10, 19), None)
    assert {name: region.properties[name] for name in ("LS_start_frame", "LS_end_frame")} == {
        "LS_start_frame": 10,
        "LS_end_frame": 19,
    }
    assert (region.properties["LS_start_s"], region.properties["LS_end_s"]) == (1.0, 2.0)


def test_a_slow_player_shows_several_frames_of_the_file_in_one():
    slow = Medium("video", fps=30.0, frame_count=300, shown_fps={"medium": 10.0})
    assert mapped("timelinelabels", timeline(11, 11), slow).native == FrameRange(30, 32)


def test_the_last_frame_of_the_player_is_the_last_of_the_file():
    """11 frames of 10 a second are 26.4 of 24 a second; a player shows 27, the last one not to its end."""
    short = Medium("video", fps=10.0, frame_count=11, shown_fps=RATES)
    assert mapped("timelinelabels", timeline(25, 27), short).native == FrameRange(10, 10)
    assert mapped("timelinelabels", timeline(25, 28), short).reason == "a frame beyond the 11 of the video"


@pytest.mark.parametrize(
    ("shown", "fps", "count", "is_same"),
    [(29.97, 30000 / 1001, 100_000, True), (30.0, 30000 / 1001, 100, True), (30.0, 30000 / 1001, 1000, False)],
)
def test_rates_are_the_same_if_no_frame_has_another_number(shown: float, fps: float, count: int, is_same: bool):
    assert FrameRates(shown, fps, count).is_same is is_same


def test_a_file_of_unknown_rate_has_seconds_and_no_clip():
    region = mapped("timelinelabels", timeline(25, 48), Medium("video", shown_fps=RATES))
    assert (region.native, region.spans) == (None, ())
    assert region.reason == "Label Studio counted 24 frames a second, those of the file are not known"
    assert (region.properties["LS_start_s"], region.properties["LS_end_s"]) == (1.0, 2.0)
    assert "LS_start_frame" not in region.properties


def test_the_rate_follows_from_frames_and_seconds():
    region = mapped(
        "timelinelabels", timeline(25, 48), Medium("video", frame_count=100, duration_s=10.0, shown_fps=RATES)
    )
    assert region.native == FrameRange(10, 19)


def test_another_tag_has_a_rate_of_its_own():
    video = Medium("video", fps=10.0, frame_count=100, shown_fps={"other": 24.0})
    assert mapped("timelinelabels", timeline(25, 48), video).native == FrameRange(24, 47)


def test_a_track_has_key_frames_and_spans_of_the_file():
    region = mapped("videorectangle", track((25, True), (49, False)), VIDEO)
    assert (region.spans, region.reason) == ((FrameRange(10, 20),), None)
    assert [it.frame for it in region.keyframes] == [10, 20]
    assert [it.properties["LS_shown_frame"] for it in region.keyframes] == [25, 49]


def test_an_open_track_ends_with_the_video():
    assert mapped("videorectangle", track((25, True)), VIDEO).spans == (FrameRange(10, 99),)


def test_a_track_that_was_counted_at_a_third_rate_has_no_spans():
    region = mapped("videorectangle", track((25, True), count=300), VIDEO)
    text = "Label Studio counted 300 frames, the video has 100: its frameRate is another"
    assert (region.spans, region.reason) == ((), text)


frames = st.integers(-5, 300)


@settings(deadline=None, max_examples=50)
@given(frames, frames, st.sampled_from([10.0, 23.976, 24.0, 60.0]), st.sampled_from([None, 10.0, 25.0]))
def test_it_comes_back_as_it_was(one: int, other: int, shown: float, fps: float | None):
    medium = Medium("video", fps=fps, frame_count=100, shown_fps={"medium": shown})
    values: list[tuple[str, Any]] = [
        ("timelinelabels", timeline(min(one, other), max(one, other))),
        ("videorectangle", track((one, True), (other, False))),
    ]
    for kind, value in values:
        assert written(kind, value, medium) == value
