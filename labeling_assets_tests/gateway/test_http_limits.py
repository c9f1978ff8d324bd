"""Headers have limits in size and time, connections in number; what a browser does has none of them."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from labeling_assets.gateway.http_limits import HEADER_BYTES, LimitedHttp
from labeling_assets.gateway.serve import AnnouncingServer
from labeling_assets_tests.gateway.running import running_gateway


async def _size(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


APP = Starlette(routes=[Route("/", _size, methods=["GET", "POST"])])


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    with running_gateway(APP) as url:
        yield httpx.URL(url).host, httpx.URL(url).port or 80


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers may take a moment."""
    monkeypatch.setattr(LimitedHttp, "header_seconds", 0.2)


def answer_to(address: tuple[str, int], *pieces: bytes) -> bytes:
    """What comes back until the server hangs up; pieces are sent one after the other."""
    with socket.create_connection(address, timeout=20) as connection:
        answer = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
            while received := connection.recv(65536):
                answer += received
        except (ConnectionResetError, BrokenPipeError):  # it hung up while more was coming
            pass
        return answer


@pytest.mark.parametrize("size", [0, 8_000, HEADER_BYTES - 200])
def test_headers_of_any_sensible_size_are_read(address: tuple[str, int], size: int) -> None:
    answer = httpx.get(f"http://{address[0]}:{address[1]}/", headers={"Cookie": "c" * size})
    assert answer.status_code == 200


def test_one_header_that_is_too_large_is_refused(address: tuple[str, int]) -> None:
    large = b"GET / HTTP/1.1\r\nCookie: " + b"c" * HEADER_BYTES + b"\r\n\r\n"
    assert answer_to(address, large).startswith(b"HTTP/1.1 431 ")


def test_a_path_that_is_too_long_is_refused(address: tuple[str, int]) -> None:
    assert answer_to(address, b"GET /" + b"x" * HEADER_BYTES + b" HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 431 ")


def test_a_header_without_an_end_is_not_kept(address: tuple[str, int]) -> None:
    """A megabyte in small pieces; after 32 kB nobody listens any more."""
    endless = [b"GET / HTTP/1.1\r\nCookie: "] + [b"c" * 1000] * 1000
    # It hangs up. What it says is lost where more had come than it read: the system then resets the connection.
    assert answer_to(address, *endless)[:13] in (b"", b"HTTP/1.1 431 ")


def test_many_small_headers_are_refused_together(address: tuple[str, int]) -> None:
    many = b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(5000)) + b"\r\n"
    assert answer_to(address, many).startswith(b"HTTP/1.1 431 ")


@pytest.mark.usefixtures("hurried")
def test_a_header_that_takes_too_long_is_given_up(address: tuple[str, int]) -> None:
    assert answer_to(address, b"GET / HTTP/1.1\r\nHost:").startswith(b"HTTP/1.1 408 ")


@pytest.mark.usefixtures("hurried")
def test_a_connection_on_which_nothing_comes_is_closed_without_a_word(address: tuple[str, int]) -> None:
    """Browsers open some in advance."""
    assert answer_to(address) == b""


@pytest.mark.usefixtures("hurried")
def test_a_second_request_that_takes_too_long_is_given_up(address: tuple[str, int]) -> None:
    first = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = answer_to(address, first, b"GET / HTTP/1.1\r\nHost:")
    assert (answer.startswith(b"HTTP/1.1 200 "), b"HTTP/1.1 408 " in answer) == (True, True)


@pytest.mark.usefixtures("hurried")
def test_a_body_may_take_longer_than_a_header(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\nab")
        threading.Event().wait(0.5)  # longer than a header may take
        connection.sendall(b"cd")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert (answer.startswith(b"HTTP/1.1 200 "), answer.endswith(b"4")) == (True, True)


def test_requests_in_one_piece_are_all_answered(address: tuple[str, int]) -> None:
    """A large body, and behind it a request that is not complete yet."""
    large = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000
    last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = answer_to(address, large + last[:20], last[20:])
    assert (answer.count(b"HTTP/1.1 200 "), b"\r\n\r\n100000" in answer) == (2, True)


def test_what_is_no_http_is_400(address: tuple[str, int]) -> None:
    assert answer_to(address, b"hello\r\n\r\n").startswith(b"HTTP/1.1 400 ")


@contextmanager
def server(app: Starlette, **options: Any) -> Iterator[tuple[AnnouncingServer, str, threading.Thread]]:
    ready = threading.Event()
    running = AnnouncingServer(app, ready.set, **options)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=running.run, args=([listener],))
        thread.start()
        assert ready.wait(20)
        try:
            yield running, f"http://127.0.0.1:{listener.getsockname()[1]}", thread
        finally:
            running.should_exit = True
            thread.join(20)


def test_too_many_connections_get_503() -> None:
    with server(APP, connections=3) as (_, url, _thread):
        address = (httpx.URL(url).host, httpx.URL(url).port or 80)
        open_ones = [socket.create_connection(address) for _ in range(3)]
        assert httpx.get(url).status_code == 503
        for connection in open_ones:
            connection.close()


def test_a_running_answer_is_finished_when_the_gateway_stops() -> None:
    begun, go_on = threading.Event(), threading.Event()

    async def slow(request: Request) -> PlainTextResponse:
        begun.set()
        await asyncio.to_thread(go_on.wait, 20)
        return PlainTextResponse("whole")

    with server(Starlette(routes=[Route("/", slow)]), stop_s=20) as (running, url, thread):
        answers: list[str] = []
        client = threading.Thread(target=lambda: answers.append(httpx.get(url, timeout=20).text))
        client.start()
        assert begun.wait(20)
        running.should_exit = True
        until_refused(url)
        go_on.set()
        client.join(20)
        thread.join(20)
        assert (answers, thread.is_alive()) == (["whole"], False)


def until_refused(url: str) -> None:
    """New connections are not taken any more."""
    for _ in range(400):
        try:
            with socket.create_connection((httpx.URL(url).host, httpx.URL(url).port or 80), timeout=1):
                threading.Event().wait(0.02)
        except OSError:
            return
    raise AssertionError("it still listens")


async def _client(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.client.host if request.client else ''} {request.url.scheme}")


@pytest.mark.parametrize(
    ("proxies", "client"),
    [(["127.0.0.1"], "198.51.100.7 https"), (["10.0.0.0/8"], "127.0.0.1 http"), ([], "127.0.0.1 http")],
)
def test_only_a_trusted_proxy_says_who_the_client_is(proxies: list[str], client: str) -> None:
    forwarded = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https"}
    with server(Starlette(routes=[Route("/", _client)]), proxies=proxies) as (_, url, _thread):
        assert httpx.get(url, headers=forwarded).text == client
