"""`trackeep serve` and `trackeep worker`: the web application and the background sync."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any

import click

from trackeep.cli.edge import finish, settings_of

if TYPE_CHECKING:
    import socket

    from trackeep.database import Database
    from trackeep.environment import InstanceSettings
    from trackeep.store.backups import Plan
    from trackeep.sync.worker import Worker
    from trackeep.vault import Vault

RESTART_AFTER_S = 5.0


@click.command()
@click.option("--host", help="Where to listen.  [env: TRACKEEP_HOST; default: 127.0.0.1]")
@click.option("--port", type=int, help="0 lets the system choose.  [env: TRACKEEP_PORT; default: 8080]")
@click.option("--base-url", help="Public address, may have a path.  [env: TRACKEEP_BASE_URL]")
@click.option("--no-worker", is_flag=True, help="Only the web pages; run `trackeep worker` elsewhere.")
@click.option("--demo", is_flag=True, hidden=True, help="Print the set-up link; only for invented data.")
def serve(host: str | None, port: int | None, base_url: str | None, no_worker: bool, demo: bool) -> None:
    """Run the web application and its sync worker until stopped."""
    import dataclasses

    from trackeep import web

    flags = {"TRACKEEP_HOST": host, "TRACKEEP_PORT": port, "TRACKEEP_BASE_URL": base_url}
    settings = settings_of(
        {name: str(value) for name, value in flags.items() if value is not None}, level="info"
    )
    with contextlib.closing(web.bind(settings.host, settings.port)) as listener:
        if settings.port == 0 and settings.base_url == "http://localhost:0":
            address = f"http://localhost:{listener.getsockname()[1]}"
            settings = dataclasses.replace(settings, base_url=address)
        finish(_serve(settings, listener, with_worker=not no_worker, is_demo=demo))


@click.command()
@click.option("--once", is_flag=True, help="Sync everybody who is due, then end: for cron.")
def worker(once: bool) -> None:
    """Run only the background sync until stopped; any number of them share the work."""
    settings = settings_of(level="info")
    finish(_work_once(settings) if once else _work(settings))


async def _serve(
    settings: InstanceSettings, listener: socket.socket, *, with_worker: bool, is_demo: bool
) -> None:
    import aiohttp

    from trackeep import web
    from trackeep.cli.edge import opened
    from trackeep.instance import admission, memberships, other_account, setup
    from trackeep.instance.app import create_app, new_site
    from trackeep.store import backups
    from trackeep.vault import open_vault

    async with opened(settings) as db:
        vault = open_vault(settings.secret_key, settings.data_dir)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            site = new_site(settings, db, vault, http, is_demo=is_demo)
            code = await setup.announce(site, again=True)
            address = setup.link(settings, code) if is_demo and code else settings.base_url

            def say() -> None:
                click.echo(f"Trackeep ready at {address}")
                sys.stdout.flush()

            async with (
                _in_background(admission.resolve_at_start(site)),
                _in_background(other_account.end_overdue(site)),
                _in_background(memberships.keep_checking(site)),
                _in_background(_sync(settings, db, vault) if with_worker else None),
                _in_background(backups.keep_making(_backups(settings)) if with_worker else None),
            ):
                await web.serve(create_app(site), listener, say)


async def _work(settings: InstanceSettings) -> None:
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
            _in_background(_sync(settings, db, vault)),
            _in_background(backups.keep_making(_backups(settings))),
        ):
            click.echo("Trackeep worker ready")
            sys.stdout.flush()
            await stopped.wait()


async def _work_once(settings: InstanceSettings) -> None:
    import time

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


def _worker(settings: InstanceSettings, db: Database, vault: Vault) -> Worker:
    from trackeep.github.login import OwnApp
    from trackeep.sync.credentials import Credentials
    from trackeep.sync.worker import Worker

    credentials = Credentials(db, vault, own_app=OwnApp.of(settings))
    return Worker(db, credentials, settings.github, settings.poll_seconds)


async def _sync(settings: InstanceSettings, db: Database, vault: Vault) -> None:
    """The sync's loop; when the database fails it, it starts again instead of leaving pages stale."""
    import structlog

    background = _worker(settings, db, vault)
    while True:
        try:
            await background.run()
        except Exception:
            structlog.get_logger().exception("the background sync failed and starts again")
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
