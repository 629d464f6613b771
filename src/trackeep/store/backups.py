"""Copies of the whole database: made, listed, thinned out, made by the clock, and put back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import structlog
from sqlalchemy.engine import make_url

from trackeep.database import Database, copy_sqlite, known_versions, sqlite_path
from trackeep.errors import DatabaseError, DatabaseVersionError, TrackeepError, UsageError

HOUR_S = 3600
LOOK_EVERY_S = 60
AGAIN_AFTER_S = 900
_OURS = re.compile(r"trackeep-(\d{8}T\d{6}Z)\.(db|dump)")
_STAMP = "%Y%m%dT%H%M%SZ"
# Whoever was shut out after the backup was made must not be back in with it: nobody knows any more which
# of these were ended since.
SESSIONS = ("session", "pending_arrival")
GIVEN_OUT = ("api_token", "feed_token", "badge")

log = structlog.get_logger()


@dataclass(frozen=True)
class Backup:
    """A file of ours in the folder of backups; `made_at` in unix seconds."""

    path: Path
    made_at: int
    size_bytes: int


@dataclass(frozen=True)
class Plan:
    """Of which database backups are made, where to, how often (0: never) and how many of them stay.

    `variables` is what PostgreSQL's own program is started with.
    """

    url: str
    folder: Path
    hours: int
    keep: int
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_on(self) -> bool:
        return self.hours > 0


@dataclass(frozen=True)
class Restored:
    """Where the replaced database lies (None: there was none) and how many rows of which table were ended."""

    replaced: Path | None
    ended: Mapping[str, int]


def listed(folder: Path) -> list[Backup]:
    """Every backup of ours in `folder`, the newest first; other files are nobody's business."""
    found = []
    for path in folder.glob("trackeep-*"):
        ours = _OURS.fullmatch(path.name)
        with contextlib.suppress(OSError, ValueError):
            if ours and path.is_file():
                made_at = datetime.strptime(ours[1], _STAMP).replace(tzinfo=UTC)
                found.append(Backup(path, int(made_at.timestamp()), path.stat().st_size))
    return sorted(found, key=lambda each: each.made_at, reverse=True)


def place(url: str, folder: Path, now: float) -> Path:
    """The name of a backup that is made now."""
    ending = "db" if url.startswith("sqlite:") else "dump"
    return folder / f"trackeep-{datetime.fromtimestamp(now, UTC).strftime(_STAMP)}.{ending}"


def thin_out(folder: Path, keep: int) -> list[Path]:
    """Delete all of our backups but the `keep` newest; returns what is gone."""
    gone = [each.path for each in listed(folder)[keep:]]
    for path in gone:
        path.unlink(missing_ok=True)
    return gone


def make(url: str, target: Path, variables: Mapping[str, str]) -> None:
    """Copy the database of `url` to `target`, which appears as a whole or not at all; this takes its time.

    SQLite is copied while others write, and read through. PostgreSQL is left to its own pg_dump, started
    with `variables`. Raises DatabaseError, and UsageError where pg_dump is missing.
    """
    if url.startswith("sqlite:"):
        copy_sqlite(sqlite_path(url), target)
    else:
        _dump_postgresql(url, target, variables)


# ---- by the clock -------------------------------------------------------------------------------


async def keep_making(plan: Plan, clock: Callable[[], float] = time.time) -> None:
    """Make a backup whenever one is due, until cancelled; returns at once when none are wanted."""
    while plan.is_on:
        is_well = await make_if_due(plan, clock())
        await asyncio.sleep(LOOK_EVERY_S if is_well else AGAIN_AFTER_S)


async def make_if_due(plan: Plan, now: float) -> bool:
    """False when one was due and could not be made: the earlier ones stay, and the log says why."""
    since = now - plan.hours * HOUR_S
    # One of the future was made by a clock that was ahead; it does not stand for today's.
    if not plan.is_on or any(since < each.made_at <= now for each in listed(plan.folder)):
        return True
    target = place(plan.url, plan.folder, now)
    try:
        plan.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        await asyncio.to_thread(make, plan.url, target, plan.variables)
    except (TrackeepError, OSError) as error:
        log.error("no backup was made, the earlier ones stay", reason=str(error))
        return False
    gone = thin_out(plan.folder, plan.keep)
    log.info("backup made", file=str(target), bytes=target.stat().st_size, deleted=len(gone))
    return True


# ---- putting one back ---------------------------------------------------------------------------


async def restore(db: Database, file: Path, now: int, *, keep_tokens: bool = False) -> Restored:
    """Put the backup `file` in the place of SQLite database `db`.

    Everybody is signed out, and API tokens, feed tokens and badges end unless `keep_tokens`. Raises
    UsageError for a file that is no backup or while a program has the database open,
    DatabaseVersionError for one of a newer program.
    """
    if not db.is_sqlite:
        raise UsageError(
            "This database is PostgreSQL's, which restores with its own program.",
            f"Stop Trackeep, then run: pg_restore --clean --if-exists --no-owner --single-transaction "
            f"--dbname=ADDRESS {file}",
        )
    target = sqlite_path(db.url)
    if target.exists() and target.resolve() == file.resolve():
        raise UsageError(f"{file} is the database itself.", "Name a backup of it.")
    await asyncio.to_thread(_require_backup, file)
    if await db.is_used_by_others():
        raise UsageError(
            f"Another program has {target} open.", "Stop the server, the workers and every other one first."
        )
    ends = SESSIONS if keep_tokens else SESSIONS + GIVEN_OUT
    return await asyncio.to_thread(_put_back, target, file, now, ends)


def _put_back(target: Path, file: Path, now: int, ends: Sequence[str]) -> Restored:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    arriving = target.with_name(f".{target.name}.arriving")
    try:
        copy_sqlite(file, arriving)
        with contextlib.closing(sqlite3.connect(arriving)) as conn:
            ended = {table: conn.execute(f"delete from {table}").rowcount for table in ends}  # noqa: S608
            conn.commit()
        return Restored(_swap(target, arriving, now), ended)
    finally:
        arriving.unlink(missing_ok=True)


def _swap(target: Path, arriving: Path, now: int) -> Path | None:
    kept = target.with_name(f"{target.name}.replaced-{now}") if target.exists() else None
    if kept is not None:
        # Its log of writes belongs to it, and would be taken for the restored one's.
        for ending in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                target.with_name(target.name + ending).rename(kept.with_name(kept.name + ending))
    arriving.replace(target)
    return kept


def _require_backup(file: Path) -> None:
    if not file.is_file():
        raise UsageError(f"There is no file {file}.", "Name a backup, such as those in the data directory.")
    try:
        with contextlib.closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as conn:
            kinds = conn.execute("select name, type from sqlite_master").fetchall()
            tables = {name for name, kind in kinds if kind == "table"}
            versions = "select version_num from alembic_version"
            version = conn.execute(versions).fetchone() if "alembic_version" in tables else None
    except sqlite3.Error as error:
        raise UsageError(f"{file} is no backup of Trackeep: {error}.", "Choose another file.") from error
    # They would go on acting after everybody was signed out.
    if any(kind in ("trigger", "view") for _, kind in kinds):
        raise UsageError(
            f"{file} has triggers or views, which no backup of Trackeep has.", "Choose another file."
        )
    if version is None or not {"repository", "account", *SESSIONS, *GIVEN_OUT} <= tables:
        raise UsageError(
            f"{file} is no backup of a whole Trackeep.",
            "An export holds one person's rows; it cannot be one.",
        )
    if version[0] not in known_versions():
        raise DatabaseVersionError(
            f"{file} was written by a newer Trackeep: it has version {version[0]}.", "Use the newer program."
        )


# ---- PostgreSQL ---------------------------------------------------------------------------------


def _dump_postgresql(url: str, target: Path, variables: Mapping[str, str]) -> None:
    program, parsed = shutil.which("pg_dump", path=variables.get("PATH")), make_url(url)
    if program is None:
        raise UsageError(
            "This database is PostgreSQL's, and its program pg_dump is not installed here.",
            "Install it, or run it where it is: pg_dump --format=custom --no-owner --file=trackeep.dump",
        )
    partial = target.with_name(f".{target.name}.partial")
    partial.unlink(missing_ok=True)
    # Everybody on this computer may read what a program was started with, so the password goes another way.
    secret = {"PGPASSWORD": parsed.password} if parsed.password else {}
    address = parsed.set(password=None).render_as_string()
    words = [program, "--format=custom", "--no-owner", "--no-password", f"--file={partial}", address]
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        environment = {**variables, **secret}
        done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
        if done.returncode != 0:
            said = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[0].rstrip(".")
            raise DatabaseError(f"The backup {target} could not be made: {said}.", "Earlier ones stay.")
        partial.replace(target)
    except OSError as error:
        raise DatabaseError(
            f"The backup {target} could not be made: {error}.", "Earlier ones stay."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
