"""`trackeep serve` and `trackeep worker`: the web application and the background sync."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
import webbrowser
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from trackeep.cli.conventions import manner, setting_options
from trackeep.cli.edge import finish, settings_of, settle

if TYPE_CHECKING:
    import socket

    from trackeep.database import Database
    from trackeep.environment import InstanceSettings
    from trackeep.store.backups import Plan
    from trackeep.sync.worker import Worker
    from trackeep.vault import Vault

RESTART_AFTER_S, SAY_AGAIN_AFTER_S = 5.0, 60.0
SETTINGS_BY_FLAG = (
    *("TRACKEEP_HOST", "TRACKEEP_PORT", "TRACKEEP_BASE_URL", "TRACKEEP_BROKER_URL"),
    *("TRACKEEP_ALLOWED_USERS", "TRACKEEP_ALLOWED_ORGS", "TRACKEEP_POLL_SECONDS"),
    *("TRACKEEP_TRUSTED_PROXIES", "TRACKEEP_LOG_FORMAT", "TRACKEEP_LOG_LEVEL"),
)


@click.command()
@setting_options(SETTINGS_BY_FLAG)
@click.option("--open", "open_browser", is_flag=True, help="Open the pages in the browser when ready.")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="How many processes sync, this one among them.",
)
@click.option("--no-worker", is_flag=True, help="Only the web pages; run `trackeep worker` elsewhere.")
@click.option("--demo", is_flag=True, hidden=True, help="Print the set-up link; only for invented data.")
def serve(open_browser: bool, workers: int, no_worker: bool, demo: bool) -> None:
    """Run the web application and its sync worker until stopped."""
    import dataclasses

    from trackeep import web

    settings = settings_of(level="info")
    with contextlib.closing(web.bind(settings.host, settings.port)) as listener:
        if settings.port == 0 and settings.base_url == "http://localhost:0":
            address = f"http://localhost:{listener.getsockname()[1]}"
            settings = dataclasses.replace(settings, base_url=address)
        with _further_workers(0 if no_worker else workers - 1):
            about = About(with_worker=not no_worker, is_demo=demo, open_browser=open_browser)
            finish(_serve(settings, listener, about))


@click.command()
@setting_options(["TRACKEEP_POLL_SECONDS"])
@click.option(
    "--concurrency",
    type=click.IntRange(1, 256),
    metavar="N",
    help="How many accounts this process syncs at the same time.",
)
@click.option("--once", is_flag=True, help="Sync everybody who is due, then end: for cron.")
def worker(concurrency: int | None, once: bool) -> None:
    """Run only the background sync until stopped; any number of them share the work."""
    settings = settings_of(level="info")
    finish(_work_once(settings) if once else _work(settings, concurrency))


@dataclass(frozen=True)
class About:
    """What is served beside the pages, and to whom they are shown first."""

    with_worker: bool
    is_demo: bool
    open_browser: bool


@contextlib.contextmanager
def _further_workers(count: int) -> Iterator[None]:
    """So many `trackeep worker` processes; each ends with this one, however that ends."""
    environ = {**os.environ, **manner().flags}
    words = [sys.executable, "-m", "trackeep", "--until-stdin-closes", "worker"]
    started = [
        subprocess.Popen(words, env=environ, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        for _ in range(count)
    ]
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.communicate()


async def _serve(settings: InstanceSettings, listener: socket.socket, about: About) -> None:
    import aiohttp

    from trackeep import web
    from trackeep.cli.browser import open_secretly
    from trackeep.cli.edge import opened
    from trackeep.instance.app import create_app, new_site
    from trackeep.instance.entry import admission, memberships, other_account, setup
    from trackeep.store import backups
    from trackeep.vault import open_vault

    async with opened(settings) as db:
        vault = open_vault(settings.secret_key, settings.data_dir)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            site = new_site(settings, db, vault, http, is_demo=about.is_demo)
            # A demo's link has the code in it.
            code = await setup.current_code(site) if about.is_demo else None
            if not about.is_demo:
                await setup.announce(site, again=True)
            address = setup.link(settings, code) if code else settings.base_url

            def say() -> None:
                settle()
                click.echo(f"Trackeep ready at {address}")
                sys.stdout.flush()
                if about.open_browser and code:
                    open_secretly(address, settings.data_dir)
                elif about.open_browser:
                    webbrowser.open(address)

            async with (
                _in_background(admission.resolve_at_start(site)),
                _in_background(other_account.end_overdue(site)),
                _in_background(memberships.keep_checking(site)),
                _in_background(_sync(settings, db, vault) if about.with_worker else None),
                _in_background(backups.keep_making(_backups(settings)) if about.with_worker else None),
            ):
                await web.serve(create_app(site), listener, say)


async def _work(settings: InstanceSettings, concurrency: int | None) -> None:
    import signal

    from trackeep.cli.edge import opened
    from trackeep.store import backups
    from trackeep.vault import open_vault

    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with opened(settings) as db:
        vault = open_vault(settings.secret_key, settings.data_dir)
        async with (
            _in_background(_sync(settings, db, vault, concurrency)),
            _in_background(backups.keep_making(_backups(settings))),
        ):
            settle()
            click.echo("Trackeep worker ready")
            sys.stdout.flush()
            await stopped.wait()


async def _work_once(settings: InstanceSettings) -> None:
    from trackeep.cli.edge import opened
    from trackeep.store import backups
    from trackeep.vault import open_vault

    async with opened(settings) as db:
        vault = open_vault(settings.secret_key, settings.data_dir)
        outcomes = await _worker(settings, db, vault).run_once()
    await backups.make_if_due(_backups(settings), time.time())
    click.echo(f"Accounts synced: {len(outcomes)}")


def _backups(settings: InstanceSettings) -> Plan:
    from trackeep.store.backups import Plan

    return Plan(
        settings.database_url,
        settings.backups_dir,
        settings.backup_hours,
        settings.backup_keep,
        dict(os.environ),
    )


def _worker(settings: InstanceSettings, db: Database, vault: Vault, concurrency: int | None = None) -> Worker:
    from trackeep.github.login import OwnApp
    from trackeep.sync.credentials import Credentials
    from trackeep.sync.turns import Pace
    from trackeep.sync.worker import Worker

    pace = Pace() if concurrency is None else Pace(at_once=concurrency)
    credentials = Credentials(db, vault, own_app=OwnApp.of(settings))
    return Worker(db, credentials, settings.github, settings.poll_seconds, pace=pace)


async def _sync(
    settings: InstanceSettings, db: Database, vault: Vault, concurrency: int | None = None
) -> None:
    """The sync's loop; when the database fails it, it starts again instead of leaving pages stale."""
    import structlog

    from trackeep.errors import DatabaseError

    log, background = structlog.get_logger(), _worker(settings, db, vault, concurrency)
    said_at = -SAY_AGAIN_AFTER_S
    while True:
        try:
            await background.run()
        except* DatabaseError as caught:
            # The log may lie on the same full disk.
            if time.monotonic() - said_at >= SAY_AGAIN_AFTER_S:
                said_at = time.monotonic()
                log.error("the background sync waits for the database", reason=str(caught.exceptions[0]))
        except* Exception:
            log.exception("the background sync failed and starts again")
        await asyncio.sleep(RESTART_AFTER_S)


@contextlib.asynccontextmanager
async def _in_background(work: Coroutine[Any, Any, None] | None) -> AsyncIterator[None]:
    """Run `work` beside the body, and end it with the body."""
    task = asyncio.ensure_future(work) if work else None
    try:
        yield
    finally:
        if task:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
