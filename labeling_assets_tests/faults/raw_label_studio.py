"""Label Studio as its own SQLite file has it: nothing of our client, our sync, or its API in between."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

# Everything that people make. What a request of anybody changes (sessions, times of activity) is in other tables.
_WORK: Final = ("project", "task", "task_completion", "prediction", "tasks_annotationdraft", "webhook")
Key = tuple[int, str]
"""An id and the time of creation: SQLite gives ids again."""


@dataclass(frozen=True)
class RawAnnotation:
    """An annotation; `author` is an e-mail address, times are spelled as the API spells them."""

    key: Key
    task_id: int
    result: list[dict[str, Any]]
    author: str
    skipped: bool
    ground_truth: bool
    lead_time: float | None
    prediction: int | None

    @property
    def id(self) -> int:
        return self.key[0]

    @property
    def content(self) -> str:
        """What makes a version of it."""
        return content_of(self.result, self.author, skipped=self.skipped, ground_truth=self.ground_truth)


@dataclass(frozen=True)
class RawTask:
    key: Key
    data: Mapping[str, Any]
    annotations: tuple[RawAnnotation, ...]
    predictions: tuple[int, ...]

    @property
    def id(self) -> int:
        return self.key[0]

    @property
    def batch(self) -> str | None:
        found = self.data.get("import_batch")
        return None if found is None else str(found)

    @property
    def state(self) -> str:
        if any(not one.skipped for one in self.annotations):
            return "done"
        return "skipped" if self.annotations else "open"


Snapshot = dict[Key, RawTask]
"""The tasks of a project at one moment, by id."""


class RawLabelStudio:
    """Opens the file for each look, for reading only."""

    def __init__(self, path: Path) -> None:
        self._address = f"file:{path}?mode=ro"

    def tasks(self, project_id: int) -> Snapshot:
        """The tasks of a project, by id, with their annotations by id."""
        of = (project_id,)
        with closing(sqlite3.connect(self._address, uri=True)) as file:
            file.row_factory = sqlite3.Row
            tasks = file.execute("SELECT * FROM task WHERE project_id = ? ORDER BY id", of).fetchall()
            given = file.execute(
                "SELECT a.*, u.email FROM task_completion a LEFT JOIN htx_user u ON u.id = a.completed_by_id "
                "JOIN task t ON t.id = a.task_id WHERE t.project_id = ? ORDER BY a.id",
                of,
            ).fetchall()
            predicted = file.execute(
                "SELECT id, task_id FROM prediction WHERE project_id = ? ORDER BY id", of
            ).fetchall()
        annotations = _by_task(_annotation(row) for row in given)
        predictions: dict[int, list[int]] = {}
        for row in predicted:
            predictions.setdefault(row["task_id"], []).append(row["id"])
        found = (
            RawTask(
                (row["id"], _time(row["created_at"])),
                json.loads(row["data"]),
                tuple(annotations.get(row["id"], ())),
                tuple(predictions.get(row["id"], ())),
            )
            for row in tasks
        )
        return {task.key: task for task in found}

    def work(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every project, to compare: whoever only reads leaves it as it is."""
        with closing(sqlite3.connect(self._address, uri=True)) as file:
            return {table: file.execute(f"SELECT * FROM {table} ORDER BY id").fetchall() for table in _WORK}


def content_of(result: Any, author: str, *, skipped: bool, ground_truth: bool) -> str:
    """The content of a version as one text: two are equal if nothing was changed from one to the other."""
    return json.dumps([result, author, skipped, ground_truth], sort_keys=True)


def _annotation(row: sqlite3.Row) -> RawAnnotation:
    return RawAnnotation(
        (row["id"], _time(row["created_at"])),
        row["task_id"],
        json.loads(row["result"] or "[]"),
        row["email"],
        bool(row["was_cancelled"]),
        bool(row["ground_truth"]),
        row["lead_time"],
        row["parent_prediction_id"],
    )


def _by_task(annotations: Iterable[RawAnnotation]) -> dict[int, list[RawAnnotation]]:
    found: dict[int, list[RawAnnotation]] = {}
    for annotation in annotations:
        found.setdefault(annotation.task_id, []).append(annotation)
    return found


def _time(text: str) -> str:
    """Django writes UTC without a zone, and leaves the fraction out when it is zero."""
    day, _, rest = text.partition(" ")
    seconds, _, fraction = rest.partition(".")
    return f"{day}T{seconds}.{fraction:0<6}Z"
