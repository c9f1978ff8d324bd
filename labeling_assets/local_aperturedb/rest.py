"""REST: queries as multipart forms over HTTP, plain or inside TLS on the same port.

`POST /api/` with a part `query` (JSON) and a part `blobs` for each blob, and the session token in the header
`Authorization: Bearer`. The answer is JSON: `{"blobs": [base64, ...], "json": answers}`. Whatever is wrong with a query
is answered with HTTP status 200, as over TCP: to clients another status means that the server is out of order, and they
repeat the request.
"""

import base64
import logging
import socket
import ssl
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

from labeling_assets.local_aperturedb import messages, multipart
from labeling_assets.local_aperturedb.errors import QueryError
from labeling_assets.local_aperturedb.peer import Peer
from labeling_assets.local_aperturedb.query import failure
from labeling_assets.local_aperturedb.wire import Message, read_bytes

_LOG: Final = logging.getLogger(__name__)
_PATHS: Final = ("/api", "/api/")
_TLS_HANDSHAKE: Final = b"\x16"
_FORM: Final = "multipart/form-data"


class RestProtocol:
    """Serves one connection when called. Whether it is TLS shows in its first byte; without `tls` it must not be."""

    def __init__(self, answer: Callable[[Message], Message], *, tls: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._tls = tls

    def __call__(self, peer: Peer) -> None:
        peer.socket.settimeout(peer.limits.stall_seconds)
        if self._tls is not None and peer.socket.recv(1, socket.MSG_PEEK) == _TLS_HANDSHAKE:
            peer.start_tls(self._tls)
        _Handler(peer, self._answer)


class _Refused(Exception):
    """A request that is no query; the connection ends after the answer."""

    def __init__(self, status: HTTPStatus, info: str, *, unread: int = 0) -> None:
        super().__init__(info)
        self.status = status
        self.info = info
        self.unread = unread


class _Handler(BaseHTTPRequestHandler):
    """Serves the connection from its constructor, as the standard library has it."""

    protocol_version = "HTTP/1.1"

    def __init__(self, peer: Peer, answer: Callable[[Message], Message]) -> None:
        self._peer = peer
        self._answer = answer
        super().__init__(peer.socket, "", None)  # type: ignore[arg-type]  # address and server are only for its log

    def handle(self) -> None:
        self.close_connection = False
        while not self.close_connection and not self._peer.is_over:
            self.connection.settimeout(self._peer.limits.idle_seconds)
            if not self.rfile.peek(1):  # type: ignore[attr-defined]  # it is a BufferedReader
                return
            self.connection.settimeout(self._peer.limits.stall_seconds)
            self.handle_one_request()

    def do_POST(self) -> None:
        unread = 0
        try:
            body = self._body()
            if not self._peer.begin():
                self.close_connection = True
                return
            answer, status = self._run(body), HTTPStatus.OK
        except _Refused as error:
            self.close_connection = True
            answer, status, unread = failure(QueryError(error.info)), error.status, error.unread
        self._send(status, _encoded(answer))
        self._peer.done()
        if unread:
            self._peer.linger(unread)

    def _body(self) -> bytearray:
        """Everything that speaks against a request is said before it is read."""
        if self.path.partition("?")[0] not in _PATHS:
            raise _Refused(HTTPStatus.NOT_FOUND, messages.REST_PATH)
        size = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not (size.isascii() and size.isdigit() and len(size) < 20):
            raise _Refused(HTTPStatus.LENGTH_REQUIRED, messages.REST_LENGTH)
        limit = self._peer.limits.message_bytes
        if int(size) > limit:
            text = messages.MESSAGE_TOO_LARGE.format(size=int(size), limit=limit)
            raise _Refused(HTTPStatus.OK, text, unread=int(size))
        if self.headers.get_content_type() != _FORM or self.headers.get_boundary() is None:
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, messages.REST_FORM, unread=int(size))
        body = read_bytes(self.rfile.readinto, int(size))
        if body is None:
            raise ConnectionError("the client went away in the middle of a request")
        return body

    def _run(self, body: bytearray) -> Message:
        try:
            return self._answer(_message(body, self.headers.get_boundary() or "", token=self._token()))
        except QueryError as error:
            return failure(error)

    def _token(self) -> str:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def _send(self, status: HTTPStatus, body: bytes) -> None:
        lines = [
            f"HTTP/1.1 {status.value} {status.phrase}",
            f"Server: {messages.SERVER_NAME}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            *(["Allow: POST"] if status == HTTPStatus.METHOD_NOT_ALLOWED else []),
            *(["Connection: close"] if self.close_connection else []),
        ]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        self._peer.send(head + body if self.command != "HEAD" else head)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the standard library finds wrong, in our form."""
        self.close_connection = True
        # It says "not implemented" for every method that has no function here.
        status = HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus(code)
        self._send(status, _encoded(failure(QueryError(message or status.phrase))))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name is the standard library's
        _LOG.debug(format, *args)


def _message(body: bytearray, boundary: str, *, token: str) -> Message:
    queries: list[bytes] = []
    blobs: list[bytes] = []
    wanted = {"query": queries, "blobs": blobs}
    for part in multipart.parts(body, boundary):
        if part.name not in wanted:
            raise QueryError(messages.REST_PART.format(name=part.name))
        wanted[part.name].append(part.content)
    if len(queries) != 1:
        raise QueryError(messages.REST_QUERIES.format(got=len(queries)))
    try:
        return Message(queries[0].decode(), blobs, token)
    except UnicodeDecodeError as error:
        raise QueryError(messages.NOT_UNICODE) from error


def _encoded(answer: Message) -> bytes:
    # By hand, because the answers are JSON already and blobs in base64 need no escapes.
    blobs = b'","'.join(base64.b64encode(blob) for blob in answer.blobs)
    listed = b'["' + blobs + b'"]' if answer.blobs else b"[]"
    return b'{"blobs":' + listed + b',"json":' + answer.json.encode() + b"}"
