"""`trackeep login` and `trackeep logout`: connect a GitHub account from the terminal, and end that."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import sys
import time
from typing import TYPE_CHECKING

import click

from trackeep.cli.conventions import json_option, manner, setting_options, yes_option
from trackeep.cli.edge import account_of, account_option, finish, settings_of, site_of, sure
from trackeep.cli.output import done, note, show_json

if TYPE_CHECKING:
    from trackeep.environment import InstanceSettings
    from trackeep.instance.site import Site

PATIENCE_S, LOOK_EVERY_S = 900, 0.5
# The page after the login has to reach the browser before the server ends.
LAST_PAGE_S = 2.0
LONGEST_TOKEN = 4_096
OUTCOMES = {
    "ended": "{login} is not connected any more, and GitHub ended the token.",
    "kept": "{login} is not connected any more, but GitHub could not be told; end the token there.",
    "pasted": "{login} is not connected any more. The pasted token still works: end it at GitHub.",
    "nothing": "{login} was not connected.",
}


@click.command()
@setting_options(["TRACKEEP_BROKER_URL"])
@click.option("--broker", "broker_url", metavar="URL", help="The same as --broker-url.")
@click.option("--token-stdin", is_flag=True, help="Read a personal access token from standard input.")
@click.option("--no-open", is_flag=True, help="Only print the address, open no browser.")
@json_option
def login(broker_url: str | None, token_stdin: bool, no_open: bool, as_json: bool) -> None:
    """Connect your GitHub account: with a token, or in the browser through an OAuth service.

    echo $TOKEN | trackeep login --token-stdin keeps the token encrypted in the database. Otherwise your
    browser is sent to the running instance; where none runs, this command serves one on this computer
    until you have signed in. The first one to come becomes the owner.
    """
    from trackeep.errors import UsageError

    if broker_url is not None:
        manner().flags["TRACKEEP_BROKER_URL"] = broker_url
    settings = settings_of()
    if token_stdin:
        who = finish(_with_token(settings, _token_from_stdin()))
    elif settings.has_github_login:
        who = finish(_in_browser(settings, no_open=no_open))
    else:
        raise UsageError(
            "There is no way to sign in yet.",
            "Name an OAuth service with --broker URL, or pipe a token into `trackeep login --token-stdin`.",
        )
    if as_json:
        show_json({"login": who, "connected": True})
    else:
        done(f"Connected as {who}.")


@click.command()
@account_option
@yes_option
@json_option
def logout(account: str | None, yes: bool, as_json: bool) -> None:
    """Disconnect from GitHub and end the token there; what was fetched stays, nobody is signed out."""
    from sqlalchemy import select

    from trackeep.instance.entry import disconnect
    from trackeep.store.tables import person

    sure("End the connection to GitHub?", yes)

    async def work() -> tuple[str, str]:
        settings = settings_of()
        async with site_of(settings) as site:
            async with site.db.read() as conn:
                account_id = await account_of(conn, settings, account)
                name = select(person.c.login).where(person.c.id == account_id)
                who = str((await conn.execute(name)).scalar_one())
            return who, await disconnect.end(site, account_id)

    who, outcome = finish(work())
    if as_json:
        show_json({"login": who, "outcome": outcome})
    else:
        done(OUTCOMES[outcome].format(login=who))


def _token_from_stdin() -> str:
    from trackeep.errors import UsageError

    if sys.stdin.isatty():
        note("Paste the token and press Enter.")
        return str(click.prompt("Token", hide_input=True, err=True)).strip()
    text = sys.stdin.read(LONGEST_TOKEN).strip()
    if not text:
        raise UsageError("There was no token on standard input.", "Pipe one in: echo $TOKEN | trackeep ...")
    return text


async def _with_token(settings: InstanceSettings, text: str) -> str:
    """Save the token of whoever it belongs to; whoever has this shell may become the first owner."""
    from trackeep.errors import Forbidden
    from trackeep.github.transport import fingerprint
    from trackeep.instance.entry.connect import viewer_of_token
    from trackeep.instance.entry.revocation import revoke
    from trackeep.store import ownership, people
    from trackeep.store.people import Credential

    async with site_of(settings) as site:
        viewer = await viewer_of_token(site, text)
        who, now = viewer.person, site.now()
        credential = Credential("token", text, fingerprint(text), viewer.scopes)
        async with site.db.write() as conn:
            owner = await ownership.owner_id(conn)
            if owner is not None and not await people.is_admitted(conn, who.id, site.rules):
                raise Forbidden(
                    f"{who.login} may not sign in here.", f"Run `trackeep user allow {who.login}` first."
                )
            await people.save_account(conn, who, viewer.emails, now)
            if owner is None:
                await people.make_owner(conn, who.id)
            replaced = await people.save_credential(conn, site.vault, who.id, credential, now)
            await people.make_due(conn, who.id, now)
        if replaced:
            await revoke(site, replaced)
        return who.login


async def _in_browser(settings: InstanceSettings, *, no_open: bool) -> str:
    """Send the browser to the running instance, or to one that is served until somebody has come."""
    import webbrowser

    from trackeep import web

    began_at = int(time.time())
    if await asyncio.to_thread(_answers, settings):
        async with site_of(settings) as site:
            _say(address := f"{settings.base_url}/auth/login")
            if not no_open and sys.stderr.isatty():
                webbrowser.open(address)
            return await _somebody(site, began_at)
    with web.bind("127.0.0.1", 0) as listener:
        address = f"http://localhost:{listener.getsockname()[1]}"
        async with site_of(dataclasses.replace(settings, base_url=address)) as site:
            return await _served(site, listener, began_at, no_open=no_open)


async def _served(site: Site, listener: object, began_at: int, *, no_open: bool) -> str:
    import socket

    from trackeep import web
    from trackeep.cli.browser import open_secretly
    from trackeep.errors import LoginError
    from trackeep.instance.app import create_app
    from trackeep.instance.entry import setup
    from trackeep.store import ownership

    assert isinstance(listener, socket.socket)
    code = await ownership.setup_code(site.db, site.vault, site.now())
    base_url = site.settings.base_url
    address = setup.link(site.settings, ownership.readable(code.text)) if code else f"{base_url}/auth/login"

    def show() -> None:
        _say(address)
        if not no_open and sys.stderr.isatty():
            open_secretly(address, site.settings.data_dir)

    serving = asyncio.create_task(web.serve(create_app(site), listener, show))
    waiting = asyncio.create_task(_somebody(site, began_at))
    try:
        await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            await asyncio.sleep(LAST_PAGE_S)
            return waiting.result()
        await serving
        raise LoginError("Nobody signed in.", "Run `trackeep login` again.")
    finally:
        waiting.cancel()
        if not serving.done():
            # As an operator ends it: answers under way are finished.
            signal.raise_signal(signal.SIGTERM)
            await serving


async def _somebody(site: Site, began_at: int) -> str:
    """The login of whoever connects from now on; raises LoginError when nobody does in time."""
    from sqlalchemy import select

    from trackeep.errors import LoginError
    from trackeep.store.tables import connection, person

    came = (
        select(person.c.login)
        .join(connection, connection.c.account_id == person.c.id)
        .where(connection.c.created_at >= began_at, connection.c.access_token.is_not(None))
        .order_by(connection.c.created_at.desc())
        .limit(1)
    )
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        async with site.db.read() as conn:
            found = (await conn.execute(came)).scalar_one_or_none()
        if found is not None:
            return str(found)
        await asyncio.sleep(LOOK_EVERY_S)
    raise LoginError("Nobody signed in within 15 minutes.", "Run `trackeep login` again.")


def _answers(settings: InstanceSettings) -> bool:
    import urllib.request

    try:
        with urllib.request.urlopen(f"{settings.base_url}/healthz", timeout=3):
            return True
    except OSError:
        return False


def _say(address: str) -> None:
    # On stderr and in full even when quiet: without it nobody can go on.
    click.echo(f"Open {address}", err=True)
