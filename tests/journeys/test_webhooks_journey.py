"""With a webhook a change at GitHub is here within seconds, though the next poll is an hour away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from copy_of_github import differences
from programs import Program, github_environment, start
from sandbox_control import Sandbox
from signed_delivery import SECRET, Delivery, about
from sqlalchemy import select

from trackeep.database import Database
from trackeep.github.transport import fingerprint
from trackeep.model import Email, Person
from trackeep.store import people, schedule
from trackeep.store.people import Credential
from trackeep.store.tables_sync import run
from trackeep.store.tables_sync import schedule as schedule_table
from trackeep.vault import Vault, open_vault

pytestmark = pytest.mark.anyio

LIGHTHOUSE = 70009


async def connect(db: Database, vault: Vault, github: Sandbox) -> None:
    """Alice has signed in and chosen what to follow."""
    now, account_id, token = int(time.time()), github.person_id(), github.token()
    credential = Credential("token", token, fingerprint(token), ("repo", "read:org"))
    async with db.write() as conn:
        await people.save_account(conn, Person(account_id, "alice"), [Email("alice@x.example")], now)
        await people.save_credential(conn, vault, account_id, credential, now)
        await schedule.request_sync(conn, account_id, now)


async def choose(db: Database, github: Sandbox, *names: str) -> None:
    """Once they are known, follow these, and wait for the long rest after they were read."""
    await resting(db)
    ids = [github.repository(name)["id"] for name in names]
    async with db.write() as conn:
        await schedule.follow_repositories(conn, github.person_id(), ids, int(time.time()))
    await resting(db)


async def resting(db: Database) -> None:
    """Wait until nobody works and nothing is due for long."""
    async with asyncio.timeout(60):
        while True:
            async with db.read() as conn:
                row = (await conn.execute(select(schedule_table))).one()
            assert not row.problem, row.problem
            if not row.leased_by and row.due_at > time.time() + 600:
                return
            await asyncio.sleep(0.1)


async def triggers(db: Database) -> list[str]:
    async with db.read() as conn:
        return list((await conn.execute(select(run.c.trigger).order_by(run.c.id))).scalars())


@asynccontextmanager
async def programs(
    database_url: str, folder: Path, github: Sandbox
) -> AsyncIterator[tuple[Database, Program]]:
    """One program for everything on SQLite; on PostgreSQL pages and worker are two."""
    env = {
        **github_environment(github.url),
        "TRACKEEP_DATA_DIR": str(folder),
        "TRACKEEP_DATABASE_URL": database_url,
        "TRACKEEP_POLL_SECONDS": "3600",
        "TRACKEEP_WEBHOOK_SECRET": SECRET,
    }
    db = await Database.open(database_url)
    await connect(db, open_vault("", folder), github)
    is_one = database_url.startswith("sqlite")
    running = [start("serve", "--port", "0", *(() if is_one else ("--no-worker",)), env=env)]
    try:
        running += [] if is_one else [start("worker", env=env)]
        yield db, running[0]
    finally:
        for program in running:
            program.stop()
        await db.close()


async def test_changes_arrive_by_themselves(database_url: str, tmp_path: Path, changing: Sandbox) -> None:
    """A push, a review and a rename are here after their deliveries; a forged one starts no pass."""
    harbor, lighthouse = (
        "fernhill/harbor",
        next(each["full_name"] for each in changing.repositories() if each["id"] == LIGHTHOUSE),
    )
    async with programs(database_url, tmp_path, changing) as (db, web):
        await choose(db, changing, harbor, lighthouse)
        before = len(await triggers(db))
        await forge(web, changing.repository(harbor)["id"])
        assert len(await triggers(db)) == before
        changing.tell(f"{web.url}/webhooks/github", SECRET)
        changing.change(harbor, "push", count=2)
        await equal(db, changing, [harbor, lighthouse])
        changing.change(harbor, "open-pull", reviewers=["alice"])
        changing.change(harbor, "review")
        renamed = changing.change(lighthouse, "rename", name=f"lighthouse-{web.pid}")["after"]
        await equal(db, changing, [harbor, renamed])
        assert {*(await triggers(db))[before:]} == {"webhook"}
        answers = [each for each in changing.ask("/webhooks") if each["url"].startswith(web.url)]
    assert {(each["event"] == "ping", each["status"]) for each in answers} == {(True, 200), (False, 202)}


async def forge(web: Program, repository_id: int) -> None:
    """Mallory names the right repository and signs with a secret of her own; then the worker has time."""
    async with aiohttp.ClientSession() as http:
        forged = Delivery(about(repository_id), secret="mallory's own secret")
        assert (await forged.send(web.url, http)).status == 401
    await asyncio.sleep(2.5)


async def equal(db: Database, github: Sandbox, names: list[str]) -> None:
    """Wait until the copy is exact again."""
    found: object = "?"
    try:
        async with asyncio.timeout(60):
            while found:
                await asyncio.sleep(0.3)
                found = await differences(db, github, names)
    except TimeoutError:
        pytest.fail(f"It did not become equal: {found}")
    await resting(db)
