"""What webhooks brought, on the disk of the gateway until ApertureDB has it: a file for each call.

Label Studio calls once, waits one second at most and never again, and ApertureDB may be slow or down at that moment.
"""

import json
import logging
import os
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.errors import LabelingAssetsError, RefusedError
from labeling_assets.sync.webhook_notes import WebhookNote, send_notes

_log = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
_FILES: Final = 50  # sent at a time


class NoteSpool:
    """A folder of files, each whole and on the disk before `put` returns. Any number of processes may use it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, notes: Sequence[WebhookNote], name: str) -> None:
        """Keep the notes of one call. `name` says their order among others; it need not be unique.

        Raises:
            OSError: they are not on the disk.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{name}-{secrets.token_hex(4)}.json"
        hidden = path.with_name(f".{path.name}")
        descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump([asdict(note) for note in notes], file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(hidden, path)
        except BaseException:
            hidden.unlink(missing_ok=True)
            raise
        self._sync_folder()

    def waiting(self) -> list[Path]:
        """The files that are whole, oldest first."""
        if not self._folder.is_dir():
            return []
        return sorted(path for path in self._folder.glob("*.json") if not path.name.startswith("."))

    def read(self, path: Path) -> list[WebhookNote]:
        """The notes of a file; none if it is gone or no file of ours."""
        try:
            return [WebhookNote(**values) for values in json.loads(path.read_text(encoding="utf-8"))]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError) as error:
            _log.error("The webhook note %s is unreadable and is dropped: %s", path, error)
            return []

    def _sync_folder(self) -> None:
        """A new name is on the disk only with its folder."""
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class NoteForwarder:
    """A thread that brings the files of a spool to ApertureDB, again and again until they are there."""

    def __init__(self, spool: NoteSpool, database: Callable[[], ApertureDB]) -> None:
        self._spool = spool
        self._database = database
        self._news = threading.Event()
        self._closed = threading.Event()
        self._refused: set[Path] = set()
        self._thread = threading.Thread(target=self._run, name="gateway-notes", daemon=True)

    def start(self) -> None:
        """Begin with what an earlier process left."""
        self._thread.start()

    def wake(self) -> None:
        """There is a new file."""
        self._news.set()

    def close(self, timeout_s: float = 5.0) -> None:
        """Send no more; what is on the disk waits for the next start."""
        self._closed.set()
        self._news.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._closed.is_set():
            self._news.clear()
            try:
                self._forward_all()
                pause_s = _FIRST_PAUSE_S
                # A file that another process put here is found without being told of.
                self._news.wait(_LONGEST_PAUSE_S)
            except (LabelingAssetsError, OSError) as error:
                _log.warning("Notes of webhooks wait in %g s for ApertureDB: %s", pause_s, error)
                self._closed.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _forward_all(self) -> None:
        while paths := [path for path in self._spool.waiting() if path not in self._refused][:_FILES]:
            self._forward(paths)
            if self._closed.is_set():
                return

    def _forward(self, paths: Sequence[Path]) -> None:
        notes = [note for path in paths for note in self._spool.read(path)]
        try:
            send_notes(self._database(), notes)
        except RefusedError as error:
            if len(paths) > 1:
                for path in paths:
                    self._forward([path])
                return
            _log.error("ApertureDB refuses the webhook note %s; it stays there: %s", paths[0], error)
            self._refused.add(paths[0])
            return
        for path in paths:
            path.unlink(missing_ok=True)
