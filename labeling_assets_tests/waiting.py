"""Waiting for what happens soon."""

import time
from collections.abc import Callable


def eventually(condition: Callable[[], bool], *, within_s: float = 20) -> None:
    """Return as soon as the condition holds; fail if it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s:g} s"
        time.sleep(0.02)
