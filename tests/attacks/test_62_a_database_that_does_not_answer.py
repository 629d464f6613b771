"""Attack 62: mallory keeps the database busy, or cuts it off; a page then says so, and soon."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from api_client import Api, small_api
from local_instance import Guest
from postgres import Server
from programs import run
from small_world import ALICE, enter
from sqlalchemy import select, text, update
from sqlalchemy.engine import make_url

from trackeep.database import Database, sqlite_path
from trackeep.errors import DatabaseError
from trackeep.store.tables import session

pytestmark = pytest.mark.anyio


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with small_api(tmp_path) as found:
        yield found


async def test_every_connection_is_in_use(api: Api) -> None:
    """Whoever comes then gets one sentence within ten seconds, and the page as soon as one is free."""
    site = api.instance.site
    async with Guest(api.instance.url, "") as alice, AsyncExitStack() as busy:
        await enter(api.instance, alice, ALICE)
        token = await api.token()
        for _ in range(15):
            await busy.enter_async_context(site.db.read())
        async with asyncio.timeout(14):
            page, answer = await asyncio.gather(alice.open("/repos"), api.ask("GET", "/me", token))
        assert "Every connection to the database is in use" in page.text
        for reply in (page, answer):
            assert (reply.status, reply.headers["retry-after"]) == (503, "10")
        await busy.aclose()
        assert (await alice.open("/repos")).status == 200


async def test_another_program_holds_the_database(api: Api) -> None:
    """Pages are there to be read, without a visit being noted; what must be written is refused by itself."""
    site = api.instance.site
    seen_at = select(session.c.seen_at)
    async with Guest(api.instance.url, "") as alice:
        await enter(api.instance, alice, ALICE)
        async with site.db.write() as conn:
            await conn.execute(update(session).values(seen_at=0))
        with closing(sqlite3.connect(sqlite_path(site.db.url), isolation_level=None)) as other:
            other.execute("begin immediate")
            assert (await alice.open("/repos")).status == 200
            with pytest.raises(DatabaseError, match="is locked") as caught:
                await replace(site.db, wait_ms=100).write().__aenter__()
            assert "Another program holds it" in caught.value.hint
        async with site.db.read() as conn:
            assert await conn.scalar(seen_at) == 0
        assert (await alice.open("/repos")).status == 200
        async with site.db.read() as conn:
            assert await conn.scalar(seen_at)


@contextmanager
def silent_address() -> Iterator[str]:
    """A PostgreSQL that takes connections and says nothing, as one behind a firewall does."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield f"postgresql://alice:hush@127.0.0.1:{listener.getsockname()[1]}/trackeep"


async def test_a_server_that_is_silent(tmp_path: Path) -> None:
    """Every command ends soon with a sentence that names the host and not the password."""
    commands = (("doctor",), ("status",), ("serve", "--port", "0"))
    with silent_address() as url:
        env = {"TRACKEEP_DATABASE_URL": url, "TRACKEEP_DATA_DIR": str(tmp_path)}
        ended = await asyncio.gather(*(asyncio.to_thread(run, *words, env=env) for words in commands))
    for done in ended:
        said = done.stdout + done.stderr
        assert done.returncode == 1 and "Traceback" not in said and "hush" not in said
        assert "@127.0.0.1" in said and "cannot be used: it does not answer" in said


async def test_a_server_that_goes_away(postgres_server: Server) -> None:
    """A connection that was good before does not keep a page waiting when its server falls silent."""
    url = make_url(postgres_server.create(f"silent_{time.time_ns()}"))
    speaks = asyncio.Event()
    speaks.set()

    async def hand_on(here: asyncio.StreamReader, there: asyncio.StreamWriter) -> None:
        while said := await here.read(65_536):
            await speaks.wait()
            there.write(said)
        there.close()

    async def connect(here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        there, onward = await asyncio.open_connection(url.host, url.port)
        await asyncio.gather(hand_on(here, onward), hand_on(there, back))

    async with await asyncio.start_server(connect, "127.0.0.1", 0) as between:
        port = between.sockets[0].getsockname()[1]
        db = await Database.open(url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False))
        speaks.clear()
        with pytest.raises(DatabaseError, match="does not answer"):
            async with asyncio.timeout(15), db.read():
                pass
        speaks.set()
        async with db.read() as conn:
            assert await conn.scalar(text("select 1")) == 1
        await db.close()
