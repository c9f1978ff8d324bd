"""The data of tasks in Label Studio, changed only where they are still what they were when it was decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from labeling_assets.clients.label_studio import LabelStudio, MaybeDoneError, TaskRow
from labeling_assets.clients.label_studio_query import id_in
from labeling_assets.clients.label_studio_records import ROW_FIELDS
from labeling_assets.errors import RefusedError

_LOOKED_AT: Final = 10  # at once: a look costs half as much as a change


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Why a task was left as it is: somebody else was quicker (`overtaken`), or Label Studio refused."""

    overtaken: bool
    text: str


def change_tasks(
    ls: LabelStudio, project_id: int, wanted: Sequence[tuple[TaskRow, Mapping[str, Any]]]
) -> dict[int, Unchanged]:
    """Give these tasks other data; returns those that were not changed. 0.1 s for each task.

    A PATCH replaces all of the data, and Label Studio has none on a condition. So tasks are looked at shortly before:
    what somebody changes in the second between is overwritten.
    """
    unchanged = {}
    for start in range(0, len(wanted), _LOOKED_AT):
        some = wanted[start : start + _LOOKED_AT]
        rows = ls.iterate_by_id(project_id, [id_in([task.id for task, _ in some])], include=ROW_FIELDS)
        now = {row.id: row for row in map(TaskRow.from_json, rows)}
        for task, data in some:
            why = _change(ls, task, now.get(task.id), dict(data))
            if why is not None:
                unchanged[task.id] = why
    return unchanged


def _change(ls: LabelStudio, task: TaskRow, now: TaskRow | None, data: dict[str, Any]) -> Unchanged | None:
    if now is None or (now.created_at, now.data) != (task.created_at, task.data):
        return Unchanged(True, "its data changed just now" if now else "it was just deleted")
    try:
        try:
            ls.patch_task_data(task.id, data)
        except MaybeDoneError:
            ls.patch_task_data(task.id, data)  # the same data again does no harm
    except RefusedError as error:
        return Unchanged(False, str(error))
    return None
