"""Attack 58: a backup that was in mallory's hands is put back by alice, who trusts no more than its rows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from small_world import MALLORY, NOW, fill

from trackeep.database import Database, copy_sqlite
from trackeep.errors import UsageError
from trackeep.store import backups, sessions
from trackeep.store.people import Admission

pytestmark = pytest.mark.anyio

SESSION = "mallorys-session"
CHANGES = {
    "a session that comes back": (
        "create table kept as select * from session",
        "create trigger again after delete on session begin insert into session select * from kept; end",
    ),
    "a trigger for later": (
        "create trigger later after update on instance begin delete from allowed_person; end",
    ),
    "a view in the place of a table": ("drop table session", "create view session as select 1 as id_hash"),
    "a table less": ("drop table session",),
}


async def backup(folder: Path) -> Path:
    """A backup from when mallory was signed in."""
    db = await Database.open(f"sqlite:///{folder / 'then.db'}")
    await fill(db)
    async with db.write() as conn:
        await sessions.start(conn, SESSION, MALLORY, sessions.Device("x", "y"), NOW)
    await db.close()
    copy_sqlite(folder / "then.db", folder / "backup.db")
    return folder / "backup.db"


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES.keys())
async def test_nothing_in_a_backup_acts(tmp_path: Path, changes: tuple[str, ...]) -> None:
    """A file that does more than hold the rows of ours is refused; the database stays as it was."""
    file = await backup(tmp_path)
    with closing(sqlite3.connect(file)) as conn:
        for change in changes:
            conn.execute(change)
        conn.commit()
    db = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
    await fill(db)
    with pytest.raises(UsageError):
        await backups.restore(db, file, NOW)
    async with db.read() as conn:
        assert await sessions.find(conn, SESSION, Admission(), NOW) is None
    await db.close()


async def test_an_honest_backup_signs_everybody_out(tmp_path: Path) -> None:
    """The same file without any change is put back, and mallory's session of then opens nothing."""
    file = await backup(tmp_path)
    db = Database.at(f"sqlite:///{tmp_path / 'trackeep.db'}")
    await backups.restore(db, file, NOW)
    await db.close()
    db = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
    async with db.read() as conn:
        assert await sessions.of_account(conn, MALLORY) is not None
        assert await sessions.find(conn, SESSION, Admission(), NOW) is None
    await db.close()
