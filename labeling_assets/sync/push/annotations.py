"""Annotations into Label Studio, each once: the server refuses a second one with the same `unique_id`."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio import LabelStudio, MaybeDoneError
from labeling_assets.clients.query import Query
from labeling_assets.errors import RefusedError
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.lease import Lease
from labeling_assets.sync.push.plan import Authors, TaskPlan, content, import_id_of, known_annotations, same_annotation
from labeling_assets.sync.push.report import PushReport, PushRow
from labeling_assets.sync.push.sent import note_sent, unique_id
from labeling_assets.sync.push.sources import Wanted

_CONFLICT: Final = 409
_NOT_FOUND: Final = 404
_CHANGED_MEANWHILE: Final = (
    "its annotation in task {task} was changed or deleted while this push ran: sync, and push again"
)
_ATTEMPTS: Final = 5
_SAID: Final = ("result", "was_cancelled", "ground_truth")


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
        authors: Authors,
        sleep: Callable[[float], None],
    ) -> None:
        self._db, self._ls, self._record, self._report = db, ls, record, report
        self._held, self._authors, self._sleep = held, authors, sleep
        self._strangers: set[str] = set()

    def write(self, plans: Sequence[TaskPlan]) -> None:
        """Send what is to be done, read it back, count what is there, and note it."""
        failed: set[str] = set()
        for plan in plans:
            self._held.run(self._db, Query())
            failed |= {one.key for one in plan.create if not self._create(plan, one)}
            failed |= {one.key for number, one in plan.replace if not self._replace(plan, number, one)}
        there = self._verified(plans, failed)
        there += [(plan, one) for plan in plans for one in plan.unrecorded]
        note_sent(self._db, self._record, {unique_id(self._record, plan.task, one): (plan, one) for plan, one in there})

    def _replace(self, plan: TaskPlan, number: int, one: Wanted) -> bool:
        """Only what was planned for: a person may have changed it since the tasks were read."""
        (planned,) = (given for given in plan.task["annotations"] if int(given["id"]) == number)
        try:
            current = self._ls.annotation(number)
        except RefusedError as error:
            if error.status != _NOT_FOUND:
                raise
            current = {}
        if content([current.get(key) for key in _SAID]) != content([planned.get(key) for key in _SAID]):
            self._report.differing += 1
            self._report.warn(one.media_guid, _CHANGED_MEANWHILE.format(task=plan.task_id), one.key)
            return False
        body = {"result": one.result, "was_cancelled": one.was_cancelled, "import_id": import_id_of(one)}
        self._repeated(lambda: self._ls.update_annotation(number, body))
        self._report.replaced += 1
        return True

    def _create(self, plan: TaskPlan, one: Wanted) -> bool:
        body = {
            "result": one.result,
            "was_cancelled": one.was_cancelled,
            # Said in any case: a task import without it makes ground truth of every annotation.
            "ground_truth": one.ground_truth,
            "lead_time": one.lead_time_s,
            "import_id": import_id_of(one),
            "unique_id": unique_id(self._record, plan.task, one),
            **self._author(one),
        }
        try:
            self._repeated(lambda: self._ls.create_annotation(plan.task_id, body))
        except RefusedError as error:
            if error.status != _CONFLICT:  # it is there: its answer was lost, now or by a run that was killed
                self._report.refused += 1
                self._report.add(PushRow(plan.guid, one.key, "", "", str(error), "error"))
                return False
        self._report.created += 1
        return True

    def _author(self, one: Wanted) -> dict[str, int]:
        if one.author is None:
            return {}
        if one.author in self._authors.ids:
            return {"completed_by": self._authors.ids[one.author]}
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

    def _verified(self, plans: Sequence[TaskPlan], failed: Collection[str]) -> list[tuple[TaskPlan, Wanted]]:
        found = self._ls.tasks_to_push_to(self._record.project_id, [plan.guid for plan in plans])
        tasks = {int(task["id"]): task for task in found}
        right = []
        for plan in plans:
            wanted = [one for one in (*plan.create, *(one for _, one in plan.replace)) if one.key not in failed]
            there = known_annotations(self._record, tasks.get(plan.task_id, {}), wanted)
            for one in wanted:
                if one.key in there and same_annotation(there[one.key], one):
                    right.append((plan, one))
                else:
                    text = "Label Studio does not show it as it was sent; run the push again"
                    self._report.add(PushRow(plan.guid, one.key, "", "", text, "error"))
        self._report.verified += len(right)
        return right
