"""Attack 39: mallory pushes commits whose messages are many megabytes, into a repository alice follows."""

from __future__ import annotations

from pathlib import Path

import pytest
from local_instance import Guest, serve
from programs import Program
from small_world import ATLAS, enter, fill
from sqlalchemy import update

from trackeep.store import commit_words
from trackeep.store.tables_fetched import commit

pytestmark = pytest.mark.anyio
MB = 1 << 20
PAGES = ("/", "/commits", "/activity", "/r/fernhill/atlas/commits", "/r/fernhill/atlas/branches")


async def test_a_giant_message_makes_no_giant_page(sandbox: Program, tmp_path: Path) -> None:
    """Lists show the beginning of a first line without end; it is found by what stands near its beginning."""
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as alice:
        await fill(instance.site.db, instance.site.now())
        async with instance.site.db.write() as conn:
            await commit_words.forget(conn, [ATLAS])
            message = "Ha" + "a" * 8_000 + " needle " + "a" * 2 * MB
            # Numbers of their own, as if they had come after the others: words are added in that order.
            giant = update(commit).where(commit.c.repository_id == ATLAS)
            await conn.execute(giant.values(id=commit.c.id + 100, message=message))
            await commit_words.catch_up(conn)
        await enter(instance, alice)
        for path in PAGES:
            page = await alice.open(path)
            assert page.status == 200
            assert len(page.text) < 200_000, path
        assert "Haaaa" in (await alice.open("/commits?q=needle")).text
