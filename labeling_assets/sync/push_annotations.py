"""Annotations into Label Studio, each once: the server refuses a second one with the same `unique_id`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio import LabelStudio, MaybeDoneError
from labeling_assets.clients.query import Query
from labeling_assets.errors import RefusedError
from labeling_assets.identity import labels_guid
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.lease import Lease
from labeling_assets.sync.push_plan import TaskPlan, known_annotations, same_annotation
from labeling_assets.sync.push_report import PushReport, PushRow
from labeling_assets.sync.push_sources import Wanted, number_of

_CONFLICT: Final = 409
_ATTEMPTS: Final = 5


class AnnotationWriter:
    """Writes the plans of one chunk after the other, one request for each annotation (Community has no other).

    What survives in Label Studio 1.23.2, measured: `result`, `completed_by` (any user it knows), `lead_time`,
    `was_cancelled`, `ground_truth` (false unless said), `import_id` and `unique_id`. Not `created_at`. The
    `import_id` is what a later push knows the annotation by; an edit by a person leaves it alone.
    """

    def __init__(
        self,
        db: ApertureDB,
        ls: LabelStudio,
        record: ProjectRecord,
        *,
        held: Lease,
        report: PushReport,
        sleep: Callable[[float], None],
    ) -> None:
        self._db, self._ls, self._record, self._report = db, ls, record, report
        self._held, self._sleep = held, sleep
        self._users = {email: number for number, email in ls.users().items()}
        self._strangers: set[str] = set()

    def write(self, plans: Sequence[TaskPlan]) -> None:
        """Send what is to be done, read it back, and count what is there."""
        for plan in plans:
            self._held.run(self._db, Query())
            for one in plan.create:
                self._create(plan, one)
            for number, one in plan.replace:
                body = {"result": one.result, "was_cancelled": one.was_cancelled}
                self._repeated(lambda number=number, body=body: self._ls.update_annotation(number, body))  # type: ignore[misc]  # bound at once
                self._report.replaced += 1
        self._verify(plans)

    def _create(self, plan: TaskPlan, one: Wanted) -> None:
        body = {
            "result": one.result,
            "was_cancelled": one.was_cancelled,
            # Said in any case: a task import without it makes ground truth of every annotation.
            "ground_truth": one.ground_truth,
            "lead_time": one.lead_time_s,
            "import_id": number_of(one.key),
            "unique_id": unique_id(self._record, plan.task, one),
            **self._author(one),
        }
        try:
            self._repeated(lambda: self._ls.create_annotation(plan.task_id, body))
        except RefusedError as error:
            if error.status != _CONFLICT:  # it is there: its answer was lost, now or by a run that was killed
                self._report.refused += 1
                self._report.add(PushRow(_guid(plan), one.key, "", "", str(error), "error"))
                return
        self._report.created += 1

    def _author(self, one: Wanted) -> dict[str, int]:
        if one.author is None:
            return {}
        known = self._users.get(one.author)
        if known is not None:
            return {"completed_by": known}
        if one.author not in self._strangers:
            self._strangers.add(one.author)
            self._report.warn(
                one.media_guid,
                f"Label Studio has no user {one.author}: what they annotated becomes the work of the token's owner. "
                "Invite them first to keep it theirs",
                one.key,
            )
        return {}

    def _repeated(self, write: Callable[[], Any]) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                write()
            except MaybeDoneError:
                if attempt == _ATTEMPTS - 1:
                    raise
                self._sleep(2.0**attempt)
            else:
                return

    def _verify(self, plans: Sequence[TaskPlan]) -> None:
        found = self._ls.tasks_to_push_to(self._record.project_id, [_guid(plan) for plan in plans])
        tasks = {int(task["id"]): task for task in found}
        for plan in plans:
            wanted = [*plan.create, *(one for _, one in plan.replace)]
            there = known_annotations(self._record, tasks.get(plan.task_id, {}), wanted)
            for one in wanted:
                if one.key in there and same_annotation(there[one.key], one):
                    self._report.verified += 1
                elif not any(row.key == one.key and row.severity == "error" for row in self._report.rows):
                    text = "Label Studio does not show it as it was sent; run the push again"
                    self._report.add(PushRow(_guid(plan), one.key, "", "", text, "error"))


def unique_id(record: ProjectRecord, task: Mapping[str, Any], one: Wanted) -> str:
    """The same for the same annotation in the same task; another task, also one with its id again, is another."""
    return labels_guid("pushed", record.key, int(task["id"]), str(task["created_at"]), one.key)


def _guid(plan: TaskPlan) -> str:
    return str(plan.task["data"]["guid"])
