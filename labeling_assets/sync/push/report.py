"""What a push was asked for, what it did, and what it had to say about single rows."""

from dataclasses import dataclass, field
from typing import Final, Literal

Target = Literal["predictions", "annotations"]
Source = Literal["annotations", "predictions", "regions"]

# More rows of a severity nobody reads; they are counted all the same.
_ROWS_KEPT: Final = 10_000
_EXAMPLES: Final = 10


@dataclass(frozen=True, slots=True)
class PushRequest:
    """What to send from where.

    `from_project` is the slug whose annotations are sent. `model_version` is the name that predictions get, or, where
    the source are predictions, the only one to take. `plan` writes nothing, `strict` sends nothing if anything is
    refused, `include_touched` also writes to tasks on which somebody has worked, `include_deleted` makes annotations
    again that a person deleted, `remove_stale` deletes predictions that ApertureDB has no longer, `show` lets
    annotators see the predictions that were sent.
    """

    target: Target
    source: Source
    from_project: str
    batch: str | None = None
    model_version: str | None = None
    plan: bool = False
    strict: bool = False
    include_touched: bool = False
    include_deleted: bool = False
    remove_stale: bool = False
    show: bool = False


@dataclass(frozen=True, slots=True)
class PushRow:
    """One thing to know: which medium, which object of ApertureDB (its key), which control, where in the result.

    `model_version` is that of a prediction that cannot be made.
    """

    guid: str
    key: str
    control: str
    place: str
    message: str
    severity: Literal["error", "warning"]
    model_version: str = ""

    def __str__(self) -> str:
        control = f" control {self.control!r}:" if self.control else ""
        place = f" @ {self.place}" if self.place else ""
        return f"{self.severity}: {self.guid}:{control} {self.message}{place}"


@dataclass(slots=True)
class PushReport:
    """What a push did, or, with `plan`, would do; annotations or predictions are counted, but for `tasks`.

    `objects` were found for tasks of the project; `refused` (objects, and single regions) would not be understood
    there. `created`, `replaced` and `removed` (predictions: twins of the same model version, and stale ones) are what
    Label Studio confirmed, `unchanged` were there, `verified` were read back and are as they were sent. `touched` wait
    because somebody has worked on their tasks; `differing` annotations were changed, there or here, since they were
    sent, and are left alone, `deleted` ones were deleted there. `stale` predictions are of a version that is sent, and
    ApertureDB has none of it for their medium. `model_versions` are those of the source, `shown_version` is what
    annotators see if it is none of them. `without_task` counts media. `stopped`: nothing was sent, because a strict
    push refused something. `errors_found` also counts rows that were too many to be kept.
    """

    project: str
    target: Target
    source: Source
    batch: str | None = None
    plan: bool = False
    project_id: int = 0
    media: int = 0
    tasks: int = 0
    objects: int = 0
    refused: int = 0
    created: int = 0
    replaced: int = 0
    removed: int = 0
    unchanged: int = 0
    touched: int = 0
    differing: int = 0
    deleted: int = 0
    stale: int = 0
    without_task: int = 0
    verified: int = 0
    stopped: bool = False
    model_versions: list[str] = field(default_factory=list)
    shown_version: str = ""
    examples: list[str] = field(default_factory=list)
    rows: list[PushRow] = field(default_factory=list)
    rows_left_out: int = 0
    errors_found: int = 0
    warnings_found: int = 0
    requests: int = 0
    seconds: float = 0.0

    def add(self, row: PushRow) -> None:
        if row.severity == "error":
            self.errors_found += 1
            found = self.errors_found
        else:
            self.warnings_found += 1
            found = self.warnings_found
        if found <= _ROWS_KEPT:
            self.rows.append(row)
        else:
            self.rows_left_out += 1

    def warn(self, guid: str, message: str, key: str = "") -> None:
        self.add(PushRow(guid, key, "", "", message, "warning"))

    def show(self, action: str) -> None:
        """One of the first things that are to be done."""
        if len(self.examples) < _EXAMPLES:
            self.examples.append(action)

    def stop(self) -> None:
        """Nothing was sent: what was planned did not happen."""
        self.stopped = True
        self.created = self.replaced = self.removed = 0
        self.examples.clear()

    @property
    def errors(self) -> list[PushRow]:
        return [row for row in self.rows if row.severity == "error"]
