"""Tasks of Label Studio beside what ApertureDB holds of them: what a sync has to write."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.projects import Project
from labeling_assets.sync.collect.label_edits import refuse_label_edits
from labeling_assets.sync.collect.read_tasks import ReadChunk, time_of
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.report import Note
from labeling_assets.sync.resolve_tasks import ResolvedTask, resolve_tasks
from labeling_assets.sync.stored_annotations import TaskChange, stored_for, task_change


@dataclass(frozen=True, slots=True)
class TaskChunk:
    """Tasks with what ApertureDB holds of them; `unclear` are those without a medium, by id, and why.

    `newest` is how far the watermark may go when they are written, or empty; `refused` are changes that a policy of
    the project does not let through.
    """

    tasks: Mapping[int, Mapping[str, Any]]
    resolved: Sequence[ResolvedTask]
    unclear: Mapping[int, str]
    changes: Mapping[int, TaskChange]
    newest: str = ""
    refused: Sequence[Note] = field(default=())

    @property
    def removed(self) -> int:
        """How many annotations Label Studio no longer has."""
        return sum(len(change.removed) for change in self.changes.values())

    def quarantined(self, before: Mapping[int, str]) -> dict[int, str]:
        """The tasks of which nothing is written, by id, and why, when this chunk has been dealt with."""
        clear = {int(task.raw["id"]) for task in self.resolved}
        return {**{task: why for task, why in before.items() if task not in clear}, **self.unclear}

    def part(self, ids: Iterable[int]) -> "TaskChunk":
        """The chunk of some of its tasks; what was refused stays with the whole."""
        kept = {task: self.tasks[task] for task in ids}
        return TaskChunk(
            kept,
            [task for task in self.resolved if int(task.raw["id"]) in kept],
            {task: why for task, why in self.unclear.items() if task in kept},
            {task: change for task, change in self.changes.items() if task in kept},
            max(map(time_of, kept.values()), default="") if self.newest else "",
        )


def compare(db: ApertureDB, record: ProjectRecord, project: Project, read: ReadChunk, *, full: bool) -> TaskChunk:
    """Look up what ApertureDB holds of these tasks, in a few queries for all of them.

    A `full` comparison also finds annotations whose regions are stale.
    """
    tasks: dict[int, Mapping[str, Any]] = {}
    for task in read.tasks:
        tasks.pop(int(task["id"]), None)  # read twice, it stands where it was read last: the order is that of times
        tasks[int(task["id"])] = task
    resolved, unclear = resolve_tasks(db, record, list(tasks.values()))
    shown = {int(task.raw["id"]): (task.guid, task.raw.get("annotations") or ()) for task in resolved}
    stored = stored_for(db, record, shown)
    changes = {
        task: task_change(record, annotations, stored[task], task_id=task, full=full)
        for task, (_, annotations) in shown.items()
    }
    refused: list[Note] = []
    if not project.allow_label_edits:
        changes, refused = refuse_label_edits(db, record, changes)
    return TaskChunk(tasks, resolved, unclear, changes, read.newest, refused)
