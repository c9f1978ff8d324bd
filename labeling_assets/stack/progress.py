"""What `up` shows while it works: a live line on a terminal, plain lines elsewhere."""

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Self

import click

_FRAMES: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_FRAME_S: Final = 0.1
_REMINDER_S: Final = 15.0
_CLEAR: Final = "\r\x1b[2K"


class Step:
    """One thing that is going on; `note` says what it is at now."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.note = ""
        self.began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began


class Progress:
    """Any number of steps at once, from any thread.

    Args:
        echo: Gets finished lines.
        interactive: Whether to show a live line below them. Default: whether standard output is a terminal.
        reminder_s: Elsewhere, how often a step that goes on is mentioned.
    """

    def __init__(
        self,
        echo: Callable[[str], None] = click.echo,
        *,
        interactive: bool | None = None,
        reminder_s: float = _REMINDER_S,
    ) -> None:
        self._echo = echo
        self._interactive = sys.stdout.isatty() if interactive is None else interactive
        self._every_s = _FRAME_S if self._interactive else reminder_s
        self._lock = threading.Lock()
        self._steps: list[Step] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._remind, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def say(self, line: str) -> None:
        """A line of its own."""
        with self._lock:
            self._print(line)

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Show that `name` goes on, then how long it took; the last `note` stays as its result."""
        step = Step(name)
        with self._lock:
            self._steps.append(step)
            if not self._interactive:
                self._print(f"{name} ...")
        done = False
        try:
            yield step
            done = True
        finally:
            with self._lock:
                self._steps.remove(step)
                self._print(_result(step, done))

    def note(self, step: Step, text: str) -> None:
        """Say what the step is at."""
        step.note = text
        if not self._interactive:
            self.say(f"{step.name}: {text}")

    def _print(self, line: str) -> None:
        if self._interactive:
            click.echo(_CLEAR, nl=False)
        self._echo(line)

    def _remind(self) -> None:
        frame = 0
        while not self._ended.wait(self._every_s):
            with self._lock:
                if self._interactive:
                    frame = (frame + 1) % len(_FRAMES)
                    self._draw(_FRAMES[frame])
                else:
                    for step in self._steps:
                        if step.seconds > self._every_s / 2:
                            self._echo(f"{_headline(step)} ({step.seconds:.0f} s so far)")

    def _draw(self, frame: str) -> None:
        if not self._steps:
            return
        line = "  ".join(f"{_headline(step)} {step.seconds:.0f} s" for step in self._steps)
        width = shutil.get_terminal_size().columns
        click.echo(f"{_CLEAR}{frame} {line if len(line) < width - 2 else line[: width - 5] + '...'}", nl=False)


def _headline(step: Step) -> str:
    return f"{step.name}: {step.note}" if step.note else f"{step.name} ..."


def _result(step: Step, done: bool) -> str:
    what = step.note or "done"
    return f"{step.name}: {what} ({step.seconds:.1f} s)" if done else f"{step.name}: gave up ({step.seconds:.1f} s)"
