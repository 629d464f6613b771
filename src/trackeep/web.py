"""What both web programs share: listening, request ids, headers, templates, static files, error answers."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import secrets
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
import uvicorn
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trackeep.connections import BoundedHttp
from trackeep.environment import Network
from trackeep.errors import TrackeepError

log = structlog.get_logger()
LONGEST_LOGGED = 500

ErrorPage = Callable[[Request, TrackeepError, str], Response]


# ---- listening ----------------------------------------------------------------------------------


_HOSTS = "Choose an address of this computer as the host: 127.0.0.1, or 0.0.0.0 for all of them."
_ADVICE_ON_LISTENING = {
    errno.EADDRINUSE: "Choose another port, or end what uses it.",
    errno.EACCES: "Choose a port from 1024 on, or let a proxy listen on this one.",
    errno.EADDRNOTAVAIL: _HOSTS,
    socket.EAI_NONAME: _HOSTS,
}


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 lets the system choose, so that the address is known before the app."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns off Nagle's delay (40 ms an answer) only where it is.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Little waits in the system unsent: else what a slow reader takes would not show for minutes.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 131_072)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        advice = _ADVICE_ON_LISTENING.get(error.errno or 0, "Choose another host or port.")
        raise TrackeepError(f"Cannot listen on {host}:{port}: {error.strerror}.", advice) from error
    listener.listen(2048)
    return listener


async def serve(app: ASGIApp, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """Run `app` until SIGTERM or SIGINT; `on_ready` is called once connections are accepted."""
    config = uvicorn.Config(
        app,
        http=BoundedHttp,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )
    server = _Server(config, on_ready)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    await server._serve([listener])


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling, so that several can share one process."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    def stop(self) -> None:
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()


# ---- around every request -----------------------------------------------------------------------


@dataclass(frozen=True)
class Envelope:
    """What goes around every answer of one program."""

    base_path: str
    trusted_proxies: tuple[Network, ...]
    headers: Mapping[str, str]


class Around:
    """ASGI middleware: base path, client address, request id, security headers and one log line."""

    def __init__(self, app: ASGIApp, envelope: Envelope) -> None:
        self._app = app
        self._envelope = envelope

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope = self._place(scope)
        scope["state"] = {
            **scope.get("state", {}),
            "request_id": request_id,
            "client_address": client_address(scope, self._envelope.trusted_proxies),
        }

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("x-request-id", request_id)
                for name, value in self._envelope.headers.items():
                    headers.setdefault(name, value)
                path = scope["path"][:LONGEST_LOGGED]
                log.info("request", method=scope["method"], path=path, status=message["status"])
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._app(scope, receive, send_with_headers)

    def _place(self, scope: Scope) -> Scope:
        """Routes see paths below the base path, whether or not a proxy has cut it off already."""
        base, path = self._envelope.base_path, scope["path"]
        if base and (path == base or path.startswith(base + "/")):
            path = path[len(base) :] or "/"
        return {**scope, "path": path, "raw_path": path.encode(), "root_path": ""}


def client_address(scope: Scope, trusted: tuple[Network, ...]) -> str:
    """The visitor's address: X-Forwarded-For is read from the right, through trusted proxies only."""
    address = plain_address(scope["client"][0]) if scope.get("client") else ""
    forwarded = Headers(scope=scope).getlist("x-forwarded-for")
    hops = [part for line in forwarded for part in line.split(",")]
    while hops and is_in(address, trusted):
        address = plain_address(hops.pop())
    return address


def plain_address(text: str) -> str:
    """An address as one name for one computer: without brackets and port, IPv4 inside IPv6 as IPv4.

    A socket on `::` shows every IPv4 visitor as `::ffff:...`, and some proxies write the port along.
    """
    address = text.strip()
    if address.startswith("["):
        address = address[1:].partition("]")[0]
    elif address.count(":") == 1:
        address = address.partition(":")[0]
    if ":" not in address:
        return address
    try:
        mapped = ipaddress.IPv6Address(address).ipv4_mapped
    except ValueError:
        return address
    return str(mapped) if mapped else address


def is_in(address: str, networks: tuple[Network, ...]) -> bool:
    """True when `address` lies in one of the networks; what is no address lies in none."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(ip.version == network.version and ip in network for network in networks)


def is_same_origin(request: Request, origin: str) -> bool:
    """True when the browser says that this request comes from our own pages.

    `Sec-Fetch-Site` where it is sent, else `Origin`; a request with neither is refused
    (https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site).
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return request.headers.get("origin") == origin


def is_part_of_foreign_page(request: Request) -> bool:
    """True when the browser says that a page from elsewhere asks, and not to be left for this address.

    Even a frame is no window (https://web.dev/articles/fetch-metadata).
    """
    headers = request.headers
    if headers.get("sec-fetch-site") not in ("same-site", "cross-site"):
        return False
    return (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) != ("navigate", "document")


# ---- errors -------------------------------------------------------------------------------------


def error_handlers(
    page: ErrorPage, note: Callable[[TrackeepError], None] = lambda _: None
) -> dict[Any, Callable[[Request, Exception], Awaitable[Response]]]:
    """Handlers for Starlette: our own tree, HTTP errors and everything unforeseen; each is told to `note`."""

    async def on_known(request: Request, error: Exception) -> Response:
        assert isinstance(error, TrackeepError)
        log.warning("refused", code=error.code, reason=error.sentence)
        note(error)
        return answer(request, error, page)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        known = TrackeepError(SENTENCES.get(error.status_code, str(error.detail)))
        known.status, known.code = error.status_code, f"http_{error.status_code}"
        note(known)
        response = answer(request, known, page)
        if error.status_code == 405:
            response.headers["allow"] = allowed_methods(request)
        return response

    async def on_unforeseen(request: Request, error: Exception) -> Response:
        log.error("failed", exc_info=error)
        known = TrackeepError("Something went wrong on our side.", "Try again; the log has the request id.")
        note(known)
        return answer(request, known, page)

    async def on_gone(request: Request, error: Exception) -> Response:
        # Nobody reads this; without it each visitor who leaves half a form leaves a stack trace too.
        return Response(status_code=400)

    return {
        TrackeepError: on_known,
        HTTPException: on_http,
        ClientDisconnect: on_gone,
        Exception: on_unforeseen,
    }


SENTENCES = {404: "There is no page at this address.", 405: "This address does not take that method."}


def allowed_methods(request: Request) -> str:
    """The methods of this address (RFC 9110 section 10.2.1), each of which may have a route of its own."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    here = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return ", ".join(sorted({method for route in here for method in route.methods or ()}))


def wants_json(request: Request) -> bool:
    """True for programs: whoever does not say that it reads HTML."""
    return "text/html" not in request.headers.get("accept", "")


def answer(request: Request, error: TrackeepError, page: ErrorPage) -> Response:
    """`error` as a page for people or as JSON for programs, with its true status."""
    request_id = request.state.request_id
    if wants_json(request):
        body = {"error": error.code, "error_description": error.sentence, "hint": error.hint}
        response: Response = JSONResponse({**body, "request_id": request_id}, status_code=error.status)
    else:
        response = page(request, error, request_id)
    if error.retry_after_s is not None:
        response.headers["retry-after"] = str(error.retry_after_s)
    response.headers.setdefault("cache-control", "no-store")
    return response
