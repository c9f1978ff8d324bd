from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling_assets.mapping.medium import Medium
from labeling_assets_tests.mapping.ranges import mapped, written

SERIES = Medium("csv")
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63) + 1, 2**63 - 1)
dates = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@settings(deadline=None)
@given(
    st.tuples(numbers, numbers).map(lambda it: sorted(it)) | st.tuples(dates, dates),
    st.none() | st.booleans(),
)
def test_it_comes_back_as_it_was(ends: Any, instant: bool | None):
    value = {"start": ends[0], "end": ends[1], "timeserieslabels": ["Run"]}
    value |= {} if instant is None else {"instant": instant}
    assert written("timeserieslabels", value, SERIES) == value


def test_a_date_of_digits_stays_a_text():
    """With timeFormat="%Y%m%d" the editor reads "20200615" and 20200615 as different times."""
    value = {"start": "20200615", "end": "20200616", "instant": False, "timeserieslabels": ["Run"]}
    assert mapped("timeserieslabels", value, SERIES).properties["LS_start_text"] == "20200615"
    assert written("timeserieslabels", value, SERIES) == value


def test_nanoseconds_keep_their_digits():
    value = {"start": 1700000000000000001, "end": 1700000000000000003, "timeserieslabels": ["Run"]}
    assert mapped("timeserieslabels", value, SERIES).properties["LS_start"] == 1700000000000000001


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"start": 5, "end": 5, "instant": False}, "zero length"),
        ({"start": 5, "end": 5, "instant": True}, None),
        ({"start": 5, "end": 4}, "expected an end that is not before the start @ $.result[0].value.end"),
        ({"start": 5, "end": None}, "expected a number or a date @ $.result[0].value.end"),
    ],
)
def test_degenerate(value: dict[str, Any], reason: str | None):
    assert mapped("timeserieslabels", value, SERIES).reason == reason
