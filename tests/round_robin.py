"""Replicas of the OAuth service as real programs, and a proxy before them that takes each one in turn."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web
from local_broker import broker_environment
from programs import Program, run, start
from yarl import URL

HOP_BY_HOP = ("Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Content-Encoding")


@dataclass
class Replica:
    """One process of the service; its port stays the same however often it dies."""

    base_url: str
    env: dict[str, str]
    port: int = field(default_factory=lambda: _free_port())
    program: Program | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        words = ("broker", "serve", "--port", str(self.port), "--base-url", self.base_url)
        self.program = await asyncio.to_thread(lambda: start(*words, env=self.env))

    async def kill(self) -> None:
        """kill -9."""
        if self.program is not None:
            # In a thread: the connections of this process notice that the other end has gone.
            await asyncio.to_thread(self.program.kill)
            self.program = None

    async def stop(self) -> None:
        if self.program is not None:
            await asyncio.to_thread(self.program.stop)


@dataclass
class Fleet:
    """The service at its public address `url`; `answered` are the requests and who got them, in order."""

    url: str = ""
    replicas: list[Replica] = field(default_factory=list)
    answered: list[tuple[str, int]] = field(default_factory=list)

    async def kill(self) -> None:
        """kill -9 of all replicas at once, and new processes in their places."""
        await asyncio.gather(*(replica.kill() for replica in self.replicas))
        await asyncio.gather(*(replica.start() for replica in self.replicas))

    def next(self, request: str) -> Replica:
        number = len(self.answered) % len(self.replicas)
        self.answered.append((request, self.replicas[number].port))
        return self.replicas[number]


@asynccontextmanager
async def fleet(sandbox_url: str, folder: Path, *, replicas: int, **settings: str) -> AsyncIterator[Fleet]:
    """A running service of so many processes with one keys file; `settings` are environment variables."""
    keys_file = folder / "broker-keys.json"
    assert run("broker", "init", "--keys-file", str(keys_file)).returncode == 0
    env = broker_environment(sandbox_url, TRACKEEP_BROKER_KEYS_FILE=str(keys_file), **settings)
    async with AsyncExitStack() as stack:
        service = Fleet()
        await stack.enter_async_context(_proxy(service))
        service.replicas = [Replica(service.url, env) for _ in range(replicas)]
        for replica in service.replicas:
            stack.push_async_callback(replica.stop)
        await asyncio.gather(*(replica.start() for replica in service.replicas))
        yield service


@asynccontextmanager
async def _proxy(service: Fleet) -> AsyncIterator[None]:
    # A connection of its own for each request: none may be left over from a replica that was killed.
    connector = aiohttp.TCPConnector(force_close=True)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout, auto_decompress=False
    ) as http:

        async def pass_on(request: web.Request) -> web.StreamResponse:
            replica = service.next(f"{request.method} {request.path}")
            headers = request.headers.copy()
            headers["X-Forwarded-For"] = request.headers.get("X-Forwarded-For", request.remote or "")
            try:
                async with http.request(
                    request.method,
                    URL(replica.url + request.raw_path, encoded=True),
                    headers=headers,
                    data=await request.read(),
                    allow_redirects=False,
                ) as answer:
                    kept = answer.headers.copy()
                    for name in HOP_BY_HOP:
                        kept.popall(name, None)
                    return web.Response(status=answer.status, headers=kept, body=await answer.read())
            except aiohttp.ClientError:
                return web.Response(status=502, text="The service behind this proxy does not answer.")

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", pass_on)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        service.url = f"http://localhost:{runner.addresses[0][1]}"
        try:
            yield
        finally:
            await runner.cleanup()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
