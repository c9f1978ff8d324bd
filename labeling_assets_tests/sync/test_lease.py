"""One writer at a time."""

import subprocess
import sys

import pytest

from labeling_assets.clients.query import Query
from labeling_assets.errors import TransientError
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.sync.lease import lease
from labeling_assets_tests.sync.world import WatchedDatabase


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_second_writer_is_refused_and_told_who_writes(database: WatchedDatabase):
    refused = pytest.raises(
        TransientError, match=r"Another process is writing 'May' \(.*:\d+:.*its lease ends by itself"
    )
    with lease(database, "May"), refused, lease(database, "May"):
        pass


def test_another_key_is_another_lease(database: WatchedDatabase):
    with lease(database, "May"), lease(database, "June") as held:
        assert held.key == "June"


def test_a_lease_ends_with_its_block(database: WatchedDatabase):
    for _ in range(2):
        with lease(database, "May"):
            pass


def test_a_lease_ends_when_its_block_fails(database: WatchedDatabase):
    with pytest.raises(ZeroDivisionError), lease(database, "May"):
        raise ZeroDivisionError
    with lease(database, "May"):
        pass


def test_the_lease_of_a_killed_process_ends_after_two_minutes(database: WatchedDatabase):
    clock = Clock()
    with lease(database, "May", clock=clock):
        clock.now += 119
        with pytest.raises(TransientError), lease(database, "May", clock=clock):
            pass
        clock.now += 2
        with lease(database, "May", clock=clock):
            pass


def test_a_renewed_lease_lasts_longer(database: WatchedDatabase):
    clock = Clock()
    with lease(database, "May", clock=clock) as held:
        clock.now += 100
        held.run(database, Query())
        clock.now += 100
        with pytest.raises(TransientError), lease(database, "May", clock=clock):
            pass


def test_a_lease_that_was_taken_over_cannot_be_renewed_and_is_not_ended_by_its_old_owner(database: WatchedDatabase):
    clock = Clock()
    first = lease(database, "May", clock=clock)
    held = first.__enter__()
    clock.now += 121
    with lease(database, "May", clock=clock):
        query = Query()
        query.add("AddEntity", {"class": "Written"})
        with pytest.raises(TransientError, match="Another process took over 'May'"):
            held.run(database, query)
        assert database.count("FindEntity", None, class_name="Written") == 0
        first.__exit__(None, None, None)
        with pytest.raises(TransientError), lease(database, "May", clock=clock):
            pass


def _hold_and_die(key: str, lease_key: str, *more: str) -> None:
    """What a process does that is killed while it holds a lease."""
    program = (
        "import os, sys; from labeling_assets.clients.aperturedb import ApertureDB;"
        "from labeling_assets.sync.lease import lease;"
        "from labeling_assets.clients.query import Query;"
        "db = ApertureDB(sys.argv[1]); context = lease(db, sys.argv[2]); held = context.__enter__();"
        "sys.argv[3:] and held.run(db, Query(), firm=True); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, key, lease_key, *more], check=False)


def test_the_lease_of_a_process_that_was_killed_here_is_taken_at_once(
    aperturedb: LocalServer, database: WatchedDatabase
):
    _hold_and_die(aperturedb.key, "August")
    with lease(database, "August") as held:
        assert held.key == "August"


def test_a_firm_lease_outlives_its_process(aperturedb: LocalServer, database: WatchedDatabase):
    """What it began in Label Studio may still be going on."""
    _hold_and_die(aperturedb.key, "September", "firm")
    with pytest.raises(TransientError, match="Another process is writing 'September'"), lease(database, "September"):
        pass
