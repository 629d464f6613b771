"""`trackeep key`: a new key for the stored tokens, also for one who is killed in the middle."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from programs import environment, run, start
from small_world import NOW, fill
from sqlalchemy import insert, select

from trackeep.database import Database
from trackeep.store import people
from trackeep.store.people import Credential
from trackeep.store.tables import account, connection, person
from trackeep.vault import open_vault

pytestmark = pytest.mark.anyio
FIRST, MANY = 1_000, 3_000


async def filled(folder: Path, key: str = "") -> dict[str, str]:
    """Settings of an instance in which very many people have a token."""
    db, vault = await Database.open(f"sqlite:///{folder / 'trackeep.db'}"), open_vault(key, folder)
    await fill(db)
    async with db.write() as conn:
        ids = range(FIRST, FIRST + MANY)
        await conn.execute(insert(person), [{"id": each, "login": f"u{each}"} for each in ids])
        await conn.execute(
            insert(account), [{"id": each, "role": "member", "created_at": NOW} for each in ids]
        )
        rows = []
        for each in ids:
            new = Credential("broker", f"access {each}", "f", refresh_token=f"refresh {each}")
            rows.append({"account_id": each, "created_at": NOW, **people.sealed(vault, each, new, NOW)})
        await conn.execute(insert(connection), rows)
    await db.close()
    return {"TRACKEEP_DATA_DIR": str(folder), **({"TRACKEEP_SECRET_KEY": key} if key else {})}


async def opened(folder: Path, key: str = "") -> int:
    """How many people's tokens open with the present key, and are their own."""
    db, vault = await Database.open(f"sqlite:///{folder / 'trackeep.db'}"), open_vault(key, folder)
    async with db.read() as conn:
        rows = (await conn.execute(select(connection).where(connection.c.account_id >= FIRST))).all()
    await db.close()
    texts = [
        vault.open(getattr(row, f"{kind}_token"), f"connection.{kind}_token.{row.account_id}")
        == f"{kind} {row.account_id}"
        for row in rows
        for kind in ("access", "refresh")
    ]
    return sum(texts) // 2


async def test_killed_at_any_moment_nothing_is_lost(tmp_path: Path) -> None:
    """Killed at whichever moment, every token opens, and running it again brings it to its end."""
    settings = await filled(tmp_path)
    key_file = tmp_path / "secret.key"
    first = key_file.read_text()
    for wait_s in (0.0, 0.05, 0.1, 0.2):
        words = [sys.executable, "-m", "trackeep", "key", "rotate"]
        running = subprocess.Popen(words, env=environment(settings), stdout=subprocess.PIPE)
        # From the moment at which the new key is there, the tokens are on their way.
        before = key_file.read_text()
        while key_file.read_text() == before and running.poll() is None and wait_s:
            time.sleep(0.005)
        time.sleep(wait_s)
        running.kill()
        running.communicate()
        assert await opened(tmp_path) == MANY
    done = run("key", "rotate", env=settings)
    assert done.returncode == 0, done.stderr
    assert await opened(tmp_path) == MANY
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert first not in key_file.read_text() and len(key_file.read_text().split()) == 1
    kept = [
        path for path in tmp_path.glob("secret.key.before-*") if first.strip() in path.read_text().split()
    ]
    assert kept and kept[0].stat().st_mode & 0o777 == 0o600


async def test_a_key_from_the_settings(tmp_path: Path) -> None:
    """The new key is printed, set in front of the old one, and then enough alone."""
    old = "o" * 40
    settings = await filled(tmp_path, old)
    refused = run("key", "rotate", env=settings)
    assert refused.returncode == 2 and "set NEW,OLD" in refused.stderr
    new = run("key", "generate", env=settings).stdout.strip()
    assert len(new) >= 43 and new != run("key", "generate", env=settings).stdout.strip()
    both = {**settings, "TRACKEEP_SECRET_KEY": f"{new},{old}"}
    done = run("key", "rotate", env=both)
    assert done.returncode == 0 and f"{2 * MANY:,} secrets" in done.stdout, done.stderr
    again = json.loads(run("key", "rotate", "--json", env=both).stdout)
    assert again == {"changed": 0, "lost": 0, "old_key_file": None}
    assert await opened(tmp_path, new) == MANY
    assert not (tmp_path / "secret.key").exists()


async def test_not_under_a_running_server(tmp_path: Path) -> None:
    """A server would go on sealing with the old key: the change is refused and nothing is different."""
    settings = await filled(tmp_path)
    before = (tmp_path / "secret.key").read_text()
    server = start("serve", "--port", "0", "--no-worker", env=settings)
    try:
        refused = run("key", "rotate", env=settings)
    finally:
        server.stop()
    assert refused.returncode == 2 and "Another program has the database open" in refused.stderr
    assert (tmp_path / "secret.key").read_text() == before
