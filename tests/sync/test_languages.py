"""Languages of repositories, as GitHub measures them, looked at once a day."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from programs import Program
from sandbox_control import Sandbox
from sqlalchemy import select

from trackeep.database import Database
from trackeep.store.tables import follow
from trackeep.store.tables_fetched import language
from trackeep.sync.once import sync_once

pytestmark = pytest.mark.anyio


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
    yield database
    await database.close()


async def sizes(db: Database, repository_id: int) -> dict[str, int]:
    rows = select(language.c.name, language.c.bytes).where(language.c.repository_id == repository_id)
    async with db.read() as conn:
        return {row.name: row.bytes for row in await conn.execute(rows)}


async def test_languages_come_with_the_first_look(db: Database, sandbox: Program) -> None:
    """Every language of every repository with its size, and the colour that GitHub draws it in."""
    github = Sandbox(sandbox.url)
    await sync_once(db, github.addresses, github.token(), clock=github.now)
    async with db.read() as conn:
        followed = set(await conn.scalars(select(follow.c.repository_id)))
    for each in github.repositories("alice"):
        if each["id"] in followed:
            assert await sizes(db, each["id"]) == each["languages"], each["full_name"]
    assert len(followed) > 5
    async with db.read() as conn:
        colours = select(language.c.color).where(language.c.name == "Python").distinct()
        assert (await conn.scalars(colours)).all() == ["#3572A5"]


async def test_a_day_later_they_are_measured_anew(db: Database, changing: Sandbox) -> None:
    """What grew has grown and what is gone is gone, for no request more than the releases need."""
    name = "alice/almanac"
    await sync_once(db, changing.addresses, changing.token(), [name], clock=changing.now)
    changing.change(name, "languages", sizes={"Python": 5_000_000, "Zig": 12})
    await sync_once(db, changing.addresses, changing.token(), clock=changing.now)
    true = changing.repository(name)
    assert await sizes(db, true["id"]) != true["languages"]
    changing.advance(25 * 3600)
    mark = changing.mark()
    await sync_once(db, changing.addresses, changing.token(), clock=changing.now)
    assert await sizes(db, true["id"]) == true["languages"] == {"Python": 5_000_000, "Zig": 12}
    assert not [each for each in changing.log(mark) if each["path"].endswith("/languages")]
