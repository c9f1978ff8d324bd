import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling_assets.mapping.annotation import map_annotation
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.region import TimeRange
from labeling_assets_tests.mapping.ranges import mapped, written

SOUND = Medium("audio", duration_s=10.0)
VIDEO = Medium("video", duration_s=10.0)
seconds = st.floats(-10, 1e5)


@settings(deadline=None)
@given(seconds, seconds, st.none() | st.integers(0, 31), st.sampled_from([SOUND, VIDEO, Medium("video")]))
def test_it_comes_back_as_it_was(one: float, other: float, channel: int | None, medium: Medium):
    value = {"start": min(one, other), "end": max(one, other), "labels": ["Speech"]}
    value |= {} if channel is None else {"channel": channel}
    assert written("labels", value, medium) == value


@settings(deadline=None)
@given(seconds, seconds)
def test_a_clip_is_inside_its_video(one: float, other: float):
    region = mapped("labels", {"start": min(one, other), "end": max(one, other), "labels": []}, VIDEO)
    assert (region.native is None) is (region.reason is not None)
    if isinstance(region.native, TimeRange):
        assert 0 <= region.native.start_s <= region.native.end_s <= 10


@pytest.mark.parametrize(
    ("start", "end", "native"),
    [
        (0, 10, TimeRange(0, 10)),
        (10, 10, TimeRange(10, 10)),
        (2.5, 10.0000005, TimeRange(2.5, 10)),  # less than a microsecond, which is what ApertureDB counts
        (2.5, 10.00001, None),
        (-0.1, 3, None),
    ],
)
def test_ends_of_a_video(start: float, end: float, native: TimeRange | None):
    assert mapped("labels", {"start": start, "end": end, "labels": []}, VIDEO).native == native


def test_a_range_of_a_sound_has_its_length_and_no_clip():
    value = {"start": 1.5, "end": 4, "channel": 1, "labels": ["Speech"]}
    region = mapped("labels", value, SOUND, original_length=10.02)
    assert (region.kind, region.native, region.reason) == ("audio_range", None, None)
    assert region.properties == {
        "LS_start_s": 1.5,
        "LS_end_s": 4.0,
        "LS_duration_s": 2.5,
        "LS_channel": 1,
        "LS_original_length_s": 10.02,
    }


def test_where_the_length_is_not_known_what_the_browser_measured_counts():
    value = {"start": 1, "end": 11, "channel": 0, "labels": []}
    assert (
        mapped("labels", value, Medium("audio"), original_length=10).reason == "ends after the medium, which has 10 s"
    )


def test_an_end_that_no_video_has_is_no_clip():
    value = {"start": 0, "end": 1e300, "labels": ["x"]}
    item = {"id": "a", "type": "labels", "from_name": "l", "to_name": "v", "value": value}
    (region,) = map_annotation([item], Medium("video")).regions
    assert region.native is None
    assert region.reason == "ends after 1e+07 s: no medium is so long"
    assert region.properties["LS_end_s"] == 1e300
