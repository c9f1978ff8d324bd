"""A medium as it is answered: what its headers say, and its bytes, piece by piece from memory or from a file."""

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

from labeling_assets.errors import TransientError
from labeling_assets.gateway.ranges import Part

Piece = bytes | bytearray | memoryview
# What a slow reader holds in memory; with half of it, a range of 10 MB takes a tenth longer.
PIECE_BYTES: Final = 512 * 1024
# Reads what the page cache holds and never waits; absent where the kernel has no such call.
_AT_HAND: Final = getattr(os, "RWF_NOWAIT", None)


class Body(Protocol):
    """The bytes of one medium. Whoever got it closes it."""

    def pieces(self, part: Part) -> AsyncGenerator[Piece, None]:
        """The bytes of the part in order, each piece read only when it is asked for.

        Raises:
            TransientError: they cannot be read, or not to the end of the part.
        """

    def again(self) -> Self:
        """The same bytes, to be closed on their own."""

    async def close(self) -> None:
        """Give back what it holds; a second time does nothing."""


@dataclass(frozen=True, slots=True)
class Medium:
    """What the headers of an answer need; `content_type` has the charset of a text in it."""

    content_type: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Content:
    """A medium and its bytes. Whoever gets it closes the body."""

    medium: Medium
    body: Body


class MemoryBody:
    """Bytes that are in memory anyway."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    async def pieces(self, part: Part) -> AsyncGenerator[Piece, None]:
        """Views, no copies."""
        for start in range(part.first, part.last + 1, PIECE_BYTES):
            yield self.view(Part(start, min(start + PIECE_BYTES - 1, part.last)))

    def view(self, part: Part) -> memoryview:
        """The bytes of a part."""
        return memoryview(self.data)[part.first : part.last + 1]

    def again(self) -> Self:
        """Itself: it holds nothing that has to be given back."""
        return self

    async def close(self) -> None:
        """Nothing."""


class FileBody:
    """An open file. It stays readable when its name is taken away."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self.path = path

    @classmethod
    def open(cls, path: Path) -> Self:
        """Raises OSError if it cannot be opened."""
        return cls(os.open(path, os.O_RDONLY | os.O_CLOEXEC), path)

    @property
    def status(self) -> os.stat_result:
        """Of the open file, whatever bears its name by now."""
        return os.fstat(self._descriptor)

    def read(self, length: int, at: int) -> bytes:
        """Up to so many bytes from a place on; blocks. Raises OSError."""
        return os.pread(self._descriptor, length, at)

    def everything(self) -> Iterator[bytes]:
        """All bytes, piece by piece; blocks. Raises OSError."""
        at = 0
        while piece := self.read(PIECE_BYTES, at):
            yield piece
            at += len(piece)

    async def pieces(self, part: Part) -> AsyncGenerator[Piece, None]:
        """From a slow disk they are read in a thread, so that nobody else waits."""
        at = part.first
        while at <= part.last:
            length = min(PIECE_BYTES, part.last + 1 - at)
            piece = _read_at_hand(self._descriptor, length, at) or await self._waited_for(length, at)
            at += len(piece)
            yield piece

    async def _waited_for(self, length: int, at: int) -> bytes:
        try:
            piece = await asyncio.to_thread(self.read, length, at)
        except OSError as error:
            raise TransientError(f"{self.path} cannot be read: {error.strerror}.") from error
        if not piece:
            raise TransientError(f"{self.path} ends after {at:,} bytes: it was shortened while it was sent.")
        return piece

    def again(self) -> Self:
        """The same open file."""
        return type(self)(os.dup(self._descriptor), self.path)

    async def close(self) -> None:
        """Close the file."""
        self._shut()

    def _shut(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self._shut()


def _read_at_hand(descriptor: int, length: int, at: int) -> bytearray | None:
    """Up to so many bytes if the page cache holds them; nothing if they have to be waited for."""
    if _AT_HAND is None:
        return None
    piece = bytearray(length)
    try:
        got = os.preadv(descriptor, [piece], at, _AT_HAND)
    except OSError:  # not at hand, or a file system without this call
        return None
    del piece[got:]
    return piece
