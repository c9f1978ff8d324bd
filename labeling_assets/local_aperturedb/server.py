"""The embedded server as one object: `with LocalServer(folder) as server: ...`."""

import base64
import json
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from labeling_assets.local_aperturedb.errors import LocalServerError
from labeling_assets.local_aperturedb.limits import Limits
from labeling_assets.local_aperturedb.listener import Listener
from labeling_assets.local_aperturedb.query import Engine
from labeling_assets.local_aperturedb.rest import RestProtocol
from labeling_assets.local_aperturedb.session import Lifetimes, Sessions
from labeling_assets.local_aperturedb.store import Store
from labeling_assets.local_aperturedb.tcp import FrameProtocol

DEFAULT_LIFETIMES: Final = Lifetimes()
DEFAULT_LIMITS: Final = Limits()

_KEY_VERSION: Final = 2
_KEY_TLS: Final = 1
_KEY_REST: Final = 2
_KEY_VERIFY: Final = 8


class LocalServer:
    """Serves a data directory from the constructor until `stop`.

    Port 0 takes a free one. `tls` is a certificate and its private key, two PEM files; with it, both ports take plain
    and encrypted connections alike. `rest_port` is None for no REST. Raises LocalServerError when the directory or a
    port is in use, or an option does not hold.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        rest_port: int | None = None,
        tls: tuple[Path, Path] | None = None,
        username: str = "admin",
        password: str = "admin",
        personal_token: str | None = None,
        limits: Limits = DEFAULT_LIMITS,
        lifetimes: Lifetimes = DEFAULT_LIFETIMES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.host = host
        self.username = username
        self.password = password
        self._certificate = tls[0].resolve() if tls else None
        sessions = Sessions(
            username=username,
            password=password,
            personal_token=personal_token,
            lifetimes=lifetimes,
            clock=clock,
        )
        context = _tls_context(*tls) if tls else None
        self._store = Store(data_dir)
        engine = Engine(self._store, sessions, answer_limit=limits.message_bytes)
        self._listener = Listener(limits)
        self.port = self._open(port, FrameProtocol(engine.answer, tls=context))
        self.rest_port = None if rest_port is None else self._open(rest_port, RestProtocol(engine.answer, tls=context))
        self._stopped = False
        self._listener.start()

    @property
    def key(self) -> str:
        """The value of APERTUREDB_KEY that leads a client here, without encryption."""
        return self.key_for()

    def key_for(self, *, tls: bool = False, rest: bool = False) -> str:
        """The same for other transports. With TLS the client trusts exactly this server's certificate."""
        port = self.rest_port if rest else self.port
        if port is None or (tls and self._certificate is None):
            raise LocalServerError("the server was started without this transport")
        flags = rest * _KEY_REST + tls * (_KEY_TLS + _KEY_VERIFY)
        trusted = str(self._certificate) if tls else None
        parts = [_KEY_VERSION, flags, f"{self.host}:{port}", trusted, self.username, self.password]
        return base64.b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode()

    def stop(self) -> None:
        """Running queries finish, then everything is closed. A second call does nothing."""
        if not self._stopped:
            self._stopped = True
            self._listener.stop()
            self._store.close()

    def _open(self, port: int, protocol: FrameProtocol | RestProtocol) -> int:
        try:
            return self._listener.open(self.host, port, protocol)
        except OSError as error:
            self._listener.abandon()
            self._store.close()
            raise LocalServerError(f"cannot listen on {self.host}:{port}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An empty password, because OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certificate, key, password="")
    except OSError as error:  # also ssl.SSLError
        raise LocalServerError(f"cannot use certificate {certificate} with key {key}: {error}") from error
    return context
