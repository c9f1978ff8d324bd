"""The media of tasks that nobody made for ApertureDB: what their data says, else what a matcher finds, else none."""

from collections.abc import Sequence
from dataclasses import dataclass

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio import TaskRow
from labeling_assets.errors import InputError
from labeling_assets.projects import Project
from labeling_assets.sync.adopt import project_adoption_report as found
from labeling_assets.sync.adopt.match_media import Matched, Matcher, is_ours, media_of_guids
from labeling_assets.sync.adopt.project_adoption_report import ProjectAdoption
from labeling_assets.sync.claim_media import Claim, Claimer
from labeling_assets.sync.media_store import FACTS, ROLE, Medium
from labeling_assets.sync.report import IngestReport
from labeling_assets.sync.resolve_tasks import claimed_guid


@dataclass(frozen=True, slots=True)
class TaskMedium:
    """A task and its medium. `how` says what led to it.

    `claim` is what a medium of somebody else is to become, `unique` its id in ApertureDB. `ingested`: the medium was
    stored, or is to be, for this task.
    """

    task: TaskRow
    guid: str
    kind: str
    how: str
    unique: str = ""
    claim: Claim | None = None
    ingested: bool = False


def wanted_properties(project: Project) -> tuple[str, ...]:
    """What has to be known of each medium."""
    return (*FACTS, ROLE, "LS_duplicate_of", project.state)


class TaskMediaFinder:
    """Finds media of tasks; notes in `report` the tasks that contradict themselves or that several media match.

    `how` names the matcher in reports.
    """

    def __init__(
        self, db: ApertureDB, project: Project, matcher: Matcher, report: ProjectAdoption, *, how: str
    ) -> None:
        self._db, self._project, self._matcher, self._report, self._how = db, project, matcher, report, how
        self._properties = wanted_properties(project)
        self._claimer = Claimer(db, project, "", IngestReport(""))
        self._claims: dict[str, Claim] = {}  # by `_uniqueid`
        self._taken: dict[str, str] = {}

    def find(self, tasks: Sequence[TaskRow]) -> tuple[list[TaskMedium], list[TaskRow]]:
        """The tasks with their media, and those whose medium ApertureDB does not seem to have."""
        claimed = {task.id: claimed_guid(task.data) for task in tasks}
        named = self._named(tasks, {task: guid for task, (guid, problem) in claimed.items() if guid and not problem})
        rest = []
        for task in tasks:
            guid, problem = claimed[task.id]
            if guid is not None and problem is not None:
                self._report.refuse(found.CONTRADICTORY, task.id, problem)
            elif task.id not in named:
                rest.append(task)
        matched = self._matcher.match(rest)
        settled: list[TaskMedium] = []
        missing: list[TaskRow] = []
        for task in tasks:
            if task.id in named:
                self._settle(task, named[task.id], "guid", settled)
        for task in rest:
            if media := matched.get(task.id):
                self._settle(task, media, self._how, settled)
            else:
                missing.append(task)
        return settled, missing

    def _named(self, tasks: Sequence[TaskRow], guids: dict[int, str]) -> Matched:
        """Task id -> the media that carry the GUID which its data or its link names."""
        media = media_of_guids(self._db, guids.values(), self._properties)
        firsts = {
            guid: [medium for medium in some if not medium.properties.get("LS_duplicate_of")] or some
            for guid, some in media.items()
        }
        return {task.id: firsts[guids[task.id]] for task in tasks if guids.get(task.id) in firsts}

    def _settle(self, task: TaskRow, media: Sequence[Medium], how: str, settled: list[TaskMedium]) -> None:
        if len(media) > 1:
            which = ", ".join(medium.guid or str(medium.properties["_uniqueid"]) for medium in media[:5])
            more = f" and {len(media) - 5} more" if len(media) > 5 else ""
            self._report.refuse(found.AMBIGUOUS, task.id, f"{len(media)} media match by {how}: {which}{more}")
            return
        try:
            medium, media_type = self._medium(task, media[0], how)
        except InputError as error:
            self._report.refuse(found.UNREADABLE, task.id, str(error))
            return
        problem = guid_problem(task, medium.guid)
        if problem:
            self._report.refuse(found.CONTRADICTORY, task.id, problem)
        elif media_type not in self._project.taken_types:
            self._report.refuse(found.OTHER_TYPE, task.id, type_problem(self._project, medium.guid, media_type))
        else:
            settled.append(medium)

    def _medium(self, task: TaskRow, medium: Medium, how: str) -> tuple[TaskMedium, str]:
        """The medium of a task, and its type; one of somebody else is examined, and claimed when it is written."""
        if is_ours(medium):
            return TaskMedium(task, medium.guid, medium.kind, how), str(medium.properties["LS_media_type"])
        unique = str(medium.properties["_uniqueid"])
        if unique not in self._claims:
            self._claims[unique] = self._claimer.examine(medium.kind, medium.properties, self._taken)
        claim = self._claims[unique]
        if not claim.duplicate:
            return TaskMedium(task, claim.guid, medium.kind, how, unique, claim), claim.media_type
        sha256 = str(claim.facts["LS_sha256"])
        firsts = media_of_guids(self._db, [claim.guid], self._properties).get(claim.guid, [])
        same_bytes = self._taken.get(sha256) == claim.guid or any(
            m.properties.get("LS_sha256") == sha256 for m in firsts
        )
        if not same_bytes:
            raise InputError(f"the GUID {claim.guid!r} of its medium {unique} is that of another medium.")
        return TaskMedium(task, claim.guid, medium.kind, how), claim.media_type


def guid_problem(task: TaskRow, guid: str) -> str:
    """What is wrong with giving a task the medium `guid`: it has a GUID of its own; empty if nothing is."""
    held = task.data.get(names.GUID)
    claimed = held if held is not None else claimed_guid(task.data)[0]
    if claimed is None or claimed == guid:
        return ""
    return (
        f"its data names {claimed!r} as guid, which no medium has, and it shows the medium {guid}. Rename or remove "
        "the key in Label Studio, or give the medium this GUID (guid: column:guid in project.yaml) if it is new."
    )


def type_problem(project: Project, guid: str, media_type: str) -> str:
    """Why the project does not take a medium."""
    return f"its medium {guid} is of type {media_type}; media_types of {project.slug!r} do not name that"
