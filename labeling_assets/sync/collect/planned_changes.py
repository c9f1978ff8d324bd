"""What a sync would do, as a list that people read, and that a later sync may be held to."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from labeling_assets.errors import DataError, InputError
from labeling_assets.mapping.annotation import content_hash
from labeling_assets.sync.collect.compare_tasks import TaskChunk
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.report import Note
from labeling_assets.sync.stored_annotations import StoredAnnotation, annotation_guid

Action = Literal["create", "update", "rewrite", "delete", "withdraw"]
ACTIONS: Final[tuple[Action, ...]] = ("create", "update", "rewrite", "delete", "withdraw")
_SHOWN: Final = 10


@dataclass(frozen=True, slots=True, order=True)
class PlannedChange:
    """One annotation, or with `withdraw` one task; `content_hash` is that of what would be written.

    rewrite: the annotation stays, its regions are written again. withdraw: Label Studio no longer has the task.
    """

    action: Action
    task_id: int
    annotation_id: int
    guid: str
    content_hash: str = ""

    def __str__(self) -> str:
        what = f"annotation {self.annotation_id} of task" if self.annotation_id else "task"
        return f"{self.action} {what} {self.task_id}"


@dataclass(slots=True)
class BatchPlan:
    """What a sync of one batch would do. `stops` is why it would stop before the end, or empty."""

    project: str
    batch: str
    full: bool
    changes: list[PlannedChange] = field(default_factory=list)
    problems: list[Note] = field(default_factory=list)
    quarantined: list[Note] = field(default_factory=list)
    stops: str = ""

    @property
    def counts(self) -> dict[Action, int]:
        """How many changes of each kind there are."""
        found = Counter(change.action for change in self.changes)
        return {action: found[action] for action in ACTIONS}

    def first(self, action: Action) -> list[PlannedChange]:
        """The first ten changes of a kind."""
        return [change for change in self.changes if change.action == action][:_SHOWN]

    def as_json(self) -> dict[str, Any]:
        """For a file; see `load_plans`."""
        return {"counts": self.counts, **asdict(self)}


def load_plans(text: str, source: str) -> dict[tuple[str, str], BatchPlan]:
    """(project, batch) -> plan, as `labeling-assets plan --json` printed them.

    Raises:
        InputError: it is something else; names `source`.
    """
    try:
        plans = [_parsed(values) for values in json.loads(text)]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{source} is no plan as labeling-assets plan --json prints it: {error!r}.") from error
    return {(plan.project, plan.batch): plan for plan in plans}


def _parsed(values: Mapping[str, Any]) -> BatchPlan:
    changes = [PlannedChange(**change) for change in values["changes"]]
    unknown = {change.action for change in changes} - set(ACTIONS)
    if unknown:
        raise ValueError(f"unknown action {unknown.pop()!r}")
    return BatchPlan(str(values["project"]), str(values["batch"]), bool(values["full"]), changes)


def changes_of(record: ProjectRecord, chunk: TaskChunk) -> Iterator[PlannedChange]:
    """What writing a chunk changes."""
    for task, change in chunk.changes.items():
        for annotation in change.created:
            guid = annotation_guid(record, annotation)
            yield PlannedChange("create", task, int(annotation["id"]), guid, content_hash(annotation))
        for annotation, known in change.updated:
            yield PlannedChange("update", task, known.id, known.guid, content_hash(annotation))
        for _, known in change.rewritten:
            yield PlannedChange("rewrite", task, known.id, known.guid, known.content_hash)
        yield from map(deletion, change.removed)


def deletion(known: StoredAnnotation) -> PlannedChange:
    """The removal of an annotation."""
    return PlannedChange("delete", known.task_id, known.id, known.guid)


def withdrawal(task_id: int, guid: str) -> PlannedChange:
    """The withdrawal of a task; its annotations are changes of their own."""
    return PlannedChange("withdraw", task_id, 0, guid)


class AgreedPlan:
    """Holds a sync to a plan: what is not in it is not written."""

    def __init__(self, plan: BatchPlan) -> None:
        self._plan = plan
        self._open = set(plan.changes)
        self._agreed = frozenset(plan.changes)

    def check(self, changes: Iterable[PlannedChange]) -> None:
        """About to do these.

        Raises:
            DataError: one is not in the plan; none of them may be done.
        """
        changes = set(changes)
        strange = sorted(changes - self._agreed)
        if strange:
            named = "; ".join(map(str, strange[:_SHOWN]))
            raise DataError(
                f"Since the plan of batch {self._plan.batch!r} was made, something changed: it does not have "
                f"{len(strange)} changes that are due now ({named}). They were not made, earlier ones may have been. "
                "Make a new plan and look at it."
            )
        self._open -= changes

    def left(self) -> list[Note]:
        """What turned out not to be due any more."""
        return [Note(str(change), "it was planned and is not due any more") for change in sorted(self._open)]
