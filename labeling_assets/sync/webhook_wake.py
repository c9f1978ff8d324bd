"""When the sensor looks, and which batches need not wait, where a webhook says at once that something changed.

Without news it looks as often as it would without webhooks; so a webhook that is lost costs time and nothing else.
"""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from labeling_assets.sync.changes import Cursor, ready
from labeling_assets.sync.webhook_notes import News


@dataclass(frozen=True, slots=True)
class Wake:
    """What the sensor remembers of webhooks, beside its cursor.

    `looked_at` is when Label Studio was last asked (seconds since the epoch), `mark` the newest call before that,
    `woken` the batches that were found because of a call and not synced since.
    """

    looked_at: float = 0.0
    mark: str = ""
    woken: frozenset[str] = frozenset()

    def dump_into(self, cursor: str) -> str:
        """The text of a `Cursor` that holds this as well."""
        own = {"looked_at": self.looked_at, "mark": self.mark, "woken": sorted(self.woken)}
        return json.dumps({**json.loads(cursor), "wake": own}, sort_keys=True)

    @classmethod
    def load(cls, text: str | None) -> "Wake":
        """From that text; empty where there is none."""
        try:
            own = json.loads(text or "{}")["wake"]
            return cls(float(own["looked_at"]), str(own["mark"]), frozenset(map(str, own["woken"])))
        except (ValueError, KeyError, TypeError):
            return cls()

    def is_due(self, news: News, pending: Collection[str], *, now: float, poll_s: float) -> bool:
        """Whether to ask Label Studio now: a call came, notes wait for a sync nobody asked for, or it is time."""
        waiting = news.batches.difference(pending)
        return bool(waiting) or news.mark != self.mark or not 0 <= now - self.looked_at < poll_s

    def after_look(self, news: News, before: Cursor, after: Cursor, *, now: float) -> "Wake":
        """What to remember after a look that took the cursor from `before` to `after`."""
        found = {batch for batch, pending in after.pending.items() if before.pending.get(batch) != pending}
        woken = self.woken | (found if news.mark != self.mark else set()) | news.batches
        return replace(self, looked_at=now, mark=news.mark, woken=woken & after.pending.keys())


def due(
    cursor: Cursor,
    woken: Collection[str],
    synced_at: Callable[[str], float],
    *,
    in_flight: Collection[str],
    known: Collection[str],
    now: float,
    min_interval_s: float,
    max_lag_s: float,
    limit: int,
) -> dict[str, float]:
    """Batches to sync now, each with the start of its last successful sync (`synced_at`, asked for `limit` of each).

    First those woken by a webhook, at once unless they were synced less than `min_interval_s` ago, then those that
    `ready` names; of both the longest waiting first.
    """

    def waiting(min_interval_s: float, max_lag_s: float) -> list[str]:
        return ready(
            cursor, in_flight=in_flight, known=known, now=now, min_interval_s=min_interval_s, max_lag_s=max_lag_s
        )

    quiet = waiting(min_interval_s, max_lag_s)
    hasty = [batch for batch in waiting(0.0, 0.0) if batch in woken and batch not in quiet]
    started = {batch: synced_at(batch) for batch in hasty[:limit]}
    rested = {batch: at for batch, at in started.items() if now - at >= min_interval_s}
    return {**rested, **{batch: synced_at(batch) for batch in quiet[:limit]}}
