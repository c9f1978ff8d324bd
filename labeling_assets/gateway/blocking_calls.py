"""ApertureDB's client blocks, the event loop must not: a few threads with a deadline.

Starlette's own thread pool ends idle threads after ten seconds. Each thread has its own socket to ApertureDB, so the
same few threads are kept for as long as the gateway runs.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from labeling_assets.errors import TransientError

T = TypeVar("T")


class BlockingCalls:
    """Runs calls side by side, at most `threads` of them; further ones wait for their turn."""

    def __init__(self, *, threads: int, timeout_s: float) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="gateway-aperturedb")
        self._timeout_s = timeout_s

    async def run(self, call: Callable[[], T], *, timeout_s: float | None = None) -> T:
        """What `call` returns or raises.

        Raises:
            TransientError: it took longer than the deadline, waiting included. It goes on, and its result is dropped.
        """
        deadline_s = timeout_s or self._timeout_s
        future = asyncio.get_running_loop().run_in_executor(self._executor, call)
        try:
            return await asyncio.wait_for(future, deadline_s)
        except TimeoutError as error:
            raise TransientError(f"ApertureDB gave no answer within {deadline_s:g} s.") from error

    def close(self) -> None:
        """Take no more calls; those that wait are dropped."""
        self._executor.shutdown(wait=False, cancel_futures=True)
