"""What every command does at its edge: read the environment, open the database, end with the right code."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from trackeep.cli.conventions import manner
from trackeep.cli.output import plain

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from trackeep.database import Database
    from trackeep.environment import InstanceSettings
    from trackeep.instance.site import Site
    from trackeep.store.reports_access import Reader

T = TypeVar("T")
Command = Callable[..., Any]
# What a command ends with besides the codes of errors.py.
PARTIAL, NOTHING_TO_DO = 3, 8
_SETTLED_AFTER = 10

account_option: Callable[[Command], Command] = click.option(
    "--account", metavar="LOGIN", help="Whose view; needed when several people sign in here."
)


def settings_of(
    flags: Mapping[str, str] | None = None, *, level: str = "warning", say_warnings: bool = True
) -> InstanceSettings:
    """The instance's settings from the environment, `flags` above it, with its warnings said on stderr.

    `level` is what is logged unless the environment says otherwise: the output of a command that ends
    by itself is its answer, so it logs warnings only.
    """
    from trackeep import logs
    from trackeep.environment import instance_settings

    asked, wanted = manner(), {**(flags or {})}
    if asked.log_level:
        wanted["TRACKEEP_LOG_LEVEL"] = asked.log_level
    settings = instance_settings({"TRACKEEP_LOG_LEVEL": level, **os.environ, **wanted, **asked.flags})
    logs.set_up(settings.log)
    for warning in settings.warnings if say_warnings else ():
        click.echo(f"trackeep: {warning}", err=True)
    return settings


@contextlib.asynccontextmanager
async def opened(settings: InstanceSettings) -> AsyncIterator[Database]:
    """The instance's database, closed again at the end."""
    from trackeep.database import Database

    db = await Database.open(settings.database_url)
    try:
        yield db
    finally:
        await db.close()


@contextlib.asynccontextmanager
async def site_of(settings: InstanceSettings) -> AsyncIterator[Site]:
    """What the pages work with, for a command that does what a page does."""
    import aiohttp

    from trackeep.instance.app import new_site
    from trackeep.vault import open_vault

    vault = open_vault(settings.secret_key, settings.data_dir)
    async with opened(settings) as db, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield new_site(settings, db, vault, http)


async def account_of(conn: AsyncConnection, settings: InstanceSettings, login: str | None) -> int:
    """The account a command speaks of; with a token but nothing read yet it says what to do first."""
    from trackeep.errors import NotSignedIn
    from trackeep.store import people

    try:
        return await people.account_named(conn, login)
    except NotSignedIn:
        if not settings.github_token:
            raise
        raise NotSignedIn("Nothing has been read yet.", "Run `trackeep sync` first.") from None


@contextlib.asynccontextmanager
async def reading(login: str | None) -> AsyncIterator[tuple[AsyncConnection, Reader]]:
    """A connection to read with, and the account's view at this moment, in its own time zone."""
    settings = settings_of()
    async with opened(settings) as db, db.read() as conn:
        yield conn, await reader_of(conn, await account_of(conn, settings, login))


async def reader_of(conn: AsyncConnection, account_id: int) -> Reader:
    """The account's view now; its days are those of this computer until the person chose a time zone."""
    from sqlalchemy import select

    from trackeep.store.reports_access import Reader
    from trackeep.store.tables import account

    columns = (account.c.time_zone, account.c.week_start, account.c.stale_days)
    chosen = (await conn.execute(select(*columns).where(account.c.id == account_id))).one()
    zone = zone_called(chosen.time_zone) or zone_here()
    return Reader(account_id, int(time.time()), zone, chosen.week_start, chosen.stale_days)


def zone_called(name: str) -> ZoneInfo | None:
    """The time zone of that IANA name, None when there is none."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def zone_here() -> ZoneInfo:
    """This computer's time zone: what TZ says, else what /etc/localtime points at, else UTC."""
    named = os.environ.get("TZ", "").removeprefix(":")
    _, _, linked = str(Path("/etc/localtime").resolve()).partition("zoneinfo/")
    return zone_called(named) or zone_called(linked) or ZoneInfo("UTC")


def sure(question: str, yes: bool) -> None:
    """Ask before something that cannot be undone; without a terminal only `--yes` is an answer."""
    from trackeep.errors import UsageError

    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(plain(question), "Nobody can be asked here. Add --yes if you mean it.")
    click.confirm(plain(question), abort=True, err=True)


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on an event loop of its own; Ctrl-C ends it cleanly with exit code 130."""
    threading.excepthook = _without_late_answers
    try:
        return asyncio.run(work)
    finally:
        # Ctrl-C may come before it has begun.
        work.close()


def settle() -> None:
    """For a program that stays, once it has loaded all that it needs: nothing of it will be garbage."""
    # Each full search would look at all of it anew, and for these 150 ms nobody would be answered.
    gc.freeze()
    gc.callbacks.append(_settle_further)


def _settle_further(phase: str, info: Mapping[str, int]) -> None:
    # Templates and statements are made when they are first needed, and stay as well. Only for a while,
    # because what is in hand at such a moment stays, too.
    if phase == "stop" and info["generation"] == 2 and gc.get_stats()[2]["collections"] <= _SETTLED_AFTER:
        gc.freeze()


def _without_late_answers(caught: threading.ExceptHookArgs) -> None:
    # A command stopped while SQLite is busy ends its loop before the driver's thread gets
    # to say so; nobody waits for that answer any more.
    if "Event loop is closed" not in str(caught.exc_value):
        threading.__excepthook__(caught)
