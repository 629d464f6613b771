"""A database of an older program becomes that of a newer one: once, as a whole, with a copy of before."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from trackeep.database import MIGRATIONS, Database, known_versions
from trackeep.errors import DatabaseError, DatabaseVersionError
from trackeep.store.schema import metadata
from trackeep.upgrades import scripts

pytestmark = pytest.mark.anyio

# What every program does that opens the database, with the versions of a newer program.
OPEN = """
import asyncio, sys
from pathlib import Path
from trackeep import logs
from trackeep.database import Database
from trackeep.environment import LogSettings

async def work():
    db = await Database.open(sys.argv[1], migrations=Path(sys.argv[2]))
    await db.close()

logs.set_up(LogSettings(format="text"))
asyncio.run(work())
"""


def newer(folder: Path, steps: str) -> Path:
    """The versions of a program that is newer than ours by one, whose upgrade does `steps`."""
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    lines = "".join(f"    {line}\n" for line in steps.splitlines())
    (folder / "versions" / "9000_newer.py").write_text(
        '"""A newer program."""\nimport time\nfrom alembic import op\n'
        f'revision = "9000"\ndown_revision = "0001"\n\ndef upgrade():\n{lines}'
    )
    return folder


ADD = "op.execute('create table marks (n integer)')\nop.execute('insert into marks values (1)')"
LOSE = "op.execute('delete from person')"


@pytest.fixture
async def older(empty_database_url: str) -> AsyncIterator[str]:
    """A database as our program leaves it, with one row."""
    db = await Database.open(empty_database_url)
    async with db.write() as conn:
        await conn.execute(text("insert into person (id, login) values (1, 'alice')"))
    await db.close()
    yield empty_database_url


async def rows(url: str, folder: Path, statement: str) -> list[tuple[object, ...]]:
    db = await Database.open(url, migrations=folder)
    async with db.read() as conn:
        found = [tuple(row) for row in await conn.execute(text(statement))]
    await db.close()
    return found


def test_the_names_of_the_files_are_the_versions() -> None:
    """The program tells them by the names of the files; Alembic reads the same, and is not loaded for it."""
    script = scripts(MIGRATIONS)
    assert known_versions() == {revision.revision for revision in script.walk_revisions()}
    assert max(known_versions()) == script.get_current_head()
    loads = "import sys, trackeep.instance.app, trackeep.sync.worker; print('alembic' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "False"


async def test_of_two_that_start_at_once_one_migrates(older: str, tmp_path: Path) -> None:
    """Two processes open an older database together: one brings it up to date, the other waits for it."""
    # Long enough that the second one surely comes in the middle.
    folder = newer(tmp_path / "newer", f"{ADD}\ntime.sleep(2)")
    words = [sys.executable, "-W", "error", "-c", OPEN, older, str(folder)]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in "ab"]
    ended = [each.communicate(timeout=60) for each in both]
    assert [each.returncode for each in both] == [0, 0], ended
    assert await rows(older, folder, "select n from marks") == [(1,)]
    said = [err for _, err in ended if "was brought from version 0001 to 9000" in err]
    assert len(said) == 1


async def test_nobody_waits_where_nothing_is_to_be_done(older: str) -> None:
    """A command that opens a database of its own version does not wait for somebody who writes."""
    db = await Database.open(older)
    async with db.write() as conn:
        await conn.execute(text("update person set name = 'Alice'"))
        began = time.monotonic()
        other = await Database.open(older)
        async with other.read() as reading:
            assert await reading.scalar(text("select login from person")) == "alice"
        await other.close()
        assert time.monotonic() - began < 20  # a writer is waited for 30 s
    await db.close()


async def test_a_copy_of_before_is_kept_and_named(tmp_path: Path) -> None:
    """SQLite is copied before the upgrade, for its owner only, and the log says where the copy lies."""
    path, folder = tmp_path / "trackeep.db", newer(tmp_path / "newer", ADD)
    await (await Database.open(f"sqlite:///{path}")).close()
    words = [sys.executable, "-W", "error", "-c", OPEN, f"sqlite:///{path}", str(folder)]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stderr
    (copy,) = tmp_path.glob("trackeep.db.before-0001-*")
    assert str(copy) in said
    assert copy.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(copy) as old:
        assert old.execute("select version_num from alembic_version").fetchall() == [("0001",)]
    old.close()


@pytest.mark.parametrize("failure", ["raise RuntimeError('half-way')", "op.execute('select nonsense')"])
async def test_an_upgrade_that_fails_leaves_everything(older: str, tmp_path: Path, failure: str) -> None:
    """What a failing upgrade had done already is taken back: the older program goes on with its data."""
    folder = newer(tmp_path / "newer", "\n".join((LOSE, ADD, failure)))
    for _ in range(2):
        with pytest.raises(Exception, match=r"half-way|nonsense"):
            await Database.open(older, migrations=folder)
    assert await rows(older, MIGRATIONS, "select login from person") == [("alice",)]
    # However often it is started again, no copies pile up.
    assert not list(tmp_path.glob("*.before-*"))


async def test_a_newer_database_is_not_taken_back(older: str, tmp_path: Path) -> None:
    """The older program refuses what the newer one wrote, in one sentence, and leaves it as it is."""
    folder = newer(tmp_path / "newer", ADD)
    await (await Database.open(older, migrations=folder)).close()
    with pytest.raises(DatabaseVersionError, match=r"newer Trackeep: it has version 9000") as caught:
        await Database.open(older)
    assert caught.value.exit_code == 7
    assert await rows(older, folder, "select n from marks") == [(1,)]


async def test_looking_does_not_migrate(older: str, tmp_path: Path) -> None:
    """Who opens it without leave to migrate is told what to run, and nothing changes."""
    folder = newer(tmp_path / "newer", ADD)
    with pytest.raises(DatabaseVersionError, match=r"trackeep db migrate") as caught:
        await Database.open(older, migrations=folder, may_migrate=False)
    assert caught.value.exit_code == 7
    await (await Database.open(older, may_migrate=False)).close()


async def test_no_room_for_the_copy_stops_the_upgrade(tmp_path: Path) -> None:
    """Without room for the copy of before nothing is upgraded, and it is said in one sentence."""
    path, folder = tmp_path / "trackeep.db", newer(tmp_path / "newer", ADD)
    await (await Database.open(f"sqlite:///{path}")).close()
    words = [sys.executable, "-W", "error", "-c", OPEN, f"sqlite:///{path}", str(folder)]
    limit = ["bash", "-c", 'ulimit -f 40 && exec "$@"', "bash"]
    full = subprocess.run([*limit, *words], capture_output=True, text=True, check=False)
    assert full.returncode == 1
    assert DatabaseError.__name__ in full.stderr and "could not be made" in full.stderr
    assert await rows(f"sqlite:///{path}", MIGRATIONS, "select version_num from alembic_version") == [
        ("0001",)
    ]
    assert not [each.name for each in tmp_path.iterdir() if "before" in each.name]


async def test_the_tables_in_the_code_are_those_of_the_migrations(empty_database_url: str) -> None:
    """A migrated database has exactly the tables, columns, keys and indexes that the code speaks of."""

    def is_in_the_tables(_item: object, name: str | None, kind: str, *_: object) -> bool:
        # What finds commits by their words is made beside the tables (store/tables_search.py).
        return not (name or "").startswith("commit_words" if kind == "table" else "ix_commit_words")

    def differences(conn: Connection) -> list[object]:
        options = {"include_object": is_in_the_tables}
        found = compare_metadata(MigrationContext.configure(conn, opts=options), metadata)
        return [each for each in found if "remove_column" not in str(each) or "words" not in str(each)]

    db = await Database.open(empty_database_url)
    async with db.read() as conn:
        with warnings.catch_warnings():
            # SQLite does not tell what an index of an expression is made of.
            for told in (
                "Skipped unsupported reflection of expr",
                "autogenerate skipping metadata-specified",
            ):
                warnings.filterwarnings("ignore", told)
            assert await conn.run_sync(differences) == []
        listed = "select name from sqlite_master where type = 'index' and sql is not null"
        if not db.is_sqlite:
            listed = "select indexname from pg_indexes where indexname like 'ix_%'"
        indexes = set(await conn.scalars(text(listed))) - {"ix_commit_words"}
    assert indexes == {index.name for table in metadata.tables.values() for index in table.indexes}
    await db.close()
