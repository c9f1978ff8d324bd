import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from labeling_assets.settings import load_settings

SERVE = ["-m", "labeling_assets.cli", "gateway", "serve", "--port", "0", "--workers", "2"]


@pytest.fixture
def gateway_of_two(aperturedb_key: str, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Two workers and their parent, and their address."""
    environment = {
        **os.environ,
        "APERTUREDB_KEY": aperturedb_key,
        "LABEL_STUDIO_URL": "http://127.0.0.1:8080",
        "LABELING_ASSETS_HOME": str(tmp_path / "home"),
        "LABELING_ASSETS_GATEWAY_URL": "http://127.0.0.1:8090",
    }
    command = [sys.executable, *SERVE]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("media gateway ready at http://127.0.0.1:"), line
        yield process, line.rpartition(" ")[2].strip()
        process.kill()


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """Their process ids; the parent has a helper as well, which Python starts."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            command = (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == process.pid and b"spawn_main" in command:
            found.append(int(path.parent.name))
    return found


def is_there(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def all_gone(pids: list[int]) -> bool:
    """Once they are; a test that waits in vain is ended from outside."""
    while any(map(is_there, pids)):
        time.sleep(0.05)
    return True


def test_they_serve_the_same_media(
    gateway_of_two: tuple[subprocess.Popen[str], str], tmp_path: Path, picture: bytes
) -> None:
    process, url = gateway_of_two
    link = load_settings(home=tmp_path / "home", gateway_url=url).links().link("picture")
    assert [httpx.get(link).content for _ in range(10)] == [picture] * 10
    assert len(workers_of(process)) == 2


def test_their_counts_are_shown_together(gateway_of_two: tuple[subprocess.Popen[str], str]) -> None:
    _, url = gateway_of_two
    for _ in range(30):
        httpx.get(f"{url}/healthz")
    shown = httpx.get(f"{url}/metrics").text
    counted = re.search(r'labeling_gateway_requests_total\{method="GET",route="/healthz",status="200"\} (.*)', shown)
    assert counted is not None
    assert float(counted[1]) == 30


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_they_stop_when_told_to(gateway_of_two: tuple[subprocess.Popen[str], str], number: signal.Signals) -> None:
    process, _ = gateway_of_two
    workers = workers_of(process)
    process.send_signal(number)
    assert (process.wait(30), all_gone(workers)) == (0, True)


def test_one_that_dies_takes_the_gateway_along(gateway_of_two: tuple[subprocess.Popen[str], str]) -> None:
    """Whoever looks after the gateway starts it again."""
    process, _ = gateway_of_two
    workers = workers_of(process)
    os.kill(workers[0], signal.SIGKILL)
    assert (process.wait(30), all_gone(workers)) == (1, True)


def test_none_outlives_its_parent(gateway_of_two: tuple[subprocess.Popen[str], str]) -> None:
    process, _ = gateway_of_two
    workers = workers_of(process)
    process.kill()
    assert all_gone(workers)


def test_a_port_that_is_taken_is_named(
    gateway_of_two: tuple[subprocess.Popen[str], str], aperturedb_key: str, tmp_path: Path
) -> None:
    """Also by a gateway that would share it."""
    _, url = gateway_of_two
    environment = {**os.environ, "APERTUREDB_KEY": aperturedb_key, "LABELING_ASSETS_GATEWAY_URL": url}
    command = [sys.executable, *SERVE[:-3], url.rpartition(":")[2], *SERVE[-2:]]
    second = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (second.returncode, "cannot listen on 127.0.0.1" in second.stderr) == (1, True)
