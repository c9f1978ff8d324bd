"""What Label Studio's answers become. Tasks and annotations stay the server's raw JSON: nothing of them gets lost."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Self

from labeling_assets.clients.label_studio_query import format_time, parse_time

Task = dict[str, Any]
Annotation = dict[str, Any]
Prediction = dict[str, Any]
Webhook = dict[str, Any]

_OF_ANNOTATIONS: Final = (
    "result",
    "completed_by",
    "updated_by",
    "lead_time",
    "was_cancelled",
    "ground_truth",
    "task",
    "import_id",
    "parent_prediction",
    "parent_annotation",
    "draft_created_at",
    "bulk_created",
    "last_action",
    "last_created_by",
)
# `include` counts for the nested annotations too: with "annotations" alone they have an id and two times. Left out
# on purpose: `created_ago` and `created_username`, which differ at every reading or with the user's name.
SYNC_FIELDS: Final = ("id", "updated_at", "created_at", "data", "is_labeled", "annotations", *_OF_ANNOTATIONS)
# What a push must know of a task before it writes to it: who has worked on it, and what models said of it.
PUSH_FIELDS: Final = (
    *("id", "created_at", "data", "annotations", "predictions"),
    "draft_exists",  # of anybody; `drafts` are those of the token's owner alone
    *("result", "model_version", "score", "completed_by", "was_cancelled", "ground_truth", "import_id"),
)
ROW_FIELDS: Final = ("id", "updated_at", "created_at", "data")
# Of a project: all that is used, without counters but one.
QUICK_FIELDS: Final = (
    *("id", "title", "description", "created_at", "label_config", "maximum_annotations", "model_version"),
    "task_number",
)
# How many tasks a probe looks at: the newest alone would hide that one before it changed and was committed late.
PROBED: Final = 25


@dataclass(frozen=True, slots=True)
class User:
    id: int
    email: str
    organization_id: int | None


@dataclass(frozen=True, slots=True)
class Project:
    """A project and its counters. `created_at` tells a project from another one that got its id again.

    `total_annotations_number` is None, and `raw` holds `QUICK_FIELDS` only, if the project was read without counters.
    """

    id: int
    title: str
    created_at: datetime
    label_config: str = field(repr=False)
    task_number: int
    total_annotations_number: int | None
    maximum_annotations: int
    raw: dict[str, Any] = field(repr=False)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        return cls(
            id=raw["id"],
            title=raw["title"] or "",
            created_at=parse_time(raw["created_at"]),
            label_config=raw["label_config"] or "",
            task_number=raw.get("task_number") or 0,
            total_annotations_number=raw.get("total_annotations_number"),
            maximum_annotations=raw.get("maximum_annotations") or 1,
            raw=raw,
        )


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task without its annotations. `guid` and `import_batch` are None where its data has none."""

    id: int
    guid: str | None
    import_batch: str | None
    created_at: datetime
    updated_at: datetime
    data: dict[str, Any] = field(repr=False)

    @classmethod
    def from_json(cls, raw: Task) -> Self:
        data = raw["data"]
        return cls(
            id=raw["id"],
            guid=data.get("guid"),
            import_batch=data.get("import_batch"),
            created_at=parse_time(raw["created_at"]),
            updated_at=parse_time(raw["updated_at"]),
            data=data,
        )


@dataclass(frozen=True, slots=True)
class TaskPage:
    """`total` counts all tasks that match, not only those of this page."""

    tasks: list[Task]
    total: int


@dataclass(frozen=True, slots=True)
class Probe:
    """How many tasks match, and id and `updated_at` of the newest of them, at most `PROBED`, the newest first."""

    total: int
    newest: tuple[tuple[int, datetime], ...] = ()

    @classmethod
    def of(cls, tasks: Iterable[tuple[int, datetime]]) -> Self:
        """What Label Studio answers when these are all that match."""
        found = sorted(tasks, key=lambda task: task[1], reverse=True)
        return cls(len(found), tuple(found[:PROBED]))

    @property
    def newest_updated_at(self) -> datetime | None:
        return self.newest[0][1] if self.newest else None

    @property
    def newest_id(self) -> int | None:
        return self.newest[0][0] if self.newest else None

    @property
    def digest(self) -> str:
        """The same for the same tasks and times.

        Where there are more tasks than are looked at, those of the last moment are left out: a bulk action gives many
        tasks one time, and which of them come first is left to the server.
        """
        last = self.newest[-1][1] if self.total > len(self.newest) and self.newest else None
        rows = sorted((task, format_time(time)) for task, time in self.newest if time != last)
        return hashlib.sha256(json.dumps([self.total, rows]).encode()).hexdigest()[:16]
