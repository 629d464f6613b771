"""An instance in the test's own process, over real HTTP, with a database of its own and a clock to move."""

from __future__ import annotations

import html
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl, urljoin, urlsplit

import aiohttp
import ready_databases
from programs import environment, github_environment
from served import served
from visitor import Answer, Visitor

from trackeep import web
from trackeep.database import Database
from trackeep.environment import instance_settings
from trackeep.instance.app import create_app, new_site
from trackeep.instance.entry import setup
from trackeep.instance.site import Site
from trackeep.vault import open_vault


@dataclass
class Clock:
    """The real time, and whatever is added to it."""

    ahead_s: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@dataclass(frozen=True)
class LocalInstance:
    """A running instance; `url` is its base URL."""

    url: str
    site: Site
    clock: Clock

    async def code(self) -> str:
        """The set-up code, as its log shows it."""
        code = await setup.announce(self.site)
        assert code is not None
        return code


@asynccontextmanager
async def serve(
    folder: Path,
    sandbox_url: str,
    broker_url: str = "",
    *,
    path: str = "",
    port: int = 0,
    app: Mapping[str, str] | None = None,
    **settings: str,
) -> AsyncIterator[LocalInstance]:
    """A running instance; `settings` are environment variables without their common beginning.

    `app` is its own registration at GitHub, as environment variables.
    """
    more = {f"TRACKEEP_{name.upper()}": value for name, value in settings.items()}
    chosen = instance_settings(
        environment(
            {
                **github_environment(sandbox_url),
                "TRACKEEP_DATA_DIR": str(folder),
                "TRACKEEP_BROKER_URL": broker_url,
                **(app or {}),
                **more,
            }
        )
    )
    listener, clock = web.bind("127.0.0.1", port), Clock()
    url = f"http://localhost:{listener.getsockname()[1]}{path}"
    if "base_url" not in settings:
        chosen = replace(chosen, base_url=url)
    if "database_url" not in settings and not (folder / "trackeep.db").exists():
        ready_databases.sqlite_at(folder / "trackeep.db")
    db = await Database.open(chosen.database_url)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        site = new_site(chosen, db, open_vault(chosen.secret_key, folder), http, clock=clock)
        try:
            async with served(create_app(site), listener):
                yield LocalInstance(url, site, clock)
        finally:
            await db.close()


class Guest(Visitor):
    """Somebody who visits one instance; `login` is who they are at GitHub."""

    def __init__(self, instance_url: str, broker_url: str, login: str = "alice") -> None:
        super().__init__(broker_url)
        self.instance_url = instance_url
        self.login = login

    async def open(self, path: str, **headers: str) -> Answer:
        return await self.get(self.instance_url + path, **headers)

    async def send(self, path: str, form: dict[str, str], **headers: str) -> Answer:
        return await self.post(self.instance_url + path, form, **headers)

    async def set_up(self, code: str) -> Answer:
        """Types the set-up code."""
        return await self.send("/setup", {"code": code})

    async def to_callback(self, path: str = "/signin") -> str:
        """From the sign-in page to where the OAuth service sends the browser back; not opened yet."""
        page = await self.open(path)
        assert page.status == 200, (page.status, page.location, page.text[-600:])
        return await self.back_from(link_to("/auth/login", page))

    async def back_from(self, link: str) -> str:
        """From a link that begins a login to where the service sends the browser back; not opened yet."""
        answer = await self.get(link)
        assert answer.status == 303, answer.text
        page = await self.get(answer.location)
        # Who agreed before in this browser is not asked again.
        onward = page.location if page.status == 303 else (await self.agree(page)).onward
        back = await self.get(await self.sign_in_at_github(onward, self.login))
        assert back.status == 303, back.text
        return back.location

    @staticmethod
    def query_of(url: str) -> dict[str, str]:
        """The parameters of an address."""
        return dict(parse_qsl(urlsplit(url).query))

    async def sign_in(self, path: str = "/signin") -> Answer:
        """The whole login; the answer is the instance's last one."""
        return await self.get(await self.to_callback(path))

    async def is_signed_in(self) -> bool:
        """Whether the sign-in page sends this browser on, because somebody is signed in already."""
        answer = await self.open("/signin")
        return answer.status == 303 and not answer.location.endswith("/setup")


def link_to(path: str, page: Answer) -> str:
    """The first link on a page whose address contains `path`, as an absolute address."""
    found = re.search(rf'href="([^"]*{re.escape(path)}[^"]*)"', page.text)
    assert found, page.text[-1500:]
    return urljoin(page.url, html.unescape(found[1]))
