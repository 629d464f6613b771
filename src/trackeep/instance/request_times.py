"""How long answers took, by the address as it stands in a table of ours, never as it was asked for."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LATENCIES_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
METHODS = ("GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS")


class Requests:
    """How long the answers of this process took; each process has its own."""

    def __init__(self) -> None:
        # Not the library's global registry: two instances in one process must not count together.
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._seconds = Histogram(
            "trackeep_http_request_seconds",
            "From a request to the beginning of its answer.",
            ["method", "route", "status"],
            buckets=LATENCIES_S,
            registry=registry,
        )

    def answered(self, scope: Scope, status: int, took_s: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._seconds.labels(method, route_of(scope), str(status)).observe(took_s)

    def text(self) -> bytes:
        return generate_latest(self._registry)


class Timed:
    """ASGI middleware that notes how long each answer took to begin."""

    def __init__(self, app: ASGIApp, requests: Requests) -> None:
        self._app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._requests.answered(scope, message["status"], time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, noting)


def route_of(scope: Scope) -> str:
    """The address as it stands in a table of ours, with {name} where a name stood; "none" for no such."""
    route = scope.get("route")
    path = getattr(route, "path", "")
    # What a router mounts is no address yet.
    return f"{scope.get('root_path', '')}{path}" if isinstance(route, Route) and path else "none"
