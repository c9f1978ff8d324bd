"""A proxy in front of each of the two servers, which asks the referee at the boundaries of every exchange.

When a proxy is closed, the server has answered everything that it was ever given.
"""

import base64
import http.client
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import urlsplit

from labeling_assets_tests.faults.killing_proxy import read_frame
from labeling_assets_tests.faults.referee import Referee

# A quote within a text is escaped, so these are commands and classes.
_COMMAND: Final = re.compile(rb'(?<!\\)"((?:Add|Find|Update|Delete|Get|Create|Remove|Authenticate|Refresh)\w*)": \{')
_CLASS: Final = re.compile(rb'(?<!\\)"(?:with_)?class": "(\w+)"')
_WRITING: Final = (b"Add", b"Update", b"Delete", b"Create", b"Remove")


class DatabaseProxy:
    """For the protocol of ApertureDB; `key` leads through it."""

    def __init__(self, key: str, referee: Referee) -> None:
        parts = json.loads(base64.b64decode(key))
        host, _, port = parts[2].partition(":")
        self._server, self._referee = (host, int(port)), referee
        self._listener = socket.create_server(("127.0.0.1", 0))
        parts[2] = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.key = base64.b64encode(json.dumps(parts).encode()).decode()
        self._threads: list[threading.Thread] = []
        self._clients: list[socket.socket] = []

    def run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._clients.append(client)
            self._threads.append(threading.Thread(target=self._serve, args=(client,)))
            self._threads[-1].start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for client in self._clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._server) as server, suppress(ConnectionError):
            while (query := read_frame(client)) is not None:
                if not self._exchange(client, server, query):
                    self._referee.strike()
                    return

    def _exchange(self, client: socket.socket, server: socket.socket, query: bytes) -> bool:
        what, writes = _named(query)
        if not self._referee.passes("ApertureDB", what, "before", writes=writes):
            return False
        server.sendall(query)
        answer = read_frame(server)
        if answer is None or not self._referee.passes("ApertureDB", what, "done", writes=writes):
            return False
        # Asked first: from here on nothing that the client sends may get through.
        goes_on = self._referee.passes("ApertureDB", what, "answered", writes=writes)
        client.sendall(answer)
        return goes_on


def _named(query: bytes) -> tuple[str, bool]:
    commands = list(dict.fromkeys(_COMMAND.findall(query)))
    classes = dict.fromkeys(_CLASS.findall(query))
    return b" ".join([*commands, *classes]).decode(), any(command.startswith(_WRITING) for command in commands)


@contextmanager
def database_proxy(key: str, referee: Referee) -> Iterator[str]:
    """Gives the key of ApertureDB that leads through the proxy."""
    proxy = DatabaseProxy(key, referee)
    thread = threading.Thread(target=proxy.run)
    thread.start()
    try:
        yield proxy.key
    finally:
        proxy.close()
        thread.join()


class _Forwarding(BaseHTTPRequestHandler):
    """An HTTP proxy, so that Label Studio keeps the address by which ApertureDB knows it."""

    protocol_version = "HTTP/1.1"
    referee: Referee

    def _forward(self) -> None:
        address = urlsplit(self.path)
        what = f"{self.command} {re.sub(r'[0-9]+', 'N', address.path)}"
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self._passes(what, "before"):
            return
        server = http.client.HTTPConnection(address.netloc, timeout=120)
        with suppress(OSError):
            headers = {key: value for key, value in self.headers.items() if key.lower() not in ("connection",)}
            server.request(self.command, f"{address.path}?{address.query}", body, headers)
            response = server.getresponse()
            content = response.read()
            server.close()
            if self._passes(what, "done"):
                goes_on = self.referee.passes("Label Studio", what, "answered", writes=self._writes(what))
                self._answer(response, content)
                if not goes_on:
                    self._hang_up()
            return
        self._hang_up()

    do_GET = do_POST = do_PATCH = do_DELETE = _forward  # noqa: N815  # the names that http.server calls

    def _writes(self, what: str) -> bool:
        return self.command != "GET" and "token" not in what

    def _passes(self, what: str, moment: str) -> bool:
        goes_on = self.referee.passes("Label Studio", what, moment, writes=self._writes(what))  # type: ignore[arg-type]
        if not goes_on:
            self._hang_up()
        return goes_on

    def _answer(self, response: http.client.HTTPResponse, content: bytes) -> None:
        self.send_response_only(response.status)
        self.send_header("Content-Type", response.headers.get("Content-Type", "application/json"))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def _hang_up(self) -> None:
        self.referee.strike()
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def handle(self) -> None:
        with suppress(OSError):
            super().handle()


class _Forwarder(ThreadingHTTPServer):
    """Remembers its connections, which a client may keep open for ever."""

    daemon_threads = False

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self.connections: list[socket.socket] = []
        super().__init__(("127.0.0.1", 0), handler)

    def get_request(self) -> tuple[socket.socket, str]:
        connection, address = super().get_request()
        self.connections.append(connection)
        return connection, address

    def server_close(self) -> None:
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        super().server_close()  # joins the threads


@contextmanager
def label_studio_proxy(referee: Referee) -> Iterator[str]:
    """Gives the address of an HTTP proxy."""
    handler = type("Forwarding", (_Forwarding,), {"referee": referee})
    server = _Forwarder(handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
