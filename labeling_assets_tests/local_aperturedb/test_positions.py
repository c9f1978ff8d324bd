"""Positions in videos."""

import pytest

from labeling_assets.local_aperturedb import positions
from labeling_assets.local_aperturedb.errors import QueryError
from labeling_assets.local_aperturedb.positions import FRACTION, FRAME, MICROSECOND, Span
from labeling_assets.local_aperturedb.videos import Facts

FILM = Facts(fps=25.0, frames=100, width=64, height=48)


@pytest.mark.parametrize(
    ("text", "microseconds", "shown"),
    [
        ("00:00:01.5", 1_500_000, "00:01.5"),
        ("01:22:10.000", 4_930_000_000, "01:22:10.0"),
        ("21:23", 1_283_000_000, "21:23.0"),
        ("7", 7_000_000, "00:07.0"),
        ("00:00:00.000001", 1, "00:00.000001"),
    ],
)
def test_times_are_read_and_shown(text, microseconds, shown):
    assert positions.time_offset(text) == microseconds
    assert positions.time_text(microseconds) == shown


@pytest.mark.parametrize("text", ["", "1:2:3:4", "-1", "1.1234567", "00:00:1e3", "one"])
def test_what_is_no_time(text):
    with pytest.raises(QueryError, match="is not a time"):
        positions.time_offset(text)


@pytest.mark.parametrize(
    ("span", "frame"),
    [
        (Span(FRAME, 99, 99), 99),
        (Span(FRACTION, 0.5, 0.5), 50),
        (Span(FRACTION, 1, 1), 99),
        (Span(MICROSECOND, 39_999, 39_999), 0),
        (Span(MICROSECOND, 40_000, 40_000), 1),
        (Span(MICROSECOND, 4_000_000, 4_000_000), 99),
    ],
)
def test_the_frame_that_has_begun_by_then(span, frame):
    assert positions.frame_system(span, FILM)["span"][FRAME] == [frame, frame]


@pytest.mark.parametrize("span", [Span(FRAME, 0, 100), Span(MICROSECOND, 0, 4_040_000)])
def test_outside_of_the_video(span):
    with pytest.raises(QueryError, match="is not inside the video of 100 frames"):
        positions.clip_system(span, FILM)
