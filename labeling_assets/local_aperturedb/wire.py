"""The bytes of the protocol: frames, the first greeting, and the protobuf message inside a frame.

A frame is a length of four bytes in host order, then as many bytes. A connection starts with one frame each way
that holds two numbers, the version and the protocol; every later frame is one query message.
"""

import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from labeling_assets.local_aperturedb import messages
from labeling_assets.local_aperturedb.errors import QueryError

VERSION: Final = 1
PROTOCOL_TCP: Final = 1
PROTOCOL_TLS: Final = 2

_LENGTH: Final = struct.Struct("@I")
_HELLO: Final = struct.Struct("@II")
_CHUNK_BYTES: Final = 1 << 20
# What a reader asks for at once: most requests are shorter.
_AHEAD_BYTES: Final = 1 << 14
# Blobs from here on are sent from where they are instead of being copied together.
_LARGE_BLOB: Final = 1 << 12
_PIECES_AT_ONCE: Final = 512  # systems take 1024

# The fields of the message as protobuf writes them, before their length.
_JSON_FIELD: Final = b"\x0a"
_BLOBS_FIELD: Final = b"\x12"
_TOKEN_FIELD: Final = b"\x1a"


@dataclass(slots=True)
class Message:
    """One request or answer: JSON text, blobs in the order of the commands, session token."""

    json: str
    blobs: list[bytes] = field(default_factory=list)
    token: str = ""


class FrameTooLarge(Exception):
    """A frame announced more bytes than allowed; `unread` of them may still come."""

    def __init__(self, size: int, *, unread: int) -> None:
        super().__init__(size)
        self.size = size
        self.unread = unread


def _message_class() -> Any:
    # A pool of its own: the official client registers the same message in the default pool of its process.
    file = descriptor_pb2.FileDescriptorProto(name="query_message.proto", package="VDMS.protobufs", syntax="proto3")
    message = file.message_type.add(name="queryMessage")
    kinds = descriptor_pb2.FieldDescriptorProto
    optional, repeated = kinds.LABEL_OPTIONAL, kinds.LABEL_REPEATED
    message.field.add(name="json", number=1, type=kinds.TYPE_STRING, label=optional)
    message.field.add(name="blobs", number=2, type=kinds.TYPE_BYTES, label=repeated)
    message.field.add(name="token", number=3, type=kinds.TYPE_STRING, label=optional)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)  # type: ignore[no-untyped-call]  # the stubs leave it unannotated
    described = pool.FindMessageTypeByName("VDMS.protobufs.queryMessage")  # type: ignore[no-untyped-call]  # as above
    return message_factory.GetMessageClass(described)


_QUERY_MESSAGE: Final = _message_class()


def decode(payload: bytes | bytearray) -> Message:
    """Raises QueryError for bytes that are no query message."""
    parsed = _QUERY_MESSAGE()
    try:
        parsed.ParseFromString(payload)
    except DecodeError as error:
        raise QueryError(messages.MALFORMED_MESSAGE) from error
    return Message(parsed.json, list(parsed.blobs), parsed.token)


def encode(message: Message) -> bytes:
    return b"".join(_pieces(message))


def _pieces(message: Message) -> list[bytes | bytearray | memoryview]:
    """The message in protobuf, which is simple enough to be written without copying every blob twice."""
    pieces: list[bytes | bytearray | memoryview] = []
    small = bytearray()
    if message.json:
        text = message.json.encode()
        small += _JSON_FIELD + _varint(len(text)) + text
    for blob in message.blobs:
        small += _BLOBS_FIELD + _varint(len(blob))
        if len(blob) < _LARGE_BLOB:
            small += blob
        else:
            pieces += (small, blob)
            small = bytearray()
    if message.token:
        token = message.token.encode()
        small += _TOKEN_FIELD + _varint(len(token)) + token
    pieces.append(small)
    return pieces


def _varint(number: int) -> bytes:
    if number < 0x80:
        return bytes((number,))
    made = bytearray()
    while number >= 0x80:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)


def write_message(sock: socket.socket, message: Message) -> None:
    """The message as a frame, whose large blobs are not copied on the way."""
    pieces = _pieces(message)
    if len(pieces) == 1 or isinstance(sock, ssl.SSLSocket):  # TLS has no way to send several pieces at once
        write_frame(sock, b"".join(pieces))
        return
    pieces[0] = _LENGTH.pack(sum(map(len, pieces))) + pieces[0]
    while pieces:
        # Each call has the whole timeout: a slow client is no stalled one.
        sent = sock.sendmsg(pieces[:_PIECES_AT_ONCE])
        gone = 0
        while gone < len(pieces) and sent >= len(pieces[gone]):
            sent -= len(pieces[gone])
            gone += 1
        del pieces[:gone]
        if sent:
            pieces[0] = memoryview(pieces[0])[sent:]


class FrameReader:
    """Reads the frames of a socket, a short one together with its length and with what comes behind it."""

    def __init__(self, sock: socket.socket, *, limit: int) -> None:
        self._sock = sock
        self._limit = limit
        self._ahead = b""

    def wait(self) -> bool:
        """Until a frame begins; False when the other side has gone."""
        if not self._ahead:
            self._ahead = self._sock.recv(_AHEAD_BYTES)
        return bool(self._ahead)

    def read(self) -> bytes | bytearray | None:
        """The frame that has begun, or None when the other side has gone. Raises FrameTooLarge."""
        if len(self._ahead) < _LENGTH.size:
            header = read_bytes(self._sock.recv_into, _LENGTH.size, begun=self._ahead)
            if header is None:
                return None
            self._ahead = bytes(header)
        (size,) = _LENGTH.unpack_from(self._ahead)
        if size > self._limit:
            raise FrameTooLarge(size, unread=size + _LENGTH.size - len(self._ahead))
        end = size + _LENGTH.size
        begun, self._ahead = self._ahead[_LENGTH.size : end], self._ahead[end:]
        return begun if len(begun) == size else read_bytes(self._sock.recv_into, size, begun=begun)


def read_frame(sock: socket.socket, *, limit: int) -> bytearray | None:
    """The next frame and nothing behind it, or None when the other side has gone, between frames or inside one.

    Raises FrameTooLarge before anything is allocated.
    """
    header = read_bytes(sock.recv_into, _LENGTH.size)
    if header is None:
        return None
    (size,) = _LENGTH.unpack(header)
    if size > limit:
        raise FrameTooLarge(size, unread=size)
    return read_bytes(sock.recv_into, size)


def read_bytes(receive: Callable[[memoryview], int], size: int, *, begun: bytes = b"") -> bytearray | None:
    """Exactly `size` bytes, of which the first are `begun`; None when the other side ends before."""
    buffer = bytearray(begun)
    received = len(begun)
    while received < size:
        if received == len(buffer):
            # Grows with what has really come: an announced length alone costs no memory.
            buffer.extend(bytes(min(size - received, max(received, _CHUNK_BYTES))))
        with memoryview(buffer) as whole, whole[received:] as free:
            count = receive(free)
        if not count:
            return None
        received += count
    return buffer


def write_frame(sock: socket.socket, payload: bytes) -> None:
    """Length and payload leave in one write: the client reads the length with a single recv that does not loop."""
    sock.sendall(_LENGTH.pack(len(payload)) + payload[:_CHUNK_BYTES])
    view = memoryview(payload)
    # In pieces, because a timeout of Python is for all that is given to `sendall`.
    for start in range(_CHUNK_BYTES, len(payload), _CHUNK_BYTES):
        sock.sendall(view[start : start + _CHUNK_BYTES])


def negotiate(sock: socket.socket, *, allowed: int) -> int:
    """Answer the greeting; the bits of the agreed protocols, or 0 when there is none and the connection must close.

    Of several, both sides take TLS.
    """
    try:
        hello = read_frame(sock, limit=_HELLO.size)
    except FrameTooLarge:
        return 0
    if hello is None or len(hello) != _HELLO.size:
        return 0
    version, wanted = _HELLO.unpack(hello)
    if version != VERSION:
        write_frame(sock, _HELLO.pack(0, 0))
        return 0
    agreed: int = wanted & allowed
    write_frame(sock, _HELLO.pack(VERSION, agreed))
    return agreed
