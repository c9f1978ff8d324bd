"""SQLite and the blob folder: transactions, isolation, durability.

One writer at a time, any number of readers, each on its own snapshot (WAL). `synchronous=FULL`, so a commit is on
disk before the client is told, and survives a killed process as well as a power failure (about 2 ms per query; adding
in large queries makes it vanish).
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import filelock

from labeling_assets.local_aperturedb import schema
from labeling_assets.local_aperturedb.blob_files import BlobFiles
from labeling_assets.local_aperturedb.catalog import Catalog, Known
from labeling_assets.local_aperturedb.errors import LocalServerError

_IDLE_READERS: Final = 8
_STATEMENT_CACHE: Final = 512
_MAPPED_BYTES: Final = 2**31

Row = sqlite3.Row


class Transaction:
    """One query's view of the data, and what it changes."""

    def __init__(self, database: sqlite3.Connection, files: BlobFiles, known: Known) -> None:
        self._database = database
        self._files = files
        self.catalog = Catalog(database, known)
        self._counters: tuple[int, int] | None = None
        self.new_blobs: list[int] = []
        self.dead_blobs: list[int] = []

    @property
    def number(self) -> int:
        """The last part of the unique ids of everything this transaction adds."""
        return self._next()[1]

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        return self._database.execute(sql, values).fetchall()

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """How many rows were changed."""
        return self._database.execute(sql, values).rowcount

    def next_object(self) -> int:
        """A number that no object has or ever had."""
        number, txn = self._next()
        self._counters = (number + 1, txn)
        return number

    def _next(self) -> tuple[int, int]:
        """The numbers of the next object and of this transaction, read when they are needed first."""
        if self._counters is None:
            number, txn = self._database.execute("SELECT next_object, next_txn FROM counter").fetchone()
            self._counters = (number, txn)
        return self._counters

    def write_blob(self, number: int, content: bytes) -> None:
        self.new_blobs.append(number)
        self._files.write(number, content)

    def read_blob(self, number: int) -> bytes:
        return self._files.read(number)

    def blob_path(self, number: int) -> Path:
        """For what can only read files. It stays as long as the transaction."""
        return self._files.path(number)

    def delete_blobs(self, numbers: Sequence[int]) -> None:
        self.dead_blobs += numbers

    def finish(self) -> None:
        """Everything that must be in place before the commit."""
        self.catalog.flush()
        self._files.sync(self.new_blobs)
        number, txn = self._next()
        self.execute("UPDATE counter SET next_object = ?, next_txn = ?", (number, txn + 1))


class Store:
    """The data directory, held by one process at a time. Raises LocalServerError."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / "aperturedb.sqlite"
        self._hold = filelock.FileLock(folder / "lock", thread_local=False)
        try:
            self._hold.acquire(timeout=0)
        except filelock.Timeout as error:
            raise LocalServerError(f"another server uses the data directory {folder}") from error
        try:
            self._files = BlobFiles(folder / "blobs")
            self._writer = self._open()
            schema.migrate(self._writer)
            self._known = Known(self._writer)
            self._sweep()
        except BaseException:
            self._hold.release()
            raise
        self._writing = threading.Lock()
        self._readers: list[sqlite3.Connection] = []
        self._lending = threading.Lock()

    def close(self) -> None:
        with self._writing, self._lending:
            for database in (*self._readers, self._writer):
                database.close()
            self._readers.clear()
        self._hold.release()

    @contextlib.contextmanager
    def reading(self, *, once: bool = False) -> Iterator[Transaction]:
        """A snapshot. It neither waits for the writer nor holds it up. Reading `once` needs no transaction for it."""
        ticket = self._files.enter()
        database = self._lend()
        try:
            if not once:
                database.execute("BEGIN")
            yield Transaction(database, self._files, self._known)
        finally:
            if database.in_transaction:
                database.execute("ROLLBACK")
            self._take_back(database)
            self._files.leave(ticket)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Transaction]:
        """All or nothing: committed at the end, rolled back by an exception."""
        with self._writing:
            self._writer.execute("BEGIN IMMEDIATE")
            transaction: Transaction | None = None
            try:
                transaction = Transaction(self._writer, self._files, self._known)
                yield transaction
                transaction.finish()
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                if transaction is not None:
                    self._files.remove(transaction.new_blobs)
                raise
            transaction.catalog.commit()
            self._files.delete(transaction.dead_blobs)

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, cached_statements=_STATEMENT_CACHE
        )
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA busy_timeout = 30000")
        # The pages of a large file are shared by all connections, instead of a small cache in each.
        database.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")
        return database

    def _lend(self) -> sqlite3.Connection:
        with self._lending:
            if self._readers:
                return self._readers.pop()
        return self._open()

    def _take_back(self, database: sqlite3.Connection) -> None:
        with self._lending:
            if len(self._readers) < _IDLE_READERS:
                self._readers.append(database)
                return
        database.close()

    def _sweep(self) -> None:
        rows = self._writer.execute("SELECT id FROM entity WHERE size IS NOT NULL")
        self._files.sweep({row["id"] for row in rows})
