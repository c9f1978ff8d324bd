"""What `GET /api/tasks` understands: times, filters, ordering. Facts: Label Studio 1.23.2, data_manager.

Filters are joined with "and"; only one ordering is honoured by the server.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

# The one form that the server parses: without a fraction, or with +00:00, it answers 500.
_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"

# Proxies allow a URL of 8 KB. A value takes 9 characters more than its own: quotes and comma, encoded.
_VALUES_PER_URL: Final = 100
_CHARACTERS_PER_URL: Final = 6000
_AROUND_A_VALUE: Final = 9

Value = str | float | list[str] | list[int] | dict[str, int]


def parse_time(text: str) -> datetime:
    """An aware datetime in UTC. The server leaves the fraction out when it is zero."""
    return datetime.fromisoformat(text).astimezone(UTC)


def format_time(time: datetime) -> str:
    """Always with six digits of fraction and `Z`. Raises ValueError for a time without a zone."""
    if time.tzinfo is None:
        raise ValueError(f"a time without a zone: {time!r}")
    return time.astimezone(UTC).strftime(_TIME_FORMAT)


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on a task. `column` is a property of the task, or `data.KEY`."""

    column: str
    operator: Literal["equal", "in", "in_list", "greater", "greater_or_equal", "less", "contains", "empty"]
    type: Literal["Number", "String", "Datetime", "List"]
    value: Value

    def as_json(self) -> dict[str, Any]:
        return {
            "filter": f"filter:tasks:{self.column}",
            "operator": self.operator,
            "type": self.type,
            "value": self.value,
        }


def updated_since(time: datetime) -> Filter:
    """`time` included, to the microsecond."""
    return Filter("updated_at", "greater_or_equal", "Datetime", format_time(time))


def updated_after(time: datetime) -> Filter:
    """`time` excluded."""
    return Filter("updated_at", "greater", "Datetime", format_time(time))


def updated_at(time: datetime) -> Filter:
    return Filter("updated_at", "equal", "Datetime", format_time(time))


def id_above(number: int) -> Filter:
    return Filter("id", "greater", "Number", number)


def id_in(numbers: Iterable[int]) -> Filter:
    return Filter("id", "in_list", "List", list(numbers))


def id_between(lowest: int, highest: int) -> Filter:
    """Both included."""
    return Filter("id", "in", "Number", {"min": lowest, "max": highest})


def data_equals(key: str, value: str) -> Filter:
    """`data[key]` is this string, case and all; a number 12345 in the data is another value than "12345"."""
    return Filter(f"data.{key}", "equal", "String", value)


def data_in(key: str, values: Iterable[str]) -> Filter:
    """`data[key]` is one of these strings, not more than `groups_for_urls` puts together."""
    return Filter(f"data.{key}", "in_list", "List", list(values))


def without_data(key: str) -> Filter:
    """`data` has no such key, or it is null."""
    return Filter(f"data.{key}", "empty", "String", "true")


def in_batch(batch: str) -> Filter:
    return data_equals("import_batch", batch)


def with_model_version(version: str) -> Filter:
    """Tasks with a prediction whose model version contains this text: the server looks for no less (1.23.2)."""
    return Filter("predictions_model_versions", "contains", "List", [version])


def view_filters(filters: Sequence[Filter]) -> dict[str, Any]:
    """As a saved view of the data manager keeps them."""
    return {"conjunction": "and", "items": [item.as_json() for item in filters]}


def query_text(filters: Sequence[Filter], ordering: str | None = None) -> str:
    """The `query` parameter. `ordering` is `tasks:updated_at`, `-tasks:id` and so on.

    The server decodes the parameter twice, so a `%` is quoted once more here.
    """
    query: dict[str, Any] = {}
    if filters:
        query["filters"] = view_filters(filters)
    if ordering:
        query["ordering"] = [ordering]
    return json.dumps(query, separators=(",", ":")).replace("%", "%25")


def groups_for_urls(values: Iterable[str]) -> Iterator[list[str]]:
    """Each value once, in groups of at most 100 that fit into a URL. For letters, digits, `.`, `_`, `-`."""
    group: list[str] = []
    length = 0
    for value in dict.fromkeys(values):
        added = len(value) + _AROUND_A_VALUE
        if group and (len(group) == _VALUES_PER_URL or length + added > _CHARACTERS_PER_URL):
            yield group
            group, length = [], 0
        group.append(value)
        length += added
    if group:
        yield group
