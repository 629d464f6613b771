"""Attack 55: mallory, who may sign in, begins many answers that do not end, and reads none of them."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
import uvicorn
from api_client import Api, small_api
from local_instance import Guest
from small_world import BOB, MALLORY, SECRET, enter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from trackeep import web
from trackeep.connections import BoundedHttp
from trackeep.store.tables_fetched import commit

pytestmark = pytest.mark.anyio

# More than the connections to a database that there are, and than all buffers on the way hold of one answer.
READERS, COMMITS, MESSAGE = 20, 4_000, "x" * 2_000


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with small_api(tmp_path) as found:
        usual = {"author_name": "m", "author_email": "m@x", "committer_name": "m", "committer_email": "m@x"}
        rows = [
            {
                **usual,
                "repository_id": SECRET,
                "sha": f"{number:040x}",
                "message": MESSAGE,
                "authored_at": number,
                "committed_at": number,
            }
            for number in range(COMMITS)
        ]
        async with found.instance.site.db.write() as conn:
            await conn.execute(commit.insert(), rows)
        yield found


@contextmanager
def asked_and_left(api: Api, token: str) -> Iterator[socket.socket]:
    """A connection that asked for the export and takes the beginning of the answer at most."""
    place = urlsplit(api.instance.url)
    assert place.hostname and place.port
    with closing(socket.socket()) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        one.connect(("127.0.0.1", place.port))
        head = f"GET /api/v1/export HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n"
        one.sendall(head.encode())
        one.setblocking(False)
        yield one


async def status_of(one: socket.socket) -> int:
    """The status of the answer, as soon as its first bytes are there."""
    begun = await asyncio.get_running_loop().sock_recv(one, 12)
    return int(begun.split()[1])


async def test_answers_that_nobody_reads_hold_nothing_that_others_need(api: Api) -> None:
    """With more of them open than there are connections to the database, the next page is there at once."""
    token = await api.token(BOB)
    with ExitStack() as readers:
        opened = [readers.enter_context(asked_and_left(api, token)) for _ in range(READERS)]
        statuses = [await status_of(one) for one in opened]
        async with asyncio.timeout(60):
            assert (await api.get("/me", token))["login"] == "bob"
            async with api.instance.site.db.write():
                pass
        most = api.instance.site.exports_on_the_way.most
        assert (statuses.count(200), statuses.count(429)) == (most, READERS - most)


async def test_who_left_may_ask_again(api: Api) -> None:
    """An answer that was broken off is nobody's burden: its file is gone, and the next is whole."""
    token, on_the_way = await api.token(BOB), api.instance.site.exports_on_the_way
    for _ in range(2):
        with ExitStack() as readers:
            for _ in range(on_the_way.most):
                assert await status_of(readers.enter_context(asked_and_left(api, token))) == 200
        async with asyncio.timeout(60):
            while on_the_way:
                await asyncio.sleep(0.01)
    reply = await api.ask("GET", "/export", token)
    assert reply.status == 200 and reply.text.count(MESSAGE) == COMMITS
    assert not list(api.instance.site.settings.data_dir.glob(".export-*"))


@pytest.mark.parametrize("path", ["/commits.csv", "/commits.json", "/commits.md", "/api/v1/export"])
async def test_long_lists_wait_for_each_other(api: Api, path: str) -> None:
    """However many she asks for at once, two are made at a time, and those that wait hold no connection."""
    site = api.instance.site
    async with Guest(api.instance.url, "") as mallory, AsyncExitStack() as busy:
        await enter(api.instance, mallory, MALLORY)
        for _ in range(2):
            await busy.enter_async_context(site.exports_at_once)
        asked = [asyncio.create_task(mallory.open(path)) for _ in range(READERS)]
        async with asyncio.timeout(60):
            refused, waiting = [], set(asked)
            while len(waiting) > site.exports_on_the_way.most:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                refused += [task.result().status for task in done]
        assert set(refused) == {429}
        assert (await mallory.open("/repos")).status == 200
        await busy.aclose()
        assert {task.result().status for task in (await asyncio.wait(waiting))[0]} == {200}


async def test_streams_of_one_person_are_counted(api: Api) -> None:
    """Who watches the sync in hundreds of windows gets so many, and the page still comes to everybody."""
    watching = api.instance.site.watching
    async with Guest(api.instance.url, "") as mallory:
        await enter(api.instance, mallory, MALLORY)
        cookies = "; ".join(f"{name}={value}" for name, value in mallory.cookies["localhost"].items())
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            url, headers = f"{api.instance.url}/sync/events", {"Cookie": cookies}
            streams = [await http.get(url, headers=headers) for _ in range(watching.most + 5)]
            statuses = [one.status for one in streams]
            assert (statuses.count(200), statuses.count(429)) == (watching.most, 5)
            for one in streams:
                one.close()
        async with asyncio.timeout(60):
            while watching:
                await asyncio.sleep(0.05)


# ---- what both programs listen with -------------------------------------------------------------

LONG = 12 << 20


class Impatient(BoundedHttp):
    """The same protocol for a test that has no time to wait."""

    moves_within_s = 1.0


async def whole(_request: Request) -> Response:
    return Response(b"x" * LONG)


async def streamed(_request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(LONG >> 16):
            yield b"x" * (1 << 16)

    return StreamingResponse(pieces())


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[uvicorn.Server, int]]:
    """A program that sends long answers, and its port."""
    app = Starlette(routes=[Route("/whole", whole), Route("/streamed", streamed)])
    with closing(web.bind("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, http=Impatient, log_config=None))
        running = asyncio.create_task(server._serve([listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield server, listener.getsockname()[1]
        server.should_exit = True
        await running


@contextmanager
def asking(port: int, path: str, takes_bytes: int = 4_096) -> Iterator[socket.socket]:
    with closing(socket.socket()) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, takes_bytes)
        one.connect(("127.0.0.1", port))
        one.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        one.setblocking(False)
        yield one


@pytest.mark.parametrize("path", ["/whole", "/streamed"])
@pytest.mark.parametrize("takes", [0, 1])
async def test_who_reads_byte_by_byte_is_cut_off(path: str, takes: int) -> None:
    """However the answer is sent: who takes next to nothing of it does not hold a connection for ever."""
    async with listening() as (server, port), asyncio.timeout(10):
        with asking(port, path) as mallory:
            while not server.server_state.connections:
                await asyncio.sleep(0.01)
            reading = asyncio.create_task(read_by_bytes(mallory, takes))
            while server.server_state.connections:
                await asyncio.sleep(0.01)
            reading.cancel()


async def read_by_bytes(one: socket.socket, takes: int) -> None:
    while not takes or await asyncio.get_running_loop().sock_recv(one, takes):
        await asyncio.sleep(0.01)


async def test_who_reads_slowly_gets_all_of_it() -> None:
    """An honest reader on a slow line takes longer than that, and gets the whole answer."""
    loop, read, begun = asyncio.get_running_loop(), 0, time.monotonic()
    async with listening() as (_, port):
        with asking(port, "/whole", 1 << 18) as alice:
            while piece := await loop.sock_recv(alice, 1 << 16):
                read += len(piece)
                await asyncio.sleep(len(piece) / (6 << 20))
    assert read >= LONG and time.monotonic() - begun > 2 * Impatient.moves_within_s
