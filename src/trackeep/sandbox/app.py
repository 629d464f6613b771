"""The local GitHub as one program: every address in one table, a request log, one line when it is ready."""

import asyncio
import contextlib
import hashlib
import json
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trackeep.sandbox import control, git, graphql, oauth_pages, pages, rest, token_pages
from trackeep.sandbox.build import build
from trackeep.sandbox.faults import FaultMiddleware, Faults
from trackeep.sandbox.masses import LARGE, Masses, build_masses
from trackeep.sandbox.oauth import DEFAULT_APPS, Authority
from trackeep.sandbox.quota import Clock, Quota
from trackeep.sandbox.requestlog import RequestLog
from trackeep.sandbox.state import SandboxState

_DAY_S = 86_400


@dataclass(frozen=True)
class Options:
    """Port 0 lets the system choose. `now` (unix seconds) is where the past ends; None is this moment.

    Size is `small`, `full` or `large`; `masses` asks for a generated world of another size instead.
    A restart within a day in the same data directory rebuilds the same world; without one all is temporary.
    """

    host: str = "127.0.0.1"
    port: int = 9100
    seed: int = 1
    size: str = "small"
    data_dir: Path | None = None
    now: int | None = None
    quiet: bool = False
    masses: Masses | None = None

    @property
    def generated(self) -> Masses | None:
        return self.masses or (LARGE if self.size == "large" else None)


class CannotListen(Exception):
    """The address is taken, or not one of this machine: one sentence."""


def run(options: Options) -> None:
    """Build the world and serve it until SIGTERM or SIGINT. Raises CannotListen."""
    with _listening(options) as listener, _folder(options.data_dir) as folder:
        host, port = listener.getsockname()[:2]
        state = create_state(options, folder, f"http://{host}:{port}")
        config = uvicorn.Config(
            create_app(state),
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
        )
        _Server(config, state.url, "" if options.quiet else _how_to_sign_in(state)).run(sockets=[listener])


def create_state(options: Options, folder: Path, url: str) -> SandboxState:
    """A new world in `folder` and everything around it, with a clock that shows the real time."""
    now, generated = _end_of_past(options, folder), options.generated
    if generated:
        world = build_masses(options.seed, now, generated, folder)
    else:
        world = build(options.seed, now, options.size, folder)
    clock = Clock()
    return SandboxState(world, clock, Authority(world, clock), Quota(clock), Faults(), RequestLog(), url)


def create_app(state: SandboxState) -> ASGIApp:
    """The whole table of addresses; the most general patterns come last."""
    table = [
        *control.routes(state),
        *oauth_pages.routes(state),
        *token_pages.routes(state),
        *rest.routes(state),
        *graphql.routes(state),
        *git.routes(state),
        *pages.routes(state),
    ]
    return _Logged(FaultMiddleware(Starlette(routes=table), state.faults), state)


class _Logged:
    """Writes every request outside the control API into the log, and adds the latency asked for."""

    def __init__(self, app: ASGIApp, state: SandboxState) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(control.PREFIX):
            await self._app(scope, receive, send)
            return
        log = self._state.log
        query = scope["query_string"].decode("latin-1")
        entry = log.start(self._state.clock.now(), scope["method"], scope["path"], query)
        scope["sandbox.entry"] = entry
        entry.said = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in (b"accept", b"user-agent", b"x-github-api-version")
        }

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry.status = message["status"]
                log.add(entry)
            await send(message)

        body = hashlib.sha256()

        async def reading() -> Message:
            message = await receive()
            if message.get("body"):
                body.update(message["body"])
                entry.digest = body.hexdigest()[:16]
            return message

        if self._state.latency_s:
            await asyncio.sleep(self._state.latency_s)
        try:
            await self._app(scope, reading, noting)
        finally:
            entry.ended = time.monotonic()
            if not entry.status:
                log.add(entry)


class _Server(uvicorn.Server):
    """Says where it is as soon as it accepts requests."""

    def __init__(self, config: uvicorn.Config, url: str, more: str) -> None:
        super().__init__(config)
        self._url = url
        self._more = more

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stderr.write(self._more)
        sys.stderr.flush()
        sys.stdout.write(f"Sandbox GitHub ready at {self._url}\n")
        sys.stdout.flush()


def _how_to_sign_in(state: SandboxState) -> str:
    """What a program needs that is to use this GitHub; its secrets guard invented data only."""
    app = DEFAULT_APPS[0]
    return (
        f"  client id        {app.client_id}\n"
        f"  client secret    {app.client_secret}\n"
        f"  callback         any port and {urlsplit(app.callback_urls[0]).path} on this computer\n"
        f"  personal tokens  {state.url}{control.PREFIX}/people, new ones at {state.url}{token_pages.PATH}\n"
    )


@contextlib.contextmanager
def _listening(options: Options) -> Iterator[socket.socket]:
    """A listening socket, so that the address is known before the world is built."""
    # The protocol is named because asyncio turns off Nagle's delay (40 ms an answer) only where it is.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((options.host, options.port))
            # Before the world is built, which takes seconds: only this keeps a second one off the port.
            listener.listen(2048)
        except OSError as error:
            raise CannotListen(
                f"Cannot listen on {options.host}:{options.port}: {error.strerror}."
            ) from error
        yield listener


@contextlib.contextmanager
def _folder(data_dir: Path | None) -> Iterator[Path]:
    if data_dir is not None:
        data_dir.mkdir(parents=True, exist_ok=True)
        yield data_dir.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="sandbox-github-") as folder:
        yield Path(folder)


def _end_of_past(options: Options, folder: Path) -> int:
    """The moment the world ends at: as asked, else that of a build of the same day, else now."""
    if options.now is not None:
        return options.now
    note = folder / "sandbox.json"
    now, wanted = int(time.time()), {"seed": options.seed, "size": str(options.generated or options.size)}
    if note.exists():
        kept = json.loads(note.read_text())
        if wanted.items() <= kept.items() and 0 <= now - kept["now"] < _DAY_S:
            return int(kept["now"])
    note.write_text(json.dumps({**wanted, "now": now}))
    return now
