"""Predictions of a chunk of tasks into Label Studio, each once, however the answers get lost."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio import LabelStudio, MaybeDoneError
from labeling_assets.clients.label_studio_records import Task
from labeling_assets.clients.query import Query
from labeling_assets.errors import RefusedError, TransientError
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.lease import Lease
from labeling_assets.sync.push.plan import TaskPlan, missing_predictions
from labeling_assets.sync.push.report import PushReport, PushRow
from labeling_assets.sync.push.sources import Wanted

# One request: as many predictions, or when they have so many regions (a mask has thousands of numbers).
_PREDICTIONS: Final = 200
_ITEMS: Final = 2000
# Below the life of a lease; 200 predictions take half a second.
_ANSWER_S: Final = 60.0
_FIRST_LOOK_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0
_ATTEMPTS: Final = 5
_NOT_FOUND: Final = 404

New = tuple[TaskPlan, Wanted]


class PredictionWriter:
    """Writes the plans of one chunk after the other.

    Args:
        db: Where the lease is.
        ls: Label Studio.
        record: The project.
        held: The lease of all pushes to the project.
        report: Gets the counts.
        settle_s: How long to wait for predictions whose answer was lost, in seconds.
        sleep: Waits for seconds.
    """

    def __init__(
        self,
        db: ApertureDB,
        ls: LabelStudio,
        record: ProjectRecord,
        *,
        held: Lease,
        report: PushReport,
        settle_s: float,
        sleep: Callable[[float], None],
    ) -> None:
        self._db, self._ls, self._record, self._report = db, ls, record, report
        self._held, self._settle_s, self._sleep = held, settle_s, sleep
        self._failed: set[tuple[str, str]] = set()

    def write(self, plans: Sequence[TaskPlan]) -> None:
        """Send what is to be done, read it back, and count what is there."""
        for part in _parts([(plan, one) for plan in plans for one in plan.create]):
            self._create(part)
        for plan in plans:
            if plan.replace or plan.remove:
                self._held.run(self._db, Query())  # one after the other they take a while: 0.1 to 0.2 s each
            for number, one in plan.replace:
                self._repeated(lambda number=number, one=one: self._ls.update_prediction(number, _body(one)))  # type: ignore[misc]  # bound at once
                self._report.replaced += 1
            for number in plan.remove:
                self._remove(number)
        self._verify(plans)

    def _create(self, new: Sequence[New]) -> None:
        """In bulk; what the server left out without a word, one by one."""
        self._held.run(self._db, Query(), firm=True)
        body = [{"task": plan.task_id, **_body(one)} for plan, one in new]
        try:
            made = self._ls.import_predictions(self._record.project_id, body, timeout_s=_ANSWER_S)
            absent = list(new) if made == 0 else self._absent(new) if made < len(new) else []
            self._report.created += made
        except MaybeDoneError as error:
            absent = self._after_lost_answer(new, error)
            self._report.created += len(new) - len(absent)
        except RefusedError:
            absent = list(new)  # one of them refuses all: a task that was deleted, a server that validates
        for plan, one in absent:
            self._create_alone(plan, one)
        self._held.run(self._db, Query())

    def _create_alone(self, plan: TaskPlan, one: Wanted) -> None:
        """Label Studio validates what comes in bulk more strictly than its own editor: this way is not validated."""
        try:
            self._held.run(self._db, Query(), firm=True)
            self._ls.create_prediction({"task": plan.task_id, **_body(one)})
        except MaybeDoneError as error:
            self._after_lost_answer([(plan, one)], error)
        except RefusedError as error:
            self._report.refused += 1
            self._failed.add((plan.guid, one.key))
            self._report.add(PushRow(plan.guid, one.key, "", "", str(error), "error"))
            return
        self._report.created += 1

    def _after_lost_answer(self, new: Sequence[New], error: MaybeDoneError) -> list[New]:
        """Those that are not there when the others are: the server shows all that a request made, or nothing.

        To send them again before that could make them twice, so if nothing comes the lease is left to expire.
        """
        waited, pause = 0.0, _FIRST_LOOK_S
        try:
            while len(absent := self._absent(new)) == len(new):
                if waited >= self._settle_s:
                    raise TransientError(
                        f"Label Studio gave no answer to {len(new)} predictions, and they are not there after "
                        f"{self._settle_s:g} s. Run the push again: those that exist will be found."
                    ) from error
                self._sleep(pause)
                self._held.run(self._db, Query(), firm=True)
                waited, pause = waited + pause, min(2 * pause, _LONGEST_PAUSE_S)
        except BaseException:
            self._held.leave_to_expire(self._db)
            raise
        return absent

    def _absent(self, new: Sequence[New]) -> list[New]:
        plans = {plan.task_id: plan for plan, _ in new}
        tasks = self._read_again(list(plans.values()))
        wanted: dict[int, list[Wanted]] = {}
        for plan, one in new:
            wanted.setdefault(plan.task_id, []).append(one)
        return [
            (plans[task], one)
            for task, some in wanted.items()
            for one in missing_predictions(tasks.get(task, {}), some)
        ]

    def _remove(self, number: int) -> None:
        try:
            self._repeated(lambda: self._ls.delete_prediction(number))
        except RefusedError as error:
            if error.status != _NOT_FOUND:
                raise
        self._report.removed += 1

    def _repeated(self, write: Callable[[], Any]) -> None:
        """What may be done twice is sent again when its answer was lost."""
        for attempt in range(_ATTEMPTS):
            try:
                write()
            except MaybeDoneError:
                if attempt == _ATTEMPTS - 1:
                    raise
                self._sleep(2.0**attempt)
            else:
                return

    def _read_again(self, plans: Sequence[TaskPlan]) -> dict[int, Task]:
        found = self._ls.tasks_to_push_to(self._record.project_id, [plan.guid for plan in plans])
        return {int(task["id"]): task for task in found}

    def _verify(self, plans: Sequence[TaskPlan]) -> None:
        tasks = self._read_again(plans)
        for plan in plans:
            wanted = [*plan.create, *(one for _, one in plan.replace)]
            absent = missing_predictions(tasks.get(plan.task_id, {}), wanted)
            self._report.verified += len(wanted) - len(absent)
            for one in absent:
                if (plan.guid, one.key) not in self._failed:
                    text = "Label Studio does not show it as it was sent; run the push again"
                    self._report.add(PushRow(plan.guid, one.key, "", "", text, "error"))


def _body(one: Wanted) -> dict[str, Any]:
    return {"result": one.result, "model_version": one.model_version, "score": one.score}


def _parts(new: Sequence[New]) -> Iterator[list[New]]:
    part: list[New] = []
    items = 0
    for plan, one in new:
        part.append((plan, one))
        items += len(one.result)
        if len(part) == _PREDICTIONS or items >= _ITEMS:
            yield part
            part, items = [], 0
    if part:
        yield part
