"""A PostgreSQL server of the tests' own, and one with the tables of Label Studio."""

import logging
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from labeling_assets.stack.cached_directory import build_once
from labeling_assets.stack.label_studio import PostgreSQL, install
from labeling_assets.stack.label_studio_install import VERSION, cache_directory, server_environment
from labeling_assets.stack.processes import ManagedProcess, free_port

_QUICK = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=200")
_USER = "labels"


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


@contextmanager
def postgres_server(programs: Path) -> Iterator[PostgreSQL]:
    """An empty server on 127.0.0.1; `name` is the database that every server has."""
    account = _account()
    with tempfile.TemporaryDirectory(prefix="labels-postgres-") as name:
        folder = Path(name)
        if account is not None:
            shutil.chown(folder, account)
        data = folder / "data"
        make = [programs / "initdb", "-D", data, "-U", _USER, "--auth=trust", "--encoding=UTF8", "--locale=C"]
        subprocess.run(make, user=account, check=True, capture_output=True, cwd="/")
        port = free_port()
        options = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}"]
        options += [part for option in _QUICK for part in ("-c", option)]
        command: list[str | Path] = [programs / "postgres", "-D", data, "-p", str(port), *options]
        if account is not None:
            command = ["setpriv", f"--reuid={account}", "--clear-groups", *command]
        process = ManagedProcess("PostgreSQL", command, log_path=folder / "log", cwd=Path("/"))
        ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        with process:
            process.wait_ready(lambda: subprocess.run(ready, check=False).returncode == 0, 60)
            yield PostgreSQL("127.0.0.1", port, "postgres", _USER, "not asked for")


def create_database(programs: Path, server: PostgreSQL, name: str) -> PostgreSQL:
    """A database with all tables of Label Studio and no user."""
    database = replace(server, name=name)
    _run(programs, server, "createdb", [name])
    dump = _migrated(programs, server) / "label_studio.dump"
    _run(programs, database, "pg_restore", ["--no-owner", "-d", name, str(dump)])
    return database


def _migrated(programs: Path, server: PostgreSQL) -> Path:
    """A dump that is made once for each version of both, in a minute."""
    environment = install()
    version = subprocess.run([programs / "pg_dump", "--version"], capture_output=True, text=True, check=True).stdout
    folder = cache_directory().absolute() / "label_studio" / f"{VERSION}-postgres-{version.split()[2]}"

    def build(directory: Path) -> None:
        database = replace(server, name="template_of_label_studio")
        _run(programs, server, "createdb", [database.name])
        process = ManagedProcess(
            "Label Studio (preparing a PostgreSQL database)",
            [environment / "bin" / "label-studio", "version"],
            env=server_environment(directory) | database.variables(),
            log_path=directory / "label_studio.log",
            cwd=directory,
        )
        with process:
            assert process.wait(900) == 0, process.log_tail()
        _run(programs, database, "pg_dump", ["-Fc", "-f", str(directory / "label_studio.dump"), database.name])
        (directory / ".env").unlink(missing_ok=True)

    return build_once(folder, build, announce=logging.getLogger(__name__).info)


def _run(programs: Path, server: PostgreSQL, program: str, arguments: Sequence[str]) -> None:
    where = ["-h", server.host, "-p", str(server.port), "-U", server.user]
    done = subprocess.run([programs / program, *where, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
