import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from labeling_assets.clients.label_studio_query import (
    Filter,
    data_equals,
    format_time,
    groups_for_urls,
    id_above,
    in_batch,
    parse_time,
    query_text,
    updated_since,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_a_time_is_written_with_six_digits_even_when_they_are_zero():
    assert format_time(NOON) == "2026-11-22T12:00:00.000000Z"


def test_a_time_of_another_zone_is_written_in_utc():
    assert format_time(NOON.astimezone(timezone(timedelta(hours=5)))) == "2026-11-22T12:00:00.000000Z"


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="without a zone"):
        format_time(datetime(2026, 11, 22))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T12:00:00.361384Z", NOON.replace(microsecond=361384)),
        ("2026-11-22T12:00:00Z", NOON),
        ("2026-11-22T13:00:00+01:00", NOON),
    ],
    ids=["usual", "fraction is zero", "other zone"],
)
def test_times_of_the_server_are_read(text: str, expected: datetime):
    assert parse_time(text) == expected


def test_microseconds_survive_reading_and_writing():
    assert format_time(parse_time("2026-11-22T16:05:04.361384Z")) == "2026-11-22T16:05:04.361384Z"


def test_filters_are_joined_with_and():
    query = json.loads(query_text([updated_since(NOON), in_batch("May")], "tasks:updated_at"))
    assert query["filters"]["conjunction"] == "and"
    assert query["filters"]["items"] == [
        {
            "filter": "filter:tasks:updated_at",
            "operator": "greater_or_equal",
            "type": "Datetime",
            "value": "2026-11-22T12:00:00.000000Z",
        },
        {"filter": "filter:tasks:data.import_batch", "operator": "equal", "type": "String", "value": "May"},
    ]
    assert query["ordering"] == ["tasks:updated_at"]


def test_without_filters_the_query_is_empty():
    assert query_text([]) == "{}"


def test_a_percent_sign_is_quoted_once_because_the_server_decodes_twice():
    assert '"a%2520b"' in query_text([data_equals("guid", "a%20b")])


def test_an_id_is_a_number():
    assert id_above(7) == Filter("id", "greater", "Number", 7)


@pytest.mark.parametrize(
    ("values", "sizes"),
    [([], []), (["a", "a"], [1]), (list(map(str, range(250))), [100, 100, 50]), (["x" * 6500, "y"], [1, 1])],
    ids=["none", "the same twice", "many", "one too long alone"],
)
def test_values_are_grouped_so_that_they_fit_into_a_url(values: list[str], sizes: list[int]):
    assert [len(group) for group in groups_for_urls(values)] == sizes
