"""A token is renewed before it ends: once, by one process, saved before it is used, on both databases."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest
from local_broker import EXPIRING_APP, Clock, LocalBroker, serve
from programs import environment
from refreshing import log_in
from sandbox_control import Sandbox
from sqlalchemy import select, update
from visitor import Start, Visitor
from witness import Witness

from trackeep.database import Database
from trackeep.errors import BrokerUnavailable, GitHubTokenDead
from trackeep.github.transport import fingerprint
from trackeep.handshake.client import BrokerClient
from trackeep.model import Person
from trackeep.store import people, renewals
from trackeep.store.people import Credential
from trackeep.store.tables import connection
from trackeep.sync.credentials import Credentials
from trackeep.sync.processes import process_name
from trackeep.sync.renewal import EARLY_S, LEASE_S, SPREAD_S, cool_down_s, renews_at
from trackeep.vault import Vault

pytestmark = pytest.mark.anyio

VAULT = Vault({b"0000": bytes(32)})
HOME = Start("http://localhost:8080")
DAY_S, LIFE_S = 86_400, 28_800
EXCHANGE = "POST /login/oauth/access_token"


@dataclass
class Home:
    """One connected account of an instance, and everything around it; `clock` is the service's too."""

    db: Database
    github: Sandbox
    broker: LocalBroker
    clock: Clock
    account_id: int
    first: Credential

    def credentials(self, db: Database | None = None) -> Credentials:
        return Credentials(db or self.db, VAULT, self.clock)

    async def working(self) -> Credential:
        return await self.credentials().working(self.account_id)

    async def stored(self) -> Credential:
        async with self.db.read() as conn:
            found = await people.credential(conn, VAULT, self.account_id)
        assert found is not None
        return found

    async def state(self) -> str:
        async with self.db.read() as conn:
            return str((await conn.execute(select(connection.c.state))).scalar_one())


@pytest.fixture
async def home(database_url: str, changing: Sandbox) -> AsyncIterator[Home]:
    db, clock = await Database.open(database_url), Clock(time.time())
    async with serve(changing.url, app=EXPIRING_APP, clock=clock) as broker:
        async with Visitor(broker.url) as alice:
            pair = await log_in(alice, HOME)
        account_id = changing.person_id("alice")
        first = Credential(
            *("broker", pair.access_token, fingerprint(pair.access_token), None, pair.refresh_token),
            expires_at=int(clock()) + LIFE_S,
            broker_url=broker.url,
            base_url=HOME.base_url,
        )
        async with db.write() as conn:
            await people.save_account(conn, Person(account_id, "alice"), [], int(clock()))
            await people.save_credential(conn, VAULT, account_id, first, int(clock()))
        yield Home(db, changing, broker, clock, account_id, first)
    changing.ask("/faults", method="DELETE")
    await db.close()


async def test_it_is_renewed_in_time_and_only_then(home: Home) -> None:
    """Hours before its end nothing is asked; a quarter of an hour before it a new pair is stored."""
    witness = await Witness.of(home.github.url)
    home.clock.now += LIFE_S - EARLY_S - SPREAD_S - 1
    assert await home.working() == home.first
    assert await witness.exchanges() == 0
    home.clock.now += SPREAD_S + 1
    new = await home.working()
    assert new.access_token != home.first.access_token
    assert new == await home.stored() == await home.working()
    assert new.expires_at == int(home.clock()) + LIFE_S and new.scopes is None
    assert await witness.exchanges() == 1


def test_instances_do_not_come_back_in_one_moment() -> None:
    """Tokens that end together are renewed at moments spread over five minutes, always the same ones."""
    names = [fingerprint(str(number)) for number in range(200)]
    moments = [renews_at(DAY_S, name) for name in names]
    assert moments == [renews_at(DAY_S, name) for name in names]
    assert min(moments) > DAY_S - EARLY_S - SPREAD_S and max(moments) <= DAY_S - EARLY_S
    assert len(set(moments)) > 100
    assert [cool_down_s(failures) for failures in (0, 1, 2, 9, 99)] == [10, 20, 40, 300, 300]


async def test_many_at_once_are_one_refresh(home: Home) -> None:
    """Twenty callers on two connections, as of two processes: one question to GitHub, one token for all."""
    home.clock.now += LIFE_S + 1
    witness = await Witness.of(home.github.url)
    other = await Database.open(home.db.url)
    try:
        both = (home.credentials(), home.credentials(other))
        found = await asyncio.gather(*(both[n % 2].working(home.account_id) for n in range(20)))
    finally:
        await other.close()
    assert len({each.access_token for each in found}) == 1
    assert await witness.exchanges() == 1
    assert found[0] == await home.stored()


async def test_killed_with_the_answer_in_its_hands(home: Home) -> None:
    """A process that held the turn is dead: the next takes over and gets the same pair from the service."""
    home.clock.now += LIFE_S
    gone = subprocess.Popen([sys.executable, "-c", ""], env=environment())
    gone.wait()
    computer = process_name().partition(":")[0]
    async with home.db.write() as conn:
        turn = await renewals.take_turn(
            *(conn, home.account_id, home.first.token_fingerprint, f"{computer}:{gone.pid}:x"),
            int(home.clock()),
            lease_s=LEASE_S,
        )
    assert turn.is_mine
    witness = await Witness.of(home.github.url)
    lost = await lost_answer(home)
    home.clock.now += 30
    assert (await home.working()).access_token == lost
    assert await witness.exchanges() == 1


async def lost_answer(home: Home) -> str:
    """The access token of a refresh whose answer nobody saves."""
    async with aiohttp.ClientSession() as http:
        broker = BrokerClient(http, home.broker.url)
        return (await broker.refresh(home.first.refresh_token, HOME.base_url)).access_token


async def test_trouble_leaves_the_old_token_in_use(home: Home) -> None:
    """While GitHub is broken the old token goes on, nobody asks more often than agreed."""
    home.clock.now += LIFE_S - EARLY_S + 1
    home.github.fault(EXCHANGE, "status", times=50, status=502)
    witness = await Witness.of(home.github.url)
    for _ in range(10):
        assert await home.working() == home.first
    assert await witness.exchanges() == 1
    home.clock.now += 31
    assert await home.working() == home.first
    assert await witness.exchanges() == 2
    home.github.ask("/faults", method="DELETE")
    home.clock.now += 31
    assert await home.working() != home.first
    assert await home.state() == "ok"


async def test_an_ended_token_waits_for_better_times(home: Home) -> None:
    """The old token has ended and GitHub is broken: an error of the moment, never `reconnect`."""
    home.clock.now += LIFE_S + 1
    home.github.fault(EXCHANGE, "status", times=1, status=503)
    for _ in range(2):
        with pytest.raises(BrokerUnavailable, match="could not be renewed yet"):
            await home.working()
    assert await home.state() == "ok"
    home.clock.now += 31
    assert await home.working() == await home.stored() != home.first


async def test_only_a_dead_refresh_token_asks_for_the_person(home: Home) -> None:
    """The person ended the access at GitHub: `reconnect`, said once, and GitHub is not asked again."""
    async with Visitor(home.broker.url) as anybody:
        await anybody.post(f"{home.broker.url}/revoke", {"token": home.first.access_token})
    home.clock.now += LIFE_S + 1
    witness = await Witness.of(home.github.url)
    for _ in range(3):
        with pytest.raises(GitHubTokenDead):
            await home.working()
    assert await home.state() == "reconnect"
    assert await witness.exchanges() == 1


async def test_a_refusal_after_a_lost_answer_is_asked_once_more(home: Home) -> None:
    """An earlier request's answer never came: the first refusal is doubted, the second is believed."""
    home.clock.now += LIFE_S + 1
    async with home.db.write() as conn:
        await conn.execute(update(connection).values(renewal_asked_at=int(home.clock()) - 5))
    async with Visitor(home.broker.url) as anybody:
        await anybody.post(f"{home.broker.url}/revoke", {"token": home.first.access_token})
    witness = await Witness.of(home.github.url)
    with pytest.raises(GitHubTokenDead):
        await home.working()
    assert await witness.exchanges() == 2


async def test_who_reconnects_meanwhile_wins(home: Home) -> None:
    """A login or a disconnect during a renewal is not overwritten, and the unwanted pair is ended."""
    home.clock.now += LIFE_S + 1
    home.github.fault(EXCHANGE, "slow", delay_s=0.6)
    at_work = asyncio.create_task(home.working())
    await asyncio.sleep(0.3)
    newer = replace(home.first, access_token="ghu_newer", token_fingerprint=fingerprint("ghu_newer"))
    newer = replace(newer, expires_at=int(home.clock()) + LIFE_S)
    async with home.db.write() as conn:
        await people.save_credential(conn, VAULT, home.account_id, newer, int(home.clock()))
    assert await at_work == newer == await home.stored()
    tokens = home.github.ask("/tokens")["tokens"]
    assert tokens[-1]["revoked"], "the pair of the renewal"


async def test_a_token_that_github_refuses_is_renewed_before_anybody_is_asked(home: Home) -> None:
    """401 in the middle of its life: traded at the next use; refused again at once: reconnect."""
    home.clock.now += 3_600
    async with home.db.write() as conn:
        await renewals.refused(conn, home.first.token_fingerprint, "401", int(home.clock()))
    assert await home.state() == "ok"
    new = await home.working()
    assert new.access_token != home.first.access_token
    async with home.db.write() as conn:
        await renewals.refused(conn, new.token_fingerprint, "401", int(home.clock()))
    assert await home.state() == "reconnect"


async def test_what_is_stored_is_sealed(home: Home, tmp_path: Path) -> None:
    """Neither token of the new pair is in the database in clear."""
    home.clock.now += LIFE_S
    new = await home.working()
    async with home.db.read() as conn:
        row = (await conn.execute(select(connection))).one()
    for secret in (new.access_token, new.refresh_token):
        assert secret.encode() not in b"".join(
            bytes(value) for value in row if isinstance(value, bytes | memoryview)
        )
