"""What one client may take, and that the others do not notice."""

import contextlib
import random
import resource
import socket
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from labeling_assets.local_aperturedb import wire
from labeling_assets.local_aperturedb.errors import LocalServerError
from labeling_assets.local_aperturedb.limits import Limits, possible_connections
from labeling_assets.local_aperturedb.server import LocalServer

STATUS = [{"GetStatus": {}}]
HELLO = struct.pack("@II", 1, 1)
LOGIN = {"username": "admin", "password": "admin"}

PROGRAM = """
import resource, sys
from pathlib import Path
from labeling_assets.local_aperturedb.serve import serve
resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
sys.exit(serve(data=Path(sys.argv[1]), port=0))
"""

FEW_FILES = """
import resource, sys
from pathlib import Path
from labeling_assets.local_aperturedb.server import LocalServer
with LocalServer(Path(sys.argv[1])) as server:
    resource.setrlimit(resource.RLIMIT_NOFILE, (48, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    print(server.port, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def limited(tmp_path):
    """`limited(connections=2)`: a server with these limits."""
    servers = []

    def limited(**limits):
        servers.append(LocalServer(tmp_path / "db", limits=Limits(**limits)))
        return servers[-1]

    yield limited
    for server in servers:
        server.stop()


@pytest.mark.parametrize(
    "limits",
    [{"message_bytes": 0}, {"message_bytes": 2**31}, {"connections": 0}, {"idle_seconds": 0}, {"stall_seconds": -1}],
    ids=str,
)
def test_impossible_limits(limits):
    with pytest.raises(LocalServerError):
        Limits(**limits)


def test_connections_leave_files_for_the_database(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    assert possible_connections(2000) == 768
    assert possible_connections(10) == 10


def test_an_idle_connection_is_closed(limited, connect):
    raw = connect(limited(idle_seconds=0.1))
    assert raw.read() is None


def test_the_client_comes_back_after_its_idle_connection_was_closed(limited, client_of):
    client = client_of(limited(idle_seconds=0.1))
    client.config.retry_max_attempts = 3
    client.query(STATUS)
    time.sleep(0.3)
    assert client.query(STATUS)[0][0]["GetStatus"]["status"] == 0


@pytest.mark.parametrize("begun", [b"\x08", b"\x08\x00\x00\x00\x01"], ids=["half a length", "half a message"])
@pytest.mark.parametrize("hello", [None, HELLO], ids=["greeting", "query"])
def test_whoever_stops_in_the_middle_is_closed(limited, connect, hello, begun):
    raw = connect(limited(stall_seconds=0.1), hello=hello)
    raw.socket.sendall(begun)
    assert raw.read() is None


def test_slow_senders_hold_nobody_up(server, connect):
    slow = [connect(server) for _ in range(50)]
    for raw in slow:
        raw.socket.sendall(struct.pack("@I", 1000) + b"abc")
    began = time.monotonic()
    assert connect(server).log_in(**LOGIN)["status"] == 0
    assert time.monotonic() - began < 1


def test_a_large_announcement_takes_no_memory(server, connect):
    import psutil

    before = psutil.Process().memory_info().rss
    announced = [connect(server) for _ in range(20)]
    for raw in announced:
        raw.socket.sendall(struct.pack("@I", 256 * 2**20) + b"abc")
    assert connect(server).log_in(**LOGIN)["status"] == 0
    assert psutil.Process().memory_info().rss - before < 100 * 2**20


def test_a_new_connection_takes_the_place_of_the_one_that_waited_longest(limited, connect):
    server = limited(connections=3)
    oldest, other, third = (connect(server) for _ in range(3))
    assert other.log_in(**LOGIN)["status"] == 0
    assert connect(server).log_in(**LOGIN)["status"] == 0
    assert oldest.read() is None
    assert other.log_in(**LOGIN)["status"] == 0
    assert third.log_in(**LOGIN)["status"] == 0


def test_a_running_query_keeps_its_place(tmp_path, connect):
    running, go_on = threading.Event(), threading.Event()

    def clock():
        # The server looks at the clock when it has read a query and begins to run it.
        running.set()
        go_on.wait(10)
        return 0.0

    with LocalServer(tmp_path / "db", clock=clock, limits=Limits(connections=1)) as server:
        busy = connect(server)
        wire.write_frame(busy.socket, wire.encode(wire.Message('[{"GetStatus": {}}]')))
        running.wait(10)
        with socket.create_connection((server.host, server.port), timeout=10) as late:
            assert late.recv(1) == b""
        go_on.set()
        assert busy.answer()["info"] == "Not Authenticated!"


def test_the_client_reads_why_its_message_was_too_large(limited, client_of):
    client = client_of(limited(message_bytes=100_000))
    answer, _ = client.query([{"AddBlob": {}}], [b"x" * 20_000_000])
    assert "larger than the limit of 100000 bytes" in answer["info"]


def test_whoever_has_not_logged_in_gets_no_long_query_parsed(server, connect):
    assert connect(server).ask("[" * 100_000)["info"] == "Not Authenticated!"


@pytest.mark.parametrize(
    "query",
    [
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 100_000 + "1" + "}" * 100_000,
        '[{"FindEntity": {"constraints": ' + '["all",' * 100_000 + "]" * 100_000 + "}}]",
        '[{"AddEntity": {"class": "P", "properties": {"a": ' + "[" * 100_000 + "]" * 100_000 + "}}}]",
    ],
    ids=["arrays", "objects", "constraints", "properties"],
)
def test_json_nested_100_000_deep_is_refused(server, connect, query):
    raw = connect(server)
    token = raw.log_in(**LOGIN)["session_token"]
    assert raw.ask(query, token=token) == {"info": "Malformed JSON: nested too deep", "status": -1}
    assert raw.ask(STATUS, token=token)[0]["GetStatus"]["status"] == 0


@pytest.mark.parametrize("rest", [False, True], ids=["tcp", "rest"])
def test_damaged_requests_get_an_error_or_a_close(tmp_path, caplog, rest):
    """Bytes of a valid request changed, removed and repeated at random places."""
    chance = random.Random(7)
    message = wire.encode(wire.Message('[{"Authenticate": {"username": "admin", "password": "no"}}]', [b"b" * 50], "t"))
    frame = struct.pack("@I", 8) + HELLO + struct.pack("@I", len(message)) + message
    form = b'--b\r\nContent-Disposition: form-data; name="query"\r\n\r\n[]\r\n--b--\r\n'
    head = "POST /api/ HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n"
    valid = (head % len(form)).encode() + form if rest else frame
    with LocalServer(tmp_path / "db", rest_port=0, limits=Limits(stall_seconds=5)) as server:
        port = server.rest_port if rest else server.port
        for _ in range(200):
            with socket.create_connection((server.host, port), timeout=10) as raw:
                raw.sendall(damaged(valid, chance))
                with contextlib.suppress(OSError):  # the server may have closed already
                    raw.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionResetError):
                    while raw.recv(65536):
                        pass
    # What the server had not foreseen would be logged with its traceback.
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


def damaged(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(len(changed))
        changed[at : at + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
    return bytes(changed[: chance.randint(1, len(changed))]) if chance.random() < 0.3 else bytes(changed)


def test_a_thousand_idle_connections_and_31_busy_threads(tmp_path, client_of):
    """In a process that may open only 256 files at first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 1500:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(1500, hard), hard))
    arguments = [sys.executable, "-c", PROGRAM, str(tmp_path / "db")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = int(process.stdout.readline().rpartition(":")[2])
            idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(1000)]
            for raw in idle:
                wire.write_frame(raw, HELLO)
            assert {bytes(wire.read_frame(raw, limit=8)) for raw in idle} == {HELLO}
            work(port, client_of)
            login = wire.encode(wire.Message('[{"Authenticate": {"username": "admin", "password": "admin"}}]'))
            wire.write_frame(idle[0], login)
            assert b"session_token" in wire.read_frame(idle[0], limit=10_000)
            process.terminate()
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()
            for raw in idle:
                raw.close()


def test_without_open_files_a_new_connection_still_takes_an_old_place(tmp_path):
    arguments = [sys.executable, "-c", FEW_FILES, str(tmp_path / "db")]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        port = int(process.stdout.readline())
        opened = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(100)]
        try:
            wire.write_frame(opened[-1], HELLO)
            assert wire.read_frame(opened[-1], limit=8) == HELLO
            process.stdin.close()
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()
            for raw in opened:
                raw.close()


def work(port, client_of):
    client = client_of(type("Where", (), {"host": "127.0.0.1", "port": port, "username": "admin", "password": "admin"}))
    client.query(STATUS)

    def one(number):
        clone = client.clone()
        for _ in range(3):
            clone.query([{"AddEntity": {"class": "P", "properties": {"n": number}}}])

    with ThreadPoolExecutor(31) as pool:
        list(pool.map(one, range(31)))
    answer, _ = client.query([{"FindEntity": {"results": {"count": True}}}])
    assert answer[0]["FindEntity"]["count"] == 93
