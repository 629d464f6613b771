"""Attack 33: a browser that is signed in as alice comes back from GitHub as somebody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from local_broker import LocalBroker, Running
from local_broker import serve as serve_broker
from local_instance import Guest, LocalInstance, serve
from sandbox_control import Sandbox
from sqlalchemy import func, select

from trackeep.model import Person
from trackeep.store import people
from trackeep.store.tables import account, connection, pending_arrival

pytestmark = pytest.mark.anyio


@dataclass
class Stage:
    github: Sandbox
    broker: LocalBroker
    instance: LocalInstance
    alice: Guest

    async def comes_back_as_bob(self) -> None:
        """The same browser signs in again, but GitHub has bob in it now."""
        self.alice.login = "bob"
        answer = await self.alice.get(await self.to_callback())
        assert answer.location == "/auth/other"

    async def to_callback(self) -> str:
        return await self.alice.back_from(f"{self.instance.url}/auth/login")

    async def who(self) -> str:
        """Who this browser is signed in as."""
        page = await self.alice.open("/settings")
        return page.text.partition("Signed in as ")[2].partition("<")[0].partition(",")[0]

    async def connected(self) -> set[int]:
        async with self.instance.site.db.read() as conn:
            return set((await conn.execute(select(connection.c.account_id))).scalars())

    def living(self, login: str) -> int:
        tokens = self.github.ask("/tokens")["tokens"]
        return sum(
            each["login"] == login and bool(each["client_id"]) and not each["revoked"] for each in tokens
        )


@pytest.fixture
async def stage(changing: Sandbox, tmp_path: Path) -> AsyncIterator[Stage]:
    async with (
        serve_broker(changing.url, clock=Running()) as broker,
        serve(tmp_path, changing.url, broker.url) as instance,
        Guest(instance.url, broker.url) as alice,
    ):
        await alice.set_up(await instance.code())
        await alice.sign_in()
        bob = Person(changing.person_id("bob"), "bob")
        async with instance.site.db.write() as conn:
            await people.allow(conn, bob, people.BY_COMMAND, instance.site.now())
        yield Stage(changing, broker, instance, alice)


async def test_it_asks_and_staying_ends_the_new_token(stage: Stage) -> None:
    """Nothing changes by itself; after Stay, bob's token is dead and nothing of him is kept."""
    living = stage.living("bob")
    await stage.comes_back_as_bob()
    assert await stage.who() == "alice"
    page = await stage.alice.open("/auth/other")
    assert "Continue as bob?" in page.text and "signed in here as <b>alice</b>" in page.text
    assert stage.living("bob") == living + 1
    assert (await stage.alice.send("/auth/other", {"decision": "stay"})).location == "/"
    assert await stage.who() == "alice"
    assert stage.living("bob") == living
    assert await stage.connected() == {stage.github.person_id("alice")}


async def test_continuing_keeps_the_two_apart(stage: Stage) -> None:
    """After Continue the browser is bob's; alice keeps her account, her connection and her token."""
    living = stage.living("alice")
    await stage.comes_back_as_bob()
    assert (await stage.alice.send("/auth/other", {"decision": "continue"})).status == 303
    assert await stage.who() == "bob"
    assert await stage.connected() == {stage.github.person_id("alice"), stage.github.person_id("bob")}
    assert stage.living("alice") == living
    again = await stage.alice.send("/auth/other", {"decision": "continue"})
    assert again.status == 400
    async with stage.instance.site.db.read() as conn:
        assert (await conn.execute(select(func.count()).select_from(account))).scalar_one() == 2


async def test_the_answer_needs_this_browser_this_page_and_a_decision(stage: Stage) -> None:
    """A foreign page, another browser and a made-up answer change nothing."""
    await stage.comes_back_as_bob()
    forged = await stage.alice.send("/auth/other", {"decision": "continue"}, sec_fetch_site="cross-site")
    assert forged.status == 403
    assert (await stage.alice.send("/auth/other", {"decision": "both"})).status == 400
    async with Guest(stage.instance.url, stage.broker.url) as mallory:
        jar = stage.alice.cookies["localhost"]
        mallory.cookies["localhost"] = {name: jar[name] for name in jar if "arrival" in name}
        assert mallory.cookies["localhost"]
        assert (await mallory.send("/auth/other", {"decision": "continue"})).location == "/signin"
    assert await stage.who() == "alice"


async def test_a_question_nobody_answers_ends_its_token(stage: Stage) -> None:
    """Ten minutes later it is too late to answer; the next login ends what was left lying."""
    living = stage.living("bob")
    await stage.comes_back_as_bob()
    stage.instance.clock.ahead_s += 601
    stage.broker.clock.now += 601
    assert (await stage.alice.open("/auth/other")).location == "/"
    assert (await stage.alice.send("/auth/other", {"decision": "stay"})).status == 400
    stage.alice.login = "alice"
    assert (await stage.alice.get(await stage.to_callback())).status == 303
    assert stage.living("bob") == living
    async with stage.instance.site.db.read() as conn:
        assert (await conn.execute(select(func.count()).select_from(pending_arrival))).scalar_one() == 0


async def test_somebody_who_may_not_enter_is_not_even_asked(stage: Stage) -> None:
    """Carol is refused as ever, her token is ended, and alice stays signed in."""
    living = stage.living("carol")
    stage.alice.login = "carol"
    assert (await stage.alice.get(await stage.to_callback())).status == 403
    assert stage.living("carol") == living
    assert await stage.who() == "alice"


async def test_a_pasted_token_of_somebody_else_asks_too(stage: Stage) -> None:
    """Alice pastes bob's token: the same question, and staying forgets it."""
    answer = await stage.alice.send("/signin/token", {"token": stage.github.token("bob"), "next": "/"})
    assert answer.location == "/auth/other"
    assert await stage.who() == "alice"
    await stage.alice.send("/auth/other", {"decision": "stay"})
    assert await stage.connected() == {stage.github.person_id("alice")}
