"""Opens SQLite or PostgreSQL, runs one transaction at a time, and brings the tables up to date."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, Table, event, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from trackeep.errors import DatabaseError, DatabaseVersionError

T = TypeVar("T")

_LARGEST_LOG_BYTES = 16 * 1024 * 1024
# What reads is as fast with little, since the system keeps the file in memory, too. What writes is not: shas
# come in no order, so with little most inserts would write pages out and read others.
_CACHE_KB = {"DEFERRED": 2 * 1024, "IMMEDIATE": 16 * 1024}
_MIGRATION_LOCK = 7_243_551_180_461  # any number that no other program on the server uses
# The connection that was used last comes next: one warm cache instead of one in each of them.
_POOL: dict[str, Any] = {"pool_use_lifo": True, "pool_timeout": 9.0}
# A server may be gone without a word, and the one that waits is often a person before a page.
CONNECTED_WITHIN_S = 10.0
MIGRATIONS = Path(__file__).parent / "store" / "migrations"
# How long SQLite lets a writer wait for another: the sync, an upgrade, a page, what a page can do without.
WAIT_MS, WAIT_FOR_MIGRATION_MS, WAIT_OF_PAGE_MS, WAIT_OF_NOTE_MS = 30_000, 3_600_000, 10_000, 500

log = structlog.get_logger()


@dataclass(frozen=True)
class Database:
    """One engine; `read` and `write` are the only ways to a connection.

    `wait_ms` is how long SQLite lets it wait for another writer; PostgreSQL waits as long as it takes.
    """

    engine: AsyncEngine
    url: str
    wait_ms: int = field(default=WAIT_MS, kw_only=True)

    @classmethod
    async def open(cls, url: str, *, migrations: Path = MIGRATIONS, may_migrate: bool = True) -> Database:
        """Open `sqlite:///path` or `postgresql://...` and bring its tables up to date.

        `migrations` is the folder of their versions. Raises DatabaseError when it cannot be reached and
        DatabaseVersionError when it is newer, or older while it may not be migrated.
        """
        database = cls.at(url)
        try:
            await database._bring_up_to_date(migrations, may_migrate)
        except BaseException:
            await database.close()
            raise
        return database

    @classmethod
    def at(cls, url: str) -> Database:
        """The same, looked at by nobody yet: whatever its version, or damaged. Raises DatabaseError."""
        try:
            return cls(_engine(url), url)
        except (ArgumentError, OSError, ValueError) as error:
            raise _cannot_use(url, _reason(error)) from error

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    def for_pages(self) -> Database:
        """The same, for somebody who waits before a page: not as long for another writer as the sync does."""
        return replace(self, wait_ms=WAIT_OF_PAGE_MS)

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose statements see one state of the database. Raises DatabaseError."""
        async with self._connected(self.wait_ms) as conn:
            if not self.is_sqlite:
                await conn.execution_options(isolation_level="REPEATABLE READ")
            yield conn

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that is committed as a whole, or not at all. Raises DatabaseError."""
        async with self._writing(self.wait_ms) as conn:
            yield conn

    async def note(self, work: Callable[[AsyncConnection], Awaitable[None]]) -> bool:
        """Write what its reader can do without; False where nothing can be written just now.

        A page is there to be read also when the disk is full or another program holds the database.
        """
        try:
            async with self._writing(WAIT_OF_NOTE_MS) as conn:
                await work(conn)
        except DatabaseError as error:
            log.warning("a visit was not noted", reason=error.sentence)
            return False
        return True

    @contextlib.asynccontextmanager
    async def _writing(self, wait_ms: int) -> AsyncIterator[AsyncConnection]:
        async with self._connected(wait_ms) as conn:
            if self.is_sqlite:
                # A reader that turns writer would fail at once when another writes; this waits.
                await conn.execution_options(trackeep_begin="IMMEDIATE")
            async with conn.begin():
                yield conn

    @contextlib.asynccontextmanager
    async def _connected(self, wait_ms: int) -> AsyncIterator[AsyncConnection]:
        with self._told():
            async with contextlib.AsyncExitStack() as stack:
                conn = await self._connect(stack)
                if self.is_sqlite:
                    await conn.execution_options(trackeep_wait_ms=wait_ms)
                yield conn

    async def _connect(self, stack: contextlib.AsyncExitStack) -> AsyncConnection:
        try:
            async with asyncio.timeout(CONNECTED_WITHIN_S):
                return await stack.enter_async_context(self.engine.connect())
        except PoolTimeoutError as error:
            raise DatabaseError("Every connection to the database is in use.", "Try again soon.") from error
        except TimeoutError as error:
            raise _cannot_use(self.url, "it does not answer") from error
        except OSError as error:
            raise _cannot_use(self.url, _reason(error)) from error

    async def version(self) -> str:
        """The version of its tables, "" for a database that has none yet."""
        async with self.read() as conn:
            return await conn.run_sync(_current) or ""

    async def is_used_by_others(self) -> bool:
        """Whether another program has it open: a server, a worker, a shell. Nobody may be using this one."""
        if self.is_sqlite:
            await self.engine.dispose()
            return _is_open_elsewhere(sqlite_path(self.url))
        others = text(
            "select count(*) from pg_stat_activity where datname = current_database() "
            "and pid <> pg_backend_pid() and backend_type = 'client backend'"
        )
        async with self.read() as conn:
            return bool(await conn.scalar(others))

    async def _bring_up_to_date(self, migrations: Path, may_migrate: bool) -> None:
        """Under a lock, with a copy of SQLite before; those who come meanwhile wait, and find it done."""
        newest = _newest(migrations)
        async with self.read() as conn:
            current = await conn.run_sync(_current)
        if current == newest:
            return
        _refuse_newer(current, migrations)
        if not may_migrate:
            raise DatabaseVersionError(
                f"The database has version {current or 'none'}, this program works with {newest}.",
                "Run `trackeep db migrate` first.",
            )
        async with self._writing(WAIT_FOR_MIGRATION_MS) as conn:
            await conn.run_sync(_migrate, migrations)

    async def is_current(self, conn: AsyncConnection) -> bool:
        """Whether the tables are still those of this program; a newer one may have changed them since."""
        return await conn.run_sync(_current) == _newest(MIGRATIONS)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """A full disk, a lost server, a foreign file: one sentence instead of a stack of libraries."""
        try:
            yield
        # The driver of PostgreSQL tells of a wrong password with no more than its most general error.
        except (DBAPIError, ConnectionError, socket.gaierror) as error:
            if isinstance(error, IntegrityError | ProgrammingError | DataError) or _is_of_its_own(error):
                raise
            raise _cannot_use(self.url, _reason(error)) from error

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
            parsed.set(drivername="postgresql+asyncpg"), pool_pre_ping=True, hide_parameters=True, **_POOL
        )
    if parsed.database and parsed.database != ":memory:":
        path = Path(parsed.database)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Private repositories are in it; SQLite gives its helper files the same mode.
        path.touch(mode=0o600)
    engine = create_async_engine(
        parsed.set(drivername="sqlite+aiosqlite"),
        connect_args={"timeout": WAIT_MS / 1000},
        hide_parameters=True,
        **_POOL,
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
    cursor.execute("pragma foreign_keys=on")
    cursor.close()


def _begin_sqlite(conn: Connection) -> None:
    options = conn.get_execution_options()
    how, wait_ms = options.get("trackeep_begin", "DEFERRED"), options.get("trackeep_wait_ms", WAIT_MS)
    if conn.info.get("wait_ms", WAIT_MS) != wait_ms:
        conn.exec_driver_sql(f"pragma busy_timeout={wait_ms}")
        conn.info["wait_ms"] = wait_ms
    if conn.info.get("trackeep_began") != how:
        conn.exec_driver_sql(f"pragma cache_size=-{_CACHE_KB[how]}")
        conn.info["trackeep_began"] = how
    conn.exec_driver_sql(f"begin {how}")


def known_versions(migrations: Path = MIGRATIONS) -> set[str]:
    """Every version of the tables that this program can work with or bring up to date.

    Told by the names of the files: Alembic takes 11 MB and a quarter of a second, mostly for nothing.
    """
    return {path.name.partition("_")[0] for path in (migrations / "versions").glob("[0-9]*_*.py")}


@lru_cache(maxsize=8)
def _newest(migrations: Path) -> str:
    return max(known_versions(migrations))


def _current(conn: Connection) -> str | None:
    if not inspect(conn).has_table("alembic_version"):
        return None
    version = conn.scalar(text("select version_num from alembic_version"))
    return None if version is None else str(version)


def _migrate(conn: Connection, migrations: Path) -> None:
    if conn.dialect.name != "sqlite":
        conn.execute(text("select pg_advisory_xact_lock(:number)"), {"number": _MIGRATION_LOCK})
    current, newest = _current(conn), _newest(migrations)
    if current == newest:
        return
    _refuse_newer(current, migrations)
    if current is None and inspect(conn).has_table("repository"):
        raise DatabaseError(
            "The database has tables of its own, but not those of a running Trackeep.",
            "It may be an export; give the instance a file or a database of its own.",
        )
    copy = _copy_before(conn, current) if current is not None and conn.dialect.name == "sqlite" else None
    try:
        importlib.import_module("trackeep.upgrades").upgrade(conn, migrations)
    except BaseException:
        # The transaction takes everything back, and a program that is started again and again must not
        # fill the disk with copies of what is there.
        if copy is not None:
            copy.unlink(missing_ok=True)
        raise
    if current is not None:
        told = f"; as it was before it lies at {copy}" if copy else ""
        log.warning(f"the database was brought from version {current} to {newest}{told}")


def _refuse_newer(current: str | None, migrations: Path) -> None:
    if current is not None and current not in known_versions(migrations):
        newest = _newest(migrations)
        raise DatabaseVersionError(
            f"The database was written by a newer Trackeep: it has version {current}, known is {newest}.",
            "Start the newer program, or restore the copy made before the upgrade.",
        )


def _copy_before(conn: Connection, version: str) -> Path:
    source = Path(str(conn.engine.url.database))
    copy = source.with_name(f"{source.name}.before-{version}-{int(time.time())}")
    copy_sqlite(source, copy)
    return copy


# ---- SQLite's file ------------------------------------------------------------------------------


def sqlite_path(url: str) -> Path:
    """The file of an `sqlite:///path` address."""
    return Path(str(make_url(url).database))


def copy_sqlite(source: Path, target: Path) -> None:
    """A copy of one state of `source` as one file, whoever writes there meanwhile; it appears as a whole.

    It was read through and found sound. Raises DatabaseError, and leaves what stood there before.
    """
    partial = target.with_name(f".{target.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        # A new file, for its owner only: private repositories are in it.
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        mode = "rw" if os.access(source, os.W_OK) else "ro"
        address = f"{source.absolute().as_uri()}?mode={mode}"
        with contextlib.closing(sqlite3.connect(address, uri=True)) as old:
            _copy_whole(old, partial)
        partial.replace(target)
    except (sqlite3.Error, OSError) as error:
        raise DatabaseError(
            f"The copy {target} could not be made: {str(error).rstrip('.')}.",
            "See that there is room on the disk and that the database is sound (`trackeep db check`).",
        ) from error
    finally:
        for ending in ("", "-journal", "-wal", "-shm"):
            partial.with_name(partial.name + ending).unlink(missing_ok=True)


def _copy_whole(old: sqlite3.Connection, partial: Path) -> None:
    with contextlib.closing(sqlite3.connect(partial)) as new:
        old.backup(new)
        # Else the copy would be three files as soon as somebody looks into it.
        new.execute("pragma journal_mode=delete")
        (found,) = new.execute("pragma integrity_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(f"it is damaged ({found})")
    with partial.open("rb") as file:
        os.fsync(file.fileno())


def _is_open_elsewhere(path: Path) -> bool:
    if not path.exists():
        return False
    with contextlib.closing(sqlite3.connect(path, timeout=0)) as probe:
        try:
            # Leaving the write-ahead log needs a database that nobody else has open, idle or not.
            probe.execute("pragma journal_mode=delete")
        except sqlite3.OperationalError as error:
            return "locked" in str(error)
        except sqlite3.DatabaseError:
            return False
        probe.execute("pragma journal_mode=wal")
    return False


def _is_of_its_own(error: BaseException) -> bool:
    """Whether SQLite refuses just this statement, as with a table or a column that is not there."""
    return getattr(getattr(error, "orig", None), "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR


def _cannot_use(url: str, reason: str) -> DatabaseError:
    if "malformed" in reason or "not a database" in reason:
        advice = "Put a backup in its place with `trackeep restore`, or give the program another data folder."
    elif "locked" in reason:
        advice = "Another program holds it: try again soon, and end that program where it goes on."
    elif "full" in reason:
        advice = "Make room on its disk; what is stored is safe, and the work goes on by itself."
    elif url.startswith("sqlite"):
        advice = "See that its folder exists and may be written to, and that there is room on the disk."
    else:
        advice = "Check TRACKEEP_DATABASE_URL, that its server runs, and that there is room on its disk."
    return DatabaseError(f"The database {_without_password(url)} cannot be used: {reason}.", advice)


def _reason(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    return str(getattr(cause, "strerror", None) or cause).strip().splitlines()[0].rstrip(".")


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return url.split("@")[-1]
