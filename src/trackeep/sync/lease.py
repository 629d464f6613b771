"""Holds the lease of an account while somebody works for it, and keeps those who lost it from writing."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import Database
from trackeep.errors import LeaseLost
from trackeep.store import leases
from trackeep.store.leases import Claim
from trackeep.sync.processes import is_dead


@dataclass(frozen=True)
class LeasedDatabase(Database):
    """The database as long as the lease holds: `write` raises LeaseLost once another works for the account.

    A process that was suspended, or cut off from the database, may wake up with a page in its hands that is
    long out of date; the check stands in the very transaction that would write it.
    """

    claimed: Claim

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        async with super().write() as conn:
            if not await leases.is_held_by(conn, self.claimed):
                raise _lost()
            yield conn


@contextlib.asynccontextmanager
async def leased(db: Database, claimed: Claim) -> AsyncIterator[LeasedDatabase]:
    """Hold the lease while the body runs, which writes by what it is given.

    A body whose lease was lost, or could not be made longer before its end, is cancelled and ends with
    LeaseLost.
    """
    body = asyncio.current_task()
    assert body is not None
    keeper = asyncio.create_task(_keep(db, claimed))
    keeper.add_done_callback(lambda done: None if done.cancelled() else body.cancel())
    try:
        yield LeasedDatabase(db.engine, db.url, claimed)
    except asyncio.CancelledError:
        if not keeper.done() or keeper.cancelled():
            raise
        body.uncancel()
        raise _lost() from None
    finally:
        keeper.cancel()
        await asyncio.wait([keeper])


async def _keep(db: Database, claimed: Claim) -> None:
    """Returns when the lease is lost, or so close to its end that the work has to stop."""
    # A pass that is told to stop needs a moment, and nobody may begin within it.
    lease_s = claimed.lease_s
    good_s = lease_s * 0.9
    good_until, held = time.monotonic() + good_s, True
    while (left_s := good_until - time.monotonic()) > 0:
        await asyncio.sleep(min(left_s, lease_s / 4 if held else lease_s / 20))
        asked_at = time.monotonic()
        beat = asyncio.create_task(_beat(db, claimed))
        beat.add_done_callback(_heard)
        try:
            await asyncio.wait([beat], timeout=max(0.0, good_until - asked_at))
        except asyncio.CancelledError:
            # A statement is not torn off half-way.
            await asyncio.wait([beat])
            raise
        held = beat.done() and beat.exception() is None
        if held and not beat.result():
            return
        if held:
            good_until = asked_at + good_s


async def _beat(db: Database, claimed: Claim) -> bool:
    async with db.write() as conn:
        return await leases.heartbeat(conn, claimed)


def _heard(beat: asyncio.Task[bool]) -> None:
    """The error of a heartbeat that nobody waits for any more is nobody's."""
    if not beat.cancelled():
        beat.exception()


def _lost() -> LeaseLost:
    return LeaseLost("This process does not hold the account any more.", "Another one goes on with it.")


async def free_the_dead(db: Database, ended: Collection[str] = ()) -> None:
    """End what killed processes of this computer held, and `ended` ones, so that nobody waits for them."""
    async with db.read() as conn:
        dead = sorted(name for name in await leases.names(conn) if is_dead(name) or name in ended)
    if dead:
        async with db.write() as conn:
            for name in dead:
                await leases.free(conn, name)
