import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from labeling_assets.errors import ServiceError
from labeling_assets.stack.processes import ManagedProcess, free_port

# Prints its own process id and that of a child of its own, then sleeps; both ignore SIGTERM if told so.
FAMILY = """
import os, signal, subprocess, sys, time
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(os.getpid(), child.pid, flush=True)
time.sleep(60)
"""

# A parent that starts a family and waits to be killed.
PARENT = """
import sys, time
from pathlib import Path
from labeling_assets.stack.processes import ManagedProcess
process = ManagedProcess("family", [sys.executable, "-c", sys.argv[1]], log_path=Path(sys.argv[2]))
process.start()
time.sleep(60)
"""


def python(code: str, tmp_path: Path, *arguments: str) -> ManagedProcess:
    return ManagedProcess("a test", [sys.executable, "-c", code, *arguments], log_path=tmp_path / "log")


def wait_until(fact: Callable[[], bool], timeout_s: float = 10) -> bool:
    deadline = time.monotonic() + timeout_s
    while not fact() and time.monotonic() < deadline:
        time.sleep(0.02)
    return fact()


def runs(pid: int) -> bool:
    """A zombie that nobody waits for has ended, too."""
    state = subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return state.stdout.strip() not in ("", "Z")


def pids(log: Path) -> list[int]:
    return [int(word) for word in log.read_text().split()] if log.exists() else []


def test_stop_ends_the_whole_group(tmp_path: Path):
    with python(FAMILY, tmp_path) as process:
        process.wait_ready(lambda: len(pids(process.log_path)) == 2, timeout_s=10)
    assert [runs(pid) for pid in pids(tmp_path / "log")] == [False, False]


def test_what_ignores_the_polite_signal_is_killed(tmp_path: Path):
    process = python(FAMILY, tmp_path, "stubborn")
    process.start()
    process.wait_ready(lambda: len(pids(process.log_path)) == 2, timeout_s=10)
    process.stop(grace_s=0.3)
    assert [runs(pid) for pid in pids(tmp_path / "log")] == [False, False]


def test_stop_twice_is_harmless(tmp_path: Path):
    process = python("import time; time.sleep(60)", tmp_path)
    process.start()
    process.stop()
    process.stop()
    assert not process.alive


def test_nothing_is_left_when_the_parent_is_killed(tmp_path: Path):
    log = tmp_path / "log"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, FAMILY, str(log)])
    assert wait_until(lambda: len(pids(log)) == 2)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert wait_until(lambda: not any(map(runs, pids(log))))


def test_a_child_has_a_group_of_its_own_so_that_ctrl_c_spares_it(tmp_path: Path):
    with python("import time; time.sleep(60)", tmp_path) as process:
        assert process.pid is not None
        assert os.getpgid(process.pid) == process.pid


def test_an_early_end_shows_the_end_of_the_log(tmp_path: Path):
    process = python("print('no such table'); raise SystemExit(3)", tmp_path)
    process.start()
    with pytest.raises(ServiceError, match=r"(?s)a test ended with code 3 before it was ready.*no such table"):
        process.wait_ready(lambda: False, timeout_s=10)


def test_what_is_not_ready_in_time_is_stopped(tmp_path: Path):
    process = python("import time; time.sleep(60)", tmp_path)
    process.start()
    with pytest.raises(ServiceError, match=r"was not ready after 0\.2 s and was stopped"):
        process.wait_ready(lambda: False, timeout_s=0.2)
    assert not process.alive


def test_a_program_that_does_not_exist_is_named(tmp_path: Path):
    with pytest.raises(ServiceError, match="/no/such/program"):
        ManagedProcess("a test", ["/no/such/program"], log_path=tmp_path / "log").start()


def test_the_log_of_earlier_starts_is_kept_but_not_shown(tmp_path: Path):
    for word in ("first", "second"):
        with python(f"print('{word}')", tmp_path) as process:
            process.wait()
            assert process.log_tail() == word
    assert (tmp_path / "log").read_text() == "first\nsecond\n"


def test_a_log_above_ten_megabytes_is_put_aside(tmp_path: Path):
    (tmp_path / "log").write_bytes(b"x" * 10_000_001)
    with python("print('new')", tmp_path) as process:
        process.wait()
    assert (tmp_path / "log").read_text() == "new\n"
    assert (tmp_path / "log.1").stat().st_size == 10_000_001


def test_the_environment_is_only_what_was_given(tmp_path: Path):
    code = "import os; print('HOME' in os.environ, os.environ['GIVEN'])"
    process = ManagedProcess("a test", [sys.executable, "-c", code], log_path=tmp_path / "log", env={"GIVEN": "yes"})
    with process:
        process.wait()
    assert process.log_path.read_text() == "False yes\n"


def test_a_process_starts_again_after_it_was_stopped(tmp_path: Path):
    process = python("import time; time.sleep(60)", tmp_path)
    for _ in range(2):
        process.start()
        assert process.alive
        process.stop()


def test_a_running_process_is_not_started_twice(tmp_path: Path):
    with python("import time; time.sleep(60)", tmp_path) as process, pytest.raises(RuntimeError, match="already runs"):
        process.start()


def test_free_port_is_free():
    assert 1024 <= free_port() <= 65535
