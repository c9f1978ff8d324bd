"""Blobs as files, one per object, named by its number.

A file is on disk before the transaction that names it commits, and goes only when no reader that could still see it
is left. What a crash leaves behind is swept at the next start.
"""

import os
import threading
from collections.abc import Iterable
from pathlib import Path

_FOLDERS = 256


class BlobFiles:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._epoch = 0
        self._readers: list[int] = []
        self._graves: list[tuple[int, int]] = []  # epoch of the deletion, object
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, number: int, content: bytes) -> None:
        path = self._path(number)
        if not path.parent.exists():
            path.parent.mkdir(exist_ok=True)
            _sync_folder(self._folder)
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def read(self, number: int) -> bytes:
        return self._path(number).read_bytes()

    def sync_folders(self, numbers: Iterable[int]) -> None:
        """Make the names of new files durable, which syncing the files alone does not promise."""
        for folder in sorted({self._path(number).parent for number in numbers}):
            _sync_folder(folder)

    def remove(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._path(number).unlink(missing_ok=True)

    def enter(self) -> int:
        """A reader begins. Hand the ticket back to `leave`."""
        with self._lock:
            self._readers.append(self._epoch)
            return self._epoch

    def leave(self, ticket: int) -> None:
        with self._lock:
            self._readers.remove(ticket)
        self._bury()

    def delete(self, numbers: Iterable[int]) -> None:
        """The objects are gone from the database; their files go as soon as no older reader is left."""
        with self._lock:
            self._epoch += 1
            self._graves += [(self._epoch, number) for number in numbers]
        self._bury()

    def sweep(self, known: set[int]) -> int:
        """Remove the files of objects that are not in `known`; how many there were."""
        orphans = [path for path in self._folder.glob("*/*") if not _is_known(path.name, known)]
        for path in orphans:
            path.unlink()
        return len(orphans)

    def _bury(self) -> None:
        with self._lock:
            oldest = min(self._readers, default=self._epoch)
            due = [number for epoch, number in self._graves if epoch <= oldest]
            self._graves = [grave for grave in self._graves if grave[0] > oldest]
        self.remove(due)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number % _FOLDERS:02x}" / str(number)


def _is_known(name: str, known: set[int]) -> bool:
    return name.isascii() and name.isdigit() and int(name) in known


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
