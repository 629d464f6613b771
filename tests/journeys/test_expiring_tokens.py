"""A GitHub App, whose tokens last eight hours: the instance goes on by itself for days."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from copy_of_github import differences
from local_broker import EXPIRING_APP, LocalBroker, Running
from local_broker import serve as serve_broker
from local_instance import Guest, LocalInstance, serve
from programs import Program, environment, github_environment, run
from sandbox_control import Sandbox
from sqlalchemy import select, update
from witness import Witness

from trackeep.store import people
from trackeep.store.tables import connection
from trackeep.store.tables_sync import schedule
from trackeep.sync.credentials import Credentials
from trackeep.sync.engine import Outcome
from trackeep.sync.worker import Worker

pytestmark = pytest.mark.anyio

STEP_S, STEPS = 28_800, 6
ALMANAC = "alice/almanac"
EXCHANGE = "POST /login/oauth/access_token"


@dataclass
class Stage:
    github: Sandbox
    broker: LocalBroker
    instance: LocalInstance
    folder: Path

    def pass_time(self, seconds: float) -> None:
        """Everybody's clock goes on together."""
        self.github.advance(seconds)
        self.broker.clock.now += seconds
        self.instance.clock.ahead_s += seconds

    async def sync(self) -> list[Outcome]:
        site = self.instance.site
        async with site.db.write() as conn:
            await conn.execute(update(schedule).values(due_at=0))
        credentials = Credentials(site.db, site.vault, site.clock)
        return await Worker(site.db, credentials, site.settings.github, clock=site.clock).run_once()

    async def token(self) -> people.Credential:
        site = self.instance.site
        async with site.db.read() as conn:
            found = await people.credential(conn, site.vault, self.github.person_id("alice"))
        assert found is not None
        return found

    async def state(self) -> str:
        async with self.instance.site.db.read() as conn:
            return str((await conn.execute(select(connection.c.state))).scalar_one())

    @property
    def environment(self) -> dict[str, str]:
        return {**github_environment(self.github.url), "TRACKEEP_DATA_DIR": str(self.folder)}


@pytest.fixture
async def stage(fresh_sandbox: Program, tmp_path: Path) -> AsyncIterator[Stage]:
    """Alice's instance on a service whose registration is a GitHub App; she follows one repository."""
    github, folder = Sandbox(fresh_sandbox.url), tmp_path / "instance"
    async with (
        serve_broker(github.url, app=EXPIRING_APP, clock=Running()) as broker,
        serve(folder, github.url, broker.url) as instance,
    ):
        stage = Stage(github, broker, instance, folder)
        async with Guest(instance.url, broker.url) as alice:
            await alice.set_up(await instance.code())
            await alice.sign_in()
            await stage.sync()
            chosen = str(github.repository(ALMANAC)["id"])
            assert (await alice.send("/repos/choose", {"shown": chosen, "repo": chosen})).status == 303
        await stage.sync()
        yield stage


async def test_two_days_without_a_click(stage: Stage) -> None:
    """Eight hours six times, something new each time: seven tokens, none of them asked for by a person."""
    witness, seen = await Witness.of(stage.github.url), {(await stage.token()).access_token}
    for number in range(STEPS):
        stage.pass_time(STEP_S)
        stage.github.change(ALMANAC, "open-pull" if number % 2 else "merge-old-branch")
        outcomes = await stage.sync()
        assert [each.error for each in outcomes] == [None], number
        seen.add((await stage.token()).access_token)
    assert len(seen) == STEPS + 1
    assert await witness.exchanges() == STEPS
    assert await stage.state() == "ok"
    assert await differences(stage.instance.site.db, stage.github, [ALMANAC]) == {}
    tokens = stage.github.ask("/tokens")["tokens"]
    assert sum(not each["revoked"] and each["kind"] == "app" for each in tokens) == 1


async def test_a_bad_day_at_github_costs_nothing(stage: Stage) -> None:
    """GitHub refuses to refresh until after the token has ended: late, but never disconnected."""
    stage.pass_time(STEP_S - 600)
    stage.github.fault(EXCHANGE, "status", times=100, status=503)
    assert [each.error for each in await stage.sync()] == [None]
    stage.pass_time(3_600)
    assert await stage.sync() == []
    assert await stage.state() == "ok"
    stage.github.ask("/faults", method="DELETE")
    stage.github.change(ALMANAC, "merge-old-branch")
    stage.pass_time(600)
    assert [each.error for each in await stage.sync()] == [None]
    assert await differences(stage.instance.site.db, stage.github, [ALMANAC]) == {}


async def test_ended_at_github_asks_for_one_click(stage: Stage) -> None:
    """Alice ended the access on GitHub's page: the instance says Reconnect, and one login mends it."""
    first = await stage.token()
    async with Guest(stage.instance.url, stage.broker.url) as alice:
        await alice.post(f"{stage.broker.url}/revoke", {"token": first.access_token})
        await stage.sync()
        stage.pass_time(600)
        await stage.sync()
        assert await stage.state() == "reconnect"
        assert await stage.sync() == []
        assert (await alice.get(await alice.back_from(f"{stage.instance.url}/auth/login"))).status == 303
    assert await stage.state() == "ok"
    assert [each.error for each in await stage.sync()] == [None]


async def test_a_token_that_dies_in_the_middle_of_a_pass(stage: Stage) -> None:
    """GitHub refuses it half-way through: a new one is fetched once, and the next pass follows at once."""
    stage.pass_time(400)
    stage.github.change(ALMANAC, "open-issue")
    stage.github.change(ALMANAC, "merge-old-branch")
    before, witness = await stage.token(), await Witness.of(stage.github.url)
    # Slow enough that the second pass is due in a later second than the first.
    stage.github.fault("GET /api/v3/user/repos", "slow", delay_s=1.2)
    stage.github.fault("GET /api/v3/issues", "status", status=401)
    assert [each.state for each in await stage.sync()] == ["reconnect", "done"]
    assert (await stage.token()).access_token != before.access_token
    assert await witness.exchanges() == 1
    assert await stage.state() == "ok"
    assert await differences(stage.instance.site.db, stage.github, [ALMANAC]) == {}


async def test_killed_in_the_middle_of_a_renewal(stage: Stage) -> None:
    """`kill -9` while GitHub is being asked: the next process gets the pair meant for the dead one."""
    async with stage.instance.site.db.write() as conn:
        await conn.execute(update(connection).values(expires_at=int(time.time()) - 60))
    before, witness = await stage.token(), await Witness.of(stage.github.url)
    stage.github.fault(EXCHANGE, "slow", delay_s=2.0)
    syncing = await asyncio.to_thread(sync_beside, stage.environment)
    while not await is_being_renewed(stage) or not stage.github.ask("/faults")[0]["used"]:
        await asyncio.sleep(0.05)
    syncing.kill()
    syncing.wait()
    assert (await stage.token()) == before
    done = await asyncio.to_thread(lambda: run("sync", env=stage.environment))
    assert done.returncode == 0, done.stderr
    assert (await stage.token()).access_token != before.access_token
    assert await witness.exchanges() == 1
    assert await stage.state() == "ok"


def sync_beside(env: dict[str, str]) -> subprocess.Popen[bytes]:
    """`trackeep sync` as a process of its own."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-m", "trackeep", "sync"], env=environment(env), **quiet)


async def is_being_renewed(stage: Stage) -> bool:
    async with stage.instance.site.db.read() as conn:
        return bool((await conn.execute(select(connection.c.renewal_until))).scalar_one())
