"""Organisations that let people in are asked again every day, with each person's own token."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from local_instance import Guest, LocalInstance, serve
from sandbox_control import Sandbox
from sqlalchemy import select

from trackeep.instance.entry.memberships import EVERY_S, UNPROVEN_S, check_all
from trackeep.store import people
from trackeep.store.people import Admission
from trackeep.store.tables import allowed_person, connection, session

pytestmark = pytest.mark.anyio


@dataclass
class Stage:
    """Alice owns the instance; bob is in because fernhill lets him in."""

    github: Sandbox
    instance: LocalInstance
    alice: Guest
    bob: Guest

    async def next_day(self, days: int = 1) -> None:
        self.instance.clock.ahead_s += days * EVERY_S + 1
        await check_all(self.instance.site)

    async def rows_of_bob(self, table: object, column: str = "account_id") -> int:
        theirs = table.c[column] == self.github.person_id("bob")  # type: ignore[attr-defined]  # any table
        async with self.instance.site.db.read() as conn:
            return len((await conn.execute(select(table).where(theirs))).all())  # type: ignore[call-overload]  # any table


async def enter(guest: Guest, token: str) -> None:
    assert (await guest.send("/signin/token", {"token": token})).status == 303


@pytest.fixture
async def stage(changing: Sandbox, tmp_path: Path, database_url: str) -> AsyncIterator[Stage]:
    changing.member("bob", is_one=True)
    async with (
        serve(tmp_path, changing.url, allowed_orgs="Fernhill", database_url=database_url) as instance,
        Guest(instance.url, "") as alice,
        Guest(instance.url, "", "bob") as bob,
    ):
        await alice.set_up(await instance.code())
        await enter(alice, changing.token("alice"))
        await enter(bob, changing.token("bob"))
        yield Stage(changing, instance, alice, bob)
    changing.ask("/faults", method="DELETE")
    changing.member("bob", is_one=True)


async def test_who_left_is_out_within_a_day(stage: Stage) -> None:
    """Bob leaves fernhill: his session, his permission and his stored token are gone; alice stays."""
    assert await stage.bob.is_signed_in()
    stage.github.member("bob", is_one=False)
    await stage.next_day()
    assert not await stage.bob.is_signed_in()
    assert await stage.rows_of_bob(session) == await stage.rows_of_bob(connection) == 0
    assert await stage.rows_of_bob(allowed_person, "id") == 0
    assert await stage.alice.is_signed_in()
    assert (await stage.bob.send("/signin/token", {"token": stage.github.token("bob")})).status == 403


async def test_who_is_still_there_stays(stage: Stage) -> None:
    """A member is asked about once a day, not at every look, and signed out never."""
    await stage.next_day()
    before = stage.github.mark()
    await check_all(stage.instance.site)
    assert stage.github.log(before) == []
    assert await stage.bob.is_signed_in()


async def test_github_in_trouble_signs_nobody_out(stage: Stage) -> None:
    """For ten days GitHub answers 503: nobody is signed out, and the first answer after that counts."""
    stage.github.member("bob", is_one=False)
    stage.github.fault("GET /api/v3/user/orgs", "status", times=1000, status=503)
    await stage.next_day(10)
    assert await stage.bob.is_signed_in()
    stage.github.ask("/faults", method="DELETE")
    await check_all(stage.instance.site)
    assert not await stage.bob.is_signed_in()


async def test_a_dead_token_is_no_way_to_stay(stage: Stage) -> None:
    """Whoever ends their own token so that nobody can look is out after a week."""
    stage.github.member("bob", is_one=False)
    await stage.bob.send("/settings/disconnect", {})
    await stage.next_day()
    assert await stage.bob.is_signed_in()
    await stage.next_day(UNPROVEN_S // EVERY_S)
    assert not await stage.bob.is_signed_in()


async def test_another_reason_keeps_somebody_in(stage: Stage) -> None:
    """Bob left fernhill, but the owner allowed him by name: he stays signed in and connected."""
    site = stage.instance.site
    await stage.alice.send("/settings/users/allow", {"login": "bob"})
    stage.github.member("bob", is_one=False)
    await stage.next_day()
    assert await stage.bob.is_signed_in()
    assert await stage.rows_of_bob(connection) == 1
    async with site.db.read() as conn:
        assert await people.is_admitted(conn, stage.github.person_id("bob"), Admission())
