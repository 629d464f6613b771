"""The page Sync says when a token is refused GraphQL, and only to the one whose token it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from local_instance import Guest, serve
from small_world import ALICE, BOB, NOW, enter, fill
from sqlalchemy import select

from trackeep.database import upsert
from trackeep.store import tables, tables_sync
from trackeep.sync import fallback

pytestmark = pytest.mark.anyio
NOWHERE = "http://127.0.0.1:1"
SAID = "GitHub refuses GraphQL to this token"


async def test_a_refusal_is_said_to_whom_it_concerns(tmp_path: Path) -> None:
    """alice reads it, bob does not; a refusal that another token of hers met is over."""
    async with (
        serve(tmp_path, NOWHERE) as instance,
        Guest(instance.url, "") as alice,
        Guest(instance.url, "") as bob,
    ):
        instance.clock.ahead_s = NOW - instance.site.now()
        db = instance.site.db
        await fill(db)
        for guest, account_id in ((alice, ALICE), (bob, BOB)):
            await enter(instance, guest, account_id)
        of = tables.connection.c
        async with db.read() as conn:
            token = await conn.scalar(select(of.token_fingerprint).where(of.account_id == ALICE))
        for refused, is_said in ((token, True), ("another token", False)):
            position = json.dumps({"refused": refused, "at": NOW})
            row = {"account_id": ALICE, "repository_id": 0, "stream": fallback.STREAM, "position": position}
            async with db.write() as conn:
                await upsert(conn, tables_sync.cursor, [row], key=["account_id", "repository_id", "stream"])
            assert (SAID in (await alice.open("/sync")).text) == is_said
            assert SAID not in (await bob.open("/sync")).text
