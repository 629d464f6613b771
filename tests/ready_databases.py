"""Databases with every table and no row: the program makes one of each kind, the tests work on copies."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from postgres import Server
from programs import run


def sqlite_at(path: Path) -> str:
    """A new SQLite file; its address."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(0o600)
    path.write_bytes(_sqlite())
    return f"sqlite:///{path}"


def postgres_at(server: Server, name: str) -> str:
    """A new database on this server; its address."""
    if server.ready == "":
        _migrate(server.create("ready"))
        server.ready = "ready"
    return server.create(name, server.ready)


@cache
def _sqlite() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trackeep.db"
        _migrate(f"sqlite:///{path}")
        return path.read_bytes()


def _migrate(url: str) -> None:
    done = run("db", "migrate", env={"TRACKEEP_DATABASE_URL": url})
    assert done.returncode == 0, done.stderr
