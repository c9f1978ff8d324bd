"""One writer per project and batch at a time: Dagster's queue does not see the command line."""

import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Reply
from labeling_assets.clients.constraints import Condition, all_of, any_of, equal, missing, one_of
from labeling_assets.clients.constraints import compare as constraint
from labeling_assets.clients.query import Query
from labeling_assets.errors import RefusedError, TransientError

# In place of a batch, in the key of whoever makes tasks in a project. No batch has a name that begins with a slash.
PUBLISHING: Final = "/publish"
LIFETIME_S: Final = 120.0


class Lease:
    """The right to write under one key for a while; renewed by the owner's own queries."""

    def __init__(self, key: str, owner: str, clock: Callable[[], float]) -> None:
        self.key = key
        self.owner = owner
        self._clock = clock

    @property
    def condition(self) -> Condition:
        """Matches the entity of the lease while this owner holds it."""
        return all_of(equal(names.KEY, self.key), equal("LS_lease_owner", self.owner))

    def run(self, db: ApertureDB, query: Query, *, firm: bool = False) -> Reply:
        """Send a query that happens only while the lease is held, and renew the lease with it.

        With `firm` nobody gets the lease before its time is over, not even if this process is killed: until the next
        query something may be going on elsewhere that outlives it.

        Raises:
            TransientError: another writer has the lease now; nothing was written.
        """
        # `unique` makes the server refuse the whole query when there is no such entity.
        held = {"with_class": names.SYNC, "constraints": self.condition, "unique": True, "results": {"count": True}}
        query.add("FindEntity", held)
        renewal = {"with_class": names.SYNC, "constraints": self.condition, "properties": self._for_a_while(firm)}
        place = query.add("UpdateEntity", renewal)
        try:
            reply = db.run(query)
        except RefusedError as error:
            if db.count("FindEntity", self.condition, class_name=names.SYNC):
                raise
            raise self._lost() from error
        if reply.count(place) != 1:
            raise self._lost()
        return reply

    def leave_to_expire(self, db: ApertureDB) -> None:
        """Nobody gets this lease before its time is over: what its owner began may still be going on elsewhere."""
        properties = {"LS_lease_owner": "nobody, until it ends", **self._for_a_while(firm=True)}
        db.one("UpdateEntity", {"with_class": names.SYNC, "constraints": self.condition, "properties": properties})

    def _for_a_while(self, firm: bool) -> dict[str, float | bool]:
        return {"LS_lease_until": self._clock() + LIFETIME_S, "LS_lease_firm": firm}

    def _lost(self) -> TransientError:
        return TransientError(f"Another process took over {self.key!r}; this one stops. Run it again if needed.")


@contextmanager
def lease(db: ApertureDB, key: str, *, clock: Callable[[], float] = time.time, wait_s: float = 0.0) -> Iterator[Lease]:
    """Hold the lease of `key` for the body of the `with`.

    A lease that expired may be taken, and so may one whose owner was a process of this machine that has ended, unless
    it is firm.

    Args:
        db: Where the lease is kept.
        key: What is written: instance, project and batch.
        clock: Seconds since the epoch.
        wait_s: How long to wait for another holder, in seconds.

    Raises:
        TransientError: another process holds it.
    """
    held = Lease(key, f"{_machine()}:{os.getpid()}:{secrets.token_hex(4)}", clock)
    deadline = time.monotonic() + wait_s
    while not _take(db, held, clock):
        holder, firm = _holder(db, key)
        if not firm and _has_ended(holder) and _take(db, held, clock, instead_of=holder):
            break
        if time.monotonic() >= deadline:
            raise TransientError(
                f"Another process is writing {key!r} ({holder}). Wait for it; "
                f"if it was killed, its lease ends by itself within {LIFETIME_S:g} s."
            )
        time.sleep(0.5)
    try:
        yield held
    finally:
        _release(db, held)


def _machine() -> str:
    """Where process ids mean something: a host name alone may be shared by containers."""
    try:
        return f"{socket.gethostname()}/{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return socket.gethostname()


def _has_ended(owner: str) -> bool:
    """Whether the owner was a process of this machine and is no more; False where that cannot be known."""
    machine, _, rest = owner.partition(":")
    number = rest.partition(":")[0]
    if machine != _machine() or not number.isdigit() or sys.platform == "win32":
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _take(db: ApertureDB, held: Lease, clock: Callable[[], float], instead_of: str | None = None) -> bool:
    query = Query()
    query.add(
        "AddEntity",
        {"class": names.SYNC, "properties": {names.KEY: held.key}, "if_not_found": equal(names.KEY, held.key)},
    )
    free = any_of(
        missing("LS_lease_owner"),
        one_of("LS_lease_owner", [owner for owner in (held.owner, instead_of) if owner is not None]),
        constraint("LS_lease_until", "<", clock()),
    )
    place = query.add(
        "UpdateEntity",
        {
            "with_class": names.SYNC,
            "constraints": all_of(equal(names.KEY, held.key), free),
            "properties": {
                "LS_lease_owner": held.owner,
                "LS_lease_firm": False,
                "LS_lease_until": clock() + LIFETIME_S,
            },
        },
    )
    return db.run(query).count(place) == 1


def _release(db: ApertureDB, held: Lease) -> None:
    db.one(
        "UpdateEntity",
        {
            "with_class": names.SYNC,
            "constraints": held.condition,
            "remove_props": ["LS_lease_owner", "LS_lease_until", "LS_lease_firm"],
        },
    )


def _holder(db: ApertureDB, key: str) -> tuple[str, bool]:
    """Who has the lease, and whether it is firm."""
    wanted = ["LS_lease_owner", "LS_lease_firm"]
    found = db.find("FindEntity", equal(names.KEY, key), class_name=names.SYNC, properties=wanted)
    if not found or found[0].get("LS_lease_owner") is None:
        return "it has just ended", False
    return str(found[0]["LS_lease_owner"]), bool(found[0].get("LS_lease_firm"))
