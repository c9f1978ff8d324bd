"""Follows the sample through the pipeline: Dagster's own sensors and runs do the work, this only waits and counts."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.errors import LabelingAssetsError, TransientError
from labeling_assets.projects import load_project
from labeling_assets.settings import Settings
from labeling_assets.stack.annotator import Annotator, second_user
from labeling_assets.stack.dagster import DagsterUI
from labeling_assets.stack.pipeline_view import Check, PipelineView
from labeling_assets.stack.progress import Progress
from labeling_assets.stack.sample import BATCH, PROJECT, photos
from labeling_assets.stack.tally import (
    ApertureDBTally,
    LabelStudioTally,
    count_aperturedb,
    count_label_studio,
)

TIMEOUT_S: Final = 480.0
_LOOK_S: Final = 1.5
# A tick may fail once, for instance when a server was busy; one that fails for so long will not recover.
_SENSOR_PATIENCE_S: Final = 45.0


class SampleError(LabelingAssetsError):
    """The sample did not come through; the message says how far it came and why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is where in the end."""

    label_studio: LabelStudioTally
    aperturedb: ApertureDBTally
    checks: list[Check]
    seconds: float

    def problems(self) -> list[str]:
        """What does not agree; empty if all is well."""
        ours, theirs = self.aperturedb, self.label_studio
        pairs = {
            "media in ApertureDB and photographs of the sample": (ours.media, len(photos())),
            "tasks in Label Studio and photographs of the sample": (theirs.tasks, len(photos())),
            "tasks in ApertureDB and in Label Studio": (ours.tasks, theirs.tasks),
            "annotations in ApertureDB and in Label Studio": (ours.annotations, theirs.annotations),
            "regions in ApertureDB and in Label Studio": (ours.regions, theirs.regions),
        }
        problems = [f"{name}: {one} and {other}" for name, (one, other) in pairs.items() if one != other]
        if ours.contents != theirs.contents:
            problems.append("annotations in ApertureDB and in Label Studio differ in content")
        return problems + [f"check {c.name}: {c.status} {c.description}" for c in self.checks if not c.passed]

    def table(self) -> str:
        """For people."""
        ours, theirs = self.aperturedb, self.label_studio
        passed = sum(check.passed for check in self.checks)
        rows = [
            ("media", f"{ours.media}", "in ApertureDB, of the batch"),
            ("tasks", f"{theirs.tasks}", f"in Label Studio; {ours.tasks} in ApertureDB"),
            ("annotations", f"{theirs.annotations}", f"in Label Studio, {theirs.skipped} of them skipped"),
            ("annotations", f"{ours.annotations}", "in ApertureDB, current"),
            ("regions", f"{ours.regions}", _kinds(ours)),
            ("deleted", f"{ours.deleted}", "annotations in ApertureDB, kept as tombstones"),
            ("checks passed", f"{passed}", f"of {len(self.checks)}"),
            ("seconds", f"{self.seconds:.0f}", "from the start of the servers"),
        ]
        return "\n".join(f"  {name:<15}{count:>5}  {text}" for name, count, text in rows)


def follow_sample(settings: Settings, progress: Progress, check_servers: Callable[[], None], *, began: float) -> bool:
    """Wait until the sample has gone all the way, twice; print what is where.

    Args:
        settings: Say where the servers are.
        progress: Shows what is waited for.
        check_servers: Raises if a server has ended.
        began: `time.monotonic()` at the start of the servers.

    Returns:
        Whether all checks passed and all counts agree.

    Raises:
        SampleError: a run failed, or it took too long.
    """
    with ExitStack() as stack:
        url, token = settings.label_studio()
        label_studio = stack.enter_context(LabelStudio(url, token))
        db = stack.enter_context(ApertureDB(settings.database_key(), dialect=settings.aperturedb_dialect))
        ui = DagsterUI(settings.local_stack.dagster_url)
        view = PipelineView(ui, project=PROJECT, batch=BATCH, since=time.time() - 5)
        follower = _Follower(settings, progress, check_servers, label_studio, db, view)
        follower.follow()
        outcome = follower.outcome(time.monotonic() - began)
    progress.say(f"\nThe sample has gone all the way.\n{outcome.table()}\n")
    problems = outcome.problems()
    for problem in problems:
        progress.say(f"  NOT RIGHT  {problem}")
    return not problems


class _Follower:
    def __init__(
        self,
        settings: Settings,
        progress: Progress,
        check_servers: Callable[[], None],
        label_studio: LabelStudio,
        db: ApertureDB,
        view: PipelineView,
    ) -> None:
        self._settings = settings
        self._progress = progress
        self._check_servers = check_servers
        self._label_studio = label_studio
        self._db = db
        self._view = view
        self._deadline = time.monotonic() + TIMEOUT_S
        self._sensors_well_at = time.monotonic()
        self._project_id = 0

    def follow(self) -> None:
        """All the way: media and tasks, labels, changed labels, checks."""
        self._wait("Photographs into ApertureDB, tasks into Label Studio", self._tasks_are_there)
        annotator = Annotator(self._label_studio, self._project_id, self._second_user())
        made = annotator.first_round()
        self._progress.say(f"Annotator: labeled {made} photographs")
        self._wait("Labels into ApertureDB, data set", self._labels_have_arrived)
        done = annotator.second_round()
        self._progress.say(f"Annotator: {', '.join(done)}")
        self._wait("Changes into ApertureDB, data set", self._labels_have_arrived)
        self._wait("Checks", self._checks_have_run)

    def outcome(self, seconds: float) -> Outcome:
        """Counted now."""
        return Outcome(
            count_label_studio(self._label_studio, self._project_id, BATCH),
            count_aperturedb(self._db, PROJECT, BATCH),
            self._view.checks(),
            seconds,
        )

    def _wait(self, what: str, arrived: Callable[[], str]) -> None:
        """Until `arrived` returns an empty text; before, it says what is missing."""
        with self._progress.step(what) as step:
            while missing := self._missing(arrived):
                step.note = missing
                self._check_servers()
                self._check_runs()
                self._check_sensors()
                if time.monotonic() > self._deadline:
                    raise SampleError(self._too_long(what, missing))
                time.sleep(_LOOK_S)
            step.note = "done"

    def _missing(self, arrived: Callable[[], str]) -> str:
        try:
            return arrived()
        except TransientError as error:
            return str(error)

    def _tasks_are_there(self) -> str:
        there = self._view.materialized()
        missing = [asset for asset in ("media", f"{PROJECT}/tasks") if asset not in there]
        if missing:
            return f"waiting for {', '.join(missing)}"
        title = load_project(self._settings.projects / PROJECT).title
        candidates = self._label_studio.find_projects_by_title(title)
        if not candidates:
            return f"waiting for the project {title!r} in Label Studio"
        self._project_id = max(candidate.id for candidate in candidates)
        count = Annotator(self._label_studio, self._project_id, None).task_count()
        return "" if count == len(photos()) else f"{count} of {len(photos())} tasks"

    def _labels_have_arrived(self) -> str:
        """Equal content on both sides, the data set newer than the annotations, and nothing on the way."""
        theirs = count_label_studio(self._label_studio, self._project_id, BATCH).contents
        ours = count_aperturedb(self._db, PROJECT, BATCH).contents
        if ours != theirs:
            equal = sum(ours.get(key) == content for key, content in theirs.items())
            return f"{equal} of {len(theirs)} annotations are the same in ApertureDB"
        there = self._view.materialized()
        annotations, dataset = there.get(f"{PROJECT}/annotations", 0), there.get(f"{PROJECT}/dataset", 0)
        if not annotations or dataset < annotations:
            return "the data set is being built"
        return "a run goes on" if any(run.is_unfinished for run in self._view.runs()) else ""

    def _checks_have_run(self) -> str:
        checks = self._view.checks()
        waiting = [check.name for check in checks if check.status in ("NEVER RUN", "IN_PROGRESS")]
        return "" if checks and not waiting else f"waiting for {', '.join(waiting) or 'checks'}"

    def _check_runs(self) -> None:
        for run in self._view.runs():
            if run.is_failed:
                url = f"{self._settings.local_stack.dagster_url}/runs/{run.id}"
                raise SampleError(f"The run {run.job} of {BATCH} failed: {url}\n{self._view.why_failed(run)}")

    def _check_sensors(self) -> None:
        errors = self._view.sensor_errors()
        if not errors:
            self._sensors_well_at = time.monotonic()
        elif time.monotonic() - self._sensors_well_at > _SENSOR_PATIENCE_S:
            raise SampleError("\n".join(["Dagster's sensors do not work:", *errors]))

    def _too_long(self, what: str, missing: str) -> str:
        lines = [f"{what}: not there after {TIMEOUT_S:.0f} s ({missing})."]
        lines += [f"Run {run.job} {run.id}: {run.status}" for run in self._view.runs()]
        return "\n".join(lines + self._view.sensor_errors())

    def _second_user(self) -> int | None:
        """Only in the local Label Studio: nobody's own server gets a user of ours."""
        local = self._settings.local_stack
        if self._settings.label_studio_url:
            return None
        return second_user(local.label_studio_url, local.label_studio_legacy_token)


def _kinds(tally: ApertureDBTally) -> str:
    return f"in ApertureDB: {tally.boxes} boxes, {tally.polygons} polygons, {tally.other_regions} of other kinds"
