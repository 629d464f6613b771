"""Figures are counted once: known until something they are counted from changes, and not a moment longer."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from programs import Program
from rules.source import package
from sandbox_control import Sandbox
from small_world import ALICE, ATLAS, BOB, NOW, SECRET, at, fill, reader
from sqlalchemy import Connection, delete, event, insert, select, text, update

from trackeep.database import Database, insert_once, upsert
from trackeep.metrics.windows import Window
from trackeep.model import Commit, Signature
from trackeep.revisions import Figures
from trackeep.store import activity, departures, history, moving, reports_commits, reports_mine, sessions
from trackeep.store import tables_fetched as fetched
from trackeep.store.schema import metadata
from trackeep.store.tables import account, person
from trackeep.store.tables_revision import revision
from trackeep.sync.once import sync_once

pytestmark = pytest.mark.anyio

# All that nobody counts: how one gets in, what is known of a reader anyway, and the sync's own book-keeping.
UNCOUNTED = {
    *("instance", "account", "allowed_person", "connection", "pending_arrival", "session", "seen_token"),
    *("access", "schedule", "delivery", "cursor", "validator", "budget", "budget_reading", "run", "worker"),
    *("walked", "unclaimed_address", "branch_distance", "wish", "saved_search"),
    *("feed_token", "badge", "api_token", "revision"),
}
VALUES = {bool: True, int: 1, str: "x", bytes: b"x"}


@pytest.fixture
async def empty(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url)
    yield database
    await database.close()


@pytest.fixture
async def db(empty: Database) -> Database:
    await fill(empty)
    return empty


async def number(db: Database) -> int:
    async with db.read() as conn:
        return await conn.scalar(select(revision.c.number)) or 0


async def is_raised_by(db: Database, *statements: Any) -> bool:
    before = await number(db)
    async with db.write() as conn:
        for statement in statements:
            await conn.execute(statement)
    after = await number(db)
    assert after >= before
    return after > before


def commit(sha: str, when: str = "2026-11-23 09:00") -> Commit:
    alice = Signature("alice", "alice@fernhill.example", at(when), 60)
    return Commit(sha, (), alice, alice, "A change")


async def save(db: Database, *shas: str) -> None:
    async with db.write() as conn:
        made = [commit(sha) for sha in shas]
        await history.save_commits(conn, ATLAS, made, reachable=True, on_default=set(shas))


async def mine(db: Database, account_id: int = ALICE) -> int:
    async with db.read() as conn:
        days = await reports_mine.days(conn, reader(account_id))
    return sum(days.counts.get("commit", {}).values())


# ---- who raises it ------------------------------------------------------------------------------


async def test_every_table_counts_but_those_named_here(empty: Database) -> None:
    """Insert, update and delete of any table raise the number, unless nobody counts its rows."""
    tables = [table for table in metadata.sorted_tables if table is not revision]
    assert {
        table.name for table in metadata.sorted_tables if not table.info.get("counted", True)
    } == UNCOUNTED
    for table in tables:
        row = {column.name: VALUES[column.type.python_type] for column in table.c}
        assert await is_raised_by(empty, insert(table).values(row)) is (table.name not in UNCOUNTED), table
        first = next(iter(table.c))
        changes = update(table).values({first.name: first})
        assert await is_raised_by(empty, changes) is (table.name not in UNCOUNTED), table
    for table in reversed(tables):
        # With an account goes whom it follows and who it is.
        counts = table.name not in UNCOUNTED or table is account
        assert await is_raised_by(empty, delete(table)) is counts, table


async def test_no_way_to_write_is_forgotten(db: Database) -> None:
    """By hand, by the driver, many rows at once, insert or update, within a question: each raises it."""
    values = {"id": 77, "login": "x"}
    assert await is_raised_by(db, text("update person set name = 'X' where id = 1"))
    gone = delete(person).where(person.c.id == 4).returning(person.c.id).cte("gone")
    if not db.is_sqlite:
        assert await is_raised_by(db, select(gone.c.id))
    ways: list[Any] = [
        lambda conn: upsert(conn, person, [values], key=["id"]),
        lambda conn: insert_once(conn, person, {**values, "id": 78}),
        lambda conn: conn.execute(insert(person), [{**values, "id": n} for n in (79, 80)]),
        lambda conn: conn.exec_driver_sql("delete from person where id > 77"),
        lambda conn: history.save_commits(conn, ATLAS, [commit("b1")]),
        # What is there already makes PostgreSQL take another way.
        lambda conn: history.save_commits(conn, ATLAS, [commit("b1"), commit("b2")]),
    ]
    for way in ways:
        before = await number(db)
        async with db.write() as conn:
            await way(conn)
        assert await number(db) > before


async def test_what_changes_nothing_leaves_it_alone(db: Database) -> None:
    """Reading, a row that is not there, what was taken back, a session in use, a renewed proof of access."""
    async with db.write() as conn:
        await sessions.start(conn, "s", ALICE, sessions.Device("test", ""), NOW)
    before = await number(db)
    assert not await is_raised_by(db, select(person), update(person).where(person.c.id < 0).values(name="x"))
    with pytest.raises(ZeroDivisionError):
        async with db.write() as conn:
            await conn.execute(update(person).values(name="x"))
            raise ZeroDivisionError
    async with db.write() as conn:
        await sessions.touch(conn, "s", sessions.Device("test", ""), NOW + 60)
        await activity.renew_access(conn, ALICE, [ATLAS], NOW + 7_200)
    assert await number(db) == before


async def test_every_transaction_of_a_sync_is_noticed(empty: Database, sandbox: Program) -> None:
    """The database's own triggers watch a first sync, a repository that goes, and a person who leaves."""
    github = Sandbox(sandbox.url)
    await _watch(empty)
    forgotten: list[int] = []

    def look(conn: Connection) -> None:
        found = "select count(*) from touched where number = (select coalesce(max(number), 0) from revision)"
        forgotten.append(conn.scalar(text(found)) or 0)

    event.listen(empty.engine.sync_engine, "commit", look)
    await sync_once(empty, github.addresses, github.token(), clock=github.now)
    async with empty.read() as conn:
        account_id = (await conn.scalars(select(account.c.id))).one()
        places = await departures.followed_by(conn, account_id)
    async with empty.write() as conn:
        await departures.part(conn, account_id, places[0])
    async with empty.write() as conn:
        await departures.leave(conn, account_id)
    event.remove(empty.engine.sync_engine, "commit", look)
    assert len(forgotten) > 20 and not any(forgotten)
    async with empty.read() as conn:
        assert await conn.scalar(text("select count(*) from touched")) > 100


async def _watch(db: Database) -> None:
    """From now on `touched` has the number that each changed row of a counted table was changed at."""
    note = "insert into touched select coalesce(max(number), 0) from revision;"
    async with db.write() as conn:
        await conn.execute(text("create table touched (number bigint)"))
        if not db.is_sqlite:
            body = f"$$ begin {note} return null; end $$ language plpgsql"
            await conn.execute(text(f"create function note() returns trigger as {body}"))
        for table in metadata.sorted_tables:
            for what in ("insert", "update", "delete") if table.name not in UNCOUNTED else ():
                name = f'create trigger "{what}_{table.name}" after {what} on "{table.name}" for each row '
                done = f"begin {note} end" if db.is_sqlite else "execute function note()"
                await conn.execute(text(name + done))


def test_nothing_goes_past_the_transactions() -> None:
    """Only `Database` opens connections to write, and whoever goes to the driver says what it changed."""
    opened, driven = set(), set()
    for source in package():
        code = source.path.read_text()
        if re.search(r"engine\.(connect|begin)\(", code):
            opened.add(source.name)
        if "driver_connection" in code:
            driven.add(source.name)
            assert "revisions.changed(conn)" in code, source.name
    assert {name.rpartition("/")[2] for name in opened} == {"database.py", "soundness.py"}
    assert {name.rpartition("/")[2] for name in driven} == {"history.py", "paths.py"}


async def test_another_database_has_a_number_of_its_own(
    db: Database, database_url: str, tmp_path: Any
) -> None:
    """One that was emptied, or is copied into, begins with another number, never with one that was used."""
    target = await Database.open(f"sqlite:///{tmp_path / 'other.db'}")
    await moving.copy(db, target)
    assert await number(target) not in (0, await number(db))
    async with target.write() as conn:
        await departures.empty(conn)
    used = await number(target)
    await moving.copy(db, target)
    assert await number(target) > used > 0
    await target.close()


# ---- who uses it --------------------------------------------------------------------------------


async def test_a_change_is_seen_at_once(db: Database, database_url: str) -> None:
    """Made here, or by another process: the next page has it, and days and counts agree."""
    other = await Database.open(database_url)
    before = await mine(db)
    async with db.read() as conn:
        stored = await reports_commits.stored(conn, reader())
    for made, writer in enumerate((db, other, other), start=1):
        await save(writer, f"c{made}")
        assert await mine(db) == await mine(other) == before + made
        async with db.read() as conn:
            assert (await reports_commits.stored(conn, reader()))[0] == stored[0] + made
            found = await reports_commits.search(conn, reader(), reports_commits.Wanted(author="me"))
        assert {f"c{n}" for n in range(1, made + 1)} <= {row.sha for row in found.rows}
    await other.close()


async def test_a_page_that_began_before_a_change(db: Database) -> None:
    """It goes on with what was there then, and what it counts is not taken for what is there now."""
    async with db.read() as conn:
        early = await reports_commits.stored(conn, reader())
        await save(db, "d1")
        days = await reports_mine.days(conn, reader())
    assert sum(days.counts["commit"].values()) == await mine(db) - 1
    async with db.read() as conn:
        assert (await reports_commits.stored(conn, reader()))[0] == early[0] + 1


async def test_whoever_begins_again_sees_another_state(db: Database) -> None:
    """As a page does whose block failed: figures are those of the transaction that asks for them."""
    async with db.read() as conn:
        early = (await reports_commits.stored(conn, reader()))[0]
        await save(db, "g1")
        assert (await reports_commits.stored(conn, reader()))[0] == early
        await conn.rollback()
        assert (await reports_commits.stored(conn, reader()))[0] == early + 1
        assert (await reports_commits.stored(conn, reader()))[0] == early + 1


async def test_a_writer_sees_what_it_has_changed(db: Database) -> None:
    """Within a transaction of its own nothing is taken from memory, and nothing of it is kept there."""
    before = await mine(db)
    with pytest.raises(ZeroDivisionError):
        async with db.write() as conn:
            await history.save_commits(conn, ATLAS, [commit("e1")], on_default={"e1"})
            days = await reports_mine.days(conn, reader())
            assert sum(days.counts["commit"].values()) == before + 1
            raise ZeroDivisionError
    assert await mine(db) == before


async def test_access_that_ends_ends_at_once(db: Database) -> None:
    """A lost repository is in no figure any more, nor is a private one whose proof has grown old."""
    window = Window(0, NOW)
    async with db.read() as conn:
        assert (await reports_commits.stored(conn, reader(BOB)))[0] == 10
        old = replace(reader(BOB), now=NOW + 90_000)
        assert (await reports_commits.stored(conn, old))[0] == 9
        assert (await reports_mine.totals(conn, reader(BOB), window)).commits == 2
    before = await number(db)
    async with db.write() as conn:
        await activity.lose_access(conn, BOB, [SECRET], NOW)
    async with db.read() as conn:
        assert (await reports_commits.stored(conn, reader(BOB)))[0] == 9
        assert (await reports_mine.totals(conn, reader(BOB), window)).commits == 1
    assert await number(db) == before


async def test_a_window_that_ends_by_the_clock(db: Database) -> None:
    """Whole days are counted once; of the last one, what has happened until this very second."""
    start = at("2026-11-20 00:00")
    for until in (start + 1, at("2026-11-20 09:30"), at("2026-11-20 09:30") + 1, at("2026-11-22 10:30"), NOW):
        async with db.read() as conn:
            found = await reports_mine.totals(conn, reader(), Window(start, until))
            rows = select(fetched.commit.c.sha).distinct().select_from(fetched.commit)
            counted = rows.where(
                fetched.commit.c.sha.in_(["a1", "a2", "a3", "f1"]),
                fetched.commit.c.authored_at >= start,
                fetched.commit.c.authored_at < until,
            )
            assert found.commits == len((await conn.scalars(counted)).all()), until


def test_memory_has_an_end() -> None:
    """No more figures than that stay, those asked for last; of an older revision none."""
    figures = Figures(most=3)
    for key in "abc":
        figures.keep(1, key, key)
    assert figures.get(1, "a", None) == "a"
    figures.keep(1, "d", "d")
    assert [figures.get(1, key, None) for key in "abcd"] == ["a", None, "c", "d"]
    assert figures.get(2, "a", None) is None
    figures.keep(2, "e", "e")
    assert len(figures) == 1 and figures.get(1, "a", None) is None
