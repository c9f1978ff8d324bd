"""Predictions of a model version that is sent, on tasks for which ApertureDB has none of it any more."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.label_studio_query import Filter, with_model_version
from labeling_assets.clients.label_studio_records import PUSH_FIELDS, Task
from labeling_assets.sync.labeling_project import ProjectRecord


@dataclass(slots=True)
class _Version:
    """`total` tasks had predictions before the push began with it, `shown` of them are of the media in `guids`."""

    total: int
    shown: int = 0
    guids: set[str] = field(default_factory=set)


class StalePredictions:
    """Counts along with a push, so that the tasks are searched only if there is something to find."""

    def __init__(self, ls: LabelStudio, record: ProjectRecord, filters: Sequence[Filter]) -> None:
        self._ls, self._record, self._filters = ls, record, filters
        self._versions: dict[str, _Version] = {}
        self._skipped: set[str] = set()

    def is_any(self) -> bool:
        """Whether there is a stale prediction of the versions that are watched."""
        return next(self.tasks(), None) is not None

    def watch(self, version: str) -> _Version:
        """Count the tasks with this version, before anything of it is sent."""
        if version not in self._versions:
            filters = [with_model_version(version), *self._filters]
            self._versions[version] = _Version(self._ls.count_tasks(self._record.project_id, filters))
        return self._versions[version]

    def has(self, task: Task, version: str) -> None:
        """ApertureDB has something of this version for the task, which is as it was before the push."""
        found = self.watch(version)
        guid = str(task["data"]["guid"])
        if guid not in found.guids:
            found.guids.add(guid)
            found.shown += any(given.get("model_version") == version for given in task.get("predictions") or ())

    def skip(self, task: Task) -> None:
        """Nothing can be said of this task, and of others for its medium."""
        self._skipped.add(str(task["data"]["guid"]))

    def tasks(self) -> Iterator[tuple[Task, str, list[int]]]:
        """Task, version, and the ids of its stale predictions."""
        for name, version in self._versions.items():
            if version.total <= version.shown:
                continue
            filters = [with_model_version(name), *self._filters]
            for task in self._ls.iterate_by_id(self._record.project_id, filters, include=PUSH_FIELDS):
                guid = str(task["data"].get("guid") or "")
                if guid in version.guids or guid in self._skipped:
                    continue
                stale = [int(given["id"]) for given in task["predictions"] if given.get("model_version") == name]
                if stale:
                    yield task, name, sorted(stale)
