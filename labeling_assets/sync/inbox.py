"""What lies in the inbox: its batches, each with a signature that changes with its files.

The sensor looks every ten seconds, and an inbox may hold 100,000 files. So a look remembers when each folder changed:
where no folder did, no file came or went, and the files need not be read again. What folders do not tell is a file
that was overwritten in place. So a batch that is still being filled is always read file by file, and one that is
complete every few minutes.
"""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from labeling_assets.errors import InputError
from labeling_assets.sync.batch_rows import READY, checked_batch

_AGAIN_S: Final = 300.0
# A file that comes within one tick of the file system's clock after a look leaves the folder's time as it was.
_TICK_S: Final = 2.0

Times = tuple[int, int, int]  # inode, mtime and ctime in ns; the last cannot be set back, as `rsync -a` does with mtime


@dataclass(frozen=True, slots=True)
class InboxBatch:
    """A folder or manifest of the inbox. `signature` changes when files come, go or change; `ready` if told so."""

    name: str
    signature: str
    ready: bool


@dataclass(frozen=True, slots=True)
class _Listing:
    """A folder as it was read at `read_at` (seconds since the epoch), and when the folders in it changed."""

    signature: str
    folders: dict[str, Times]
    read_at: float


class Inbox:
    """A folder of batches that is looked at again and again."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._known: dict[str, _Listing] = {}
        self.files_read = 0

    def look(self, imported: Collection[str] = ()) -> tuple[list[InboxBatch], list[str]]:
        """Every batch, and a text for each entry that cannot be one.

        A folder without files is a batch only once it holds `_READY`: it may just be about to be filled. A batch that
        holds `_READY`, or is among the `imported`, is complete: its files are read again when a folder of it changed,
        and every five minutes.
        """
        batches, problems, known = [], [], self._known
        self._known = {}
        for entry in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            if entry.name.startswith(".") or not (entry.is_dir() or entry.suffix == ".csv"):
                continue
            try:
                name = checked_batch(entry.name if entry.is_dir() else entry.stem)
            except InputError as error:
                problems.append(str(error))
                continue
            ready = (entry / READY).exists()
            before = known.get(entry.name) if ready or name in imported else None
            listing = before if before and self._is_current(before) else self._read(entry)
            self._known[entry.name] = listing
            if listing.signature:
                batches.append(InboxBatch(name, listing.signature, ready))
        return batches, problems

    def _read(self, entry: Path) -> _Listing:
        read_at = self._clock()
        signature, folders, files = _listed(entry)
        self.files_read += files
        changed_ns = max((max(times[1:]) for times in folders.values()), default=0)
        return _Listing(signature, folders if changed_ns / 1e9 < read_at - _TICK_S else {}, read_at)

    def _is_current(self, listing: _Listing) -> bool:
        """Whether no file can have come or gone. A folder in a folder that did not change is where it was."""
        if not listing.folders or not 0 <= self._clock() - listing.read_at < _AGAIN_S:
            return False
        try:
            return all(_times(folder) == times for folder, times in listing.folders.items())
        except FileNotFoundError:
            return False


def inbox_batches(inbox: Path) -> tuple[list[InboxBatch], list[str]]:
    """Every batch of the inbox, and a text for each entry that cannot be one, read file by file."""
    return Inbox(inbox).look()


def batch_signature(entry: Path) -> str:
    """What changes when files of a folder or manifest come, go or change; empty for a folder without any file."""
    return _listed(entry)[0]


def _times(folder: str) -> Times:
    status = os.stat(folder)
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def _listed(entry: Path) -> tuple[str, dict[str, Times], int]:
    """The signature, the times of all folders as they were before they were read, and the number of files."""
    folders: dict[str, Times] = {}
    found = sorted(_files(entry, folders)) if entry.is_dir() else [((".",), _facts(entry))]
    listing = [["/".join(parts), *facts] for parts, facts in found if facts and parts[-1] != READY]
    signature = hashlib.sha256(json.dumps(listing).encode()).hexdigest()[:16] if found else ""
    return signature, folders, len(found)


def _files(root: Path, folders: dict[str, Times]) -> Iterator[tuple[tuple[str, ...], tuple[int, ...]]]:
    """The path below `root` and size and time of every file; `folders` gets the times of every folder."""
    waiting: list[tuple[tuple[str, ...], str]] = [((), str(root))]
    while waiting:
        parts, folder = waiting.pop()
        # What went away, or may not be read, is left out; the next look decides. Other errors are no empty folder.
        with contextlib.suppress(FileNotFoundError, PermissionError):
            folders[folder] = _times(folder)
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(((*parts, entry.name), entry.path))
                    elif entry.is_file():
                        yield (*parts, entry.name), _facts(entry)


def _facts(file: Path | os.DirEntry[str]) -> tuple[int, ...]:
    """Size in bytes and mtime in ns; nothing if it is gone since it was listed."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return ()
    return status.st_size, status.st_mtime_ns
