"""The Label Studio process of the local stack, on a data directory of its own.

User, password, tokens and the key that signs them are made in each data directory at its first start; what all
directories share (program, migrated database) holds no secret.
"""

import logging
import re
import secrets
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx

from labeling_assets.errors import ConfigurationError, RefusedError, TransientError
from labeling_assets.stack.label_studio_install import (
    DATABASE_NAME,
    LOG_NAME,
    VERSION,
    install,
    migrated_database,
    server_environment,
)
from labeling_assets.stack.processes import ManagedProcess, free_port

__all__ = [
    "VERSION",
    "Account",
    "LabelStudioServer",
    "PostgreSQL",
    "install",
    "migrated_database",
    "personal_access_token",
]

_START_TIMEOUT_S: Final = 180.0
_ADDRESS: Final = re.compile(r"Starting development server at http://[^\s/]*:(\d+)/")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Account:
    """The first user of a home. Label Studio creates it when the database has no user of that name yet.

    `username` is an e-mail address, `legacy_token` 40 hexadecimal digits.
    """

    username: str
    password: str = field(repr=False)
    legacy_token: str = field(repr=False)

    @classmethod
    def random(cls, username: str = "labeling@localhost") -> Self:
        return cls(username, secrets.token_urlsafe(18), secrets.token_hex(20))


@dataclass(frozen=True, slots=True)
class PostgreSQL:
    """A database on a PostgreSQL server, instead of SQLite in the data directory. Label Studio migrates it itself."""

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)

    def variables(self) -> dict[str, str]:
        """For the environment of Label Studio 1.23.2."""
        return {
            "DJANGO_DB": "default",
            "POSTGRE_HOST": self.host,
            "POSTGRE_PORT": str(self.port),
            "POSTGRE_NAME": self.name,
            "POSTGRE_USER": self.user,
            "POSTGRE_PASSWORD": self.password,
        }


class LabelStudioServer:
    """One Label Studio process on `data_dir`, which is filled from the prepared database when it has none.

    With `postgres` it keeps its tables there, and only files in `data_dir`. Afterwards `url`, `account` and
    `personal_access_token()` are all a client needs. `port` 0 takes a free one.
    Webhooks may call this machine (Label Studio refuses loopback targets by default), analytics and the version
    check are off, and nobody can sign up without an invitation.
    """

    def __init__(
        self,
        data_dir: Path,
        account: Account,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        postgres: PostgreSQL | None = None,
        cache: Path | None = None,
        announce: Callable[[str], None] = _log.info,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.account = account
        self.host = host
        self.port = port
        self._postgres = postgres
        self._cache = cache
        self._announce = announce
        self._process: ManagedProcess | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def log_path(self) -> Path:
        return self.data_dir / LOG_NAME

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.alive

    def start(self, timeout_s: float = _START_TIMEOUT_S) -> None:
        """Start and wait until it answers, 3 to 8 s on an existing directory.

        Raises ConfigurationError when the port is in use, ServiceError with the end of the log when it fails.
        """
        if self.port and _is_listening(self.host, self.port):
            raise self._port_in_use()
        environment = install(self._cache, self._announce)
        self._create_data_dir()
        self._process = ManagedProcess(
            "Label Studio",
            [environment / "bin" / "label-studio", *self._arguments()],
            env=server_environment(self.data_dir) | self._account_variables() | self._database_variables(),
            log_path=self.log_path,
            cwd=self.data_dir,
        )
        self._process.start()
        try:
            self._process.wait_ready(self._is_ready, timeout_s)
        except BaseException as error:
            self.stop()
            # It moves to the next port where it finds its own taken, and ends where that is taken, too.
            if self.port and "That port is already in use" in str(error):
                raise self._port_in_use() from error
            raise

    def _port_in_use(self) -> ConfigurationError:
        return ConfigurationError(f"Label Studio cannot use port {self.port} of {self.host}: it is in use.")

    def stop(self) -> None:
        """Ends all of its process group. Twice is harmless."""
        if self._process is not None:
            self._process.stop()

    def personal_access_token(self, known: str | None = None) -> str:
        """`known` if the server still takes it, else a new one, which makes every earlier one invalid.

        The server shows a token once: the caller keeps it. Raises ConfigurationError when the password is wrong.
        """
        return personal_access_token(self.url, self.account, known)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _arguments(self) -> list[str]:
        port = self.port or free_port(self.host)
        return ["start", "--no-browser", "--internal-host", self.host, "--port", str(port)]

    def _account_variables(self) -> dict[str, str]:
        # Not as arguments: those are visible to every user of the machine.
        return {
            "LABEL_STUDIO_USERNAME": self.account.username,
            "LABEL_STUDIO_PASSWORD": self.account.password,
            "LABEL_STUDIO_USER_TOKEN": self.account.legacy_token,
            "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        }

    def _database_variables(self) -> dict[str, str]:
        return self._postgres.variables() if self._postgres else {}

    def _create_data_dir(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.data_dir.chmod(0o700)
        database = self.data_dir / DATABASE_NAME
        if database.exists() or self._postgres:
            return
        template = migrated_database(self._cache, self._announce)
        copy = database.with_suffix(".new")
        shutil.copyfile(template, copy)
        copy.chmod(0o600)
        copy.replace(database)

    def _is_ready(self) -> bool:
        """/health answers on the port that *our* process has bound.

        When a port is taken in the meantime, Label Studio silently moves to the next one. Django names the
        port that it really got.
        """
        process = self._process
        address = _ADDRESS.search(process.log_text()) if process else None
        if address is None:
            return False
        bound = int(address[1])
        if self.port not in (0, bound):
            raise self._port_in_use()
        self.port = bound
        try:
            return httpx.get(f"{self.url}/health", timeout=5, trust_env=False).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


def personal_access_token(url: str, account: Account, known: str | None = None) -> str:
    """See `LabelStudioServer.personal_access_token`; works for any server with a password login."""
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as http:
        if known and _is_taken(http, known):
            return known
        _log_in(http, account)
        answer = http.post("/api/token/")
        if answer.status_code == httpx.codes.CONFLICT:
            # One valid token per user. Of an old one the server tells header and payload, enough to revoke it.
            for old in http.get("/api/token/").raise_for_status().json():
                http.post("/api/token/blacklist/", json={"refresh": old["token"]})
            answer = http.post("/api/token/")
        if not answer.is_success:
            raise RefusedError(f"{url} gives no personal access token: {answer.text[:500]}", answer.status_code)
        token: str = answer.json()["token"]
        return token


def _is_taken(http: httpx.Client, token: str) -> bool:
    """Raises TransientError where the server does not say: a new token would end one that is good."""
    answer = http.post("/api/token/refresh/", json={"refresh": token})
    if answer.status_code in (httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED):
        return False
    if answer.is_error:
        raise TransientError(
            f"{http.base_url} does not say whether the token is valid: it answers {answer.status_code}."
        )
    return True


def _log_in(http: httpx.Client, account: Account) -> None:
    http.get("/user/login/").raise_for_status()
    form = {"email": account.username, "password": account.password}
    answer = http.post("/user/login/", data=form, headers={"X-CSRFToken": http.cookies["csrftoken"]})
    if answer.status_code != httpx.codes.FOUND:
        raise ConfigurationError(f"{http.base_url} does not take the password of {account.username}.")
    http.headers["X-CSRFToken"] = http.cookies["csrftoken"]


def _is_listening(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        return probe.connect_ex((host, port)) == 0
