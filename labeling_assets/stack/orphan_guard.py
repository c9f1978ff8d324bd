"""Ends what a killed parent left behind. Run as a script, never imported: `python -I orphan_guard.py`.

Standard input carries one line per process group: `+PGID` to watch it, `-PGID` to forget it. When the input ends,
the parent is gone (even by SIGKILL, when it could run no code of its own), and the groups that are left are ended.
PR_SET_PDEATHSIG would need no second process, but it exists on Linux only, spares grandchildren, and fires when the
*thread* that started the child ends.
"""

import os
import signal
import sys
import time

GRACE_S = 5.0


def _signal_groups(groups: set[int], number: int) -> set[int]:
    """Send, and return the groups that still exist."""
    alive = set()
    for group in groups:
        try:
            os.killpg(group, number)
        except (ProcessLookupError, PermissionError):
            continue
        alive.add(group)
    return alive


def main() -> None:
    watched: set[int] = set()
    for line in sys.stdin:
        change, group = line[0], int(line[1:])
        if change == "+":
            watched.add(group)
        else:
            watched.discard(group)
    watched = _signal_groups(watched, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while watched and time.monotonic() < deadline:
        time.sleep(0.1)
        watched = _signal_groups(watched, 0)
    _signal_groups(watched, signal.SIGKILL)


if __name__ == "__main__":
    main()
