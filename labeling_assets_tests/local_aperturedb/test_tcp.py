"""Connections: many of them, broken ones, and the end."""

import struct
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from labeling_assets.local_aperturedb.limits import Limits
from labeling_assets.local_aperturedb.server import LocalServer

STATUS = [{"GetStatus": {}}]


def is_alive(connect, server):
    session = connect(server).log_in(username="admin", password="admin")
    return session["status"] == 0


@pytest.mark.parametrize(
    "hello",
    [struct.pack("@II", 9, 1), struct.pack("@II", 1, 2)],
    ids=["other version", "only tls"],
)
def test_a_client_that_cannot_be_served_is_disconnected(server, connect, hello):
    assert connect(server, hello=hello).read() is None


@pytest.mark.parametrize(
    "sent",
    [b"", b"\x01", b"GET / HTTP/1.1\r\n\r\n", b"\x08\x00\x00\x00\x01", b"\xff\xff\xff\xff"],
    ids=["nothing", "one byte", "http", "half a greeting", "four gigabytes"],
)
def test_a_broken_greeting_harms_nobody(server, connect, sent):
    raw = connect(server, hello=None)
    raw.socket.sendall(sent)
    raw.socket.close()
    assert is_alive(connect, server)


def test_garbage_gets_an_error_and_the_connection_goes_on(server, connect):
    raw = connect(server)
    raw.socket.sendall(b"\x03\x00\x00\x00\xff\xff\xff")
    assert raw.answer() == {"info": "Malformed message: not a query message", "status": -1}
    assert raw.log_in(username="admin", password="admin")["status"] == 0


def test_half_a_message_harms_nobody(server, connect):
    raw = connect(server)
    raw.socket.sendall(struct.pack("@I", 1000) + b"abc")
    raw.socket.close()
    assert is_alive(connect, server)


def test_a_message_above_the_limit_is_refused_unread(tmp_path, connect):
    with LocalServer(tmp_path / "db", limits=Limits(message_bytes=1000)) as server:
        raw = connect(server)
        raw.socket.sendall(struct.pack("@I", 2**32 - 1))
        assert raw.answer()["info"] == "Message of 4294967295 bytes is larger than the limit of 1000 bytes"
        assert raw.read() is None
        assert is_alive(connect, server)


def test_an_answer_above_the_limit_is_status_4(tmp_path, client_of):
    with LocalServer(tmp_path / "db", limits=Limits(message_bytes=2000)) as server:
        client = client_of(server)
        for _ in range(3):
            client.query([{"AddBlob": {}}], [b"x" * 1000])
        answer, blobs = client.query([{"FindBlob": {"blobs": True}}])
        assert (answer["status"], blobs) == (4, [])


def test_json_nested_without_end_is_refused(server, connect):
    raw = connect(server)
    token = raw.log_in(username="admin", password="admin")["session_token"]
    assert raw.ask("[" * 200_000, token=token)["status"] == -1
    assert raw.ask(STATUS, token=token)[0]["GetStatus"]["status"] == 0


def test_constraints_nested_without_end_are_refused(server, connect):
    raw = connect(server)
    token = raw.log_in(username="admin", password="admin")["session_token"]
    nested = '["all",' * 500 + '["$a","==",1]' + "]" * 500
    answer = raw.ask('[{"FindEntity": {"constraints": ' + nested + "}}]", token=token)
    assert "nested too deep" in answer["info"]


def test_many_threads_and_many_idle_connections(server, client, connect):
    client.query(STATUS)
    idle = [connect(server) for _ in range(100)]

    def work(number):
        clone = client.clone()
        for step in range(5):
            clone.query([{"AddEntity": {"class": "P", "properties": {"n": number, "step": step}}}])
            answer, _ = clone.query(
                [{"FindEntity": {"constraints": {"n": ["==", number]}, "results": {"count": True}}}]
            )
            assert answer[0]["FindEntity"]["count"] == step + 1

    with ThreadPoolExecutor(31) as pool:
        list(pool.map(work, range(31)))
    assert len(idle) == 100
    answer, _ = client.query([{"FindEntity": {"results": {"count": True}}}])
    assert answer[0]["FindEntity"]["count"] == 155


def test_a_running_query_is_answered_before_the_end(tmp_path, connect):
    asked = threading.Event()

    def clock():
        # The server looks at the clock when it has read a query and begins to run it.
        asked.set()
        return 0.0

    server = LocalServer(tmp_path / "db", clock=clock)
    raw = connect(server)
    token = raw.log_in(username="admin", password="admin")["session_token"]
    answers = []
    query = [{"AddEntity": {"class": "P", "properties": {"n": n}}} for n in range(3000)]
    worker = threading.Thread(target=lambda: answers.append(raw.ask(query, token=token)))
    asked.clear()
    worker.start()
    asked.wait()
    server.stop()
    worker.join()
    assert len(answers[0]) == 3000
