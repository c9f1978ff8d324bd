"""The embedded server as a process of its own."""

import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from labeling_assets.local_aperturedb.errors import LocalServerError
from labeling_assets.local_aperturedb.server import LocalServer


def serve(
    *,
    data: Path,
    host: str = "127.0.0.1",
    port: int = 55555,
    username: str = "admin",
    password: str = "admin",
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    rest_port: int | None = None,
    announce: Callable[[str], object] | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. To be called from the main thread.

    `announce` gets one line with the word "ready" and the address; without it the line goes to standard output.
    Raises LocalServerError.
    """
    if tls_cert is not None or tls_key is not None:
        raise LocalServerError("TLS is not yet supported by the local server")
    if rest_port is not None:
        raise LocalServerError("REST is not yet supported by the local server")
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with LocalServer(data, host=host, port=port, username=username, password=password) as server:
            (announce or _print_line)(f"local ApertureDB ready on {server.host}:{server.port}\n")
            stop.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return 0


def _print_line(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()
