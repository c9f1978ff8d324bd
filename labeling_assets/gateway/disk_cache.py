"""Contents on the disk, named after their SHA-256: bounded, and safe for any number of gateways on one folder.

A name says the bytes, so nothing kept here can be out of date. Files appear whole or not at all; one that is being read
stays readable when it has to go.
"""

import logging
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock

from labeling_assets.gateway.bodies import FileBody

_log = logging.getLogger(__name__)

_UNFINISHED: Final = ".unfinished-"
# Writing takes seconds; what is older was left by a process that died.
_ABANDONED_S: Final = 3600.0
# A file that is used all the time is marked as used once a minute: more often would cost and say nothing.
_USED_STEP_S: Final = 60.0


class DiskCache:
    """Files below `folder`, at most `limit_bytes` together; those not used for the longest time go first.

    Only its owner can read the folder. Methods that write block, so they belong into a thread.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self.limit_bytes = limit_bytes

    def path(self, sha256: str) -> Path:
        """Where the content with this digest is, if it is here."""
        return self._folder / sha256[:2] / sha256

    def open(self, sha256: str) -> FileBody | None:
        """The content, which now counts as used last; None if it is not kept."""
        path = self.path(sha256)
        try:
            body = FileBody.open(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.warning("The cached file %s cannot be read, so its medium is read again: %s", path, error)
            return None
        now = time.time()
        if now - body.status.st_mtime > _USED_STEP_S:
            _mark_as_used(path, now)
        return body

    def put(self, sha256: str, data: bytes) -> FileBody | None:
        """Keep a content and open it. None if it is larger than the whole cache, or the disk refuses it."""
        if len(data) > self.limit_bytes:
            return None
        path = self.path(sha256)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _written(path, data) as unfinished, self._alone():
                self._make_room(len(data))
                os.replace(unfinished, path)
                return FileBody.open(path)
        except OSError as error:
            _log.error("The folder %s of the media cache cannot be used: %s", self._folder, error)
            return None

    @contextmanager
    def reading(self, sha256: str) -> Iterator[None]:
        """Of all gateways on this folder, one at a time: so that a content is read from ApertureDB once."""
        folder = self._folder / "locks"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError:  # put() says so
            yield
            return
        with FileLock(folder / sha256[:2]):
            yield

    def _alone(self) -> FileLock:
        return FileLock(self._folder / ".lock")

    def _make_room(self, needed_bytes: int) -> None:
        kept = sorted(self._files())
        used_bytes = sum(size for _, size, _ in kept) + needed_bytes
        for _, size, path in kept:
            if used_bytes <= self.limit_bytes:
                return
            path.unlink(missing_ok=True)
            used_bytes -= size

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """When each was used last, its bytes, and where it is. Takes away what nobody will finish."""
        for folder in self._folder.glob("[0-9a-f][0-9a-f]"):
            for entry in os.scandir(folder):
                try:
                    status = entry.stat()
                except FileNotFoundError:
                    continue
                if not entry.name.startswith(_UNFINISHED):
                    yield status.st_mtime, status.st_size, Path(entry.path)
                elif time.time() - status.st_mtime > _ABANDONED_S:
                    Path(entry.path).unlink(missing_ok=True)


@contextmanager
def _written(path: Path, data: bytes) -> Iterator[Path]:
    """A file beside `path` with these bytes; gone afterwards if nobody renamed it."""
    unfinished = path.with_name(f"{_UNFINISHED}{os.getpid()}-{secrets.token_hex(4)}")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
            # Or a power cut could leave the name without the bytes.
            os.fdatasync(descriptor)
        yield unfinished
    finally:
        unfinished.unlink(missing_ok=True)


def _mark_as_used(path: Path, now: float) -> None:
    try:
        os.utime(path, (now, now))
    except OSError as error:  # gone, or a disk that is read only
        _log.debug("%s could not be marked as used: %s", path, error)
