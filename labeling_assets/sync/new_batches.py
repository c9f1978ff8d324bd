"""Which batches to import now: what lies ready in the inbox against what was imported. Pure but for `inbox_batches`."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from labeling_assets.errors import InputError
from labeling_assets.sync.batch_rows import READY, checked_batch

SETTLE_S: Final = 10.0
_HOUR_S: Final = 3600.0
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class InboxBatch:
    """A folder or manifest of the inbox. `signature` changes when files come, go or change; `ready` if told so."""

    name: str
    signature: str
    ready: bool


def inbox_batches(inbox: Path) -> tuple[list[InboxBatch], list[str]]:
    """Every batch of the inbox, and a text for each entry that cannot be one.

    A folder without files is a batch only once it holds `_READY`: it may just be about to be filled.
    """
    if not inbox.is_dir():
        return [], []
    batches, problems = [], []
    for entry in sorted(inbox.iterdir()):
        if entry.name.startswith(".") or not (entry.is_dir() or entry.suffix == ".csv"):
            continue
        try:
            name = checked_batch(entry.name if entry.is_dir() else entry.stem)
        except InputError as error:
            problems.append(str(error))
            continue
        signature = batch_signature(entry)
        if signature:
            batches.append(InboxBatch(name, signature, (entry / READY).exists()))
    return batches, problems


def batch_signature(entry: Path) -> str:
    """What changes when files of a folder or manifest come, go or change; empty for a folder without any file."""
    files = [path for path in entry.rglob("*") if path.is_file()] if entry.is_dir() else [entry]
    if not files:
        return ""
    listing = []
    for path in sorted(files):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue  # gone since it was listed; the next look decides
        if path.name != READY:
            listing.append([str(path.relative_to(entry)), status.st_size, status.st_mtime_ns])
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the sensor remembers of a batch: its signature, when it was first seen like this, and if it is done."""

    signature: str
    since: float
    done: bool = False


@dataclass(frozen=True, slots=True)
class InboxCursor:
    """The sensor's memory, batch by batch; losing it costs one look at what was materialized."""

    seen: Mapping[str, Seen] = field(default_factory=dict)

    def dump(self) -> str:
        """As the text that Dagster keeps."""
        return json.dumps(
            {"v": _VERSION, "seen": {name: [s.signature, s.since, s.done] for name, s in self.seen.items()}}
        )

    @classmethod
    def load(cls, text: str | None) -> "InboxCursor":
        """From that text; an unreadable or older one is an empty cursor."""
        try:
            values = json.loads(text or "{}")
            if values.get("v") != _VERSION:
                return cls()
            return cls({str(n): Seen(str(s[0]), float(s[1]), bool(s[2])) for n, s in values["seen"].items()})
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
    return InboxCursor({n: replace(s, done=True) if n in names else s for n, s in cursor.seen.items()})


def plan_imports(
    cursor: InboxCursor,
    batches: Iterable[InboxBatch],
    *,
    lacking: Mapping[str, tuple[str, ...]],
    in_flight: Iterable[str],
    now: float,
    limit: int = 20,
) -> list[ImportRequest]:
    """Which batches to import: those that are ready, not done, and not running. `lacking`: batch -> assets to make.

    A batch is ready when it says so or has not changed for ten seconds. A failed one is asked for again after one
    minute, two, four, and so on, later once an hour.
    """
    busy = set(in_flight)
    requests: list[ImportRequest] = []
    for batch in batches:
        seen, assets = cursor.seen[batch.name], lacking.get(batch.name, ())
        settled = batch.ready or now - seen.since >= SETTLE_S
        if settled and not seen.done and assets and batch.name not in busy and len(requests) < limit:
            # With when it was first seen: after a lost cursor the keys must be other ones than those that were burnt.
            when = f"{int(seen.since)}:{attempt(now - seen.since)}"
            key = f"{batch.name}:{batch.signature}:{'+'.join(assets)}:{when}"
            requests.append(ImportRequest(batch.name, key, assets))
    return requests


def attempt(waited_s: float) -> int:
    """0 for the first minute, then one more each time the waiting doubles, and from one hour on one more an hour.

    A failed run is asked for again with the next number.
    """
    if waited_s >= _HOUR_S:
        return 6 + int(waited_s // _HOUR_S)
    return sum(waited_s >= bound for bound in (60, 120, 240, 480, 960, 1920))
