"""Runs the media gateway in this process until it is told to stop."""

import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import uvicorn
from starlette.applications import Starlette

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.errors import ConfigurationError
from labeling_assets.gateway.app import DEFAULT_CACHE_BYTES, create_app
from labeling_assets.gateway.cors import origins_for
from labeling_assets.gateway.webhook import WebhookInbox
from labeling_assets.settings import Settings

_log = logging.getLogger(__name__)

# Downloads that still run when the gateway is told to stop.
_GRACE_S: Final = 5


def serve(settings: Settings, *, host: str, port: int, announce: Callable[[str], None]) -> int:
    """Serve media until SIGTERM or SIGINT; port 0 takes a free one.

    Args:
        settings: Say which ApertureDB, which link keys, which origins.
        host: Address to listen on.
        port: Port to listen on.
        announce: Gets one line with `ready` and the address when the gateway listens.

    Returns:
        Exit code: 0 after a clean stop.

    Raises:
        ConfigurationError: a setting is missing or wrong, or the port is taken.
    """
    links, origins, webhook = settings.links(), _origins(settings), settings.webhook()
    with ApertureDB(settings.database_key(), dialect=settings.aperturedb_dialect) as database:
        # At least one medium of the largest size must fit, or every range of it is a read of the whole.
        cache_bytes = max(DEFAULT_CACHE_BYTES, int(settings.media_size_limit_mb * 2**20))
        inbox = WebhookInbox(webhook.secret, settings.webhook_notes, lambda: database) if webhook else None
        app = create_app(lambda: database, links, origins, inbox=inbox, cache_bytes=cache_bytes)
        with _listening(host, port) as listener:
            address = _address(listener)
            server = AnnouncingServer(app, lambda: announce(f"media gateway ready at {address}"))
            with _stopped_by_signals(server):
                server.run([listener])
        return 0 if server.started else 1


class AnnouncingServer(uvicorn.Server):
    """Uvicorn with our defaults: says when it listens, says nothing about itself or about queries."""

    def __init__(self, app: Starlette, ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                access_log=False,
                server_header=False,
                log_config=None,
                ws="none",
                proxy_headers=False,
                timeout_graceful_shutdown=_GRACE_S,
            )
        )
        # Its lines hold the signatures of links. `access_log=False` alone lets them through as soon as anything
        # (pytest, a log collector) puts a handler on this logger.
        logging.getLogger("uvicorn.access").disabled = True
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()


def _origins(settings: Settings) -> tuple[str, ...]:
    label_studio_url = settings.label_studio_url or settings.local_stack.label_studio_url
    origins = origins_for(settings.gateway_origins, label_studio_url)
    if not origins:
        _log.warning(
            "No website may load media: set LABELING_ASSETS_GATEWAY_ORIGINS or LABEL_STUDIO_URL, and start again"
        )
    return origins


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise ConfigurationError(f"The media gateway cannot listen on {host}:{port}: {error}.") from error


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _stopped_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """Uvicorn stops cleanly, then raises the signal again, which would end the process before `serve` returns."""

    def stop(number: int, frame: FrameType | None) -> None:
        server.should_exit = True

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
