"""Blobs as files, one per object, named by its number.

A file is on disk before the transaction that names it commits, and goes only when no reader that could still see it
is left. What a crash leaves behind is swept at the next start.
"""

import contextlib
import os
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

_FILES_PER_FOLDER: Final = 1024
# Syncs at the same time share the work of the file system.
_SYNCING: Final = 8
_EARLIER_FOLDERS: Final = 256


class BlobFiles:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._epoch = 0
        self._readers: list[int] = []
        self._graves: list[tuple[int, int]] = []  # epoch of the deletion, object
        folder.mkdir(parents=True, exist_ok=True)
        self._move_earlier_files()

    def write(self, number: int, content: bytes) -> None:
        """Not durable before `sync`."""
        path = self.path(number)
        if number % _FILES_PER_FOLDER == 0 or not path.parent.exists():
            path.parent.mkdir(exist_ok=True)
            _sync(self._folder)
        path.write_bytes(content)

    def read(self, number: int) -> bytes:
        # Unbuffered and at once, which is twice as fast as `read_bytes` for small files.
        descriptor = os.open(self._name(number), os.O_RDONLY)
        try:
            size = os.fstat(descriptor).st_size
            content = os.read(descriptor, size)
            while len(content) < size and (more := os.read(descriptor, size - len(content))):
                content += more
            return content
        finally:
            os.close(descriptor)

    def sync(self, numbers: Sequence[int]) -> None:
        """Make new files durable, and their names, which syncing the files alone does not promise."""
        paths = [self.path(number) for number in numbers]
        if len(paths) > 1:
            with ThreadPoolExecutor(min(len(paths), _SYNCING)) as workers:
                list(workers.map(_sync, paths))
        elif paths:
            _sync(paths[0])
        for folder in sorted({path.parent for path in paths}):
            _sync(folder)

    def remove(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self.path(number).unlink(missing_ok=True)

    def enter(self) -> int:
        """A reader begins. Hand the ticket back to `leave`."""
        with self._lock:
            self._readers.append(self._epoch)
            return self._epoch

    def leave(self, ticket: int) -> None:
        with self._lock:
            self._readers.remove(ticket)
            graves = bool(self._graves)
        if graves:
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

    def path(self, number: int) -> Path:
        return Path(self._name(number))

    def _name(self, number: int) -> str:
        # Objects that were added together lie together, so a query syncs one folder and not many.
        return f"{self._folder}/f{number // _FILES_PER_FOLDER}/{number}"

    def _move_earlier_files(self) -> None:
        """Earlier versions kept the files in 256 folders by the last byte of the number."""
        for earlier in range(_EARLIER_FOLDERS):
            folder = self._folder / f"{earlier:02x}"
            if not folder.is_dir():
                continue
            for path in folder.iterdir():
                if path.name.isascii() and path.name.isdigit():
                    self.path(int(path.name)).parent.mkdir(exist_ok=True)
                    path.rename(self.path(int(path.name)))
            with contextlib.suppress(OSError):  # something that is not ours lies in it
                folder.rmdir()


def _is_known(name: str, known: set[int]) -> bool:
    return name.isascii() and name.isdigit() and int(name) in known


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
