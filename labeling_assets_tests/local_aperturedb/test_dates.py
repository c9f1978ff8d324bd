"""Dates in every form."""

import pytest

from labeling_assets.local_aperturedb.dates import parse_date
from labeling_assets.local_aperturedb.errors import QueryError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-01T10:00:00+02:00", "2024-05-01T08:00:00.000000+00:00"),
        ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00.000000+00:00"),
        ("2024-05-01T10:00:00.5", "2024-05-01T10:00:00.500000+00:00"),
        ("2024-05-01 10:00", "2024-05-01T10:00:00.000000+00:00"),
        ("2024-05-01", "2024-05-01T00:00:00.000000+00:00"),
        ("Wed May  1 10:00:00 2024", "2024-05-01T10:00:00.000000+00:00"),
        ("Wed May 1 10:00:00 UTC 2024", "2024-05-01T10:00:00.000000+00:00"),
        ("Wed May 1 10:00:00 +0200 2024", "2024-05-01T08:00:00.000000+00:00"),
    ],
)
def test_forms(text, expected):
    assert parse_date(text).text == expected


@pytest.mark.parametrize("text", ["", "soon", "2024-13-01", "0001-01-01T00:00:00+05:00", 5, None, {}])
def test_everything_else_is_refused(text):
    with pytest.raises(QueryError, match="is not a date"):
        parse_date(text)
