"""Settings, danger zone: what is deleted is deleted, at GitHub too, and only by whoever meant it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from local_broker import EXPIRING_APP, Running
from local_broker import serve as serve_broker
from local_instance import Guest, LocalInstance, serve
from programs import Program
from sandbox_control import Sandbox
from small_world import BOB, enter, fill
from sqlalchemy import func, select

from trackeep.model import Person
from trackeep.store import departures, people, schedule
from trackeep.store.schema import metadata
from trackeep.store.tables import account, connection, follow, repository, session
from trackeep.store.tables_fetched import commit, pull_request
from trackeep.store.tables_sync import cursor
from trackeep.sync.credentials import Credentials
from trackeep.sync.worker import Worker

pytestmark = pytest.mark.anyio
ALMANAC, ATLAS = "alice/almanac", "fernhill/atlas"


@dataclass
class Stage:
    """An instance that alice owns and bob uses; both follow atlas, alice alone follows almanac."""

    github: Sandbox
    instance: LocalInstance
    alice: Guest
    bob: Guest

    async def sync(self) -> None:
        site = self.instance.site
        credentials = Credentials(site.db, site.vault, site.clock)
        await Worker(site.db, credentials, site.settings.github, clock=site.clock).run_once()

    async def follow(self, login: str, *names: str) -> None:
        ids = [self.github.repository(name)["id"] for name in names]
        async with self.instance.site.db.write() as conn:
            now = self.instance.site.now()
            await schedule.follow_repositories(conn, self.github.person_id(login), ids, now)

    async def count(self, table: Any, *conditions: Any) -> int:
        async with self.instance.site.db.read() as conn:
            rows = select(func.count()).select_from(table).where(*conditions)
            return int((await conn.execute(rows)).scalar_one())

    def living(self, login: str) -> int:
        """How many tokens of this person, given to programs, GitHub still takes."""
        tokens = self.github.ask("/tokens")["tokens"]
        return sum(one["login"] == login and bool(one["client_id"]) and not one["revoked"] for one in tokens)


@pytest.fixture
async def stage(fresh_sandbox: Program, tmp_path: Path) -> AsyncIterator[Stage]:
    github = Sandbox(fresh_sandbox.url)
    async with (
        serve_broker(github.url, app=EXPIRING_APP, clock=Running()) as broker,
        serve(tmp_path, github.url, broker.url) as instance,
        Guest(instance.url, broker.url) as alice,
        Guest(instance.url, broker.url, "bob") as bob,
    ):
        await alice.set_up(await instance.code())
        await alice.sign_in()
        async with instance.site.db.write() as conn:
            who = Person(github.person_id("bob"), "bob")
            await people.allow(conn, who, people.BY_COMMAND, instance.site.now())
        await bob.sign_in()
        stage = Stage(github, instance, alice, bob)
        await stage.sync()
        await stage.follow("alice", ALMANAC, ATLAS)
        await stage.follow("bob", ATLAS)
        await stage.sync()
        yield stage


async def test_all_of_mine_goes_and_nothing_of_others(stage: Stage) -> None:
    """Her login typed, alice's token is dead at GitHub and her rows are gone; bob's view is as it was."""
    number = stage.github.person_id("alice")
    assert (stage.living("alice"), stage.living("bob")) == (1, 1)
    shared = stage.github.repository(ATLAS)["id"]
    before = await stage.count(commit, commit.c.repository_id == shared)
    assert before > 0 and await stage.count(commit) > before
    answer = await stage.alice.send("/settings/danger/delete", {"confirm": "Alice "})
    assert answer.status == 303 and answer.location.endswith("/signin")
    assert (stage.living("alice"), stage.living("bob")) == (0, 1)
    assert await stage.count(commit) == before == await stage.count(commit, commit.c.repository_id == shared)
    assert await stage.count(account, account.c.id == number) == 0
    for table in metadata.sorted_tables:
        if "account_id" in table.columns:
            assert await stage.count(table, table.c.account_id == number) == 0, table.name
    assert not await stage.alice.is_signed_in()
    assert (await stage.bob.open(f"/r/{ATLAS}/commits")).status == 200
    # Nobody owns the instance: it shows a set-up code again.
    assert await stage.instance.code()


async def test_whoever_is_interrupted_asks_again(stage: Stage) -> None:
    """Ended between two repositories, the account is still there, and a second time finishes it."""
    number, site = stage.github.person_id("alice"), stage.instance.site
    async with site.db.write() as conn:
        await departures.part(conn, number, stage.github.repository(ALMANAC)["id"])
    assert await stage.count(account, account.c.id == number) == 1
    assert (await stage.alice.send("/settings/danger/delete", {"confirm": "alice"})).status == 303
    assert await stage.count(account, account.c.id == number) == 0


@pytest.mark.parametrize("typed", ["", "bob", "alice2", "ALICE ALICE"])
async def test_nothing_goes_by_mistake(tmp_path: Path, typed: str) -> None:
    """Anything but one's own login deletes nothing and says so; so does a form of another site."""
    async with serve(tmp_path, "http://127.0.0.1:9") as instance, Guest(instance.url, "") as alice:
        await fill(instance.site.db, instance.site.now())
        await enter(instance, alice)
        refused = await alice.send("/settings/danger/delete", {"confirm": typed})
        assert refused.status == 400 and "Nothing was deleted" in refused.text
        forged = await alice.send(
            "/settings/danger/delete", {"confirm": "alice"}, sec_fetch_site="cross-site"
        )
        assert forged.status == 403
        assert "Delete all my data" in (await alice.open("/settings/danger")).text


async def test_only_the_owner_empties_it(stage: Stage) -> None:
    """bob is refused; the owner's word ends every token at GitHub and every row of every table."""
    assert (await stage.bob.send("/settings/danger/empty", {"confirm": "localhost"})).status == 403
    assert "Empty this instance" not in (await stage.bob.open("/settings/danger")).text
    wrong = await stage.alice.send("/settings/danger/empty", {"confirm": "alice"})
    assert wrong.status == 400 and await stage.count(commit) > 0
    done = await stage.alice.send("/settings/danger/empty", {"confirm": "LocalHost"})
    assert done.status == 303
    assert (stage.living("alice"), stage.living("bob")) == (0, 0)
    # The new set-up code is the one row there is, beside the number that says that all has changed.
    left = {t.name for t in metadata.sorted_tables if await stage.count(t)}
    assert left == {"instance", "revision"}
    again = await stage.instance.code()
    await stage.alice.set_up(again)
    await stage.alice.sign_in()
    assert await stage.count(account) == 1


async def test_reading_everything_again_deletes_nothing(stage: Stage) -> None:
    """After a reset the rows are all there at once, and the next sync leads to the very same ones."""
    before = {table.name: await stage.count(table) for table in (commit, pull_request, repository, follow)}
    answer = await stage.alice.send("/settings/danger/reset-sync", {})
    assert answer.location.endswith("done=reset")
    assert "reads everything again" in (await stage.alice.open(answer.location)).text
    assert {
        table.name: await stage.count(table) for table in (commit, pull_request, repository, follow)
    } == before
    number = stage.github.person_id("alice")
    assert await stage.count(cursor, cursor.c.account_id == number) == 0
    await stage.sync()
    assert {
        table.name: await stage.count(table) for table in (commit, pull_request, repository, follow)
    } == before
    assert await stage.count(cursor, cursor.c.account_id == number) > 0
    assert await stage.count(session) > 0 and await stage.count(connection) == 2


async def test_each_says_what_github_keeps(tmp_path: Path) -> None:
    """Each card of the page tells what stays at GitHub."""
    async with serve(tmp_path, "http://127.0.0.1:9") as instance, Guest(instance.url, "") as bob:
        await fill(instance.site.db, instance.site.now())
        async with instance.site.db.write() as conn:
            await people.make_owner(conn, BOB)
        await enter(instance, bob, BOB)
        page = (await bob.open("/settings/danger")).text
    cards = page.split('<section class="card">')[1:]
    assert len(cards) == 4
    assert all("GitHub keeps" in card or "GitHub: nothing changes" in card for card in cards)
