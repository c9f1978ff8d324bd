"""A Label Studio project with work in it becomes a labeling project of ours, with a plan first.

Its tasks are matched to media of ApertureDB, media that are not there are fetched and stored, and the tasks' data get
`guid` and `import_batch`. Everything else of the project stays: annotations, authors, times, all other keys. A task
whose medium is not certain is listed and left alone. Done again, it does what is left; the labels come with a sync.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.label_studio import LabelStudio, TaskRow
from labeling_assets.clients.label_studio import Project as ProjectThere
from labeling_assets.clients.label_studio_query import format_time
from labeling_assets.clients.label_studio_records import ROW_FIELDS
from labeling_assets.errors import ConfigurationError, DataError, InputError, RefusedError
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.media_sources import NOWHERE, MediaSources
from labeling_assets.projects import Project
from labeling_assets.sync.adopt import project_adoption_report as found
from labeling_assets.sync.adopt.config_differences import config_differences
from labeling_assets.sync.adopt.fetch_media import Fetcher
from labeling_assets.sync.adopt.find_task_media import TaskMediaFinder, TaskMedium, wanted_properties
from labeling_assets.sync.adopt.match_media import ColumnMatcher, LinkMatcher, Matcher, NameMatcher, NoMatcher
from labeling_assets.sync.adopt.project_adoption_report import ProjectAdoption
from labeling_assets.sync.adopt.task_files import TaskFiles, files_client, link_keys
from labeling_assets.sync.adopt.write_adopted_tasks import Adoption, AdoptionWriter, media_in_batch
from labeling_assets.sync.batch_rows import checked_batch
from labeling_assets.sync.database import prepare_database
from labeling_assets.sync.labeling_project import (
    ProjectRecord,
    checked_project,
    noted_project,
    project_key,
    take_over_project,
)
from labeling_assets.sync.lease import PUBLISHING, Lease, lease
from labeling_assets.sync.report import Progress
from labeling_assets.sync.task_data import data_sources
from labeling_assets.sync.task_record import recorded_media

_PAGE: Final = 100  # tasks that are read, matched and written together
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class Matching:
    """How tasks are matched to media.

    Args:
        by: link, name, hash, `column:<key>` (of the task's data, and a property of the medium), or
            `column:<key>=<property>`.
        link_key: The key of the task's data that holds the link; needed only where the project shows several.
        ingest: Whether media that ApertureDB does not have are fetched and stored; else their tasks are left alone.
        size_limit_bytes: Largest medium that is stored; a larger one is registered. 0 registers all.
        sources: Where registered media may stay.
    """

    by: str = "link"
    link_key: str | None = None
    ingest: bool = True
    size_limit_bytes: int = 200_000_000
    sources: MediaSources = NOWHERE

    def __post_init__(self) -> None:
        column = self.by.removeprefix("column:")
        if self.by not in ("link", "name", "hash") and (column == self.by or not all(column.split("=", 1))):
            raise InputError(
                f"Tasks cannot be matched by {self.by!r}: use link, name, hash, column:KEY or column:KEY=PROPERTY."
            )

    @property
    def how(self) -> str:
        """The kind of matching, for reports."""
        return self.by.partition(":")[0]


def adopt_project(
    db: ApertureDB,
    ls: LabelStudio,
    project: Project,
    *,
    project_id: int,
    matching: Matching = Matching(),  # frozen
    batch: str = "",
    apply: bool = False,
    progress: Progress = lambda _: None,
) -> ProjectAdoption:
    """Plan, or with `apply` do, the adoption of a Label Studio project as the labeling project `project`.

    It may be killed anywhere and started again. Of the files that a plan has to look into, it fetches the bytes.

    Args:
        db: Where the media are, or come to.
        ls: Where the project is and stays.
        project: What it becomes; it must not have another project in Label Studio yet.
        project_id: The project's id in Label Studio.
        matching: How tasks are matched to media.
        batch: The import batch of tasks that do not name one; `project-<project id>` if empty.
        apply: Write. Without it nothing is written on either side.
        progress: Gets a line of text now and then.

    Raises:
        InputError: there is no such project, or the batch or the matching cannot be.
        ConfigurationError: with `apply`, the label configurations differ; nothing was written.
        DataError: the folder has another project, or the project another folder.
        TransientError: a service went away, or another process publishes to the project; run it again.
    """
    started, requests = time.monotonic(), ls.request_count
    batch = checked_batch(batch or f"project-{project_id}")
    if not project.wants(batch):
        raise InputError(
            f"Batch {batch!r} is none of {project.slug!r}: its project.yaml takes {', '.join(project.batches)}. "
            "Add the name to `batches` there, or name another with --batch."
        )
    report = ProjectAdoption(project.slug, batch, applied=apply, project_id=project_id)
    if not apply:
        there, record = _target(db, ls, project, project_id)
        _describe(report, ls, project, there)
        _Adopter(db, ls, project, there, record, report, matching=matching, held=None).run(progress)
    else:
        _refuse_differences(ls, project, _target(db, ls, project, project_id)[0])
        prepare_database(db, (project.state,))
        # The same lease as for publishing: two projects, or two tasks for a medium, must not be made at once.
        with lease(db, f"{project_key(db, ls, project)}|{PUBLISHING}", wait_s=130) as held:
            there, record = _target(db, ls, project, project_id)
            _describe(report, ls, project, there)
            record = record or take_over_project(db, ls, project, there)
            _Adopter(db, ls, project, there, record, report, matching=matching, held=held).run(progress)
    report.requests = ls.request_count - requests
    report.seconds = time.monotonic() - started
    return report


def _target(
    db: ApertureDB, ls: LabelStudio, project: Project, project_id: int
) -> tuple[ProjectThere, ProjectRecord | None]:
    """The project in Label Studio, and what ApertureDB knows of it, if it was adopted before. Only reads."""
    record = noted_project(db, ls, project.slug)
    if record is not None:
        if record.project_id != project_id:
            raise DataError(
                f"{project.slug!r} is project {record.project_id} in {ls.url} already. Adopt project {project_id} "
                "into a folder of its own."
            )
        checked_project(ls, record)
        return ls.project(project_id), record
    try:
        there = ls.project(project_id)
    except RefusedError as error:
        if error.status != _NOT_FOUND:
            raise
        raise InputError(f"There is no project {project_id} in {ls.url}, or the token may not see it.") from error
    wanted = [names.SLUG, "LS_project_created_at"]
    condition = equal("LS_project_id", project_id)
    for row in db.find("FindEntity", condition, class_name=names.PROJECT, properties=wanted):
        if str(row["LS_project_created_at"]) == format_time(there.created_at) and row[names.SLUG] != project.slug:
            raise DataError(f"Project {project_id} in {ls.url} is that of {row[names.SLUG]!r} already.")
    return there, None


def _differences(project: Project, there: ProjectThere) -> list[str]:
    """Why publishing to the project, once adopted, would change or lose something."""
    config = LabelConfig.parse(project.label_config())
    data_sources(project, config)
    try:
        lines = config_differences(config, LabelConfig.parse(there.label_config))
    except ConfigurationError as error:
        return [f"in Label Studio: {error}"]
    if there.maximum_annotations != project.annotators:
        own, other = project.annotators, there.maximum_annotations
        lines.append(f"project.yaml has annotators: {own}, the project an overlap of {other}: set annotators: {other}")
    return lines


def _refuse_differences(ls: LabelStudio, project: Project, there: ProjectThere) -> None:
    lines = _differences(project, there)
    if lines and project.label_config_changes == "refuse":
        named = "\n".join(f"  - {line}" for line in lines)
        raise ConfigurationError(
            f"Project {there.id} in {ls.url} cannot become {project.slug!r}: its configuration differs from that of "
            f"the folder.\n{named}\nChange the folder's, or set label_config_changes: allow in project.yaml."
        )


def _describe(report: ProjectAdoption, ls: LabelStudio, project: Project, there: ProjectThere) -> None:
    report.title, report.annotations = there.title, there.total_annotations_number or 0
    report.project_url = f"{ls.url}/projects/{there.id}"
    report.differences = _differences(project, there)


class _Adopter:
    """Reads tasks page by page, decides, counts, and writes if it holds a lease."""

    def __init__(
        self,
        db: ApertureDB,
        ls: LabelStudio,
        project: Project,
        there: ProjectThere,
        record: ProjectRecord | None,
        report: ProjectAdoption,
        *,
        matching: Matching,
        held: Lease | None,
    ) -> None:
        self._db, self._ls, self._project, self._there = db, ls, project, there
        self._record, self._report, self._matching, self._held = record, report, matching, held
        self._files = TaskFiles(ls.url, _link_key(there, matching), matching.sources)
        self._shown: dict[str, int] = {}  # GUID -> the first task that shows it
        self._shared: dict[str, list[int]] = {}  # GUID -> further ones
        self._matched: Counter[str] = Counter()
        self._batches: Counter[str] = Counter()

    def run(self, progress: Progress) -> None:
        report = self._report
        finder = TaskMediaFinder(self._db, self._project, self._matcher(), report, how=self._matching.how)
        writer = None
        if self._held is not None and self._record is not None:
            writer = AdoptionWriter(self._db, self._ls, self._project, self._record, report, held=self._held)
        with files_client(self._ls) as http:
            fetcher = Fetcher(
                self._db,
                self._project,
                self._files,
                http,
                report,
                size_limit_bytes=self._matching.size_limit_bytes,
                sources=self._matching.sources,
                ingest=self._matching.ingest,
                held=self._held,
            )
            for page in _pages(self._tasks()):
                todo = self._decided(page, finder, fetcher)
                self._count(writer.write(todo) if writer else todo)
                progress(self._line())
        for guid, others in sorted(self._shared.items()):
            named = ", ".join(map(str, [self._shown[guid], *others]))
            report.find(found.SHARED, f"medium {guid}", f"tasks {named}")

    def _tasks(self) -> Iterator[TaskRow]:
        rows = self._ls.iterate_by_id(self._there.id, page_size=_PAGE, include=ROW_FIELDS)
        return map(TaskRow.from_json, rows)

    def _matcher(self) -> Matcher:
        properties = wanted_properties(self._project)
        if self._matching.how == "hash":
            return NoMatcher()
        if self._matching.how == "link":
            return LinkMatcher(self._db, self._files, properties)
        if self._matching.how == "name":
            return NameMatcher(self._db, self._files, properties, self._tasks())
        key, _, prop = self._matching.by.removeprefix("column:").partition("=")
        return ColumnMatcher(self._db, key, prop or key, properties)

    def _decided(self, page: Sequence[TaskRow], finder: TaskMediaFinder, fetcher: Fetcher) -> list[Adoption]:
        """What is to be done for the tasks of a page; those that need nothing are counted."""
        report = self._report
        report.tasks += len(page)
        batches = {task.id: batch for task in page if (batch := self._batch(task)) is not None}
        media, missing = finder.find([task for task in page if task.id in batches])
        if self._matching.ingest or self._matching.how == "hash":
            media += fetcher.fetch(missing, batches)
        else:
            for task in missing:
                report.refuse(found.UNMATCHED, task.id, f"nothing matches it by {self._matching.by}")
        adoptions = self._adoptions(media, batches)
        todo = [adoption for adoption in adoptions if not adoption.is_done]
        report.unchanged += len(adoptions) - len(todo)
        return todo

    def _batch(self, task: TaskRow) -> str | None:
        """The batch that a task names, or the default; None, and a line in the report, if it cannot be one."""
        held: Any = task.data.get("import_batch")
        if held is None:
            return self._report.batch
        try:
            if isinstance(held, str) and self._project.wants(checked_batch(held)):
                return held
            problem = f"data.import_batch is {held!r}, which is no batch of {self._project.slug!r}"
        except InputError as error:
            problem = f"data.import_batch: {error}"
        self._report.refuse(found.CONTRADICTORY, task.id, problem)
        return None

    def _adoptions(self, media: Sequence[TaskMedium], batches: Mapping[int, str]) -> list[Adoption]:
        recorded = recorded_media(self._db, self._record, [medium.task for medium in media])
        connected = {
            batch: media_in_batch(self._db, batch, [m.guid for m in media if batches[m.task.id] == batch])
            for batch in sorted({batches[medium.task.id] for medium in media})
        }
        adoptions = []
        for medium in sorted(media, key=lambda medium: medium.task.id):
            task = medium.task
            noted = recorded.get(task.id)
            if noted not in (None, medium.guid):
                text = f"it was made for the medium {noted!r}, but shows {medium.guid!r}"
                self._report.refuse(found.CONTRADICTORY, task.id, text)
                continue
            link, batch = self._files.link(task.data), batches[task.id]
            source = self._files.source(link) if link is not None else f"{self._report.project_url}/data?task={task.id}"
            there = medium.ingested or medium.guid in connected[batch]
            adoptions.append(Adoption(medium, batch, source, connected=there, recorded=noted is not None))
            self._note_shown(medium)
        return adoptions

    def _note_shown(self, medium: TaskMedium) -> None:
        if self._shown.setdefault(medium.guid, medium.task.id) != medium.task.id:
            self._shared.setdefault(medium.guid, []).append(medium.task.id)

    def _count(self, adoptions: Iterable[Adoption]) -> None:
        report = self._report
        connected: set[tuple[str, str]] = set()
        for adoption in adoptions:
            report.adopt += 1
            report.changed += adoption.differs
            report.recorded += not adoption.recorded
            self._matched[adoption.medium.how] += 1
            self._batches[adoption.batch] += 1
            if not adoption.connected:
                connected.add((adoption.batch, adoption.medium.guid))
        report.connected += len(connected)
        report.matched, report.batches = dict(sorted(self._matched.items())), dict(sorted(self._batches.items()))

    def _line(self) -> str:
        report = self._report
        verb = "changed" if report.applied else "to change"
        return f"{report.tasks} of {self._there.task_number} tasks, {report.changed} {verb}"


def _link_key(there: ProjectThere, matching: Matching) -> str | None:
    """The key of the tasks' data that holds the link; None if the project shows no links.

    Raises:
        InputError: there are several, and nobody said which one.
    """
    if matching.link_key is not None:
        return matching.link_key
    try:
        keys = link_keys(LabelConfig.parse(there.label_config))
    except ConfigurationError:
        return None
    if len(keys) > 1:
        raise InputError(
            f"The tasks of project {there.id} show several files, in data.{', data.'.join(keys)}. A task belongs to "
            "one medium: say which of them it is with --link KEY."
        )
    return keys[0] if keys else None


def _pages(tasks: Iterable[TaskRow]) -> Iterator[list[TaskRow]]:
    page: list[TaskRow] = []
    for task in tasks:
        page.append(task)
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page
