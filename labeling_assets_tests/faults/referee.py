"""Where a run can be disturbed: every exchange with a server has three boundaries; at chosen ones the run is hit."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Moment = Literal["before", "done", "answered"]


@dataclass(frozen=True, slots=True, order=True)
class Boundary:
    """A place in a run: one moment of its exchange `number` (from 0) of those that are called `what`.

    `before`: the server gets nothing. `done`: the server has answered, and nobody hears it. `answered`: the answer is
    with the client, which does nothing more.
    """

    server: str
    what: str
    number: int
    moment: Moment
    writes: bool


class Referee:
    """Sees every boundary of one run; where `chooses` says so, the run is hit.

    With `kills` the process of `watch` gets SIGKILL, and no server hears of it again; without, the connection is cut.
    """

    def __init__(self, chooses: Callable[[Boundary], bool], *, kills: bool = False) -> None:
        self.passed: list[Boundary] = []
        self.hit: list[Boundary] = []
        self._chooses, self._kills = chooses, kills
        self._answered: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._closed = False
        self._victim = 0
        self._started = threading.Event()

    def watch(self, victim: int) -> None:
        """The process to kill; what it sends before this is known waits."""
        self._victim = victim
        self._started.set()

    def end(self) -> None:
        """The process has ended: its number may be that of another one from now on."""
        with self._lock:
            self._closed, self._victim = True, 0

    def passes(self, server: str, what: str, moment: Moment, *, writes: bool) -> bool:
        """Whether the run goes on at this boundary."""
        with self._lock:
            if self._closed:
                return False
            boundary = Boundary(server, what, self._answered[server, what], moment, writes)
            self.passed.append(boundary)
            if moment == "answered":
                self._answered[server, what] += 1
            if not self._chooses(boundary):
                return True
            self.hit.append(boundary)
            self._closed = self._kills
            return False

    def strike(self) -> None:
        """Carry it out; the caller then hangs up."""
        if not self._kills:
            return
        self._started.wait(30)
        with self._lock:
            if self._victim:
                os.kill(self._victim, signal.SIGKILL)
