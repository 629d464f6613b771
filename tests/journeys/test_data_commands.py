"""Running the database for real, from the command line: backup, restore, check, vacuum, another home."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import sys
import time
from pathlib import Path

import pytest
from copy_of_github import differences
from postgres import Server, programs
from programs import Program, github_environment, run, start
from sandbox_control import Sandbox
from sqlalchemy import text

from trackeep.database import Database

ALICE = "ghp_sandboxalice".ljust(40, "0")


@pytest.fixture(scope="module")
def almanac(sandbox: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which alice has synced one repository; tests work on copies of it."""
    folder = tmp_path_factory.mktemp("almanac")
    settings = {"GITHUB_TOKEN": ALICE, "TRACKEEP_DATA_DIR": str(folder)}
    done = run("sync", "-q", "alice/almanac", env={**github_environment(sandbox.url), **settings})
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return folder


@pytest.fixture
def home(sandbox: Program, almanac: Path, tmp_path: Path) -> dict[str, str]:
    """The settings of somebody who has synced before."""
    data = tmp_path / "data"
    shutil.copytree(almanac, data)
    return {**github_environment(sandbox.url), "GITHUB_TOKEN": ALICE, "TRACKEEP_DATA_DIR": str(data)}


def commits(home: dict[str, str]) -> int:
    with contextlib.closing(sqlite3.connect(Path(home["TRACKEEP_DATA_DIR"]) / "trackeep.db")) as conn:
        return int(conn.execute("select count(*) from 'commit'").fetchone()[0])


def test_a_backup_comes_back(home: dict[str, str], tmp_path: Path) -> None:
    """What was lost after the backup is there again, and the key file was never part of it."""
    before = commits(home)
    data = Path(home["TRACKEEP_DATA_DIR"])
    assert run("token", "create", "script", env=home).returncode == 0
    made = json.loads(run("backup", "--json", env=home).stdout)
    backup = Path(made["file"])
    assert backup.parent == data / "backups" and backup.parent.stat().st_mode & 0o777 == 0o700
    assert backup.stat().st_mode & 0o777 == 0o600
    key = data / "secret.key"
    assert not key.exists() or key.read_bytes().strip() not in backup.read_bytes()
    with contextlib.closing(sqlite3.connect(data / "trackeep.db")) as conn:
        conn.execute("delete from 'commit'")
        conn.commit()
    assert commits(home) == 0 < before
    refused = run("restore", str(backup), env=home)
    assert refused.returncode == 2 and "Add --yes" in refused.stderr
    done = run("restore", str(backup), "--yes", env=home)
    assert done.returncode == 0 and "Everybody has to sign in again" in done.stdout, done.stderr
    assert "Revoked: API tokens 1, feed tokens 0, badges 0." in done.stdout
    assert commits(home) == before
    (kept,) = data.glob("trackeep.db.replaced-*")
    with contextlib.closing(sqlite3.connect(kept)) as conn:
        assert conn.execute("select count(*) from 'commit'").fetchone() == (0,)


def test_programs_are_told_what_was_restored(home: dict[str, str]) -> None:
    """`--json` names the backup and the database that it replaced, and nothing else is on stdout."""
    made = json.loads(run("backup", "--json", env=home).stdout)["file"]
    told = json.loads(run("restore", made, "--yes", "--json", "--keep-tokens", env=home).stdout)
    assert told["ended"] == {"session": 0, "pending_arrival": 0}
    assert told["restored"] == made
    assert Path(told["replaced"]).parent == Path(home["TRACKEEP_DATA_DIR"])
    assert Path(told["replaced"]).is_file()


def test_only_so_many_stay(home: dict[str, str]) -> None:
    """`--keep 1` leaves the newest of our backups; a file of somebody else stays whatever its age."""
    folder = Path(home["TRACKEEP_DATA_DIR"]) / "backups"
    folder.mkdir(mode=0o700)
    old, mine = folder / "trackeep-20200101T000000Z.db", folder / "before-the-move.db"
    for path in (old, mine):
        path.write_text("x")
    done = run("backup", "--keep", "1", env=home)
    assert done.returncode == 0 and "Deleted 1 older" in done.stdout
    assert not old.exists() and mine.exists() and len(list(folder.iterdir())) == 2


def test_a_server_makes_them_and_keeps_them_from_being_replaced(home: dict[str, str]) -> None:
    """With hours set a backup appears by itself; while the server runs none can be put back under it."""
    server = start("serve", "--port", "0", env={**home, "TRACKEEP_BACKUP_HOURS": "24"})
    folder = Path(home["TRACKEEP_DATA_DIR"]) / "backups"
    try:
        while not (made := list(folder.glob("trackeep-*.db"))):
            assert server.process.poll() is None
            time.sleep(0.02)
        refused = run("restore", str(made[0]), "--yes", env=home)
        assert refused.returncode == 2
        assert "Another program has" in refused.stderr and "Stop the server" in refused.stderr
    finally:
        server.stop()
    assert run("restore", str(made[0]), "--yes", env=home).returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["restore", "none.db", "--yes"], 2, "There is no file none.db."),
        (["backup", "x.db", "--keep", "2"], 2, "--keep is for the folder of backups."),
        (["db", "copy", "--to", "mysql://x"], 2, "must start with sqlite:/// or postgresql://"),
        (["db", "copy", "--to", "postgresql://127.0.0.1:1/x"], 1, "cannot be used"),
    ],
)
def test_what_cannot_be_meant(home: dict[str, str], words: list[str], code: int, sentence: str) -> None:
    """One sentence, the documented exit code, and the database stays as it is."""
    done = run(*words, env=home)
    assert done.returncode == code, done.stderr
    assert sentence in done.stderr and "Traceback" not in done.stderr
    assert commits(home) > 0


def test_a_backup_does_not_write_over_the_database(home: dict[str, str]) -> None:
    """Not even --force makes the database, its log or the key the place of a backup."""
    for name in ("trackeep.db", "trackeep.db-wal", "secret.key"):
        done = run("backup", str(Path(home["TRACKEEP_DATA_DIR"]) / name), "--force", env=home)
        assert done.returncode == 2 and "Trackeep itself works with" in done.stderr
    assert commits(home) > 0


def test_no_room_for_a_backup(home: dict[str, str]) -> None:
    """A full disk ends it with one sentence, and earlier backups stay."""
    folder = Path(home["TRACKEEP_DATA_DIR"]) / "backups"
    folder.mkdir(mode=0o700)
    # Named for another second than the one that fails.
    earlier = folder / "trackeep-20261101T000000Z.db"
    assert run("backup", str(earlier), env=home).returncode == 0
    before = sorted(folder.iterdir())
    full = run("backup", "--keep", "1", env=home, largest_file_kb=60)
    assert full.returncode == 1 and "room on the disk" in full.stderr and "Traceback" not in full.stderr
    assert sorted(folder.iterdir()) == before


# ---- trackeep db --------------------------------------------------------------------------------


def test_a_sound_database(home: dict[str, str]) -> None:
    """check and vacuum end with 0, migrate says which version it is."""
    assert run("db", "check", env=home).stdout == "The database is sound.\n"
    assert json.loads(run("db", "check", "--json", env=home).stdout) == {"ok": True, "problems": []}
    sizes = json.loads(run("db", "vacuum", "--json", env=home).stdout)
    assert 0 < sizes["bytes_after"] <= sizes["bytes_before"]
    assert f"{sizes['bytes_after']:,} bytes" in run("db", "vacuum", env=home).stdout
    assert "version 0001" in run("db", "migrate", env=home).stdout
    assert json.loads(run("db", "migrate", "--json", env=home).stdout) == {"version": "0001"}
    assert commits(home) > 0


def test_an_unsound_database(home: dict[str, str]) -> None:
    """Rows that belong to nothing, and a table that is missing, are named; the exit code is 1."""
    path = Path(home["TRACKEEP_DATA_DIR"]) / "trackeep.db"
    with contextlib.closing(sqlite3.connect(path)) as conn:
        conn.execute("insert into follow (account_id, repository_id, created_at) values (77, 78, 1)")
        conn.commit()
    found = json.loads(run("db", "check", "--json", env=home).stdout)["problems"]
    assert any("follow belong to a repository that is gone" in problem for problem in found)
    with contextlib.closing(sqlite3.connect(path)) as conn:
        conn.execute("drop table release")
    done = run("db", "check", env=home)
    assert done.returncode == 1 and "Table release is missing." in done.stdout


def test_a_damaged_file(home: dict[str, str]) -> None:
    """Overwritten pages are found, in one sentence and with exit code 1."""
    path = Path(home["TRACKEEP_DATA_DIR"]) / "trackeep.db"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * (size // 4))
    done = run("db", "check", env=home)
    assert done.returncode == 1
    assert "damaged" in done.stdout or "cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_older_database_is_not_migrated_by_looking(home: dict[str, str]) -> None:
    """check, vacuum and copy end with 7 for a database of another version and leave it."""
    path = Path(home["TRACKEEP_DATA_DIR"]) / "trackeep.db"
    with contextlib.closing(sqlite3.connect(path)) as conn:
        conn.execute("update alembic_version set version_num = '9999'")
        conn.commit()
    for words in (["check"], ["vacuum"], ["copy", "--to", "sqlite:///never.db"], ["migrate"]):
        done = run("db", *words, env=home)
        assert done.returncode == 7 and "newer Trackeep" in done.stderr, done.stderr
    assert not Path("never.db").exists()


@pytest.mark.anyio
async def test_to_postgresql_and_back(
    home: dict[str, str], postgres_server: Server, sandbox: Program, tmp_path: Path
) -> None:
    """Every row arrives, numbers go on, the sync goes on there, and a way back leads to the same rows."""
    url = postgres_server.create("moved")
    done = run("db", "copy", "--to", url, "--json", env=home)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert rows["commit"] > 0 and rows["run"] > 0
    there = {**home, "TRACKEEP_DATABASE_URL": url}
    again = run("db", "copy", "--to", url, env=home)
    assert again.returncode == 2 and "holds data already" in again.stderr
    assert run("sync", "-q", env=there).returncode == 0
    assert run("db", "check", env=there).stdout == "The database is sound.\n"
    assert run("db", "vacuum", env=there).returncode == 0
    db = await Database.open(url)
    assert await differences(db, Sandbox(sandbox.url), ("alice/almanac",)) == {}
    async with db.read() as conn:
        newest = await conn.scalar(text("select max(id) from run"))
        assert newest == rows["run"] + 1
    busy = run("db", "copy", "--to", f"sqlite:///{tmp_path / 'back.db'}", env=there)
    assert busy.returncode == 2 and "Another program has the database open" in busy.stderr
    await db.close()
    back = run("db", "copy", "--to", f"sqlite:///{tmp_path / 'back.db'}", "--json", env=there)
    assert json.loads(back.stdout)["rows"]["commit"] == rows["commit"]


def test_a_shell(home: dict[str, str], postgres_server: Server, tmp_path: Path) -> None:
    """The client for the database is started with it; without one the sentence names it."""
    none = run("db", "shell", env={**home, "PATH": str(tmp_path)})
    assert none.returncode == 2 and "sqlite3 is not installed" in none.stderr
    fake = tmp_path / "sqlite3"
    fake.write_text(f'#!/bin/sh\nexec {sys.executable} -c "import sys; print(sys.argv[1:])" "$@"\n')
    fake.chmod(0o755)
    shown = run("db", "shell", env={**home, "PATH": str(tmp_path)}).stdout
    assert shown.strip() == str([str(Path(home["TRACKEEP_DATA_DIR"]) / "trackeep.db")])
    url = postgres_server.create("shelled")
    settings = {**home, "TRACKEEP_DATABASE_URL": url, "PATH": str(programs()), "PGOPTIONS": ""}
    assert run("db", "shell", env=settings).returncode == 0
