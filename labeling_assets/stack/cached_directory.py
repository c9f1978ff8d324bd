"""A directory that is expensive to make, made once and shared by all processes of a user."""

import shutil
from collections.abc import Callable
from pathlib import Path

import filelock

_MARKER = ".complete"


def build_once(
    directory: Path,
    build: Callable[[Path], None],
    *,
    announce: Callable[[str], None],
    usable: Callable[[Path], bool] = Path.is_dir,
) -> Path:
    """`directory`, after `build` has filled it, now or at some earlier time.

    Several processes may ask at once: one builds, the others wait. A marker is written last, so what a killed
    process left behind, and what is no longer `usable`, is thrown away and built again. What `build` raises comes
    through, and the next one to ask tries again.
    """
    if _is_complete(directory, usable):
        return directory
    directory.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(directory.with_name(directory.name + ".lock"))
    try:
        lock.acquire(timeout=0.1)
    except filelock.Timeout:
        announce(f"Waiting for another process that makes {directory}")
        lock.acquire()
    try:
        if not _is_complete(directory, usable):
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
            build(directory)
            (directory / _MARKER).touch()
    finally:
        lock.release()
    return directory


def _is_complete(directory: Path, usable: Callable[[Path], bool]) -> bool:
    return (directory / _MARKER).exists() and usable(directory)
