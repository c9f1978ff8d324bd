"""The bytes of the protocol: frames, the first greeting, and the protobuf message inside a frame.

A frame is a length of four bytes in host order, then as many bytes. A connection starts with one frame each way
that holds two numbers, the version and the protocol; every later frame is one query message.
"""

import socket
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


@dataclass(frozen=True, slots=True)
class Message:
    """One request or answer: JSON text, blobs in the order of the commands, session token."""

    json: str
    blobs: list[bytes] = field(default_factory=list)
    token: str = ""


class FrameTooLarge(Exception):
    """A frame announced more bytes than allowed; nothing of it was read."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


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
    encoded: bytes = _QUERY_MESSAGE(json=message.json, blobs=message.blobs, token=message.token).SerializeToString()
    return encoded


def read_frame(sock: socket.socket, *, limit: int, stall_seconds: float | None = None) -> bytearray | None:
    """The next frame, or None when the other side has gone, between frames or inside one.

    As soon as a frame begins, `stall_seconds` becomes the timeout of the socket. Raises FrameTooLarge before anything
    is allocated.
    """
    begun = sock.recv(_LENGTH.size)
    if not begun:
        return None
    if stall_seconds is not None:
        sock.settimeout(stall_seconds)
    header = read_bytes(sock.recv_into, _LENGTH.size, begun=begun)
    if header is None:
        return None
    (size,) = _LENGTH.unpack(header)
    if size > limit:
        raise FrameTooLarge(size)
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
