"""REST: what the official client sends, and what it never would."""

import base64
import json
import socket

import httpx
import pytest

from labeling_assets.local_aperturedb.limits import Limits
from labeling_assets.local_aperturedb.server import LocalServer

STATUS = json.dumps([{"GetStatus": {}}])
REJECTED = {"info": "Not Authenticated!", "status": -1}


@pytest.fixture
def server(tmp_path, certificate):
    limits = Limits(message_bytes=100_000, stall_seconds=0.5)
    with LocalServer(tmp_path / "db", rest_port=0, tls=certificate, limits=limits) as running:
        yield running


@pytest.fixture
def http(server):
    with httpx.Client(base_url=f"http://{server.host}:{server.rest_port}", timeout=10) as client:
        yield client


def ask(http, query, *blobs, token="", path="/api/"):
    files = [("query", (None, query)), *(("blobs", ("blob", blob)) for blob in blobs)]
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return http.post(path, files=files, headers=headers)


@pytest.fixture
def token(http):
    login = json.dumps([{"Authenticate": {"username": "admin", "password": "admin"}}])
    return ask(http, login).json()["json"][0]["Authenticate"]["session_token"]


@pytest.mark.parametrize("path", ["/api", "/api/"])
def test_a_query_and_its_answer(http, token, path):
    answer = ask(http, STATUS, token=token, path=path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json()["json"][0]["GetStatus"]["status"] == 0
    assert answer.json()["blobs"] == []


def test_blobs_go_in_and_come_out_in_base64(http, token):
    blobs = [bytes(range(256)), b"", b"\r\n--"]
    ask(http, json.dumps([{"AddBlob": {}}] * 3), *blobs, token=token)
    answer = ask(http, json.dumps([{"FindBlob": {"blobs": True}}]), token=token).json()
    assert [base64.b64decode(blob) for blob in answer["blobs"]] == blobs


@pytest.mark.parametrize("token", ["", "adbs_invented"])
def test_without_a_session_the_query_is_rejected(http, token):
    answer = ask(http, STATUS, token=token)
    assert (answer.status_code, answer.json()) == (200, {"blobs": [], "json": REJECTED})


def test_another_scheme_is_no_session(http, token):
    answer = http.post("/api/", files={"query": (None, STATUS)}, headers={"Authorization": f"Basic {token}"})
    assert answer.json()["json"] == REJECTED


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ([("query", (None, STATUS)), ("query", (None, STATUS))], "got 2"),
        ([("blobs", ("b", b"x"))], "got 0"),
        ([("query", (None, STATUS)), ("picture", ("b", b"x"))], "picture"),
        ([("query", (None, b"\xff"))], "Unicode"),
        ([("query", (None, STATUS)), ("blobs", ("b", b"x"))], "Expected blobs: 0. Received blobs: 1"),
        ([("query", (None, "{"))], "Malformed JSON"),
        ([("query", (None, "[" * 100))], "Malformed JSON"),
    ],
    ids=["two queries", "no query", "unknown part", "not Unicode", "too many blobs", "no JSON", "cut off"],
)
def test_a_malformed_query_is_an_error_object(http, token, files, named):
    answer = http.post("/api/", files=files, headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["json"]["status"]) == (200, -1)
    assert named in answer.json()["json"]["info"]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (("GET", "/api/", {}, b""), 405),
        (("DELETE", "/api/", {}, b""), 405),
        (("POST", "/", {}, b""), 404),
        (("POST", "/api/", {"Content-Type": "application/json"}, b"[]"), 415),
        (("POST", "/api/", {"Content-Type": "multipart/form-data"}, b"[]"), 415),
        (("POST", "/api/", {"Content-Length": "-1"}, b""), 411),
        (("POST", "/api/", {"Transfer-Encoding": "chunked"}, b""), 411),
        (("POST", "/api/", {"X-Long": "x" * 70_000}, b""), 431),
        (("POST", "/api/" + "x" * 70_000, {}, b""), 414),
    ],
    ids=["get", "delete", "path", "no form", "no boundary", "length", "chunked", "header", "address"],
)
def test_what_is_no_query_has_its_own_status(server, request_, status):
    method, path, headers, body = request_
    lines = [f"{method} {path} HTTP/1.1", "Host: x"]
    if not {"Content-Length", "Transfer-Encoding"} & set(headers):
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    answer = send(server, "\r\n".join([*lines, "", ""]).encode() + body)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["json"]["status"] == -1


def send(server, content: bytes) -> bytes:
    """All that comes back until the server closes."""
    with socket.create_connection((server.host, server.rest_port), timeout=10) as raw:
        raw.sendall(content)
        return b"".join(iter(lambda: raw.recv(65536), b""))


def test_a_message_above_the_limit_is_refused_before_it_is_read(server):
    answer = send(server, b"POST /api/ HTTP/1.1\r\nContent-Length: 9999999999\r\n\r\n")
    assert b"Message of 9999999999 bytes is larger than the limit of 100000 bytes" in answer


def test_the_client_reads_why_its_message_was_too_large(http, token):
    answer = ask(http, json.dumps([{"AddBlob": {}}]), b"x" * 5_000_000, token=token)
    assert "larger than the limit" in answer.json()["json"]["info"]


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\x16",
        b"\x16\x03\x01\x00\x05hello",
        b"POST",
        b"\x00" * 100,
        b"POST /api/ HTTP/1.1\r\nContent-Length: 9\r\n\r\nab",
    ],
    ids=["nothing", "one byte of TLS", "broken TLS", "half a line", "zeros", "half a body"],
)
def test_a_broken_request_harms_nobody(server, http, sent):
    with socket.create_connection((server.host, server.rest_port)) as raw:
        raw.sendall(sent)
    assert ask(http, STATUS).json()["json"] == REJECTED


def test_half_a_request_ends_after_a_while(server):
    assert send(server, b"POST /api/ HTTP/1.1\r\nContent-Le") == b""


def test_several_queries_use_one_connection(server, http, token):
    ports = {
        ask(http, STATUS, token=token).extensions["network_stream"].get_extra_info("client_addr") for _ in range(3)
    }
    assert len(ports) == 1


def test_a_session_of_one_transport_holds_on_the_others(server, token, connect):
    answer = connect(server).ask(STATUS, token=token)
    assert answer[0]["GetStatus"]["status"] == 0


def test_https_and_http_on_one_port(server, http, certificate):
    import ssl

    trusting = ssl.create_default_context(cafile=certificate[0])
    with httpx.Client(base_url=f"https://{server.host}:{server.rest_port}", verify=trusting) as encrypted:
        assert ask(encrypted, STATUS).json()["json"] == REJECTED
    assert ask(http, STATUS).json()["json"] == REJECTED


def test_without_a_certificate_there_is_only_http(tmp_path):
    with LocalServer(tmp_path / "plain", rest_port=0) as server:
        url = f"https://{server.host}:{server.rest_port}"
        with pytest.raises(httpx.ConnectError), httpx.Client(base_url=url, verify=False) as encrypted:
            ask(encrypted, STATUS)
