"""Runs the media gateway in this process until it is told to stop."""

import gc
import logging
import math
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final

import uvicorn
from starlette.applications import Starlette

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.errors import ConfigurationError
from labeling_assets.gateway.api_token import ApiToken
from labeling_assets.gateway.app import Part, create_app
from labeling_assets.gateway.cors import origins_for
from labeling_assets.gateway.disk_cache import DiskCache
from labeling_assets.gateway.http_limits import LimitedHttp
from labeling_assets.gateway.link_gate import LinkGate
from labeling_assets.gateway.media import MediaCaches
from labeling_assets.gateway.metrics import Metrics
from labeling_assets.gateway.push import Push, PushRules
from labeling_assets.gateway.sessions import LabelStudioSessions, MediaAccess
from labeling_assets.gateway.task_lists import TaskLists
from labeling_assets.gateway.webhook import WebhookInbox
from labeling_assets.media_urls import MediaLinks
from labeling_assets.projects import BrokenProject, Project, readable_projects
from labeling_assets.settings import Settings

_log = logging.getLogger(__name__)

# Each has a socket, and most systems allow a process a thousand of them. More than this is for a server before it.
CONNECTIONS: Final = 500

# Requests make no rings of objects, so it is enough to look for some every few hundred of them.
_GC_THRESHOLD: Final = 10_000


def serve(settings: Settings, *, host: str, port: int, announce: Callable[[str], None], shared: bool = False) -> int:
    """Serve media until SIGTERM or SIGINT; port 0 takes a free one.

    Args:
        settings: Say which ApertureDB, which link keys, which origins.
        host: Address to listen on.
        port: Port to listen on.
        announce: Gets one line with `ready` and the address when the gateway listens.
        shared: Whether other processes may listen on the same port; the system spreads connections among them.

    Returns:
        Exit code: 0 after a clean stop.

    Raises:
        ConfigurationError: a setting is missing or wrong, or the port is taken.
    """
    links, origins, webhook = settings.links(), _origins(settings), settings.webhook()
    with ApertureDB(settings.database_key(), dialect=settings.aperturedb_dialect) as database:
        inbox = WebhookInbox(webhook.secret, settings.webhook_notes, lambda: database) if webhook else None
        metrics = Metrics()
        parts = _parts(settings, lambda: database, links, metrics)
        app = create_app(
            lambda: database,
            links,
            origins,
            inbox=inbox,
            parts=parts,
            metrics=metrics,
            caches=media_caches(settings),
            sources=settings.registered_media,
        )
        with listening(host, port, shared=shared) as listener:
            address = _address(listener)
            server = AnnouncingServer(
                app,
                lambda: announce(f"media gateway ready at {address}"),
                proxies=settings.trusted_proxies(),
                stop_s=settings.gateway_stop_seconds,
            )
            with _stopped_by_signals(server):
                server.run([listener])
        return 0 if server.started else 1


def media_caches(settings: Settings) -> MediaCaches:
    """Where the gateway keeps contents.

    Raises:
        ConfigurationError: not even one medium of the largest size fits, so every range of it would read the whole.
    """
    limit_mb, largest_mb = settings.gateway_cache_mb, settings.media_size_limit_mb
    if limit_mb < largest_mb:
        raise ConfigurationError(
            f"LABELING_ASSETS_GATEWAY_CACHE_MB is {limit_mb:g}, and media may have {largest_mb:g} MB: make it at least "
            "as large as LABELING_ASSETS_MEDIA_SIZE_LIMIT_MB, better ten times."
        )
    disk = DiskCache(settings.media_cache, int(limit_mb * 1e6))
    return MediaCaches(disk, accel_path=settings.gateway_accel or "")


def _parts(settings: Settings, database: Callable[[], ApertureDB], links: MediaLinks, metrics: Metrics) -> list[Part]:
    def projects() -> tuple[list[Project], list[BrokenProject]]:
        return readable_projects(settings.projects)

    token = ApiToken(settings.api_token())
    rules = PushRules(
        body_bytes=int(settings.push_limit_mb * 1e6),
        file_bytes=int(settings.media_size_limit_mb * 1e6),
        media_types=frozenset(settings.push_types),
        networks=settings.allowed_networks(),
    )
    parts: list[Part] = [
        TaskLists(database, projects, links, token),
        Push(database, projects, token, rules, pushed=metrics.count_pushed),
    ]
    label_studio_url = settings.label_studio_url or settings.local_stack.label_studio_url
    if label_studio_url:
        parts.append(MediaAccess(LabelStudioSessions(label_studio_url), LinkGate(links, database)))
    return parts


class AnnouncingServer(uvicorn.Server):
    """Uvicorn with our limits: says when it listens, says nothing about itself or about queries.

    Args:
        app: The application.
        ready: Is called when it listens.
        proxies: Whose X-Forwarded-For is believed.
        stop_s: How long running answers may take when it is told to stop.
        connections: More than these at once get 503.
    """

    def __init__(
        self,
        app: Starlette,
        ready: Callable[[], None],
        *,
        proxies: Sequence[str] = (),
        stop_s: float = 5,
        connections: int = CONNECTIONS,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=LimitedHttp,
                access_log=False,
                server_header=False,
                log_config=None,
                ws="none",
                proxy_headers=bool(proxies),
                forwarded_allow_ips=list(proxies),
                limit_concurrency=connections,
                timeout_graceful_shutdown=math.ceil(stop_s),
            )
        )
        # Its lines hold the signatures of links. `access_log=False` alone lets them through as soon as anything
        # (pytest, a log collector) puts a handler on this logger.
        logging.getLogger("uvicorn.access").disabled = True
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then say so."""
        await super().startup(sockets)
        # What is there by now stays for good: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_GC_THRESHOLD)
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


def log_to_stderr() -> None:
    """Of libraries only warnings: httpx would log whole addresses, and what gives access with them."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("labeling_assets").setLevel(logging.INFO)
    # The lines do not name them, and to find them out takes a third of the time of a line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def listening(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A socket that listens.

    Raises:
        ConfigurationError: the port is taken, or there is no such address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, reuse_port=shared)
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
