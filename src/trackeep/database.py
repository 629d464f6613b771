"""Opens SQLite or PostgreSQL, runs one transaction at a time, and brings the tables up to date."""

from __future__ import annotations

import contextlib
import shutil
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Table, event, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    IntegrityError,
    InterfaceError,
    ProgrammingError,
)
from sqlalchemy.exc import DatabaseError as DatabaseFault
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from trackeep.errors import DatabaseError, DatabaseVersionError

T = TypeVar("T")

_LARGEST_LOG_BYTES = 16 * 1024 * 1024
_CACHE_KB = 16 * 1024
_MIGRATION_LOCK = 7_243_551_180_461  # any number that no other program on the server uses


@dataclass(frozen=True)
class Database:
    """One engine; `read` and `write` are the only ways to a connection."""

    engine: AsyncEngine
    url: str

    @classmethod
    async def open(cls, url: str) -> Database:
        """Open `sqlite:///path` or `postgresql://...` and bring its tables up to date.

        Raises DatabaseError when it cannot be reached and DatabaseVersionError when it is newer.
        """
        try:
            database = cls(_engine(url), url)
        except (ArgumentError, OSError, ValueError) as error:
            raise _cannot_use(url, error) from error
        try:
            await database.migrate()
        except BaseException:
            await database.close()
            raise
        return database

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose statements see one state of the database. Raises DatabaseError."""
        with self._told():
            async with self.engine.connect() as conn:
                if not self.is_sqlite:
                    await conn.execution_options(isolation_level="REPEATABLE READ")
                yield conn

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that is committed as a whole, or not at all. Raises DatabaseError."""
        with self._told():
            async with self.engine.connect() as conn:
                if self.is_sqlite:
                    # A reader that turns writer would fail at once when another writes; this waits.
                    await conn.execution_options(trackeep_begin="IMMEDIATE")
                async with conn.begin():
                    yield conn

    async def migrate(self) -> None:
        """Bring the tables to this program's version, under a lock, with a copy of SQLite before."""
        async with self.write() as conn:
            if not self.is_sqlite:
                lock = text("select pg_advisory_xact_lock(:number)")
                await conn.execute(lock, {"number": _MIGRATION_LOCK})
            await conn.run_sync(_migrate)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """A full disk, a lost server, a foreign file: one sentence instead of a stack of libraries."""
        try:
            yield
        except (DatabaseFault, InterfaceError, ConnectionError, socket.gaierror) as error:
            if isinstance(error, IntegrityError | ProgrammingError | DataError):
                raise
            raise _cannot_use(self.url, error) from error

    async def close(self) -> None:
        await self.engine.dispose()


async def upsert(
    conn: AsyncConnection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    key: Iterable[str],
    keep: Iterable[str] = (),
) -> None:
    """Insert `rows`, and where `key` exists already overwrite every given column but those in `keep`."""
    if not rows:
        return
    dialect = sqlite if conn.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table)
    key, keep = list(key), set(keep)
    new = {name: statement.excluded[name] for name in rows[0] if name not in key and name not in keep}
    if new:
        statement = statement.on_conflict_do_update(index_elements=key, set_=new)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=key)
    await conn.execute(statement, [dict(row) for row in rows])


async def insert_once(conn: AsyncConnection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert `row` unless its key is there; True for the one that was first, however many try together."""
    dialect = sqlite if conn.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table).values(**row).on_conflict_do_nothing()
    return (await conn.execute(statement.returning(*table.primary_key))).first() is not None


def chunked(items: Sequence[T], size: int = 500) -> Iterator[Sequence[T]]:
    """`items` in pieces that fit into one statement."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _engine(url: str) -> AsyncEngine:
    parsed = make_url(url)
    # Errors get logged, and a statement's values are people's addresses and sealed tokens.
    if parsed.get_backend_name() == "postgresql":
        return create_async_engine(
            parsed.set(drivername="postgresql+asyncpg"), pool_pre_ping=True, hide_parameters=True
        )
    if parsed.database and parsed.database != ":memory:":
        path = Path(parsed.database)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Private repositories are in it; SQLite gives its helper files the same mode.
        path.touch(mode=0o600)
    engine = create_async_engine(
        parsed.set(drivername="sqlite+aiosqlite"), connect_args={"timeout": 30}, hide_parameters=True
    )
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver must not begin transactions by itself, or IMMEDIATE could never be said
    # (https://docs.sqlalchemy.org/en/21/dialects/sqlite.html#serializable-isolation-savepoints-transactional-ddl).
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("pragma journal_mode=wal")
    cursor.execute("pragma synchronous=normal")
    # A long sync beside readers makes the log of writes as large as the database; this gives it back after.
    cursor.execute(f"pragma journal_size_limit={_LARGEST_LOG_BYTES}")
    # Shas come in no order: with the default of 2 MB most inserts would write pages out and read others.
    cursor.execute(f"pragma cache_size=-{_CACHE_KB}")
    cursor.execute("pragma foreign_keys=on")
    cursor.close()


def _begin_sqlite(conn: Connection) -> None:
    how = conn.get_execution_options().get("trackeep_begin", "DEFERRED")
    conn.exec_driver_sql(f"begin {how}")


@lru_cache(maxsize=1)
def newest_revision() -> str:
    """The version of the tables that this program works with."""
    return str(_script()[1].get_current_head())


def _script() -> tuple[Config, ScriptDirectory]:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "store" / "migrations"))
    return config, ScriptDirectory.from_config(config)


def _migrate(conn: Connection) -> None:
    config, script = _script()
    current, newest = MigrationContext.configure(conn).get_current_revision(), script.get_current_head()
    if current == newest:
        return
    if current is not None and current not in {revision.revision for revision in script.walk_revisions()}:
        raise DatabaseVersionError(
            f"The database was written by a newer Trackeep: it has version {current}, known is {newest}.",
            "Start the newer program, or restore the copy made before the upgrade.",
        )
    if current is None and inspect(conn).has_table("repository"):
        raise DatabaseError(
            "The database has tables of its own, but not those of a running Trackeep.",
            "It may be an export; give the instance a file or a database of its own.",
        )
    if current is not None and conn.dialect.name == "sqlite":
        _copy_before(conn, current)

    def upgrade(revision: Any, _context: object) -> Any:
        return script._upgrade_revs("head", revision)

    with EnvironmentContext(config, script, fn=upgrade) as environment:
        environment.configure(connection=conn, transactional_ddl=False)
        environment.run_migrations()


def _copy_before(conn: Connection, version: str) -> None:
    source = Path(str(conn.engine.url.database))
    copy = source.with_name(f"{source.name}.before-{version}-{int(time.time())}")
    copy.touch(mode=0o600)
    with contextlib.closing(sqlite3.connect(source)) as old, contextlib.closing(sqlite3.connect(copy)) as new:
        old.backup(new)
    shutil.copymode(source, copy)


def _cannot_use(url: str, error: BaseException) -> DatabaseError:
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0].rstrip(".")
    return DatabaseError(
        f"The database {_without_password(url)} cannot be used: {reason}.",
        "Check TRACKEEP_DATABASE_URL, that its server runs, and that there is room on the disk.",
    )


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return url.split("@")[-1]
