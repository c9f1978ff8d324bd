"""A PostgreSQL server of the tests' own, and a database with the tables of Label Studio."""

import logging
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from labeling_assets.stack.cached_directory import build_once
from labeling_assets.stack.label_studio import PostgreSQL, install
from labeling_assets.stack.label_studio_install import server_environment, version_directory
from labeling_assets.stack.processes import ManagedProcess, free_port

_QUICK = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=200")
_USER = "labels"
_DUMP = "label_studio.dump"
_LOCK = 7
_HOLD_BACK = f"""
CREATE OR REPLACE FUNCTION hold_back() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_xact_lock({_LOCK}); RETURN NULL; END $$;
DROP TRIGGER IF EXISTS hold_back ON task;
CREATE TRIGGER hold_back AFTER UPDATE OF updated_at ON task
FOR EACH ROW WHEN (NEW.id = {{task}}) EXECUTE FUNCTION hold_back();
"""


def binaries() -> Path | None:
    """Where the programs of the newest PostgreSQL are; Debian keeps them off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parent.parent.name))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def _account() -> str | None:
    """PostgreSQL refuses to run as root: another user of this machine, None if this one will do."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


@dataclass(frozen=True)
class Database:
    """A database, and the programs of PostgreSQL that speak to it."""

    programs: Path
    address: PostgreSQL

    def run(self, program: str, *arguments: str | Path) -> str:
        """What the program printed."""
        command = [self.programs / program, *self._where, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def sql(self, statement: str) -> str:
        return self.run("psql", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", statement, self.address.name)

    def create(self, name: str) -> "Database":
        """Another one on the same server, empty."""
        self.run("createdb", name)
        return replace(self, address=replace(self.address, name=name))

    @contextmanager
    def held_back(self, task_id: int) -> Iterator[Callable[[], None]]:
        """While it lasts, whoever moves `updated_at` of a task has stamped the new one and cannot commit it.

        Gives a function that waits until somebody does. A lock takes the place of a busy machine between the stamp,
        which Python sets, and the commit.
        """
        self.sql(_HOLD_BACK.format(task=int(task_id)))
        command = [self.programs / "psql", *self._where, "-qAt", self.address.name]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
            assert owner.stdin is not None
            assert owner.stdout is not None
            owner.stdin.write(f"SELECT 'held' FROM pg_advisory_lock({_LOCK});\n")
            owner.stdin.flush()
            assert owner.stdout.readline() == "held\n"
            yield self._until_somebody_waits
            owner.stdin.close()  # psql ends, and with it the lock

    def _until_somebody_waits(self) -> None:
        deadline = time.monotonic() + 60
        while self.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == "0":
            assert time.monotonic() < deadline, "nobody changed the task"
            time.sleep(0.02)

    @property
    def _where(self) -> list[str]:
        return ["-h", self.address.host, "-p", str(self.address.port), "-U", self.address.user]


@contextmanager
def postgres_server(programs: Path) -> Iterator[Database]:
    """A server on 127.0.0.1, and the database that every server has."""
    account = _account()
    with tempfile.TemporaryDirectory(prefix="labels-postgres-") as name:
        folder = Path(name)
        if account is not None:
            shutil.chown(folder, account)
        data = folder / "data"
        make = [programs / "initdb", "-D", data, "-U", _USER, "--auth=trust", "--encoding=UTF8", "--locale=C"]
        subprocess.run(make, user=account, check=True, capture_output=True, cwd="/")
        database = Database(programs, PostgreSQL("127.0.0.1", free_port(), "postgres", _USER, "not asked for"))
        process = ManagedProcess("PostgreSQL", _command(database, folder, account), log_path=folder / "log", cwd=folder)
        ready = [programs / "pg_isready", "-q", "-h", database.address.host, "-p", str(database.address.port)]
        with process:
            process.wait_ready(lambda: subprocess.run(ready, check=False).returncode == 0, 60)
            yield database


def _command(database: Database, folder: Path, account: str | None) -> list[str | Path]:
    options = [f"listen_addresses={database.address.host}", f"unix_socket_directories={folder}", *_QUICK]
    settings = [part for option in options for part in ("-c", option)]
    server = [database.programs / "postgres", "-D", folder / "data", "-p", str(database.address.port), *settings]
    return server if account is None else ["setpriv", f"--reuid={account}", "--clear-groups", *server]


def make_tables(server: Database, name: str) -> Database:
    """A database with all tables of Label Studio and no user."""
    database = server.create(name)
    database.run("pg_restore", "--no-owner", "-d", name, _migrated(server))
    return database


def _migrated(server: Database) -> Path:
    """A dump that is made once for each version of both, in a minute."""
    environment = install()

    def build(directory: Path) -> None:
        database = server.create("template_of_label_studio")
        process = ManagedProcess(
            "Label Studio (preparing a PostgreSQL database)",
            [environment / "bin" / "label-studio", "version"],
            env=server_environment(directory) | database.address.variables(),
            log_path=directory / "label_studio.log",
            cwd=directory,
        )
        with process:
            assert process.wait(900) == 0, process.log_tail()
        database.run("pg_dump", "-Fc", "-f", directory / _DUMP, database.address.name)
        (directory / ".env").unlink(missing_ok=True)

    folder = version_directory() / f"postgres-{server.sql('SHOW server_version').split()[0]}"
    return build_once(folder, build, announce=logging.getLogger(__name__).info) / _DUMP
