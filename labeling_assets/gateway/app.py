"""The media gateway: serves a medium of ApertureDB by its GUID to the browsers of the people who label.

GET, HEAD /media/{guid}?k=<key id>&s=<signature>    200, 206, 304, 400, 403, 404, 412, 416, 502, 503
GET, HEAD /projects/{slug}/tasks.{form}             see task_lists.py
GET, POST /batches/{batch}/media, POST .../close    see push.py
GET, HEAD /auth/media                               see sessions.py; only where Label Studio is known
POST      /webhooks/label_studio/{instance}/{slug}  see webhook.py; only where webhooks are on
GET, HEAD /metrics, /openapi.json, /docs            numbers for Prometheus; what this serves, for programs and people
GET, HEAD /healthz                                  200 while the process runs
GET, HEAD /readyz                                   200 if ApertureDB answers, else 503
"""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.errors import ConfigurationError, LabelingAssetsError, RefusedError, TransientError
from labeling_assets.gateway import responses
from labeling_assets.gateway.access_log import AccessLog
from labeling_assets.gateway.api_pages import ApiPages
from labeling_assets.gateway.blocking_calls import BlockingCalls
from labeling_assets.gateway.cors import Cors, checked_origins
from labeling_assets.gateway.derivatives import DerivativeReader
from labeling_assets.gateway.link_gate import LinkGate
from labeling_assets.gateway.media import MediaCaches, MediaReader
from labeling_assets.gateway.media_route import medium_asked_for
from labeling_assets.gateway.metrics import MeasuredRequests, Metrics
from labeling_assets.gateway.micro_cache import LONGEST_S, MicroCache
from labeling_assets.gateway.prefix import Prefix, prefix_of
from labeling_assets.gateway.quick_requests import QuickEndpoint
from labeling_assets.gateway.webhook import WebhookInbox
from labeling_assets.media_sources import NOWHERE, MediaSources
from labeling_assets.media_urls import MediaLinks

_log = logging.getLogger(__name__)

# Each thread has a socket to ApertureDB and holds at most one medium while it reads.
_THREADS: Final = 8
_READY_TIMEOUT_S: Final = 5.0
_RETRY_AFTER_S: Final = 5
_LONGEST_GUID: Final = 200


class Part(Protocol):
    """Some routes of the gateway, and what works behind them."""

    @property
    def routes(self) -> list[Route]:
        """The routes."""

    def start(self) -> None:
        """The application starts."""

    def close(self) -> None:
        """It stops."""


def create_app(
    database: Callable[[], ApertureDB],
    links: MediaLinks,
    origins: Sequence[str],
    *,
    inbox: WebhookInbox | None = None,
    parts: Sequence[Part] = (),
    metrics: Metrics | None = None,
    caches: MediaCaches | None = None,
    sources: MediaSources = NOWHERE,
    max_age_s: int = 3600,
    timeout_s: float = 60,
) -> Starlette:
    """The application. The database stays the caller's to close.

    Args:
        database: Gives the connection; called in a worker thread for every query, so it must be cheap.
        links: Verifies links; all its keys count, but those that ApertureDB says were retired.
        origins: Websites that may load media, as `origins_for` gives them; `*` is all of them.
        inbox: Takes the webhooks of Label Studio; it runs as long as the application does.
        parts: Further routes, such as task lists and pushes.
        metrics: Where parts count what only they know.
        caches: Where contents are kept; without a disk, one above the limit of memory is read again for every range.
        sources: Where the bytes of registered media may lie.
        max_age_s: How long browsers keep a medium without asking again.
        timeout_s: Longest wait for one answer of ApertureDB.

    Raises:
        ConfigurationError: an origin is none.
    """
    calls, caches = BlockingCalls(threads=_THREADS, timeout_s=timeout_s), caches or MediaCaches()
    reader = MediaReader(database, calls, caches=caches, sources=sources)
    derivatives, gate = DerivativeReader(database, calls), LinkGate(links, database)

    async def media(request: Request) -> Response:
        guid = request.path_params["guid"]
        return await _refused_link(request, gate, guid) or await medium_asked_for(
            request, reader, guid, derivatives=derivatives, max_age_s=max_age_s
        )

    async def ready(request: Request) -> Response:
        await calls.run(lambda: database().check(), timeout_s=_READY_TIMEOUT_S)
        return _state("ready")

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if inbox is not None:
            inbox.start()
        for part in parts:
            part.start()
        yield
        for part in parts:
            part.close()
        if inbox is not None:
            inbox.close()
        await reader.close()
        calls.close()
        gate.close()

    routes = [
        Route("/media/{guid}", QuickEndpoint(media), methods=["GET", "HEAD"]),
        Route("/healthz", _health),
        Route("/readyz", ready),
    ]
    if inbox is not None:
        routes.append(inbox.route)
    metrics = metrics or Metrics()
    for part in parts:
        routes += part.routes
    routes += [*metrics.routes, *ApiPages(links.base_url).routes]
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(AccessLog),
            Middleware(MeasuredRequests, metrics=metrics, routes=routes),
            Middleware(MicroCache, age_s=min(LONGEST_S, caches.record_age_s), prefix=prefix_of(links.base_url)),
            Middleware(Cors, origins=checked_origins(origins)),
            Middleware(Prefix, prefix=prefix_of(links.base_url)),
        ],
        exception_handlers={LabelingAssetsError: _service_failed, HTTPException: _http_error},
        lifespan=lifespan,
    )
    # A redirect would answer for links that nobody made.
    app.router.redirect_slashes = False
    return app


async def _refused_link(request: Request, gate: LinkGate, guid: str) -> Response | None:
    """403 unless the link opens. The log says why, the answer does not."""
    reason = await gate.refusal(guid, request.query_params)
    if reason is None:
        return None
    _log.warning("Refused a link to medium %r: %s", guid[:_LONGEST_GUID], reason)
    return responses.error(403, "This link is not valid.", "The log of the media gateway says why.")


async def _health(request: Request) -> Response:
    return _state("up")


def _state(state: str) -> Response:
    return JSONResponse({"state": state}, headers={"Cache-Control": "no-store"})


async def _service_failed(request: Request, error: Exception) -> Response:
    """503 where waiting helps, 502 where it does not; anything else is our bug."""
    if isinstance(error, TransientError):
        _log.warning("%s", error)
        again = {"Retry-After": str(_RETRY_AFTER_S)}
        return responses.error(503, "The media are out of reach for the moment.", headers=again)
    if isinstance(error, RefusedError | ConfigurationError):
        _log.error("%s", error)
        return responses.error(502, "The media are out of reach.", "The log of the media gateway says why.")
    raise error


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return responses.error(error.status_code, error.detail, headers=error.headers)
