"""The bytes on the wire."""

import socket
import struct

import pytest

from labeling_assets.local_aperturedb import wire
from labeling_assets.local_aperturedb.errors import QueryError


@pytest.fixture
def pair():
    near, far = socket.socketpair()
    with near, far:
        yield near, far


def test_a_message_survives():
    message = wire.Message('[{"FindImage": {}}]', [b"one", b""], "adbs_x")
    assert wire.decode(wire.encode(message)) == message


def test_the_bytes_are_those_of_the_official_client():
    from aperturedb import queryMessage

    message = queryMessage.queryMessage()
    message.json = "[]"
    message.blobs.append(b"blob")
    message.token = "t"
    assert wire.encode(wire.Message("[]", [b"blob"], "t")) == message.SerializeToString()


@pytest.mark.parametrize("payload", [b"\xff\xff\xff", b"\x0a\x05ab", b"\x0a\x02\xff\xfe"])
def test_garbage_is_refused(payload):
    with pytest.raises(QueryError):
        wire.decode(payload)


def test_a_frame_is_length_and_payload(pair):
    near, far = pair
    wire.write_frame(near, b"abc")
    assert far.recv(100) == b"\x03\x00\x00\x00abc"


def test_a_frame_in_pieces_is_read_whole(pair):
    near, far = pair
    for piece in (b"\x03\x00", b"\x00\x00a", b"bc"):
        near.sendall(piece)
    assert wire.read_frame(far, limit=10) == b"abc"


def test_a_frame_that_ends_early_is_no_frame(pair):
    near, far = pair
    near.sendall(b"\x03\x00\x00\x00a")
    near.close()
    assert wire.read_frame(far, limit=10) is None


def test_a_frame_above_the_limit_is_not_read(pair):
    near, far = pair
    near.sendall(struct.pack("@I", 2**32 - 1))
    with pytest.raises(wire.FrameTooLarge) as caught:
        wire.read_frame(far, limit=10)
    assert caught.value.size == 4294967295


@pytest.mark.parametrize(
    ("hello", "answer", "agreed"),
    [
        (struct.pack("@II", 1, 1), struct.pack("@II", 1, 1), 1),
        (struct.pack("@II", 1, 3), struct.pack("@II", 1, 1), 1),
        (struct.pack("@II", 1, 2), struct.pack("@II", 1, 0), 0),
        (struct.pack("@II", 9, 1), struct.pack("@II", 0, 0), 0),
    ],
    ids=["tcp", "any", "only tls", "other version"],
)
def test_greeting(pair, hello, answer, agreed):
    near, far = pair
    wire.write_frame(near, hello)
    assert wire.negotiate(far, allowed=wire.PROTOCOL_TCP) == agreed
    assert wire.read_frame(near, limit=8) == answer


@pytest.mark.parametrize("hello", [b"GET / HT", b"\x08\x00\x00\x00", b"\x04\x00\x00\x00abcd"])
def test_a_greeting_of_something_else_gets_no_answer(pair, hello):
    near, far = pair
    near.sendall(hello)
    near.shutdown(socket.SHUT_WR)
    assert wire.negotiate(far, allowed=wire.PROTOCOL_TCP) == 0
