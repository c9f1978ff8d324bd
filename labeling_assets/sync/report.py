"""What the steps report: counts, notes by row, and an answer to "is anything wrong"."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Note:
    """One row, medium or task that deserves a line: where it is, and what about it."""

    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Placed:
    """The medium that a row became; `created` if it was stored for this very row."""

    guid: str
    sha256: str
    created: bool


@dataclass(slots=True)
class IngestReport:
    """What handing in a batch did. `created`, `known` and `failed` add up to the distinct rows.

    `guids` are those of the whole batch, also from earlier runs; `bytes_stored` counts new media only, without the
    `registered` ones of them, whose bytes stay where they are. `warnings` are about media that were taken all the
    same, such as a video that browsers do not play. `placed` has the medium of each row that was taken, by its number,
    and `closed` changes when a pushed batch is closed with other media.
    """

    batch: str
    rows: int = 0
    created: int = 0
    known: int = 0
    registered: int = 0
    bytes_stored: int = 0
    seconds: float = 0.0
    media_types: dict[str, int] = field(default_factory=dict)
    duplicates: list[Note] = field(default_factory=list)
    warnings: list[Note] = field(default_factory=list)
    failed: list[Note] = field(default_factory=list)
    guids: list[str] = field(default_factory=list)
    placed: dict[int, Placed] = field(default_factory=dict)
    closed: str = ""


@dataclass(slots=True)
class PublishReport:
    """What making tasks did. `known` media have their task from another batch or an earlier run.

    `warnings` are about what goes on without them, such as a webhook that Label Studio refuses.
    """

    project: str
    batch: str
    project_id: int = 0
    project_url: str = ""
    media: int = 0
    created: int = 0
    adopted: int = 0
    known: int = 0
    requests: int = 0
    seconds: float = 0.0
    failed: list[Note] = field(default_factory=list)
    warnings: list[Note] = field(default_factory=list)
    task_guids: list[str] = field(default_factory=list)


@dataclass(slots=True)
class CollectReport:
    """What a sync of one batch did, in annotations; `unchanged` were read again and are the same.

    `rewritten` are the same, but a full sync wrote their regions again: an older mapping made them, or ApertureDB had
    refused some.
    `noted` versions came by webhook and were replaced before this sync could read them. `read_by` is how Label Studio
    was read: by its list of tasks, or by a snapshot export and then the list. `unexpected` tasks of the project show
    no medium of ApertureDB.
    """

    project: str
    batch: str
    project_id: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    tasks_read: int = 0
    tasks_withdrawn: int = 0
    regions: int = 0
    requests: int = 0
    seconds: float = 0.0
    watermark: str = ""
    idle: bool = False
    rewritten: int = 0
    noted: int = 0
    read_by: Literal["list", "snapshot"] = "list"
    unexpected: int = 0
    raw_kinds: dict[str, int] = field(default_factory=dict)
    problems: list[Note] = field(default_factory=list)
    quarantined: list[Note] = field(default_factory=list)
