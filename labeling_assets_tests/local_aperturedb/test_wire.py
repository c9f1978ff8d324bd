"""The bytes on the wire."""

import socket
import struct
import threading

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


@pytest.mark.parametrize(
    "sizes", [[], [0], [1, 5000, 0, 4096, 4095], [200_000] * 3, [127, 128, 16_383, 16_384], [5000] * 1200]
)
@pytest.mark.parametrize("json", ["", "[]", "x" * 300])
def test_a_message_is_written_as_protobuf_writes_it(pair, sizes, json):
    from aperturedb import queryMessage

    near, far = pair
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # so that it leaves in many parts
    blobs = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
    message = queryMessage.queryMessage()
    message.json, message.token = json, "t" * 200
    message.blobs.extend(blobs)
    got = []
    reader = threading.Thread(target=lambda: got.append(wire.read_frame(far, limit=2**31)))
    reader.start()
    wire.write_message(near, wire.Message(json, blobs, "t" * 200))
    reader.join()
    assert got == [message.SerializeToString()]


def test_frames_that_come_together_are_read_one_by_one(pair):
    near, far = pair
    wanted = [b"", b"one", b"x" * 70_000, b"last"]
    sender = threading.Thread(target=lambda: [wire.write_frame(near, frame) for frame in wanted])
    sender.start()
    frames = wire.FrameReader(far, limit=100_000)
    assert [(frames.wait(), bytes(frames.read())) for _ in wanted] == [(True, frame) for frame in wanted]
    sender.join()
    near.close()
    assert not frames.wait()


def test_a_reader_knows_what_is_still_to_come_of_a_frame_that_is_too_large(pair):
    near, far = pair
    near.sendall(struct.pack("@I", 50) + b"12345")
    frames = wire.FrameReader(far, limit=10)
    assert frames.wait()
    with pytest.raises(wire.FrameTooLarge) as raised:
        frames.read()
    assert (raised.value.size, raised.value.unread) == (50, 45)
