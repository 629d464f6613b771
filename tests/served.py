"""An application served in the test's own process, over real HTTP: there at once, and gone at once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvicorn

# For an answer that is on its way; a page that listens for news would be waited for.
GRACE_S = 1.0


class _Server(uvicorn.Server):
    """uvicorn looks ten times a second whether it may end, and whether all have gone; this one is told."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up, self.may_end = asyncio.Event(), asyncio.Event()

    async def main_loop(self) -> None:
        self.is_up.set()
        while not self.may_end.is_set():
            await self.on_tick(0)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.may_end.wait(), 1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listening in self.servers:
            listening.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        end = asyncio.get_running_loop().time() + GRACE_S
        while (state.connections or state.tasks) and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.002)
        for task in state.tasks:
            task.cancel()
        await self.lifespan.shutdown()


@asynccontextmanager
async def served(app: Any, listener: socket.socket, **config: Any) -> AsyncIterator[None]:
    """`app` answers on `listener`, which is closed in the end; `config` is uvicorn's."""
    # As the programs do: uvicorn itself would believe any proxy on this computer.
    usual = {"http": "httptools", "log_config": None, "access_log": False, "proxy_headers": False}
    server = _Server(uvicorn.Config(app, **(usual | config)))
    running = asyncio.create_task(server._serve([listener]))
    up = asyncio.create_task(server.is_up.wait())
    await asyncio.wait((running, up), return_when=asyncio.FIRST_COMPLETED)
    try:
        yield
    finally:
        up.cancel()
        server.may_end.set()
        await running
        listener.close()
