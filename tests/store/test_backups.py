"""Backups of the whole database: whole at any moment, thinned out by name, put back with care."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from postgres import Server, programs
from small_world import NOW, fill
from sqlalchemy import func, insert, select, text

from trackeep.database import Database
from trackeep.errors import DatabaseError, DatabaseVersionError, UsageError
from trackeep.store import backups
from trackeep.store.backups import Plan
from trackeep.store.tables import account, person, repository, session

pytestmark = pytest.mark.anyio
HOUR_S = 3600


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


async def world(path: Path) -> Database:
    db = await Database.open(url_of(path))
    await fill(db)
    return db


def asked(path: Path, statement: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as conn:
        return conn.execute(statement).fetchall()


async def test_a_backup_beside_a_writer_is_one_state(tmp_path: Path) -> None:
    """While pairs of rows are written, a backup never holds one of a pair, and has mode 600."""
    db = await world(tmp_path / "trackeep.db")
    begun, is_over = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        number = 1_000
        while not is_over.is_set():
            async with db.write() as conn:
                pair = [{"id": number + half, "login": "x" * 500} for half in (0, 1)]
                await conn.execute(insert(person), pair)
            number += 2
            begun.set()

    writing = asyncio.create_task(write())
    await begun.wait()
    for number in range(4):
        target = tmp_path / f"copy-{number}.db"
        await asyncio.to_thread(backups.make, db.url, target, {})
        ((count, _),) = asked(target, "select count(*), 1 from person where id >= 1000")
        assert isinstance(count, int) and count > 0 and count % 2 == 0
        assert target.stat().st_mode & 0o777 == 0o600
    is_over.set()
    await writing
    await db.close()
    # Nothing but the copies: no log, no half file.
    assert {path.name for path in tmp_path.iterdir()} == {"trackeep.db", *(f"copy-{n}.db" for n in range(4))}


async def test_a_damaged_database_is_not_taken_for_a_backup(tmp_path: Path) -> None:
    """What cannot be read through is refused in one sentence, and an earlier backup there stays."""
    db = await world(tmp_path / "trackeep.db")
    await db.close()
    target = tmp_path / "copy.db"
    backups.make(db.url, target, {})
    before = target.read_bytes()
    with (tmp_path / "trackeep.db").open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096 * 8)
    with pytest.raises(DatabaseError, match=r"could not be made") as caught:
        backups.make(db.url, target, {})
    assert "db check" in caught.value.hint
    assert target.read_bytes() == before


def test_without_room_the_earlier_backup_stays(tmp_path: Path) -> None:
    """A full disk is told in one sentence; what was there before is untouched and no half file is left."""
    asyncio.run(_close_after_filling(tmp_path / "trackeep.db"))
    target = tmp_path / "backups" / "copy.db"
    target.parent.mkdir()
    target.write_text("the earlier one")
    code = (
        "import sys; from pathlib import Path; from trackeep.store import backups; "
        "backups.make(sys.argv[1], Path(sys.argv[2]), {})"
    )
    words = [sys.executable, "-c", code, url_of(tmp_path / "trackeep.db"), str(target)]
    limit = ["bash", "-c", 'ulimit -f 40 && exec "$@"', "bash"]
    full = subprocess.run([*limit, *words], capture_output=True, text=True, check=False)
    assert full.returncode == 1 and "there is room on the disk" in full.stderr, full.stderr
    assert [path.name for path in target.parent.iterdir()] == ["copy.db"]
    assert target.read_text() == "the earlier one"


async def _close_after_filling(path: Path) -> None:
    await (await world(path)).close()


def test_only_our_own_files_are_thinned_out(tmp_path: Path) -> None:
    """The newest stay, whatever else lies in the folder stays too."""
    ours = [backups.place("sqlite:///x", tmp_path, NOW + day * 86_400) for day in range(5)]
    others = [tmp_path / name for name in ("trackeep-mine.db", "trackeep-20261231T250000Z.db", "trackeep.db")]
    for path in (*ours, *others):
        path.write_text("x")
    (tmp_path / "trackeep-20200101T000000Z.db").mkdir()
    assert sorted(backups.thin_out(tmp_path, 2)) == ours[:3]
    assert [each.path for each in backups.listed(tmp_path)] == [ours[4], ours[3]]
    assert all(path.exists() for path in others)


async def test_the_clock_makes_them(tmp_path: Path) -> None:
    """One is made at once, the next one when the hours have passed, and only so many stay."""
    db = await world(tmp_path / "trackeep.db")
    plan = Plan(db.url, tmp_path / "backups", hours=6, keep=2)
    for passed_h in (0, 5, 6, 13, 14):
        assert await backups.make_if_due(plan, NOW + passed_h * HOUR_S)
    made = [(each.made_at - NOW) / HOUR_S for each in backups.listed(plan.folder)]
    assert made == [13, 6]
    # What a clock that was ahead has made does not stand for today's.
    assert await backups.make_if_due(plan, NOW + 12 * HOUR_S)
    assert [(each.made_at - NOW) / HOUR_S for each in backups.listed(plan.folder)] == [13, 12]
    off = Plan(db.url, tmp_path / "none", hours=0, keep=2)
    assert await backups.make_if_due(off, NOW) and not off.folder.exists()
    await backups.keep_making(off)
    await db.close()


async def test_what_cannot_be_made_loses_nothing(tmp_path: Path) -> None:
    """When the clock's backup fails, it says so and deletes none of the earlier ones."""
    db = await world(tmp_path / "trackeep.db")
    plan = Plan(db.url, tmp_path / "backups", hours=1, keep=1)
    assert await backups.make_if_due(plan, NOW)
    broken = Plan(url_of(tmp_path / "gone.db"), plan.folder, hours=1, keep=1)
    assert not await backups.make_if_due(broken, NOW + 9 * HOUR_S)
    assert [each.made_at for each in backups.listed(plan.folder)] == [NOW]
    await db.close()


# ---- putting one back ---------------------------------------------------------------------------


async def test_a_restored_database_is_the_one_of_then(tmp_path: Path) -> None:
    """Rows are those of the backup, everybody is signed out, and the replaced database is kept."""
    db = await world(tmp_path / "trackeep.db")
    async with db.write() as conn:
        row = {"id_hash": b"x", "account_id": 1, "created_at": NOW, "seen_at": NOW, "expires_at": NOW * 2}
        await conn.execute(insert(session), [row])
    backups.make(db.url, tmp_path / "copy.db", {})
    async with db.write() as conn:
        await conn.execute(text("update person set name = 'changed later'"))
    kept = (await backups.restore(db, tmp_path / "copy.db", NOW)).replaced
    assert kept is not None and asked(kept, "select distinct name from person") == [("changed later",)]
    async with db.read() as conn:
        assert "Alice Moreau" in (await conn.scalars(select(person.c.name))).all()
        assert await conn.scalar(select(func.count()).select_from(account)) == 3
        assert await conn.scalar(select(func.count()).select_from(session)) == 0
    await db.close()
    assert (tmp_path / "trackeep.db").stat().st_mode & 0o777 == 0o600


async def test_nothing_is_put_under_a_running_program(tmp_path: Path) -> None:
    """While another connection has the database open, even an idle one, restoring is refused."""
    db = await world(tmp_path / "trackeep.db")
    backups.make(db.url, tmp_path / "copy.db", {})
    other = Database.at(db.url)
    with pytest.raises(UsageError, match=r"has .*trackeep\.db open"):
        await backups.restore(other, tmp_path / "copy.db", NOW)
    async with db.read() as conn:
        assert await conn.scalar(select(func.count()).select_from(repository)) == 3
    await db.close()
    assert (await backups.restore(other, tmp_path / "copy.db", NOW)).replaced is not None
    await other.close()


async def test_a_damaged_database_can_be_replaced(tmp_path: Path) -> None:
    """This is what backups are for."""
    db = await world(tmp_path / "trackeep.db")
    backups.make(db.url, tmp_path / "copy.db", {})
    await db.close()
    (tmp_path / "trackeep.db").write_bytes(b"nothing that anybody could read" * 500)
    again = Database.at(db.url)
    assert (await backups.restore(again, tmp_path / "copy.db", NOW)).replaced is not None
    async with again.read() as conn:
        assert await conn.scalar(select(func.count()).select_from(repository)) == 3
    await again.close()


@pytest.mark.parametrize("what", ["missing", "text", "export", "itself", "newer"])
async def test_what_is_no_backup_is_refused(tmp_path: Path, what: str) -> None:
    """Anything else is named in one sentence and the database stays as it is."""
    db = await world(tmp_path / "trackeep.db")
    file = tmp_path / ("trackeep.db" if what == "itself" else "other.db")
    if what == "text":
        file.write_text("my notes, many of them " * 100)
    if what == "export":
        with contextlib.closing(sqlite3.connect(file)) as conn:
            conn.execute("create table repository (id integer)")
    if what == "newer":
        backups.make(db.url, file, {})
        with contextlib.closing(sqlite3.connect(file)) as conn:
            conn.execute("update alembic_version set version_num = '9999'")
            conn.commit()
    error = DatabaseVersionError if what == "newer" else UsageError
    with pytest.raises(error):
        await backups.restore(db, file, NOW)
    async with db.read() as conn:
        assert await conn.scalar(select(func.count()).select_from(repository)) == 3
    await db.close()
    assert not list(tmp_path.glob("*replaced*"))


# ---- PostgreSQL ---------------------------------------------------------------------------------


async def test_postgresql_is_dumped_by_its_own_program(postgres_server: Server, tmp_path: Path) -> None:
    """pg_dump makes the file where it is installed; without it the sentence says what to run."""
    url = postgres_server.create(f"dumped_{time.time_ns()}")
    db = await Database.open(url)
    await fill(db)
    with pytest.raises(UsageError, match="pg_dump is not installed") as caught:
        backups.make(url, tmp_path / "none.dump", {"PATH": str(tmp_path)})
    assert "pg_dump --format=custom" in caught.value.hint
    target = tmp_path / "trackeep.dump"
    backups.make(url, target, {"PATH": str(programs())})
    assert target.read_bytes().startswith(b"PGDMP") and target.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="restores with its own program"):
        await backups.restore(db, target, NOW)
    with pytest.raises(DatabaseError, match="could not be made"):
        backups.make(url + "_nowhere", tmp_path / "x.dump", {"PATH": str(programs())})
    await db.close()
    assert [path.name for path in tmp_path.iterdir()] == ["trackeep.dump"]
