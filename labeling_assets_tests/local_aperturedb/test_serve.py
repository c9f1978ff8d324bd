"""The server as a process: the ready line, a clean stop, and what survives a kill."""

import os
import re
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from labeling_assets.local_aperturedb.errors import LocalServerError
from labeling_assets.local_aperturedb.serve import serve
from labeling_assets.local_aperturedb.server import LocalServer

PROGRAM = """
import sys
from pathlib import Path
from labeling_assets.local_aperturedb.serve import serve
sys.exit(serve(data=Path(sys.argv[1]), port=0))
"""


@pytest.fixture
def process(tmp_path):
    """A server process on `tmp_path / "db"`, and where it listens."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "db")], stdout=subprocess.PIPE, text=True
    ) as running:
        line = running.stdout.readline()
        host, port = re.search(r"ready on ([\d.]+):(\d+)", line).groups()
        where = SimpleNamespace(host=host, port=int(port), username="admin", password="admin")
        yield running, where
        running.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(process, number):
    running, _ = process
    running.send_signal(number)
    assert running.wait(timeout=10) == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_was_acknowledged_survives(process, tmp_path, client_of, number):
    running, where = process
    acknowledged = []
    enough = threading.Event()

    def write():
        client = client_of(where)
        for number in range(100_000):
            add = [
                {"AddBlob": {"_ref": 1, "properties": {"n": number}}},
                {"AddEntity": {"class": "Note", "properties": {"n": number}, "connect": {"ref": 1, "class": "of"}}},
            ]
            try:
                answer, _ = client.query(add, [b"blob %d" % number])
            except Exception:  # noqa: BLE001  # what the client raises when the server is gone
                return
            assert answer[0]["AddBlob"]["status"] == 0
            acknowledged.append(number)
            if number == 50:
                enough.set()

    writer = threading.Thread(target=write)
    writer.start()
    enough.wait(timeout=30)
    running.send_signal(number)
    assert running.wait() == (0 if number == signal.SIGTERM else -number)
    writer.join()
    check_survivors(tmp_path, client_of, acknowledged)


def check_survivors(tmp_path, client_of, acknowledged):
    with LocalServer(tmp_path / "db") as server:
        answer, blobs = client_of(server).query(
            [
                {"FindBlob": {"blobs": True, "results": {"list": ["n"]}}},
                {"FindEntity": {"with_class": "Note", "results": {"list": ["n"]}}},
                {"FindConnection": {"with_class": "of", "results": {"count": True}}},
            ]
        )
    numbers = [item["n"] for item in answer[0]["FindBlob"]["entities"]]
    assert len(acknowledged) > 50
    assert set(acknowledged) <= set(numbers)
    assert blobs == [b"blob %d" % number for number in numbers]
    # No query was kept by halves.
    assert [item["n"] for item in answer[1]["FindEntity"]["entities"]] == numbers
    assert answer[2]["FindConnection"]["count"] == len(numbers)
    assert len(list((tmp_path / "db" / "blobs").glob("*/*"))) == len(numbers)


@pytest.mark.parametrize("option", ["tls_cert", "tls_key"])
def test_tls_needs_certificate_and_key(tmp_path, option):
    with pytest.raises(LocalServerError, match="both a certificate and its key"):
        serve(data=tmp_path / "db", port=0, **{option: tmp_path / "file.pem"})


def test_the_ready_line_names_both_addresses(tmp_path, certificate):
    lines = []

    def announce(line):
        lines.append(line)
        os.kill(os.getpid(), signal.SIGTERM)

    assert (
        serve(
            data=tmp_path / "db",
            port=0,
            rest_port=0,
            announce=announce,
            tls_cert=certificate[0],
            tls_key=certificate[1],
        )
        == 0
    )
    assert re.fullmatch(r"local ApertureDB ready on 127\.0\.0\.1:\d+ and REST on 127\.0\.0\.1:\d+\n", lines[0])
