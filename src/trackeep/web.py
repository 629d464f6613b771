"""What both web programs share: listening, request ids, headers, templates, static files, error answers."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import ipaddress
import mimetypes
import re
import secrets
import signal
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

import jinja2
import structlog
import uvicorn
from jinja2.bccache import Bucket
from markupsafe import Markup
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from trackeep.environment import Network
from trackeep.errors import TrackeepError

log = structlog.get_logger()
LOOK = Path(__file__).parent / "look"
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


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's, with an end to how long a request's head and its way here may be: the parser knows none."""

    longest_head = 65_536
    arrives_within_s = 20.0
    moves_within_s = 60.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        super().connection_made(_InOneGo(transport, self.loop, self.moves_within_s))
        self._head_bytes, self._in_head = 0, True
        self._late = self.loop.call_later(self.arrives_within_s, self.transport.close)

    def data_received(self, data: bytes) -> None:
        was_in_head = self._in_head
        super().data_received(data)
        if was_in_head and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self.longest_head and not self.transport.is_closing():
                self.send_400_response("The head of this request is too long.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes, self._in_head = 0, True
        self._late.cancel()
        self._late = self.loop.call_later(self.arrives_within_s, self.transport.close)

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._late.cancel()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._late.cancel()
        super().connection_lost(exc)


class _InOneGo(asyncio.Transport):
    """A connection on which the head and the body of an answer leave together: one system call, not two.

    It ends when its reader takes next to nothing of what is there for `moves_within_s`: else one who
    reads byte by byte, or not at all, would hold it and its answer for ever.
    """

    most_waiting = 65_536
    least_taken = 16_384

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, moves_within_s: float
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._moves_within_s = moves_within_s
        self._waiting: list[bytes] = []
        self._bytes = self._handed_on = 0
        self._is_watched = False

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if not self._waiting:
            self._loop.call_soon(self._send)
        self._waiting.append(bytes(data))
        self._bytes += len(data)
        # A long answer is handed on as it comes, so that a slow reader holds the writer back as before.
        if self._bytes > self.most_waiting:
            self._send()

    def _send(self) -> None:
        if self._waiting:
            self._transport.write(b"".join(self._waiting))
            self._waiting.clear()
            self._handed_on += self._bytes
            self._bytes = 0
            if not self._is_watched:
                self._watch()

    def _watch(self) -> None:
        left = self._transport.get_write_buffer_size()
        self._is_watched = left > 0
        if left:
            enough = self._handed_on - left + min(left, self.least_taken)
            self._loop.call_later(self._moves_within_s, self._look, enough)

    def _look(self, enough: int) -> None:
        left = self._transport.get_write_buffer_size()
        if left and self._handed_on - left < enough:
            self._transport.abort()
        else:
            self._watch()

    def close(self) -> None:
        self._send()
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._transport.set_protocol(protocol)


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


# ---- templates and static files -----------------------------------------------------------------


# Controls (C0 and C1) and what https://www.unicode.org/reports/tr9/ lets override the direction of text.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Assets:
    """Static files held in memory, each with an address that changes with its content."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._files: dict[str, tuple[bytes, str]] = {}
        self._versions: dict[str, str] = {}
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and not path.name.startswith((".", "_")) and path.suffix != ".py":
                    name, body = path.relative_to(folder).as_posix(), path.read_bytes()
                    self._files[name] = (body, _kind(path))
                    self._versions[name] = hashlib.sha256(body).hexdigest()[:10]

    def version(self, name: str) -> str:
        return self._versions[name]

    def text(self, name: str) -> str:
        return self._files[name][0].decode()

    async def endpoint(self, request: Request) -> Response:
        """GET /static/{name:path}; a versioned address may be kept for ever."""
        name = request.path_params["name"]
        if name not in self._files:
            raise HTTPException(404)
        body, kind = self._files[name]
        fresh = request.query_params.get("v") == self.version(name)
        age = "public, max-age=31536000, immutable" if fresh else "public, max-age=60"
        return Response(body, media_type=kind, headers={"cache-control": age})


def shown(value: Any) -> Any:
    """What a page writes of `value`: a control character in text is shown as one, white space as a blank.

    Otherwise somebody's name or title could turn the rest of its line round, or break the page.
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return _UNSEEN.sub(lambda found: " " if found[0].isspace() else "\ufffd", value)


class _Compiled(jinja2.BytecodeCache):
    """The templates of a process: compiled for its first program, they are ready for every other one."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key, bucket.checksum] = bucket.code


_compiled = _Compiled()


class Pages:
    """Jinja templates of one program; `url(path)` and `static(name)` know the base path."""

    def __init__(self, folders: Iterable[Path], assets: Assets, base_path: str) -> None:
        self._jinja = jinja2.Environment(
            loader=jinja2.FileSystemLoader([str(folder) for folder in folders]),
            autoescape=True,
            finalize=shown,
            auto_reload=False,
            bytecode_cache=_compiled,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._base_path = base_path
        self.assets = assets
        self._jinja.globals.update(url=self.url, static=self.static, icon=self.icon)

    @property
    def globals(self) -> dict[str, Any]:
        return self._jinja.globals

    @property
    def filters(self) -> dict[str, Callable[..., Any]]:
        return self._jinja.filters

    def url(self, path: str) -> str:
        return self._base_path + path

    def static(self, name: str) -> str:
        return self.url(f"/static/{name}?v={self.assets.version(name)}")

    def icon(self, name: str) -> Markup:
        """An icon of icons.svg; decoration only, so hidden from screen readers."""
        href = self.static("icons.svg") + f"#{name}"
        return Markup('<svg class="i" aria-hidden="true"><use href="{}"/></svg>').format(href)

    def render(self, name: str, **values: object) -> str:
        return self._jinja.get_template(name).render(**values)

    def page(self, name: str, *, status: int = 200, **values: object) -> HTMLResponse:
        return HTMLResponse(
            self.render(name, **values), status_code=status, headers={"cache-control": "no-store"}
        )


def _kind(path: Path) -> str:
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"
