"""A pass that a delivery asked for is a poll, and looks once more when there was nothing to be seen yet."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from local_instance import Clock
from programs import Program
from sandbox_control import Sandbox
from sqlalchemy import select, update

from trackeep.database import Database
from trackeep.github.transport import fingerprint
from trackeep.model import Email, Person
from trackeep.store import hints, people, schedule
from trackeep.store.hints import Moved
from trackeep.store.people import Credential
from trackeep.store.tables_sync import run
from trackeep.store.tables_sync import schedule as schedule_table
from trackeep.sync.credentials import Credentials
from trackeep.sync.worker import LOOK_AGAIN_AFTER_S, Worker
from trackeep.vault import Vault

pytestmark = pytest.mark.anyio

VAULT = Vault({b"0000": bytes(32)})
POLL_S = 3_600


async def hint(db: Database, account_id: int, clock: Clock, *, is_access: bool = False) -> None:
    """A delivery, some time after the last pass; the next one can begin a moment later."""
    clock.ahead_s += 10
    async with db.write() as conn:
        await hints.hint(conn, Moved(people=frozenset({account_id}), is_access=is_access), int(clock()))
    clock.ahead_s += 2


async def wait_s(db: Database, clock: Clock) -> float:
    """Seconds until the next pass."""
    async with db.read() as conn:
        return float((await conn.execute(select(schedule_table.c.due_at))).scalar_one() - clock())


async def test_what_github_does_not_show_yet_is_looked_for_again(sandbox: Program, tmp_path: Path) -> None:
    """A hint leads to a pass, one that finds nothing to one more, and that one to the usual rest."""
    github = Sandbox(sandbox.url)
    bob, token, now = github.person_id("bob"), github.token("bob"), int(time.time())
    db = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
    async with db.write() as conn:
        await people.save_account(conn, Person(bob, "bob"), [Email("bob@x.example")], now)
        credential = Credential("token", token, fingerprint(token), ("repo", "read:org"))
        await people.save_credential(conn, VAULT, bob, credential, now)
        await schedule.request_sync(conn, bob, now)
    clock = Clock()
    worker = Worker(db, Credentials(db, VAULT), github.addresses, POLL_S, clock)
    await worker.run_once()
    assert await wait_s(db, clock) > POLL_S / 2
    await hint(db, bob, clock)
    assert [each.state for each in await worker.run_once()] == ["idle"]
    assert await wait_s(db, clock) <= LOOK_AGAIN_AFTER_S
    async with db.write() as conn:
        await conn.execute(update(schedule_table).values(due_at=now))
    assert [each.state for each in await worker.run_once()] == ["idle"]
    assert await wait_s(db, clock) > POLL_S / 2
    async with db.read() as conn:
        said = (await conn.execute(select(run.c.trigger).order_by(run.c.id))).scalars().all()
    assert said == ["click", "webhook", "poll"]
    await db.close()


async def test_a_change_of_access_is_not_answered_by_an_unchanged_list(
    sandbox: Program, tmp_path: Path
) -> None:
    """The list is then read whole and without conditions, once; the next poll is free of cost again."""
    github = Sandbox(sandbox.url)
    carol, token, now = github.person_id("carol"), github.token("carol"), int(time.time())
    db = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
    async with db.write() as conn:
        await people.save_account(conn, Person(carol, "carol"), [Email("carol@x.example")], now)
        credential = Credential("token", token, fingerprint(token), ("repo", "read:org"))
        await people.save_credential(conn, VAULT, carol, credential, now)
        await schedule.request_sync(conn, carol, now)
    clock = Clock()
    worker = Worker(db, Credentials(db, VAULT), github.addresses, POLL_S, clock)
    await worker.run_once()
    statuses = []
    for is_access in (False, True, False):
        mark = github.mark()
        await hint(db, carol, clock, is_access=is_access)
        await worker.run_once()
        asked = [each for each in github.log(mark) if each["login"] == "carol"]
        statuses += [each["status"] for each in asked if each["path"].endswith("/user/repos")]
    await db.close()
    assert statuses == [304, 200, 304]
