"""Opening, writing and upgrading both databases."""

import asyncio
from pathlib import Path

import postgres
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from trackeep.database import Database, upsert
from trackeep.errors import DatabaseError, DatabaseVersionError
from trackeep.store.schema import metadata
from trackeep.store.tables import person

pytestmark = pytest.mark.anyio


async def test_every_table_exists_after_opening(empty_database_url: str) -> None:
    """A new database has every table that the program knows, and opening it again changes nothing."""
    for _ in range(2):
        db = await Database.open(empty_database_url)
        async with db.read() as conn:
            for table in metadata.tables.values():
                assert (await conn.execute(select(func.count()).select_from(table))).scalar_one() == 0
        await db.close()


async def test_a_write_happens_as_a_whole_or_not_at_all(empty_database_url: str) -> None:
    """An error inside a transaction leaves no row behind."""
    db = await Database.open(empty_database_url)
    with pytest.raises(ZeroDivisionError):
        async with db.write() as conn:
            await upsert(conn, person, [{"id": 1, "login": "alice"}], key=["id"])
            _ = 1 // 0
    async with db.read() as conn:
        assert (await conn.execute(select(func.count()).select_from(person))).scalar_one() == 0
    await db.close()


async def test_upsert_overwrites_but_keeps_what_it_is_told_to(empty_database_url: str) -> None:
    """The second upsert of a key changes the given columns, except those to keep."""
    db = await Database.open(empty_database_url)
    async with db.write() as conn:
        await upsert(conn, person, [{"id": 1, "login": "alice", "name": "Alice"}], key=["id"])
        await upsert(conn, person, [{"id": 1, "login": "alice2", "name": "-"}], key=["id"], keep=["name"])
        rows = (await conn.execute(select(person.c.login, person.c.name))).all()
    assert [tuple(row) for row in rows] == [("alice2", "Alice")]
    await db.close()


async def test_an_error_does_not_tell_what_was_to_be_written(empty_database_url: str) -> None:
    """Errors reach the log: the values of the failed statement are not in them."""
    db = await Database.open(empty_database_url)
    with pytest.raises(IntegrityError) as caught:
        async with db.write() as conn:
            for _ in range(2):
                await conn.execute(person.insert(), [{"id": 1, "login": "alice", "name": "sealed-secret"}])
    assert "sealed-secret" not in str(caught.value)
    await db.close()


async def test_writers_wait_for_each_other(empty_database_url: str) -> None:
    """Twenty transactions at once that read and then write all succeed, and none is lost."""
    db = await Database.open(empty_database_url)
    async with db.write() as conn:
        await upsert(conn, person, [{"id": 1, "login": "0"}], key=["id"])

    async def add_one() -> None:
        async with db.write() as conn:
            row = await conn.execute(select(person.c.login).where(person.c.id == 1).with_for_update())
            await upsert(conn, person, [{"id": 1, "login": str(int(row.scalar_one()) + 1)}], key=["id"])

    await asyncio.gather(*(add_one() for _ in range(20)))
    async with db.read() as conn:
        assert (await conn.execute(select(person.c.login))).scalar_one() == "20"
    await db.close()


async def test_two_programs_may_open_a_new_database_at_once(empty_database_url: str) -> None:
    """Both find every table: the migration runs once, under a lock."""
    both = await asyncio.gather(Database.open(empty_database_url), Database.open(empty_database_url))
    for db in both:
        await db.close()


async def test_a_newer_database_is_refused(empty_database_url: str) -> None:
    """A database of a newer program is left as it is, with a sentence that says what to do."""
    db = await Database.open(empty_database_url)
    async with db.write() as conn:
        await conn.execute(text("update alembic_version set version_num = '9999'"))
    await db.close()
    with pytest.raises(DatabaseVersionError, match=r"newer Trackeep.*9999"):
        await Database.open(empty_database_url)


async def test_the_log_of_writes_shrinks_when_readers_are_gone(tmp_path: Path) -> None:
    """What is written beside a reader piles up in SQLite's log; later its space is given back."""
    db = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
    log = tmp_path / "trackeep.db-wal"
    async with db.read() as reader:
        await reader.execute(select(func.count()).select_from(person))
        for number in range(5):
            async with db.write() as conn:
                await upsert(conn, person, [{"id": number, "login": "x" * 5_000_000}], key=["id"])
        largest = log.stat().st_size
    for number in range(3):
        async with db.write() as conn:
            await upsert(conn, person, [{"id": number, "login": "alice"}], key=["id"])
    assert log.stat().st_size < 17_000_000 < largest
    await db.close()


async def test_only_what_writes_takes_much_memory(tmp_path: Path) -> None:
    """A page keeps 2 MB of the file, a sync 16 MB; the same connection gives them back afterwards."""
    db = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
    kept_kb = []
    for begun in (db.read, db.write, db.read):
        async with begun() as conn:
            kept_kb.append(-(await conn.exec_driver_sql("pragma cache_size")).scalar_one())
    assert kept_kb == [2048, 16384, 2048]
    await db.close()


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """A foreign file is named in one sentence and keeps its content."""
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, not a database\n" * 50)
    with pytest.raises(DatabaseError, match=r"notes\.txt cannot be used.*trackeep restore"):
        await Database.open(f"sqlite:///{path}")
    assert path.read_text().startswith("these are my notes")


async def test_an_sqlite_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """Private repositories are in it: neither the new folder nor the file can be read by others."""
    path = tmp_path / "new" / "trackeep.db"
    db = await Database.open(f"sqlite:///{path}")
    async with db.write() as conn:
        await upsert(conn, person, [{"id": 1, "login": "alice"}], key=["id"])
    modes = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
    await db.close()
    assert set(modes.values()) == {0o600}, modes
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("url", ["sqlite:////dev/null/x.db", "postgresql://a:secret@[broken/x"])
async def test_an_impossible_address_is_told_without_its_password(url: str) -> None:
    """What cannot be used is named in one sentence, and a password never is."""
    with pytest.raises(DatabaseError, match="cannot be used") as caught:
        await Database.open(url)
    assert "secret" not in str(caught.value)


async def test_a_person_or_database_that_postgresql_refuses_is_told(postgres_server: postgres.Server) -> None:
    """A name that the server does not know ends in one sentence, from the first connection on."""
    url = make_url(postgres_server.url("postgres"))
    wrong = (url.set(database="nowhere"), url.set(username="nobody", password="secret"))
    for address in wrong:
        with pytest.raises(DatabaseError, match=r"does not exist.*Check TRACKEEP_DATABASE_URL") as caught:
            await Database.open(address.render_as_string(hide_password=False))
        assert "secret" not in str(caught.value)


async def test_one_connection_does_the_quiet_work(empty_database_url: str) -> None:
    """Connections made in a busy moment rest afterwards, each without what it would keep of the database."""
    db = await Database.open(empty_database_url)
    async with db.read(), db.read(), db.read():
        pass
    used = set()
    for _ in range(6):
        async with db.read() as conn:
            used.add(id((await conn.get_raw_connection()).driver_connection))
    await db.close()
    assert len(used) == 1
