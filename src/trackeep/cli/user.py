"""`trackeep user`: who may sign in, and who owns this instance."""

from __future__ import annotations

import dataclasses
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from trackeep.cli.edge import finish, opened, settings_of, site_of

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
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """Everybody who may sign in, the owner first."""

    async def work() -> None:
        from trackeep.store import people

        async with opened(settings_of()) as db, db.read() as conn:
            rows = await people.everybody(conn)
        if as_json:
            click.echo(json.dumps([dataclasses.asdict(row) for row in rows]))
            return
        if not rows:
            click.echo("Nobody has signed in yet.", err=True)
        for row in rows:
            click.echo(f"{row.login:<24} {row.role:<8} {_day(row.last_seen_at):<12} {row.why}".rstrip())

    finish(work())


@user.command()
@click.argument("login")
def allow(login: str) -> None:
    """Let the GitHub account LOGIN sign in; its number is kept, so a renamed account stays allowed."""

    async def work() -> None:
        from trackeep.store import people

        settings = settings_of()
        async with opened(settings) as db:
            who = await _ask_github(settings, db, login)
            async with db.write() as conn:
                await people.allow(conn, who, people.BY_COMMAND, int(time.time()))
        click.echo(f"{who.login} (GitHub account {who.id}) may sign in now.")

    finish(work())


@user.command()
@click.argument("login")
def remove(login: str) -> None:
    """Take away what `allow` gave LOGIN, and end their sessions and tokens, at GitHub too."""

    async def work() -> None:
        from trackeep.errors import NotFound
        from trackeep.instance import users_page
        from trackeep.store import people

        settings = settings_of()
        async with site_of(settings) as site:
            async with site.db.read() as conn:
                found = await people.known_as(conn, login)
            if not found:
                raise NotFound(f"Nobody called {login} may sign in here.", "See `trackeep user list`.")
            for person_id in found:
                outcome = await users_page.shut_out(site, person_id)
        click.echo(f"{login} is signed out and may not sign in any more.{REVOKED[outcome]}")
        if login.lower() in {name.lower() for name in settings.allowed_users}:
            click.echo("TRACKEEP_ALLOWED_USERS still names this login; take it out there too.", err=True)

    finish(work())


@user.command()
@click.argument("login")
def disconnect(login: str) -> None:
    """End LOGIN's connection to GitHub, there and here; what was fetched stays, nobody is signed out."""

    async def work() -> str:
        from trackeep.instance import disconnect as connection
        from trackeep.store import people

        async with site_of(settings_of()) as site:
            async with site.db.read() as conn:
                account_id = await people.account_named(conn, login)
            return await connection.end(site, account_id)

    click.echo(
        {
            "ended": f"{login} is not connected any more, and GitHub ended the token.",
            "kept": f"{login} is not connected any more, but GitHub could not be told; end the token there.",
            "pasted": f"{login} is not connected any more. The pasted token still works: end it at GitHub.",
            "nothing": f"{login} was not connected.",
        }[finish(work())]
    )


@user.command("make-owner")
@click.argument("login", required=False)
def make_owner(login: str | None) -> None:
    """Hand the instance to LOGIN, who has signed in before; without a name a new set-up code is made."""

    async def work() -> None:
        from trackeep.instance import setup
        from trackeep.store import ownership, people
        from trackeep.vault import open_vault

        settings = settings_of()
        async with opened(settings) as db:
            if login is not None:
                async with db.write() as conn:
                    await people.make_owner(conn, await people.account_named(conn, login))
                click.echo(f"{login} is the owner now.")
                return
            async with db.write() as conn:
                await ownership.vacate(conn)
            vault = open_vault(settings.secret_key, settings.data_dir)
            code = await ownership.setup_code(db, vault, int(time.time()))
        assert code is not None
        click.echo(setup.link(settings, ownership.readable(code.text)))

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
