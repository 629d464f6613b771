"""A filled instance beside a real browser: in a thread, and its pages opened by somebody who is signed in."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from browser import Visit
from local_instance import Guest, LocalInstance, serve
from playwright.sync_api import Browser
from small_world import NOW, enter, fill
from sqlalchemy import update

# Everything is looked at in both places an instance may be.
PATHS = ("", "/t")


class Running:
    """A filled instance in a thread of its own, so that the browser's calls do not hold it up."""

    def __init__(self, folder: Path, path: str = "", port: int = 0) -> None:
        """At the root of an address or below `path`; with a `port` it is one that ran there before."""
        self.path = path
        self._ready: Future[tuple[LocalInstance, dict[str, str]]] = Future()
        self._end = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(folder, port),))
        self._thread.start()
        self.instance, self.cookies = self._ready.result(60)

    async def _run(self, folder: Path, port: int) -> None:
        nowhere = "http://127.0.0.1:1"
        served = serve(folder, nowhere, path=self.path, port=port)
        async with served as instance, Guest(instance.url, "") as guest:
            instance.clock.ahead_s = NOW - instance.site.now()
            if not port:
                await fill(instance.site.db)
            await enter(instance, guest)
            self._ready.set_result((instance, guest.cookies["localhost"]))
            await self._end.wait()

    async def write(self, statement: object) -> None:
        async with self.instance.site.db.write() as conn:
            await conn.execute(statement)  # type: ignore[call-overload]  # any statement

    def run(self, statement: object) -> None:
        """Change what is stored while the browser looks on."""
        asyncio.run_coroutine_threadsafe(self.write(statement), self._loop).result(30)

    def do(self, table: object, **values: object) -> None:
        self.run(update(table).values(**values))  # type: ignore[arg-type]  # any table

    def stop(self) -> None:
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(30)
        self._loop.close()


def leave(browser: Browser) -> None:
    """Close every page: one that listens for news would keep the instance waiting."""
    for context in browser.contexts:
        context.close()


def open_page(browser: Browser, running: Running, path: str, **more: Any) -> Visit:
    context = browser.new_context(timezone_id="Asia/Tokyo", color_scheme="light", **more)
    url = running.instance.url
    context.add_cookies(
        [{"name": name, "value": value, "url": url} for name, value in running.cookies.items()]
    )
    visit = Visit.of(context)
    visit.page.goto(url + path)
    return visit
