"""Which batches to import now: what lies ready in the inbox against what was imported. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from labeling_assets.sync.inbox import InboxBatch

SETTLE_S: Final = 10.0
_HOUR_S: Final = 3600.0
_VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class Seen:
    """What the sensor remembers of a batch: its signature, when it was first seen like this, and if it is done.

    `asked` counts the runs that were asked for since then, `asked_key` is the run key of the last one.
    """

    signature: str
    since: float
    done: bool = False
    asked: int = 0
    asked_key: str = ""


@dataclass(frozen=True, slots=True)
class InboxCursor:
    """The sensor's memory, batch by batch; losing it costs one look at what was materialized."""

    seen: Mapping[str, Seen] = field(default_factory=dict)

    def dump(self) -> str:
        """As the text that Dagster keeps."""
        seen = {name: [s.signature, s.since, s.done, s.asked, s.asked_key] for name, s in self.seen.items()}
        return json.dumps({"v": _VERSION, "seen": seen})

    @classmethod
    def load(cls, text: str | None) -> "InboxCursor":
        """From that text; an unreadable or older one is an empty cursor."""
        try:
            values = json.loads(text or "{}")
            if values.get("v") != _VERSION:
                return cls()
            return cls(
                {
                    str(name): Seen(str(s[0]), float(s[1]), bool(s[2]), int(s[3]), str(s[4]))
                    for name, s in values["seen"].items()
                }
            )
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            return cls()


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """A run to ask for; the key holds what changed and an attempt, because Dagster burns a run key for ever."""

    batch: str
    run_key: str
    assets: tuple[str, ...]


def observed(cursor: InboxCursor, batches: Iterable[InboxBatch], *, now: float) -> InboxCursor:
    """The cursor after a look at the inbox: a batch with another signature is a new one. Removed ones are forgotten."""
    seen = {}
    for batch in batches:
        known = cursor.seen.get(batch.name)
        seen[batch.name] = known if known and known.signature == batch.signature else Seen(batch.signature, now)
    return InboxCursor(seen)


def finish(cursor: InboxCursor, done: Iterable[str]) -> InboxCursor:
    """The cursor with these batches marked as imported."""
    names = set(done)
    return InboxCursor({n: Seen(s.signature, s.since, True) if n in names else s for n, s in cursor.seen.items()})


def plan_imports(
    cursor: InboxCursor,
    batches: Iterable[InboxBatch],
    *,
    lacking: Mapping[str, tuple[str, ...]],
    in_flight: Iterable[str],
    now: float,
    limit: int = 20,
) -> tuple[InboxCursor, list[ImportRequest]]:
    """Which batches to import: those that are ready, not done, and not running. `lacking`: batch -> assets to make.

    A batch is ready when it says so or has not changed for ten seconds. A failed one is asked for again after one
    minute, two, four, and so on, later once an hour. Those that were asked for least often come first, of these the
    longest waiting: however many fail at every attempt, the others have their turn. The cursor notes what was asked.
    """
    busy, seen = set(in_flight), dict(cursor.seen)
    requests: list[ImportRequest] = []
    for batch in batches:
        known, assets = seen[batch.name], lacking.get(batch.name, ())
        settled = batch.ready or now - known.since >= SETTLE_S
        if settled and not known.done and assets and batch.name not in busy:
            # With when it was first seen: after a lost cursor the keys must be other ones than those that were burnt.
            when = f"{int(known.since)}:{attempt(now - known.since)}"
            key = f"{batch.name}:{batch.signature}:{'+'.join(assets)}:{when}"
            requests.append(ImportRequest(batch.name, key, assets))

    def turn(request: ImportRequest) -> tuple[bool, int, float]:
        known = seen[request.batch]
        return known.asked_key == request.run_key, known.asked, known.since

    requests = sorted(requests, key=turn)[:limit]
    for request in requests:
        known = seen[request.batch]
        if known.asked_key != request.run_key:
            seen[request.batch] = replace(known, asked=known.asked + 1, asked_key=request.run_key)
    return InboxCursor(seen), requests


def attempt(waited_s: float) -> int:
    """0 for the first minute, then one more each time the waiting doubles, and from one hour on one more an hour.

    A failed run is asked for again with the next number.
    """
    if waited_s >= _HOUR_S:
        return 6 + int(waited_s // _HOUR_S)
    return sum(waited_s >= bound for bound in (60, 120, 240, 480, 960, 1920))
