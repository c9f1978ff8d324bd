"""The embedded server as a process of its own."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from labeling_assets.local_aperturedb.errors import LocalServerError
from labeling_assets.local_aperturedb.limits import Limits, allow_open_files
from labeling_assets.local_aperturedb.server import DEFAULT_LIMITS, LocalServer


def serve(
    *,
    data: Path,
    host: str = "127.0.0.1",
    port: int = 55555,
    rest_port: int | None = None,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    username: str = "admin",
    password: str = "admin",
    personal_token: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
    announce: Callable[[str], object] | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. To be called from the main thread.

    `announce` gets one line with the word "ready" and the addresses; without it the line goes to standard output.
    Raises LocalServerError.
    """
    if (tls_cert is None) != (tls_key is None):
        raise LocalServerError("TLS needs both a certificate and its key")
    tls = (tls_cert, tls_key) if tls_cert is not None and tls_key is not None else None
    allow_open_files(limits.connections)
    with (
        _signals() as stop,
        LocalServer(
            data,
            host=host,
            port=port,
            rest_port=rest_port,
            tls=tls,
            username=username,
            password=password,
            personal_token=personal_token,
            limits=limits,
        ) as server,
    ):
        (announce or _print_line)(_ready(server))
        stop.wait()
    return 0


@contextlib.contextmanager
def _signals() -> Iterator[threading.Event]:
    """An event that is set by SIGTERM and SIGINT; they do nothing else before the server has stopped."""
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _ready(server: LocalServer) -> str:
    rest = "" if server.rest_port is None else f" and REST on {server.host}:{server.rest_port}"
    return f"local ApertureDB ready on {server.host}:{server.port}{rest}\n"


def _print_line(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()
