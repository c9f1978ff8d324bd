"""How far a batch is in sync, kept in ApertureDB beside the data it describes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import Condition, equal
from labeling_assets.clients.label_studio import Probe
from labeling_assets.clients.label_studio_query import format_time, parse_time
from labeling_assets.clients.query import Query

# Label Studio stamps a row before it commits, so a row may appear behind a newer one (facts: 1 of 554 was lost).
OVERLAP: Final = timedelta(seconds=60)
_UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True)
class SyncState:
    """The sync state of one project and batch.

    `watermark` is the newest `updated_at` in the data that was written, in Label Studio's spelling, or empty.
    `window_total` and `window_digest` describe the tasks from `since` on as they were at the last complete sync: if
    Label Studio gives the same two, nothing changed. `touched_since` is where the last sync that wrote anything
    began to read. `others` is how many more tasks the project has in Label Studio than ApertureDB knows: people may
    add tasks of their own. `removed` annotations went since the last complete sync. `quarantined` maps task ids to the
    reason why nothing of them was written.
    """

    key: str
    watermark: str = ""
    window_total: int = _UNKNOWN
    window_digest: str = ""
    touched_since: str = ""
    others: int = 0
    removed: int = 0
    quarantined: Mapping[int, str] = field(default_factory=dict)

    @property
    def since(self) -> datetime | None:
        """Where the next sync begins to read; None if nothing was ever read."""
        return parse_time(self.watermark) - OVERLAP if self.watermark else None

    def matches(self, probe: Probe) -> bool:
        """Whether Label Studio looks as it did at the last complete sync."""
        return self.window_total == probe.total and self.window_digest == probe.digest

    def moved(self, watermark: str) -> "SyncState":
        """The state while a sync is going on: a later watermark, an open window."""
        return replace(self, watermark=max(self.watermark, watermark), window_total=_UNKNOWN)

    def closed(self, seen: Mapping[int, str]) -> "SyncState":
        """The state after a complete sync that saw `seen`, task id -> `updated_at`."""
        start = format_time(self.since) if self.since else ""
        window = Probe.of((task, parse_time(time)) for task, time in seen.items() if self.watermark and time >= start)
        return replace(self, window_total=window.total, window_digest=window.digest, removed=0)

    def save(self, query: Query, condition: Condition | None = None) -> None:
        """Append the update of the stored state to a query, under a condition such as `Lease.condition`."""
        query.add(
            "UpdateEntity",
            {
                "with_class": names.SYNC,
                "constraints": condition or equal(names.KEY, self.key),
                "properties": {
                    "LS_watermark": self.watermark,
                    "LS_window_total": self.window_total,
                    "LS_window_digest": self.window_digest,
                    "LS_touched_since": self.touched_since,
                    "LS_others": self.others,
                    "LS_removed": self.removed,
                    "LS_quarantined": json.dumps({str(k): v for k, v in self.quarantined.items()}),
                },
            },
        )


_PROPERTIES: Final = (
    "LS_watermark",
    "LS_window_total",
    "LS_window_digest",
    "LS_touched_since",
    "LS_others",
    "LS_removed",
    "LS_quarantined",
)


def load_state(db: ApertureDB, key: str) -> SyncState:
    """The stored state, or an empty one."""
    found = db.find("FindEntity", equal(names.KEY, key), class_name=names.SYNC, properties=_PROPERTIES)
    return _parsed(key, found[0]) if found else SyncState(key)


def load_states(db: ApertureDB, project_key: str) -> dict[str, SyncState]:
    """Batch -> state, of every batch of a project that has one."""
    found = db.find("FindEntity", None, class_name=names.SYNC, properties=[names.KEY, *_PROPERTIES])
    prefix = f"{project_key}|"
    states = {str(row[names.KEY]).removeprefix(prefix): row for row in found if str(row[names.KEY]).startswith(prefix)}
    return {batch: _parsed(prefix + batch, row) for batch, row in states.items() if row["LS_watermark"] is not None}


def load_all_states(db: ApertureDB) -> dict[tuple[str, str, str], SyncState]:
    """(Label Studio instance, slug, batch) -> state, of every batch of every project that has one, in one query."""
    found = db.find("FindEntity", None, class_name=names.SYNC, properties=[names.KEY, *_PROPERTIES])
    states = {}
    for row in found:
        instance, slug, batch = (*str(row[names.KEY]).split("|", 2), "", "")[:3]
        if row["LS_watermark"] is not None:
            states[instance, slug, batch] = _parsed(str(row[names.KEY]), row)
    return states


def _parsed(key: str, row: Mapping[str, Any]) -> SyncState:
    total = row.get("LS_window_total")
    return SyncState(
        key,
        watermark=row.get("LS_watermark") or "",
        window_total=_UNKNOWN if total is None else int(total),
        window_digest=row.get("LS_window_digest") or "",
        touched_since=row.get("LS_touched_since") or "",
        others=int(row.get("LS_others") or 0),
        removed=int(row.get("LS_removed") or 0),
        quarantined={int(task): str(why) for task, why in json.loads(row.get("LS_quarantined") or "{}").items()},
    )
