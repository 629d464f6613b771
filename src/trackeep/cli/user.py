"""`trackeep user`: who may sign in, and who owns this instance."""

from __future__ import annotations

import dataclasses
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from trackeep.cli.conventions import json_option, yes_option
from trackeep.cli.edge import finish, opened, settings_of, site_of, sure
from trackeep.cli.output import done, note, plain, show_json

if TYPE_CHECKING:
    from trackeep.database import Database
    from trackeep.environment import InstanceSettings
    from trackeep.model import Person


# What became of somebody's token at GitHub, said after the rest.
REVOKED = {
    "ended": " GitHub ended their token.",
    "kept": " Their token could not be ended at GitHub just now.",
    "pasted": " The token they had pasted still works elsewhere.",
    "nothing": "",
}


@click.group()
def user() -> None:
    """Who may sign in, and who owns this instance."""


@user.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Everybody who may sign in, the owner first."""

    async def work() -> None:
        from trackeep.store import people

        async with opened(settings_of()) as db, db.read() as conn:
            rows = await people.everybody(conn)
        if as_json:
            show_json([dataclasses.asdict(row) for row in rows])
            return
        if not rows:
            note("Nobody has signed in yet.")
        for row in rows:
            seen = _day(row.last_seen_at)
            click.echo(plain(f"{row.login:<24} {row.role:<8} {seen:<12} {row.why}").rstrip())

    finish(work())


@user.command()
@click.argument("login")
@json_option
def allow(login: str, as_json: bool) -> None:
    """Let the GitHub account LOGIN sign in; its number is kept, so a renamed account stays allowed."""

    async def work() -> None:
        from trackeep.store import people

        settings = settings_of()
        async with opened(settings) as db:
            who = await _ask_github(settings, db, login)
            async with db.write() as conn:
                await people.allow(conn, who, people.BY_COMMAND, int(time.time()))
        if as_json:
            show_json({"login": who.login, "id": who.id})
        else:
            done(f"{who.login} (GitHub account {who.id}) may sign in now.")

    finish(work())


@user.command()
@click.argument("login")
@yes_option
@json_option
def remove(login: str, yes: bool, as_json: bool) -> None:
    """Take away what `allow` gave LOGIN, and end their sessions and tokens, at GitHub too."""
    sure(f"Sign {login} out and end their tokens?", yes)

    async def work() -> None:
        from trackeep.errors import NotFound
        from trackeep.instance.settings import users_page
        from trackeep.store import people

        settings = settings_of()
        async with site_of(settings) as site:
            async with site.db.read() as conn:
                found = await people.known_as(conn, login)
            if not found:
                raise NotFound(f"Nobody called {login} may sign in here.", "See `trackeep user list`.")
            for person_id in found:
                outcome = await users_page.shut_out(site, person_id)
        if as_json:
            show_json({"login": login, "token": outcome})
        else:
            done(f"{login} is signed out and may not sign in any more.{REVOKED[outcome]}")
        if login.lower() in {name.lower() for name in settings.allowed_users}:
            click.echo("TRACKEEP_ALLOWED_USERS still names this login; take it out there too.", err=True)

    finish(work())


@user.command()
@click.argument("login")
@yes_option
@json_option
def disconnect(login: str, yes: bool, as_json: bool) -> None:
    """End LOGIN's connection to GitHub, there and here; what was fetched stays, nobody is signed out."""
    from trackeep.cli.login import OUTCOMES

    sure(f"End the connection of {login} to GitHub?", yes)

    async def work() -> str:
        from trackeep.instance.entry import disconnect as connection
        from trackeep.store import people

        async with site_of(settings_of()) as site:
            async with site.db.read() as conn:
                account_id = await people.account_named(conn, login)
            return await connection.end(site, account_id)

    outcome = finish(work())
    if as_json:
        show_json({"login": login, "outcome": outcome})
    else:
        done(OUTCOMES[outcome].format(login=login))


@user.command("make-owner")
@click.argument("login", required=False)
@json_option
def make_owner(login: str | None, as_json: bool) -> None:
    """Hand the instance to LOGIN, who has signed in before; without a name a new set-up code is made."""

    async def work() -> None:
        from trackeep.instance.entry import setup
        from trackeep.store import ownership, people
        from trackeep.vault import open_vault

        settings = settings_of()
        async with opened(settings) as db:
            if login is not None:
                async with db.write() as conn:
                    await people.make_owner(conn, await people.account_named(conn, login))
                if as_json:
                    show_json({"owner": login, "set_up_at": None})
                else:
                    done(f"{login} is the owner now.")
                return
            async with db.write() as conn:
                await ownership.vacate(conn)
            vault = open_vault(settings.secret_key, settings.data_dir)
            code = await ownership.setup_code(db, vault, int(time.time()))
        assert code is not None
        address = setup.link(settings, ownership.readable(code.text))
        if as_json:
            show_json({"owner": None, "set_up_at": address})
        else:
            click.echo(address)

    finish(work())


async def _ask_github(settings: InstanceSettings, db: Database, login: str) -> Person:
    """The account behind a login, asked with the owner's token or GITHUB_TOKEN."""
    import aiohttp

    from trackeep.errors import GitHubNoAccess, NotFound
    from trackeep.github import rest
    from trackeep.github.transport import GitHub

    token = settings.github_token or await _owner_token(settings, db)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        try:
            return await rest.person(GitHub(http, settings.github, token), login)
        except GitHubNoAccess:
            raise NotFound(f"GitHub knows nobody called {login}.", "Check the spelling.") from None


async def _owner_token(settings: InstanceSettings, db: Database) -> str:
    from trackeep.errors import GitHubTokenDead, NotSignedIn
    from trackeep.github.login import OwnApp
    from trackeep.store import ownership
    from trackeep.sync.credentials import Credentials
    from trackeep.vault import open_vault

    vault = open_vault(settings.secret_key, settings.data_dir)
    async with db.read() as conn:
        owner = await ownership.owner_id(conn)
    try:
        known = await Credentials(db, vault, own_app=OwnApp.of(settings)).working(owner) if owner else None
    except GitHubTokenDead:
        known = None
    if known is None:
        raise NotSignedIn(
            "GitHub cannot be asked who that is.", "Sign in as the owner first, or set GITHUB_TOKEN."
        )
    return known.access_token


def _day(at: int | None) -> str:
    return "-" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
