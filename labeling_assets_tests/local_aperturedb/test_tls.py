"""TLS on the port of the plain protocol."""

import contextlib
import socket
import ssl
import struct
import threading

import pytest

from labeling_assets.local_aperturedb import wire
from labeling_assets.local_aperturedb.errors import LocalServerError
from labeling_assets.local_aperturedb.limits import Limits
from labeling_assets.local_aperturedb.server import LocalServer

STATUS = [{"GetStatus": {}}]
TLS = struct.pack("@II", 1, 2)
ANY = struct.pack("@II", 1, 3)


@pytest.fixture
def server(tmp_path, certificate):
    with LocalServer(tmp_path / "db", tls=certificate, limits=Limits(stall_seconds=0.5)) as running:
        yield running


@pytest.fixture
def encrypt(connect, certificate):
    """`encrypt(server)`: a raw connection inside TLS."""

    def encrypt(server, *, hello=TLS):
        raw = connect(server, hello=hello)
        context = ssl.create_default_context(cafile=certificate[0])
        raw.socket = context.wrap_socket(raw.socket, server_hostname=server.host)
        return raw

    return encrypt


def official(key):
    from aperturedb.CommonLibrary import create_connector

    return create_connector(key=key)


def test_the_key_makes_the_client_check_the_certificate(server):
    client = official(server.key_for(tls=True))
    answer, _ = client.query(STATUS)
    assert (client.config.use_ssl, client.config.verify_hostname) == (True, True)
    assert client.conn.version() == "TLSv1.3"
    assert answer[0]["GetStatus"]["status"] == 0


def test_plain_and_encrypted_clients_at_once(server, client_of):
    official(server.key_for(tls=True)).query([{"AddEntity": {"class": "P"}}])
    answer, _ = client_of(server).query([{"FindEntity": {"results": {"count": True}}}])
    assert answer[0]["FindEntity"]["count"] == 1


def test_of_several_protocols_both_sides_take_tls(server, encrypt):
    assert encrypt(server, hello=ANY).log_in(username="admin", password="admin")["status"] == 0


@pytest.mark.parametrize(
    ("hello", "answer"), [(TLS, (1, 2)), (ANY, (1, 3)), (struct.pack("@II", 1, 1), (1, 1))], ids=["tls", "any", "tcp"]
)
def test_the_answer_to_the_greeting(server, connect, hello, answer):
    raw = connect(server, hello=None)
    wire.write_frame(raw.socket, hello)
    assert struct.unpack("@II", raw.read()) == answer


def test_messages_of_several_megabytes(server):
    blob = bytes(range(256)) * 20_000
    client = official(server.key_for(tls=True))
    client.query([{"AddBlob": {}}], [blob])
    assert client.query([{"FindBlob": {"blobs": True}}])[1] == [blob]


@pytest.mark.parametrize("sent", [b"", b"\x16\x03", b"GET / HTTP/1.1\r\n\r\n"], ids=["nothing", "half", "http"])
def test_a_broken_handshake_is_closed_and_harms_nobody(server, connect, encrypt, sent):
    raw = connect(server, hello=TLS)
    raw.socket.sendall(sent)
    with contextlib.suppress(ConnectionResetError):
        assert raw.socket.recv(4096) == b""
    assert encrypt(server).log_in(username="admin", password="admin")["status"] == 0


def test_a_running_query_is_answered_before_the_end(tmp_path, certificate, encrypt):
    asked = threading.Event()

    def clock():
        asked.set()
        return 0.0

    server = LocalServer(tmp_path / "db", tls=certificate, clock=clock)
    raw = encrypt(server)
    token = raw.log_in(username="admin", password="admin")["session_token"]
    answers = []
    query = [{"AddEntity": {"class": "P", "properties": {"n": n}}} for n in range(2000)]
    worker = threading.Thread(target=lambda: answers.append(raw.ask(query, token=token)))
    asked.clear()
    worker.start()
    asked.wait()
    server.stop()
    worker.join()
    assert len(answers[0]) == 2000


def test_a_key_of_another_certificate_is_refused(tmp_path, certificate):
    (tmp_path / "key.pem").write_text("no key")
    with pytest.raises(LocalServerError, match="cannot use certificate"):
        LocalServer(tmp_path / "db", tls=(certificate[0], tmp_path / "key.pem"))


@pytest.mark.parametrize("transport", [{"tls": True}, {"rest": True}])
def test_there_is_no_key_for_what_is_not_served(tmp_path, transport):
    with LocalServer(tmp_path / "db") as server, pytest.raises(LocalServerError, match="without this transport"):
        server.key_for(**transport)


def test_nothing_leaves_in_plain_text_when_the_server_stops(tmp_path, certificate, encrypt):
    """Python's SSLSocket forgets its encryption when it is shut down."""
    server = LocalServer(tmp_path / "db", tls=certificate)
    raw = encrypt(server)
    raw.log_in(username="admin", password="admin")
    plain = socket.socket(fileno=raw.socket.detach())
    server.stop()
    with plain:
        rest = b"".join(iter(lambda: plain.recv(4096), b""))
    assert b"status" not in rest
