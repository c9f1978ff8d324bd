import asyncio
import os
from pathlib import Path

import pytest

from labeling_assets.errors import TransientError
from labeling_assets.gateway import bodies
from labeling_assets.gateway.bodies import PIECE_BYTES, Body, FileBody, MemoryBody
from labeling_assets.gateway.ranges import Part

DATA = bytes(range(251)) * 5000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "content"
    path.write_bytes(DATA)
    return path


@pytest.fixture(params=["memory", "file", "file on a slow disk"])
def body(request: pytest.FixtureRequest, path: Path, monkeypatch: pytest.MonkeyPatch) -> Body:
    if request.param == "memory":
        return MemoryBody(DATA)
    if request.param == "file on a slow disk":
        monkeypatch.setattr(bodies, "_AT_HAND", None)  # as on systems without the call
    return FileBody.open(path)


def pieces(body: Body, first: int, last: int) -> list[bytes]:
    async def read() -> list[bytes]:
        return [bytes(piece) async for piece in body.pieces(Part(first, last))]

    return asyncio.run(read())


@pytest.mark.parametrize(
    ("first", "last"),
    [(0, 0), (0, len(DATA) - 1), (1, len(DATA) - 2), (PIECE_BYTES - 1, PIECE_BYTES), (len(DATA) - 1, len(DATA) - 1)],
)
def test_pieces_are_the_part(body: Body, first: int, last: int) -> None:
    assert b"".join(pieces(body, first, last)) == DATA[first : last + 1]


def test_no_piece_is_larger_than_a_piece(body: Body) -> None:
    assert max(map(len, pieces(body, 0, len(DATA) - 1))) <= PIECE_BYTES


def test_the_same_again_is_closed_on_its_own(body: Body) -> None:
    again = body.again()
    asyncio.run(body.close())
    assert pieces(again, 5, 9) == [DATA[5:10]]


def test_closing_twice_closes_no_other_file(path: Path) -> None:
    body = FileBody.open(path)
    asyncio.run(body.close())
    other = FileBody.open(path)
    asyncio.run(body.close())
    assert pieces(other, 0, 1) == [DATA[:2]]


def test_a_file_without_its_name_is_still_read(path: Path) -> None:
    body = FileBody.open(path)
    path.unlink()
    assert pieces(body, 0, 9) == [DATA[:10]]


def test_a_body_that_nobody_needs_closes_its_file(path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    bodies_of_nobody = [FileBody.open(path) for _ in range(5)]
    del bodies_of_nobody[:]
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_that_was_shortened(path: Path) -> None:
    body = FileBody.open(path)
    os.truncate(path, 100)
    with pytest.raises(TransientError, match="ends after 100 bytes"):
        pieces(body, 0, 199)


def test_everything(path: Path) -> None:
    assert b"".join(FileBody.open(path).everything()) == DATA
