"""Several processes of the gateway on one port, for machines with several processors: each does what one alone does.

The system spreads connections among them (SO_REUSEPORT). They share the cache on the disk; /metrics counts them all.
"""

import logging
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Final

from labeling_assets.gateway.serve import listening, log_to_stderr, serve
from labeling_assets.settings import Settings

_log = logging.getLogger(__name__)

_SPAWN: Final = multiprocessing.get_context("spawn")
# Longer than a worker takes for its running answers.
_LONGER_S: Final = 5.0
_METRICS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"


class _Stopped(Exception):
    """A signal came."""


def serve_with_workers(
    settings: Settings, *, host: str, port: int, workers: int, announce: Callable[[str], None]
) -> int:
    """Serve media in so many processes until SIGTERM or SIGINT; the arguments are those of `serve`.

    Returns:
        Exit code: 0 after a clean stop; 1 if a worker ended by itself, which ends the others.

    Raises:
        ConfigurationError: the port is taken.
    """
    with listening(host, port) as alone:  # would not fail beside another gateway that shares its port
        port = alone.getsockname()[1]
    with _metrics_folder(), _raised_by_signals():
        started = [_Worker(settings, host, port) for _ in range(workers)]
        try:
            _watch(started, announce)
        except _Stopped:
            return 0 if _stop(started, settings.gateway_stop_seconds) else 1
        _stop(started, settings.gateway_stop_seconds)
        return 1


class _Worker:
    """One process, and the connection to it: it ends when that breaks, so no worker outlives its parent."""

    def __init__(self, settings: Settings, host: str, port: int) -> None:
        self.control, theirs = _SPAWN.Pipe()
        self.process: SpawnProcess = _SPAWN.Process(target=_work, args=(settings, host, port, theirs))
        self.process.start()
        theirs.close()


def _watch(started: list[_Worker], announce: Callable[[str], None]) -> None:
    """Say when all are ready. Returns when one has ended."""
    lines: list[str] = []
    silent = {worker.control: worker for worker in started}
    while True:
        for found in wait([*silent, *(worker.process.sentinel for worker in started)]):
            if not isinstance(found, Connection):
                _log.error("A worker of the media gateway ended by itself; so do the others")
                return
            with suppress(EOFError):
                lines.append(found.recv())
            del silent[found]
            if len(lines) == len(started):
                announce(lines[0])


def _stop(started: list[_Worker], stop_s: float) -> bool:
    """Whether all of them ended cleanly."""
    for worker in started:
        worker.process.terminate()
    for worker in started:
        worker.process.join(stop_s + _LONGER_S)
        worker.process.kill()
        worker.process.join()
    return all(worker.process.exitcode == 0 for worker in started)


def _work(settings: Settings, host: str, port: int, control: Connection) -> None:
    log_to_stderr()
    threading.Thread(target=_end_with_parent, args=(control,), daemon=True).start()
    sys.exit(serve(settings, host=host, port=port, announce=control.send, shared=True))


def _end_with_parent(control: Connection) -> None:
    with suppress(EOFError, OSError):
        control.recv()  # nothing is ever sent
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _metrics_folder() -> Iterator[None]:
    """Where workers keep their counts for each other; prometheus_client reads the variable when it is imported."""
    folder = tempfile.mkdtemp(prefix="labeling_gateway_metrics_")
    before = os.environ.get(_METRICS_FOLDER)
    os.environ[_METRICS_FOLDER] = folder
    try:
        yield
    finally:
        os.environ.pop(_METRICS_FOLDER)
        if before is not None:
            os.environ[_METRICS_FOLDER] = before
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _raised_by_signals() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        # A second signal must not interrupt the stop.
        for other in (signal.SIGTERM, signal.SIGINT):
            signal.signal(other, signal.SIG_IGN)
        raise _Stopped

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
