"""Clocks of other machines, as far as they tell the time: links, leases and addresses of lists end by them."""

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import httpx

from labeling_assets.diagnose.finding import Finding, ok, warning

_TOLERATED_S = 30.0


def clock_findings(name: str, who: str, answer: httpx.Response) -> Iterator[Finding]:
    """How far the clock of whoever answered is from ours, by the header `Date`, to the second."""
    try:
        theirs = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return  # it does not tell the time
    ahead_s = theirs - time.time()
    if abs(ahead_s) <= _TOLERATED_S:
        yield ok(name, f"The clock of {who} is that of this machine")
        return
    yield warning(
        name,
        f"The clock of {who} is {abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} that of this machine",
        "Let both take the time from the network (systemctl enable --now systemd-timesyncd).",
    )
