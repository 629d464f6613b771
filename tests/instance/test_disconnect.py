"""Disconnecting: the token ends at GitHub and here, and everything else stays as it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from local_broker import EXPIRING_APP, LocalBroker, Running
from local_broker import serve as serve_broker
from local_instance import Guest, LocalInstance, serve
from programs import environment, github_environment, run
from sandbox_control import Sandbox
from sqlalchemy import func, select

from trackeep.store import people, schedule
from trackeep.store.tables import connection
from trackeep.store.tables_fetched import commit
from trackeep.sync.credentials import Credentials
from trackeep.sync.worker import Worker

pytestmark = pytest.mark.anyio

LIFE_S = 28_800


@dataclass
class Stage:
    github: Sandbox
    broker: LocalBroker
    instance: LocalInstance
    alice: Guest
    folder: Path

    async def sync(self) -> None:
        site = self.instance.site
        credentials = Credentials(site.db, site.vault, site.clock)
        await Worker(site.db, credentials, site.settings.github, clock=site.clock).run_once()

    async def count(self, table: object) -> int:
        async with self.instance.site.db.read() as conn:
            rows = select(func.count()).select_from(table)  # type: ignore[arg-type]  # any table
            return int((await conn.execute(rows)).scalar_one())

    def living(self, login: str = "alice") -> int:
        tokens = self.github.ask("/tokens")["tokens"]
        return sum(
            each["login"] == login and bool(each["client_id"]) and not each["revoked"] for each in tokens
        )

    async def set_state(self, state: str, problem: str) -> None:
        async with self.instance.site.db.write() as conn:
            await conn.execute(connection.update().values(state=state, problem=problem))


@pytest.fixture
async def stage(changing: Sandbox, tmp_path: Path) -> AsyncIterator[Stage]:
    async with (
        serve_broker(changing.url, app=EXPIRING_APP, clock=Running()) as broker,
        serve(tmp_path, changing.url, broker.url) as instance,
        Guest(instance.url, broker.url) as alice,
    ):
        await alice.set_up(await instance.code())
        await alice.sign_in()
        yield Stage(changing, broker, instance, alice, tmp_path)


async def test_the_card_says_how_things_stand(stage: Stage) -> None:
    """How, since when, until when, what it may, when it is renewed, and both buttons."""
    page = (await stage.alice.open("/settings/github")).text
    card = page.partition('id="github"')[2].partition("</section>")[0]
    for words in ("Through localhost", "Connected", "Token ends", "Next renewal", "in 7 h", "It may use"):
        assert words in card, words
    assert "/auth/login?next=%2Fsettings%2Fgithub" in card
    assert "Disconnect and revoke at GitHub" in card


async def test_it_ends_at_github_and_here_and_nothing_else(stage: Stage) -> None:
    """The token is dead and gone, the history is whole, the session goes on, and the pages say so."""
    async with stage.instance.site.db.write() as conn:
        chosen = stage.github.repository("alice/almanac")["id"]
        now, account_id = stage.instance.site.now(), stage.github.person_id("alice")
        await schedule.request_sync(conn, account_id, now)
    await stage.sync()
    async with stage.instance.site.db.write() as conn:
        await schedule.follow_repositories(conn, account_id, [chosen], now)
    await stage.sync()
    stored, living = await stage.count(commit), stage.living()
    assert stored > 0
    answer = await stage.alice.send("/settings/disconnect", {})
    assert answer.location == "/settings/github?disconnected=ended"
    assert (stage.living(), await stage.count(connection), await stage.count(commit)) == (
        living - 1,
        0,
        stored,
    )
    page = await stage.alice.open("/settings/github?disconnected=ended")
    assert "GitHub ended the token" in page.text and "Connect GitHub" in page.text
    assert "Not connected to GitHub" in (await stage.alice.open("/")).text
    assert "alice/almanac" in (await stage.alice.open("/repos")).text
    await stage.sync()
    assert (await stage.alice.send("/settings/disconnect", {})).location.endswith("disconnected=nothing")
    back = await stage.alice.get(await callback_of(stage, "/settings/github"))
    assert back.location == "/settings/github"
    assert await stage.count(connection) == 1


async def callback_of(stage: Stage, path: str) -> str:
    """One click on Connect or Reconnect, up to where the service sends the browser back."""
    return await stage.alice.back_from(f"{stage.instance.url}/auth/login?next={path}")


async def test_an_expired_token_takes_its_refresh_token_along(stage: Stage) -> None:
    """Hours after the token's end nothing that could be renewed is left at GitHub."""
    stage.instance.clock.ahead_s += LIFE_S + 60
    stage.broker.clock.now += LIFE_S + 60
    before = stage.github.ask("/tokens")["count"]
    assert (await stage.alice.send("/settings/disconnect", {})).location.endswith("disconnected=ended")
    tokens = stage.github.ask("/tokens")["tokens"]
    assert len(tokens) == before + 1 and tokens[-1]["revoked"]


async def test_when_github_cannot_be_told(stage: Stage) -> None:
    """It is forgotten here all the same, and the page says where to end it."""
    stage.github.fault("DELETE /api/v3/applications/", "status", times=3, status=502)
    answer = await stage.alice.send("/settings/disconnect", {})
    stage.github.ask("/faults", method="DELETE")
    assert answer.location.endswith("disconnected=kept")
    assert await stage.count(connection) == 0
    page = await stage.alice.open("/settings/github?disconnected=kept")
    assert f"{stage.github.url}/settings/applications" in page.text


async def test_a_pasted_token_can_only_be_ended_by_its_owner(stage: Stage) -> None:
    """The page says so and links to GitHub; the token itself goes on working."""
    form = {"token": stage.github.token("alice"), "next": "/settings/github"}
    await stage.alice.send("/signin/token", form)
    card = (await stage.alice.open("/settings/github")).text
    assert "A token you pasted" in card and "only you can end it" in card
    assert "Disconnect and revoke" not in card
    answer = await stage.alice.send("/settings/disconnect", {})
    assert answer.location.endswith("disconnected=pasted")
    assert f"{stage.github.url}/settings/tokens" in (await stage.alice.open(answer.location)).text


async def test_nobody_else_disconnects_somebody(stage: Stage) -> None:
    """A foreign page is refused, and so is a browser without a session."""
    forged = await stage.alice.send("/settings/disconnect", {}, sec_fetch_site="cross-site")
    assert forged.status == 403
    async with Guest(stage.instance.url, stage.broker.url) as mallory:
        assert (await mallory.send("/settings/disconnect", {})).location.startswith("/signin")
    assert await stage.count(connection) == 1


async def test_reconnect_is_one_click_wherever_it_is_said(stage: Stage) -> None:
    """The banner of every page, the settings, the sync page and `trackeep status` lead straight on."""
    await stage.set_state("reconnect", "GitHub ended this connection.")
    for path, link in (("/", "/auth/login?next=%2F"), ("/sync", "/auth/login?next=%2Fsync")):
        page = (await stage.alice.open(path)).text
        assert "GitHub ended this connection." in page and f'href="{link}"' in page, path
    settings = (await stage.alice.open("/settings/github")).text
    assert "Reconnect needed" in settings and 'href="/auth/login?next=%2Fsettings%2Fgithub"' in settings
    env = environment({**github_environment(stage.github.url), "TRACKEEP_DATA_DIR": str(stage.folder)})
    env |= {"TRACKEEP_BASE_URL": stage.instance.url, "TRACKEEP_BROKER_URL": stage.broker.url}
    said = await asyncio.to_thread(lambda: run("status", env=env))
    assert "alice: reconnect" in said.stdout
    assert f"Reconnect: open {stage.instance.url}/auth/login" in said.stdout
    await stage.alice.get(await callback_of(stage, "/"))
    assert "GitHub ended this connection." not in (await stage.alice.open("/")).text


async def test_the_command_line_disconnects_too(stage: Stage) -> None:
    """`trackeep user disconnect alice` ends the token, and says so."""
    living = stage.living()
    env = environment({**github_environment(stage.github.url), "TRACKEEP_DATA_DIR": str(stage.folder)})
    env |= {"TRACKEEP_BASE_URL": stage.instance.url, "TRACKEEP_BROKER_URL": stage.broker.url}
    said = await asyncio.to_thread(lambda: run("user", "disconnect", "alice", "--yes", env=env))
    assert said.returncode == 0, said.stderr
    assert "GitHub ended the token" in said.stdout
    assert (stage.living(), await stage.count(connection)) == (living - 1, 0)
    async with stage.instance.site.db.read() as conn:
        assert (
            await people.credential(conn, stage.instance.site.vault, stage.github.person_id("alice")) is None
        )
