"""Attack 60: what mallory had been given was revoked; then a backup of a day before that is put back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from small_world import MALLORY, NOW, fill

from trackeep.database import Database, copy_sqlite
from trackeep.model import Person
from trackeep.store import api_tokens, backups, badges, feed_tokens, people, sessions
from trackeep.store.badges import Badge
from trackeep.store.people import Admission
from trackeep.store.token_text import FEED_PREFIX, SECRET_BYTES, token_of

pytestmark = pytest.mark.anyio

DOCS = Path(__file__).parents[2] / "docs"
SESSION, BADGE = "mallorys-session", "mallorys-badge"
API, FEED = token_of(bytes(SECRET_BYTES)), token_of(bytes(SECRET_BYTES), FEED_PREFIX)
RULES = Admission()


@dataclass(frozen=True)
class Doors:
    """What still lets mallory in."""

    session: bool
    api: bool
    feed: bool
    badge: bool


async def give(db: Database) -> None:
    async with db.write() as conn:
        await people.allow(conn, Person(MALLORY, "mallory"), people.BY_COMMAND, NOW)
        await sessions.start(conn, SESSION, MALLORY, sessions.Device("x", "y"), NOW)
        wanted = api_tokens.wanted("script", ("read",), None, NOW)
        await api_tokens.create(conn, MALLORY, API, wanted, NOW)
        await feed_tokens.create(conn, MALLORY, FEED, "reader", NOW)
        await badges.create(conn, MALLORY, Badge(0, BADGE, "commits", None, False, False, NOW), NOW)


async def doors(db: Database) -> Doors:
    async with db.read() as conn:
        return Doors(
            await sessions.find(conn, SESSION, RULES, NOW) is not None,
            await api_tokens.find(conn, API, RULES, NOW) is not None,
            await feed_tokens.find(conn, FEED, RULES) is not None,
            await badges.find(conn, BADGE, RULES) is not None,
        )


@pytest.mark.parametrize("keep_tokens", [False, True])
async def test_what_was_revoked_stays_revoked(tmp_path: Path, keep_tokens: bool) -> None:
    """No session, token or address of then opens anything, and only who asks for it gets the tokens back."""
    db = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
    await fill(db)
    await give(db)
    assert await doors(db) == Doors(True, True, True, True)
    copy_sqlite(tmp_path / "trackeep.db", tmp_path / "backup.db")
    restored = await backups.restore(db, tmp_path / "backup.db", NOW, keep_tokens=keep_tokens)
    assert await doors(db) == Doors(False, keep_tokens, keep_tokens, keep_tokens)
    revoked = {"api_token": 1, "feed_token": 1, "badge": 1}
    assert restored.ended == {"session": 1, "pending_arrival": 0, **({} if keep_tokens else revoked)}
    await db.close()


def test_postgresql_is_told_the_same() -> None:
    """The line to run after pg_restore ends exactly what restoring SQLite ends."""
    found = re.search(r'psql .* -c "truncate ([a-z_, ]+)"', (DOCS / "data.md").read_text())
    assert found and tuple(found[1].split(", ")) == backups.SESSIONS + backups.GIVEN_OUT


def test_every_way_in_is_known_to_a_restore() -> None:
    """Whatever lets somebody in is ended by it; a badge lets nobody in, but shows what may be private."""
    assert {table.name for table in people.WAYS_IN} | {"badge"} == {*backups.SESSIONS, *backups.GIVEN_OUT}
