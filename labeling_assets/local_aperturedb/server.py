"""The embedded server as one object: `with LocalServer(folder) as server: ...`."""

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from labeling_assets.local_aperturedb.errors import LocalServerError
from labeling_assets.local_aperturedb.query import Engine
from labeling_assets.local_aperturedb.session import Lifetimes, Sessions
from labeling_assets.local_aperturedb.store import Store
from labeling_assets.local_aperturedb.tcp import TcpServer

DEFAULT_LIMIT_BYTES: Final = 256 * 2**20
DEFAULT_LIFETIMES: Final = Lifetimes()
_KEY_VERSION: Final = 2
_KEY_FLAGS: Final = 0  # neither TLS nor REST


class LocalServer:
    """Serves a data directory from the constructor until `stop`.

    Port 0 takes a free one. `max_message_bytes` is the largest request and the largest answer. Raises
    LocalServerError when the directory or the port is in use.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        username: str = "admin",
        password: str = "admin",
        personal_token: str | None = None,
        max_message_bytes: int = DEFAULT_LIMIT_BYTES,
        lifetimes: Lifetimes = DEFAULT_LIFETIMES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.host = host
        self.username = username
        self.password = password
        self._store = Store(data_dir)
        sessions = Sessions(
            username=username,
            password=password,
            personal_token=personal_token,
            lifetimes=lifetimes,
            clock=clock,
        )
        engine = Engine(self._store, sessions, answer_limit=max_message_bytes)
        try:
            self._tcp = TcpServer(engine.answer, host=host, port=port, limit=max_message_bytes)
        except OSError as error:
            self._store.close()
            raise LocalServerError(f"cannot listen on {host}:{port}: {error}") from error
        self.port = self._tcp.port
        self._stopped = False
        self._tcp.start()

    @property
    def key(self) -> str:
        """The value of APERTUREDB_KEY that leads a client here."""
        address = f"{self.host}:{self.port}"
        parts = [_KEY_VERSION, _KEY_FLAGS, address, None, self.username, self.password]
        return base64.b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode()

    def stop(self) -> None:
        """Running queries finish, then everything is closed. A second call does nothing."""
        if not self._stopped:
            self._stopped = True
            self._tcp.stop()
            self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
