"""Saved views of the data manager, made for a moment: for filters that a URL cannot hold, or that an export needs.

A view is a tab that everybody sees, so it is deleted at once; what a killed process left is deleted by a later one.
"""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from labeling_assets.clients.label_studio_connection import Connection
from labeling_assets.clients.label_studio_query import Filter, format_time, parse_time, view_filters
from labeling_assets.clients.label_studio_records import TaskPage
from labeling_assets.errors import LabelingAssetsError

_PATH: Final = "/api/dm/views/"
_LEFT_AFTER: Final = timedelta(hours=6)

_log = logging.getLogger(__name__)


def page_through_view(
    connection: Connection, project_id: int, filters: Sequence[Filter], *, page_size: int, include: Sequence[str]
) -> TaskPage:
    """The first page of the tasks that match, without annotations, for filters of any length; four requests.

    Raises:
        RefusedError: the owner of the token may make no views, or a person deleted it just now.
    """
    with saved_view(connection, project_id, filters, title=new_title("look-up")) as view:
        params = {"project": project_id, "view": view, "page_size": page_size, "resolve_uri": "false"}
        answer = connection.get("/api/tasks", {**params, "include": ",".join(include)})
    return TaskPage(answer["tasks"], answer["total"])


@contextmanager
def saved_view(connection: Connection, project_id: int, filters: Sequence[Filter], *, title: str) -> Iterator[int]:
    """The id of a view, which is deleted at the end. `title` is one of `new_title`."""
    for view in connection.get(_PATH, {"project": project_id}):
        if is_left((view.get("data") or {}).get("title")):
            delete(connection, f"{_PATH}{view['id']}/")
    data = {"title": title, "filters": view_filters(filters), "ordering": []}
    made = connection.write("POST", _PATH, body={"project": project_id, "data": data})["id"]
    try:
        yield int(made)
    finally:
        delete(connection, f"{_PATH}{made}/")


def new_title(purpose: str) -> str:
    """A title by which what is left is known again: `purpose` is look-up or snapshot."""
    return f"labeling_assets {purpose} {format_time(datetime.now(UTC))}"


def is_left(title: Any) -> bool:
    """Whether a killed process left it: only what has a title of ours, with a time that is long ago."""
    if not isinstance(title, str) or not title.startswith(("labeling_assets look-up ", "labeling_assets snapshot ")):
        return False
    with contextlib.suppress(ValueError):
        return parse_time(title.split(" ", 2)[2]) < datetime.now(UTC) - _LEFT_AFTER
    return False


def delete(connection: Connection, path: str) -> None:
    """Without an error if that fails: a later process does it."""
    try:
        connection.write("DELETE", path)
    except LabelingAssetsError as error:
        _log.warning("%s is left in Label Studio for some hours: %s", path, error)
