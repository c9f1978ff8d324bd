"""Numbers for Prometheus: requests by route, never by path, so that no GUID and no signature is in them."""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from labeling_assets.gateway.sent import counted

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER: Final = "other"
# From a thumbnail in the cache to a push of a gigabyte.
_SECONDS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """The numbers of one gateway, and the route that shows them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        # Of several processes there is no one process to tell of.
        self._together = "PROMETHEUS_MULTIPROC_DIR" in os.environ
        if not self._together:
            ProcessCollector(registry=self.registry)
        requests = ("Requests, by route, method and status.", ["route", "method", "status"])
        self.requests = Counter("labeling_gateway_requests", *requests, registry=self.registry)
        seconds = ("Seconds from the request to the end of its answer.", ["route"])
        self.seconds = Histogram("labeling_gateway_request_seconds", *seconds, buckets=_SECONDS, registry=self.registry)
        sent = ("Bytes of bodies that were sent.", ["route"])
        self.sent = Counter("labeling_gateway_sent_bytes", *sent, registry=self.registry)
        running = ("labeling_gateway_requests_running", "Requests without an end.")
        self.running = Gauge(*running, registry=self.registry, multiprocess_mode="livesum")
        pushed = ("Media that were pushed, by what became of them.", ["status"])
        self.pushed = Counter("labeling_gateway_pushed_media", *pushed, registry=self.registry)

    @property
    def routes(self) -> list[Route]:
        return [Route("/metrics", self._show, methods=["GET"])]

    def count_pushed(self, status: str) -> None:
        """One medium was pushed."""
        self.pushed.labels(status).inc()

    async def _show(self, request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        headers = {"Content-Type": content_type, "Cache-Control": "no-store"}
        registry = self.registry
        if self._together:  # the counts of all workers, from their files
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # of prometheus_client
        return Response(encode(registry), headers=headers)


class MeasuredRequests:
    """Counts and times every request, when its answer has been sent or given up."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, routes: Iterable[Route]) -> None:
        self._app, self._metrics = app, metrics
        self._paths: Mapping[Callable[..., Any], str] = {route.endpoint: route.path for route in routes}
        self._labelled: dict[tuple[str, str, int], tuple[Counter, Histogram, Counter]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        sent, counting_send = counted(scope, send)

        self._metrics.running.inc()
        try:
            await self._app(scope, receive, counting_send)
        finally:
            self._metrics.running.dec()
            # What the router found; what it did not find has no endpoint.
            route = self._paths.get(scope.get("endpoint"), _OTHER)  # type: ignore[arg-type]  # None is no key
            method = scope["method"] if scope["method"] in _METHODS else _OTHER
            requests, seconds, sent_bytes = self._of(route, method, sent.status)
            requests.inc()
            seconds.observe(time.perf_counter() - started)
            sent_bytes.inc(sent.size_bytes)

    def _of(self, route: str, method: str, status: int) -> tuple[Counter, Histogram, Counter]:
        """The numbers with these labels; few different ones, so all are kept."""
        key = (route, method, status)
        if key not in self._labelled:
            metrics = self._metrics
            requests = metrics.requests.labels(route, method, str(status))
            self._labelled[key] = (requests, metrics.seconds.labels(route), metrics.sent.labels(route))
        return self._labelled[key]
