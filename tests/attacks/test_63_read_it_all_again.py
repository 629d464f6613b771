"""Attack 63: mallory, who may sign in, has the same repositories fetched again and again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from api_client import Api, small_api
from local_instance import Guest
from small_world import ALICE, ATLAS, BOB, MALLORY, NOW, enter
from sqlalchemy import select
from visitor import Answer

from trackeep.store import schedule as schedules
from trackeep.store.tables import access, follow
from trackeep.store.tables_sync import cursor, schedule

pytestmark = pytest.mark.anyio

Click = Callable[[Guest], Awaitable[Answer]]
# What is clicked, and how often in a row it is done.
CLICKS: dict[str, tuple[Click, int]] = {
    "sync now": (lambda guest: guest.send("/sync/now", {}), 30),
    "look at it": (lambda guest: guest.send("/repos/bulk", {"one": f"sync.{ATLAS}"}), 30),
    "follow it": (lambda guest: guest.send("/repos/bulk", {"one": f"track.{ATLAS}"}), 30),
    "retry all": (lambda guest: guest.send("/sync/all", {"do": "retry"}), 30),
    "read it again": (lambda guest: guest.send("/repos/bulk", {"one": f"deep.{ATLAS}"}), 5),
    "read all again": (lambda guest: guest.send("/settings/danger/reset-sync", {}), 5),
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """mallory and alice follow the same public repository; alice's sync has come somewhere."""
    async with small_api(tmp_path) as found:
        async with found.instance.site.db.write() as conn:
            place = {"account_id": MALLORY, "repository_id": ATLAS}
            await conn.execute(follow.insert(), [{**place, "state": "tracked", "created_at": NOW}])
            await conn.execute(access.insert(), [{**place, "state": "granted", "checked_at": NOW}])
            for account_id in (ALICE, MALLORY):
                await schedules.advance(
                    conn, account_id, (ATLAS, "issues"), schedules.Cursor({"page": 7}, False, 0, 0, 0), NOW
                )
        yield found


async def state_of(api: Api, account_id: int) -> list[tuple[object, ...]]:
    """When and how far everything of an account is: all that decides what GitHub is asked next for it."""
    async with api.instance.site.db.read() as conn:
        found = [
            (await conn.execute(select(table).where(table.c.account_id == account_id))).all()
            for table in (schedule, cursor)
        ]
    return [tuple(row) for rows in found for row in rows]


@pytest.mark.parametrize(("click", "most"), CLICKS.values(), ids=CLICKS.keys())
async def test_it_is_done_so_often_and_for_her_alone(api: Api, click: Click, most: int) -> None:
    """Then one sentence says to wait; alice's own sync of the same repository is where it was throughout."""
    before = await state_of(api, ALICE)
    async with Guest(api.instance.url, "") as mallory, Guest(api.instance.url, "") as alice:
        await enter(api.instance, mallory, MALLORY)
        await enter(api.instance, alice, ALICE)
        assert {(await click(mallory)).status for _ in range(most)} == {303}
        refused = await click(mallory)
        assert refused.status == 429 and "already" in refused.text
        assert 0 < int(refused.headers["retry-after"]) <= 1_800
        assert await state_of(api, ALICE) == before
        assert (await click(alice)).status == 303
        api.instance.clock.ahead_s = 1_801
        assert (await click(mallory)).status == 303


async def test_programs_are_counted_with_the_person(api: Api) -> None:
    """A token of hers that may ask for a sync gives no more than the pages do."""
    token, path = await api.token(BOB, ("sync",)), "/repos/fernhill/atlas/sync"
    statuses = [(await api.ask("POST", path, token)).status for _ in range(31)]
    assert statuses == [202] * 30 + [429]
