"""The way back: annotations, predictions, boxes and polygons from ApertureDB to the tasks of a labeling project."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from labeling_assets import names
from labeling_assets.clients import label_studio as ls_client
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.label_studio_query import in_batch
from labeling_assets.clients.label_studio_records import Task
from labeling_assets.errors import DataError, InputError
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.mapping.validate import Finding, validate_results
from labeling_assets.projects import Project
from labeling_assets.sync.database import prepare_database
from labeling_assets.sync.labeling_project import ProjectRecord, checked_project, recorded_project
from labeling_assets.sync.lease import lease
from labeling_assets.sync.media_store import Medium, chunks, media_by_guid, media_of_batch
from labeling_assets.sync.push.annotations import AnnotationWriter
from labeling_assets.sync.push.plan import Authors, Rules, TaskPlan, plan_annotations, plan_predictions, somebody_worked
from labeling_assets.sync.push.predictions import PredictionWriter
from labeling_assets.sync.push.regions import RegionSource
from labeling_assets.sync.push.report import PushReport, PushRequest, PushRow
from labeling_assets.sync.push.sent import lost_originals, sent_before, settle_edited
from labeling_assets.sync.push.sources import AnnotationSource, PredictionSource, PushSource, Wanted
from labeling_assets.sync.push.stale import StalePredictions
from labeling_assets.sync.report import Progress
from labeling_assets.sync.resolve_tasks import claimed_guid
from labeling_assets.sync.shown_medium import picture_of

# Media at a time: two requests for their tasks, one for their predictions, and all their labels in memory.
_CHUNK: Final = 200
_NAMED_WITHOUT_TASK: Final = 10

Writer = AnnotationWriter | PredictionWriter


@dataclass(frozen=True, slots=True)
class _Systems:
    """Everything that a push reads from; `current` is the project as Label Studio has it, `authors` its users."""

    db: ApertureDB
    ls: LabelStudio
    record: ProjectRecord
    current: ls_client.Project
    authors: Authors


def push_labels(
    db: ApertureDB,
    ls: LabelStudio,
    project: Project,
    request: PushRequest,
    *,
    progress: Progress = lambda _: None,
    settle_s: float = 600.0,
    sleep: Callable[[float], None] = time.sleep,
) -> PushReport:
    """Bring labels to the tasks of `project`, each once, whatever ran or was killed before.

    Everything is validated against the label configuration that Label Studio has now; what is refused is a row of
    the report and is not sent. Tasks on which somebody has worked are left alone unless the request says otherwise.
    Predictions whose answer was lost are waited for, up to `settle_s` seconds.

    Raises:
        DataError: the project was never made, is gone, or Label Studio was rebuilt.
        InputError: there is nothing of what was asked for.
        TransientError: a service went away, or another process pushes to the project; run it again.
    """
    started, requests = time.monotonic(), ls.request_count
    record = recorded_project(db, ls, project)
    if record is None:
        raise DataError(f"Project {project.slug!r} has no tasks in {ls.url} yet: make its tasks first.")
    systems = _Systems(db, ls, record, checked_project(ls, record), _authors(ls, request))
    report = _new_report(systems, request)
    if request.plan or request.strict:
        _Push(systems, request, report, progress).run(None)
        if request.strict and not request.plan and report.refused:
            report.stop()
    if not (request.plan or report.stopped):
        report = _new_report(systems, request)
        _send(systems, request, report, progress=progress, settle_s=settle_s, sleep=sleep)
    report.requests = ls.request_count - requests
    report.seconds = time.monotonic() - started
    return report


def _authors(ls: LabelStudio, request: PushRequest) -> Authors:
    if request.target == "predictions":
        return Authors({}, 0)  # a prediction has no author
    return Authors({email: number for number, email in ls.users().items()}, ls.whoami().id)


def _new_report(systems: _Systems, request: PushRequest) -> PushReport:
    record = systems.record
    return PushReport(record.slug, request.target, request.source, request.batch, request.plan, record.project_id)


def _send(
    systems: _Systems,
    request: PushRequest,
    report: PushReport,
    *,
    progress: Progress,
    settle_s: float,
    sleep: Callable[[float], None],
) -> None:
    db, ls, record = systems.db, systems.ls, systems.record
    prepare_database(db)
    # No batch has a name that begins with a slash. The wait outlasts the lease of one that was killed while it sent.
    with lease(db, record.sync_key("/push"), wait_s=130) as held:
        writer: Writer
        if request.target == "annotations":
            writer = AnnotationWriter(db, ls, record, held=held, report=report, authors=systems.authors, sleep=sleep)
        else:
            writer = PredictionWriter(db, ls, record, held=held, report=report, settle_s=settle_s, sleep=sleep)
        _Push(systems, request, report, progress).run(writer)
    if request.target == "predictions":
        _show(systems, request, report)


def _show(systems: _Systems, request: PushRequest, report: PushReport) -> None:
    """Annotators see the version that the project names. Label Studio's import of tasks names the first there is."""
    shown, versions = str(systems.current.raw.get("model_version") or ""), report.model_versions
    if not versions or shown in versions:
        return
    # Those that are unchanged may be from a push that was killed before it came to this.
    if len(versions) == 1 and (request.show or (not shown and (report.created or report.unchanged))):
        systems.ls.update_project(systems.record.project_id, model_version=versions[0])
    else:
        report.shown_version = shown


def _source(db: ApertureDB, request: PushRequest, config: LabelConfig) -> tuple[PushSource, str]:
    """The source, and what to call what is in it."""
    version = request.model_version
    if request.source == "predictions":
        return PredictionSource(db, model_version=version), f"LS_prediction{f' of {version!r}' if version else ''}"
    if request.source == "regions":
        regions = RegionSource(db, config, model_version=_version_name(request))
        return regions, "box or polygon of an image, but for those of LS_annotation"
    named = None if request.target == "annotations" else _version_name(request)
    source = AnnotationSource(db, request.from_project, model_version=named)
    return source, f"current annotation of project {request.from_project!r}"


def _version_name(request: PushRequest) -> str:
    """What predictions are called that were none in ApertureDB."""
    made = "aperturedb regions" if request.source == "regions" else f"annotations of {request.from_project}"
    return request.model_version or made


class _Push:
    """One walk over everything that there is to send, a chunk of media at a time."""

    def __init__(self, systems: _Systems, request: PushRequest, report: PushReport, progress: Progress) -> None:
        self._systems, self._request, self._report, self._progress = systems, request, report, progress
        self._config = LabelConfig.parse(systems.current.label_config)
        self._source, self._what = _source(systems.db, request, self._config)
        self._filters = [in_batch(request.batch)] if request.batch is not None else []
        self._stale = StalePredictions(systems.ls, systems.record, self._filters)
        self._refused: dict[str, Counter[str]] = {}

    def run(self, writer: Writer | None) -> None:
        """Plan everything; with a writer, also do it, chunk by chunk."""
        guids = self._guids()
        self._report.media = len(guids)
        done = 0
        for chunk in chunks(guids, _CHUNK):
            plans = self._plans(chunk)
            self._count(plans)
            todo = [plan for plan in plans if plan.writes]
            if writer is None:
                self._count_planned(todo)
            elif todo:
                writer.write(todo)
            done += len(chunk)
            self._progress(f"{done} of {len(guids)} media")
        self._find_stale(writer)

    def _guids(self) -> list[str]:
        version = self._version()
        if version is not None:
            self._stale.watch(version)
        found = list(dict.fromkeys(self._source.media_guids()))
        if not found and not self._stale.is_any():
            raise InputError(f"ApertureDB holds no {self._what}: there is nothing to send.")
        if self._request.batch is None:
            return found
        db, batch = self._systems.db, self._request.batch
        if not db.count("FindEntity", equal(names.KEY, batch), class_name=names.BATCH):
            raise InputError(f"There is no batch {batch!r} in ApertureDB.")
        wanted = {medium.guid for medium in media_of_batch(db, batch, properties=(names.GUID,))}
        return [guid for guid in found if guid in wanted]

    def _plans(self, guids: Sequence[str]) -> list[TaskPlan]:
        tasks = self._tasks(guids)
        media = self._media(tasks)
        found, refused = self._source.load(media) if media else ([], [])
        self._report.objects += len(found)
        self._refused = {}
        for row in refused:
            self._refuse(row)
        wanted: dict[str, list[Wanted]] = {}
        for one in found:
            if self._is_valid(one, media[one.media_guid]):
                wanted.setdefault(one.media_guid, []).append(one)
            else:
                self._refused.setdefault(one.media_guid, Counter())[one.model_version] += 1
        if self._request.target == "annotations":
            return self._annotation_plans([(tasks[guid], some) for guid, some in wanted.items()])
        for guid, versions in self._versions(wanted).items():
            for version in versions:
                self._stale.has(tasks[guid], version)
        return [
            plan_predictions(
                tasks[guid], some, include_touched=self._request.include_touched, refused=self._refused.get(guid)
            )
            for guid, some in wanted.items()
        ]

    def _annotation_plans(self, wanted: Sequence[tuple[Task, list[Wanted]]]) -> list[TaskPlan]:
        db, record, request = self._systems.db, self._systems.record, self._request
        pairs = [(task, one) for task, some in wanted for one in some]
        rules = Rules(
            self._systems.authors,
            include_touched=request.include_touched,
            include_deleted=request.include_deleted,
            sent=sent_before(db, record, pairs),
            lost=lost_originals(db, record, pairs),
        )
        plans = [plan_annotations(record, task, some, rules) for task, some in wanted]
        settle_edited(db, record, plans)
        return plans

    def _version(self) -> str | None:
        """The one model version of this push, if it can be no other."""
        if self._request.target == "annotations":
            return None
        if self._request.source == "predictions":
            return self._request.model_version
        return _version_name(self._request)

    def _versions(self, wanted: Mapping[str, Sequence[Wanted]]) -> dict[str, set[str]]:
        """GUID of a medium -> versions of which there is something for it, also what cannot be sent."""
        found = {guid: set(versions) for guid, versions in self._refused.items()}
        for guid, some in wanted.items():
            found.setdefault(guid, set()).update(one.model_version for one in some)
        for versions in found.values():
            self._report.model_versions += sorted(versions - set(self._report.model_versions))
        return found

    def _find_stale(self, writer: Writer | None) -> None:
        """What ApertureDB has no longer; deleted only when that was asked for."""
        plans: list[TaskPlan] = []
        for task, version, stale in self._stale.tasks():
            touched = not self._request.include_touched and somebody_worked(task)
            if self._request.remove_stale and not touched:
                plans.append(TaskPlan(task, remove=stale))
                continue
            self._report.stale += len(stale)
            advice = "somebody has worked on the task" if touched else "--remove-stale deletes it"
            text = f"ApertureDB has no {version!r} for it any more, and task {task['id']} still does: {advice}"
            self._report.warn(str(task["data"].get("guid") or ""), text)
        if writer is None:
            self._count_planned(plans)
            return
        for start in range(0, len(plans), _CHUNK):
            writer.write(plans[start : start + _CHUNK])

    def _tasks(self, guids: Sequence[str]) -> dict[str, Task]:
        """GUID -> its task, the oldest if there are several."""
        found: dict[str, Task] = {}
        ls, record = self._systems.ls, self._systems.record
        for task in ls.tasks_to_push_to(record.project_id, guids, self._filters):
            found.setdefault(str(task["data"]["guid"]), task)
        absent = [guid for guid in guids if guid not in found]
        for guid in absent[: max(0, _NAMED_WITHOUT_TASK - self._report.without_task)]:
            self._report.warn(guid, f"it has no task in project {record.slug!r}")
        self._report.without_task += len(absent)
        self._report.tasks += len(found)
        for guid, task in list(found.items()):
            _, contradiction = claimed_guid(task["data"])
            if contradiction is not None:
                del found[guid]
                self._stale.skip(task)
                self._refuse(PushRow(guid, f"task {task['id']}", "", "data", contradiction, "error"))
        return found

    def _media(self, tasks: Mapping[str, Task]) -> dict[str, Medium]:
        media: dict[str, Medium] = {}
        for guid, found in media_by_guid(self._systems.db, tasks).items():
            if len(found) == 1:
                media[guid] = found[0]
            else:
                self._stale.skip(tasks[guid])
                text = f"{len(found)} media in ApertureDB have this GUID"
                self._refuse(PushRow(guid, guid, "", names.GUID, text, "error"))
        return media

    def _refuse(self, row: PushRow) -> None:
        self._report.refused += 1
        self._report.add(row)
        if row.model_version:
            self._refused.setdefault(row.guid, Counter())[row.model_version] += 1

    def _is_valid(self, one: Wanted, medium: Medium) -> bool:
        """Whether to send it; everything that was found is in the report."""
        findings = [_judged(found, one) for found in validate_results(one.result, self._config, picture_of(medium))]
        problem = _not_json(one.result)
        if problem is not None:
            findings.append(Finding("malformed", "error", None, "$.result", "", problem))
        for found in findings:
            row = PushRow(one.media_guid, one.key, found.control, found.path, found.message, found.severity)
            self._report.add(row)
        refused = any(found.severity == "error" for found in findings)
        self._report.refused += refused
        return not refused

    def _count(self, plans: Iterable[TaskPlan]) -> None:
        for plan in plans:
            self._report.unchanged += len(plan.unchanged)
            self._report.touched += len(plan.touched)
            self._report.differing += len(plan.differing)
            self._report.deleted += len(plan.deleted)
            for one, reason in plan.differing:
                self._report.warn(one.media_guid, reason, one.key)
            for one in plan.deleted:
                text = f"its annotation in task {plan.task_id} was deleted there; --include-deleted makes it again"
                self._report.warn(one.media_guid, text, one.key)
            if plan.kept:
                text = f"{plan.kept} predictions in task {plan.task_id} stay: they may be of what is refused now"
                self._report.warn(plan.guid, text)

    def _count_planned(self, plans: Iterable[TaskPlan]) -> None:
        kind = self._request.target.removesuffix("s")
        for plan in plans:
            self._report.created += len(plan.create)
            self._report.replaced += len(plan.replace)
            self._report.removed += len(plan.remove)
            for one in plan.create:
                self._report.show(f"create {kind}{_named(one)} in task {plan.task_id}: {_size(one)} ({one.media_guid})")
            for number, one in plan.replace:
                self._report.show(f"replace {kind} {number}{_named(one)} in task {plan.task_id}: {_size(one)}")
            for number in plan.remove:
                self._report.show(f"delete {kind} {number} in task {plan.task_id}")


def _judged(found: Finding, one: Wanted) -> Finding:
    """What Label Studio's editor wrote, it can show, odd as it may be: a place outside, a key that is missing."""
    if not one.from_label_studio or found.code not in ("out_of_range", "malformed"):
        return found
    is_item = found.position is not None and isinstance(one.result[found.position], Mapping)
    return replace(found, severity="warning") if is_item else found


def _not_json(result: Sequence[object]) -> str | None:
    """Why it cannot be sent: NaN and half a surrogate pair are no JSON."""
    try:
        json.dumps(result, allow_nan=False, ensure_ascii=False).encode()
    except ValueError as error:
        return f"it cannot be sent as JSON: {error}"
    return None


def _named(one: Wanted) -> str:
    return f" of {one.model_version!r}" if one.model_version else ""


def _size(one: Wanted) -> str:
    return f"{len(one.result)} result{'' if len(one.result) == 1 else 's'}"
