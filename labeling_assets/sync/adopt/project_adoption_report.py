"""What adopting a project of Label Studio would do, or did: counts, and a line for every task that is left alone."""

from dataclasses import dataclass, field
from typing import Final

from labeling_assets.sync.report import Note

# Of these tasks nothing is written:
NO_LINK: Final = "tasks that show no file and name no medium, left alone"
UNMATCHED: Final = "tasks whose medium ApertureDB does not have, left alone"
AMBIGUOUS: Final = "tasks that several media match, left alone"
CONTRADICTORY: Final = "tasks whose data contradicts itself or ApertureDB, left alone"
UNREADABLE: Final = "tasks whose file cannot be fetched or is no medium, left alone"
OTHER_TYPE: Final = "tasks of media that the project does not take, left alone"
REFUSED: Final = "tasks whose new data Label Studio refused, left alone"
OVERTAKEN: Final = "tasks that changed while they were adopted: run it again"
# These are adopted:
SHARED: Final = "media that several tasks show; all of these are adopted"

# What one task takes that has to be changed in Label Studio, which has no bulk update.
FASTEST_S: Final = 0.085
SLOWEST_S: Final = 0.15


@dataclass(slots=True)
class ProjectAdoption:
    """Counts of a plan, or of what was done if `applied`.

    `tasks` = `adopt` + `unchanged` (nothing to do) + `refused` (see `findings`). Of those to adopt, `changed` get new
    keys in their data, `recorded` are new to ApertureDB, `connected` are media that come into the batch, `ingested`
    media that ApertureDB did not have, `bytes_ingested` together; `registered` of them stay where they are, and are not
    among these bytes. `matched` counts the tasks to adopt by what led to
    the medium: guid, link, name, hash, column, or ingested. `differences` keep the project from being adopted.
    """

    project: str
    batch: str
    applied: bool
    project_id: int = 0
    title: str = ""
    project_url: str = ""
    annotations: int = 0
    tasks: int = 0
    adopt: int = 0
    unchanged: int = 0
    refused: int = 0
    changed: int = 0
    recorded: int = 0
    connected: int = 0
    ingested: int = 0
    registered: int = 0
    bytes_ingested: int = 0
    matched: dict[str, int] = field(default_factory=dict)
    batches: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    findings: dict[str, list[Note]] = field(default_factory=dict)
    requests: int = 0
    seconds: float = 0.0

    def refuse(self, what: str, task_id: int, text: str) -> None:
        """Note a task that is left alone."""
        self.refused += 1
        self.find(what, f"task {task_id}", text)

    def find(self, what: str, subject: str, text: str) -> None:
        """Note something odd."""
        self.findings.setdefault(what, []).append(Note(subject, text))

    @property
    def shortest_s(self) -> float:
        """How long the changes in Label Studio take at least."""
        return self.changed * FASTEST_S

    @property
    def longest_s(self) -> float:
        """How long the changes in Label Studio take at most."""
        return self.changed * SLOWEST_S
