"""Links in the data of tasks, signed anew: with another key, another lifetime, for another address of the gateway.

A link is signed anew if it opens today, or if ApertureDB has noted that this very task shows this medium. Others are
named and left alone: whoever may write to tasks in Label Studio must not get links to media of his choice that way.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio import LabelStudio, TaskRow
from labeling_assets.clients.label_studio_records import ROW_FIELDS
from labeling_assets.errors import DataError
from labeling_assets.media_urls import MediaLinks
from labeling_assets.projects import Project
from labeling_assets.sync.change_tasks import change_tasks
from labeling_assets.sync.labeling_project import ProjectRecord, checked_project, recorded_project
from labeling_assets.sync.link_rules import LinkRules, load_link_rules, refuse_retired_key
from labeling_assets.sync.report import Note, Progress
from labeling_assets.sync.stored_links import StoredLink, stored_links, with_links_replaced
from labeling_assets.sync.task_record import recorded_media

_PAGE: Final = 100  # Label Studio changes ten tasks a second


@dataclass(slots=True)
class RefreshReport:
    """What was done, or would be. `tasks` are all of the project, `current` those that need nothing.

    `changed` tasks get new links; `keys` counts the links they had, by the key that signed them. `left` are tasks with
    links that are not signed anew, or that Label Studio did not change, and why; some of them may be in `changed`, too.
    """

    project: str
    project_id: int
    signed_by: str
    applied: bool
    tasks: int = 0
    current: int = 0
    without_links: int = 0
    changed: int = 0
    keys: dict[str, int] = field(default_factory=dict)
    left: list[Note] = field(default_factory=list)


def refresh_links(
    db: ApertureDB,
    ls: LabelStudio,
    project: Project,
    *,
    links: MediaLinks,
    apply: bool,
    progress: Progress = lambda _: None,
) -> RefreshReport:
    """Sign the links of all tasks of a labeling project anew where they need it; without `apply` only say so.

    All other keys of the data stay. It may be stopped at any time, and goes on where it was when it is started again.

    Raises:
        DataError: the project was never made, is gone, or Label Studio was rebuilt.
        ConfigurationError: the key that would sign was retired.
        TransientError: a service went away.
    """
    record = recorded_project(db, ls, project)
    if record is None:
        raise DataError(f"Project {project.slug!r} has no tasks in {ls.url} yet: there are no links to sign anew.")
    there = checked_project(ls, record)
    own = links.for_project(project.slug)
    refuse_retired_key(db, own)
    report = RefreshReport(project.slug, record.project_id, own.key_id, applied=apply)
    signer = _Signer(own, load_link_rules(db), report)
    for page in task_pages(ls, record):
        recorded = recorded_media(db, record, page)
        wanted = [(task, data) for task in page if (data := signer.data(task, recorded.get(task.id))) is not None]
        refused = change_tasks(ls, record.project_id, wanted) if apply and wanted else {}
        report.changed += len(wanted) - len(refused)
        report.left += [Note(f"task {number}", f"{why.text}. Run it again") for number, why in refused.items()]
        progress(f"{report.tasks} of {there.task_number} tasks, {report.changed} {'changed' if apply else 'to change'}")
    report.keys = dict(sorted(signer.keys.items()))
    return report


def task_pages(ls: LabelStudio, record: ProjectRecord) -> Iterator[list[TaskRow]]:
    """All tasks of a project in the order of ids, a hundred at a time, without annotations."""
    page: list[TaskRow] = []
    for raw in ls.iterate_by_id(record.project_id, page_size=_PAGE, include=ROW_FIELDS):
        page.append(TaskRow.from_json(raw))
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page


class _Signer:
    """Decides link by link, and counts."""

    def __init__(self, links: MediaLinks, rules: LinkRules, report: RefreshReport) -> None:
        self._links, self._rules, self._report = links, rules, report
        self.keys: Counter[str] = Counter()

    def data(self, task: TaskRow, recorded_guid: str | None) -> dict[str, Any] | None:
        """The data that the task should have; None if it needs nothing."""
        self._report.tasks += 1
        found = list(stored_links(task.data))
        stale = [link for link in found if not self._is_current(link)]
        if not stale:
            self._report.current += bool(found)
            self._report.without_links += not found
            return None
        problems = {link.text: problem for link in stale if (problem := self._problem(link, recorded_guid))}
        self._leave(task, problems)
        replaced = {link.text: link for link in stale if link.text not in problems}
        if not replaced:
            return None
        self.keys.update(link.key_id for link in replaced.values())
        data: dict[str, Any] = with_links_replaced(
            task.data,
            lambda link: self._links.link(link.guid, **link.parameters) if link.text in replaced else link.text,
        )
        return data

    def _is_current(self, link: StoredLink) -> bool:
        here = link.base_url == self._links.base_url.rstrip("/")
        return here and self._opens(link) is None and self._links.is_current(link.query)

    def _opens(self, link: StoredLink) -> str | None:
        """Why a link does not open; denied media may be allowed again, so their links are kept up."""
        refusal = self._links.refusal(link.guid, link.query)
        if refusal is None and (key := self._rules.retires(link.key_id)) is not None:
            return f"key {key!r} was retired"
        return refusal

    def _problem(self, link: StoredLink, recorded_guid: str | None) -> str | None:
        if link.guid == recorded_guid:
            return None
        reason = self._opens(link)
        return reason and f"its link to medium {link.guid!r} is not ours to sign: {reason}"

    def _leave(self, task: TaskRow, problems: dict[str, str]) -> None:
        self._report.left += [Note(f"task {task.id}", text) for text in problems.values()]
