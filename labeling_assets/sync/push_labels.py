"""The way back: annotations, predictions, boxes and polygons from ApertureDB to the tasks of a labeling project."""

import json
import time
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
from labeling_assets.sync.collect_annotations import picture_of
from labeling_assets.sync.database import prepare_database
from labeling_assets.sync.labeling_project import ProjectRecord, checked_project, recorded_project
from labeling_assets.sync.lease import lease
from labeling_assets.sync.media_store import Medium, chunks, media_by_guid, media_of_batch
from labeling_assets.sync.push_annotations import AnnotationWriter
from labeling_assets.sync.push_plan import TaskPlan, plan_annotations, plan_predictions
from labeling_assets.sync.push_predictions import PredictionWriter
from labeling_assets.sync.push_regions import RegionSource
from labeling_assets.sync.push_report import PushReport, PushRequest, PushRow
from labeling_assets.sync.push_sources import AnnotationSource, PredictionSource, PushSource, Wanted
from labeling_assets.sync.report import Progress
from labeling_assets.sync.resolve_tasks import claimed_guid

# Media at a time: two requests for their tasks, one for their predictions, and all their labels in memory.
_CHUNK: Final = 200
_NAMED_WITHOUT_TASK: Final = 10

Writer = AnnotationWriter | PredictionWriter


@dataclass(frozen=True, slots=True)
class _Systems:
    """Everything that a push reads from; `current` is the project as Label Studio has it."""

    db: ApertureDB
    ls: LabelStudio
    record: ProjectRecord
    current: ls_client.Project


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
    systems = _Systems(db, ls, record, checked_project(ls, record))
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
            writer = AnnotationWriter(db, ls, record, held=held, report=report, sleep=sleep)
        else:
            writer = PredictionWriter(db, ls, record, held=held, report=report, settle_s=settle_s, sleep=sleep)
        _Push(systems, request, report, progress).run(writer)
    # Annotators see predictions of the version that the project names. Label Studio's import of tasks names the first.
    if report.created and len(report.model_versions) == 1 and not systems.current.raw.get("model_version"):
        ls.update_project(record.project_id, model_version=report.model_versions[0])


def _source(db: ApertureDB, request: PushRequest, config: LabelConfig) -> tuple[PushSource, str]:
    """The source, and what to call what is in it."""
    version = request.model_version
    if request.source == "predictions":
        return PredictionSource(db, model_version=version), f"LS_prediction{f' of {version!r}' if version else ''}"
    if request.source == "regions":
        name = version or "aperturedb regions"
        return RegionSource(
            db, config, model_version=name
        ), "box or polygon of an image, but for those of LS_annotation"
    named = None if request.target == "annotations" else version or f"annotations of {request.from_project}"
    source = AnnotationSource(db, request.from_project, model_version=named)
    return source, f"current annotation of project {request.from_project!r}"


class _Push:
    """One walk over everything that there is to send, a chunk of media at a time."""

    def __init__(self, systems: _Systems, request: PushRequest, report: PushReport, progress: Progress) -> None:
        self._systems, self._request, self._report, self._progress = systems, request, report, progress
        self._config = LabelConfig.parse(systems.current.label_config)
        self._source, self._what = _source(systems.db, request, self._config)
        self._filters = [in_batch(request.batch)] if request.batch is not None else []

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

    def _guids(self) -> list[str]:
        found = list(dict.fromkeys(self._source.media_guids()))
        if not found:
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
        for row in refused:
            self._refuse(row)
        wanted: dict[str, list[Wanted]] = {}
        for one in found:
            if self._is_valid(one, media[one.media_guid]):
                wanted.setdefault(one.media_guid, []).append(one)
        return [self._plan(tasks[guid], some) for guid, some in wanted.items()]

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
                self._refuse(PushRow(guid, f"task {task['id']}", "", "data", contradiction, "error"))
        return found

    def _media(self, tasks: Mapping[str, Task]) -> dict[str, Medium]:
        media: dict[str, Medium] = {}
        for guid, found in media_by_guid(self._systems.db, tasks).items():
            if len(found) == 1:
                media[guid] = found[0]
            else:
                text = f"{len(found)} media in ApertureDB have this GUID"
                self._refuse(PushRow(guid, guid, "", names.GUID, text, "error"))
        return media

    def _refuse(self, row: PushRow) -> None:
        self._report.refused += 1
        self._report.add(row)

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

    def _plan(self, task: Task, wanted: Sequence[Wanted]) -> TaskPlan:
        touch = self._request.include_touched
        if self._request.target == "annotations":
            return plan_annotations(self._systems.record, task, wanted, include_touched=touch)
        return plan_predictions(task, wanted, include_touched=touch)

    def _count(self, plans: Iterable[TaskPlan]) -> None:
        for plan in plans:
            self._report.unchanged += len(plan.unchanged)
            self._report.touched += len(plan.touched)
            self._report.differing += len(plan.differing)
            for one in plan.differing:
                text = f"its annotation in task {plan.task_id} is another by now; --include-touched replaces it"
                self._report.warn(one.media_guid, text, one.key)
            sent = [*plan.create, *(one for _, one in plan.replace)]
            for one in sent if self._request.target == "predictions" else ():
                if one.model_version not in self._report.model_versions:
                    self._report.model_versions.append(one.model_version)

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
                self._report.show(f"delete {kind} {number} in task {plan.task_id}, a twin")


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
