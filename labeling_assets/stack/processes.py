"""Child processes: start in a group of their own, wait until ready, stop all of the group, leave no orphan."""

import atexit
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from labeling_assets.errors import ServiceError

_log = logging.getLogger(__name__)

_POLL_S = 0.05
_REST_OF_GROUP_S = 2.0
_LOG_LIMIT_BYTES = 10_000_000
_SHOWN_LINES = 20
_FINISH_S = 10.0


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port on which nothing listens now. Somebody else may take it before you do: check who answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


class ManagedProcess:
    """One child process, leader of its own process group, so that Ctrl-C reaches the parent only.

    The child's output is appended to `log_path` (above 10 MB the old log moves to `<name>.1` at the next start).
    Should the parent be killed, the group is ended by `orphan_guard.py`. Not for use from several threads.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        log_path: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.argv = [str(part) for part in argv]
        self.log_path = log_path
        self._env = None if env is None else dict(env)
        self._cwd = cwd
        self._child: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def start(self) -> None:
        """Raises ServiceError when the program cannot be started at all."""
        if self.alive:
            raise RuntimeError(f"{self.name} already runs as process {self.pid}")
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        if self.log_path.exists() and self.log_path.stat().st_size > _LOG_LIMIT_BYTES:
            self.log_path.replace(self.log_path.with_name(self.log_path.name + ".1"))
        with self.log_path.open("ab") as log:
            self._log_start = log.tell()
            try:
                self._child = subprocess.Popen(
                    self.argv,
                    env=self._env,
                    cwd=self._cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise ServiceError(f"{self.name} cannot be started ({self.argv[0]}): {error}") from error
        _guard.watch(self._child.pid)

    @property
    def pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def returncode(self) -> int | None:
        """None while it runs and before it was started; negative is the signal that ended it."""
        return None if self._child is None else self._child.poll()

    def log_text(self) -> str:
        """What this process has printed since its start."""
        if not self.log_path.exists():
            return ""
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode("utf-8", "replace")

    def log_tail(self, lines: int = _SHOWN_LINES) -> str:
        return "\n".join(self.log_text().splitlines()[-lines:])

    def wait_ready(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Ask `ready` until it says yes.

        Raises ServiceError with the end of the log when the process ends first or is not ready in time; it is
        stopped then.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            if not self.alive:
                raise ServiceError(self._failure(f"ended with code {self.returncode} before it was ready"))
            if ready():
                return
            if time.monotonic() > deadline:
                self.stop()
                raise ServiceError(self._failure(f"was not ready after {timeout_s:g} s and was stopped"))
            time.sleep(_POLL_S)

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait for its own end; the return code, or None when it still runs after `timeout_s`."""
        if self._child is None:
            return None
        try:
            return self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, grace_s: float = 10.0) -> None:
        """SIGTERM to the group, SIGKILL to what is left of it after `grace_s`. Twice is harmless."""
        if self._child is None:
            return
        group = self._child.pid
        _signal_group(group, signal.SIGTERM)
        if self.wait(grace_s) is None:
            _log.warning("%s did not stop within %g s and is killed", self.name, grace_s)
        # Its own children have got the signal too. In a container without an init they stay zombies for ever.
        deadline = time.monotonic() + min(grace_s, _REST_OF_GROUP_S)
        while _signal_group(group, 0) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        _signal_group(group, signal.SIGKILL)
        self._child.wait()
        _guard.forget(group)
        self._child = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _failure(self, what: str) -> str:
        tail = self.log_tail() or "(it printed nothing)"
        return f"{self.name} {what}. The end of {self.log_path}:\n{tail}"


def _signal_group(group: int, number: int) -> bool:
    """False when no process of the group is left."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        # macOS says so for a group that holds only zombies.
        return False
    return True


class _OrphanGuard:
    """One `orphan_guard.py` for this process, started with the first child."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: set[int] = set()
        self._helper: subprocess.Popen[bytes] | None = None

    def watch(self, group: int) -> None:
        with self._lock:
            self._groups.add(group)
            if self._helper is None or self._helper.poll() is not None:
                self._start()
            else:
                self._say(f"+{group}\n")

    def forget(self, group: int) -> None:
        with self._lock:
            self._groups.discard(group)
            self._say(f"-{group}\n")

    def _start(self) -> None:
        self._helper = subprocess.Popen(
            [sys.executable, "-I", str(Path(__file__).with_name("orphan_guard.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._say("".join(f"+{group}\n" for group in self._groups))

    def finish(self) -> None:
        """At the end of this process: the guard ends whatever is left, and itself."""
        with self._lock:
            helper, self._helper = self._helper, None
        if helper is not None and helper.stdin is not None:
            with contextlib.suppress(OSError):
                helper.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                helper.wait(_FINISH_S)

    def _say(self, lines: str) -> None:
        pipe = self._helper.stdin if self._helper else None
        if pipe is None:
            return
        try:
            pipe.write(lines.encode())
            pipe.flush()
        except BrokenPipeError:
            _log.warning("the guard against orphans has ended; a killed parent may leave processes behind")


_guard = _OrphanGuard()
atexit.register(_guard.finish)
