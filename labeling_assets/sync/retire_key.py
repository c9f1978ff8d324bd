"""The end of a link key: not before no task has a link that it signed, unless somebody insists."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.errors import InputError, ProjectGoneError
from labeling_assets.media_urls import MediaLinks
from labeling_assets.sync.labeling_project import ProjectRecord, checked_project, recognise_server, recorded_projects
from labeling_assets.sync.link_rules import retire
from labeling_assets.sync.refresh_links import task_pages
from labeling_assets.sync.report import Progress
from labeling_assets.sync.stored_links import stored_links


@dataclass(frozen=True, slots=True)
class ProjectKeys:
    """Key id -> how many tasks of a project have links that it signed."""

    project: str
    project_id: int
    url: str
    tasks: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class KeyUses:
    """What Label Studio says; `not_asked` are projects that it cannot speak for, and why."""

    projects: list[ProjectKeys] = field(default_factory=list)
    not_asked: list[str] = field(default_factory=list)

    def of(self, key_id: str) -> dict[str, int]:
        """Project, with its id in Label Studio -> tasks with links of this key, or of a project's key made of it."""
        found = {
            f"{project.project} (project {project.project_id})": sum(
                count for one, count in project.tasks.items() if falls_under(one, key_id)
            )
            for project in self.projects
        }
        return {project: count for project, count in found.items() if count}


def falls_under(key_id: str, key: str) -> bool:
    """Whether `key_id` is `key`, or the key of a project that is made of it."""
    return key_id == key or key_id.startswith(f"{key}.")


def key_uses(db: ApertureDB, ls: LabelStudio, *, progress: Progress = lambda _: None) -> KeyUses:
    """Which keys signed the links in the tasks of every labeling project. Reads all of them, 2,000 a second.

    Raises:
        DataError: Label Studio was rebuilt.
        TransientError: a service went away.
    """
    recognise_server(db, ls)
    here, elsewhere = recorded_projects(db, ls.url)
    uses = KeyUses(not_asked=[f"{slug}, which is in another Label Studio ({url})" for slug, url in elsewhere])
    for record in here:
        try:
            uses.projects.append(_keys_of(ls, record, progress))
        except ProjectGoneError:
            progress(f"{record.slug}: the project is gone from Label Studio, and its tasks with it")
    return uses


def _keys_of(ls: LabelStudio, record: ProjectRecord, progress: Progress) -> ProjectKeys:
    there = checked_project(ls, record)
    counts: Counter[str] = Counter()
    read = 0
    for page in task_pages(ls, record):
        for task in page:
            # In a task with several links of one key it counts once.
            counts.update({link.key_id for link in stored_links(task.data)})
        read += len(page)
        progress(f"{record.slug}: {read} of {there.task_number} tasks")
    return ProjectKeys(record.slug, record.project_id, record.url, dict(sorted(counts.items())))


def retire_key(
    db: ApertureDB,
    ls: LabelStudio | None,
    key_id: str,
    *,
    links: MediaLinks,
    reason: str = "",
    progress: Progress = lambda _: None,
) -> None:
    """Let no link that a key has signed open any more; without `ls` nobody asks whether tasks still have such links.

    Raises:
        InputError: there is no such key, it signs new links, or tasks still have links of it.
        DataError, TransientError: see `key_uses`.
    """
    _check(db, key_id, links)
    if ls is not None:
        uses = key_uses(db, ls, progress=progress)
        _refuse_used(key_id, uses.of(key_id), uses.not_asked)
    retire(db, key_id, reason)


def _check(db: ApertureDB, key_id: str, links: MediaLinks) -> None:
    name, dot, slug = key_id.partition(".")
    if name not in links.keys:
        raise InputError(
            f"There is no link key {key_id!r} (there are: {', '.join(links.keys)}). Links of a key that is no longer "
            "in LABELING_ASSETS_LINK_KEYS do not open."
        )
    if dot:
        here, elsewhere = recorded_projects(db, "")
        known = sorted({record.slug for record in here} | {other for other, _ in elsewhere})
        if slug not in known:
            raise InputError(f"There is no labeling project {slug!r} with tasks; there are: {', '.join(known)}.")
    if name == links.signing_key:
        raise InputError(
            f"{key_id!r} signs new links. Let another key sign first (LABELING_ASSETS_LINK_SIGNING_KEY), restart the "
            "gateway, and sign the links of tasks anew: labeling-assets links refresh"
        )


def _refuse_used(key_id: str, tasks: Mapping[str, int], not_asked: Sequence[str]) -> None:
    if tasks:
        named = "\n".join(f"  - {count} tasks of {project}" for project, count in tasks.items())
        raise InputError(
            f"The key {key_id!r} is in use: it signed links of\n{named}\nThey would not open any more. Sign them anew "
            "first (labeling-assets links refresh --project NAME --apply), or insist with --force."
        )
    if not_asked:
        named = "\n".join(f"  - {project}" for project in not_asked)
        raise InputError(
            f"Whether the key {key_id!r} is in use is not known for\n{named}\nIf none of their tasks has links of it, "
            "insist with --force."
        )
