"""`trackeep token`: personal API tokens, made, listed and revoked where the instance is installed."""

from __future__ import annotations

import dataclasses
import re
import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from trackeep.cli.conventions import json_option, yes_option
from trackeep.cli.edge import account_of, account_option, finish, opened, settings_of, sure
from trackeep.cli.output import done, note, plain, show_json

if TYPE_CHECKING:
    from trackeep.store.api_tokens import Token

NEVER = "never"


@click.group()
def token() -> None:
    """API tokens: what programs use to ask an instance in your name."""


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(["read", "sync", "admin"]),
    default=["read"],
    show_default=True,
    help="What it may do; several times for several.",
)
@click.option("--expires", default="90d", show_default=True, help="Days it lives, as 90d, or never.")
@account_option
@json_option
def create(name: str, scopes: tuple[str, ...], expires: str, account: str | None, as_json: bool) -> None:
    """Make a token called NAME and print it, which happens this once."""

    async def work() -> tuple[int, str, Token]:
        from trackeep.store import api_tokens
        from trackeep.store.token_text import SECRET_BYTES, token_of

        settings, now = settings_of(), int(time.time())
        new = api_tokens.wanted(name, scopes, _days(expires), now)
        text = token_of(secrets.token_bytes(SECRET_BYTES))
        async with opened(settings) as db, db.write() as conn:
            account_id = await account_of(conn, settings, account)
            made = await api_tokens.create(conn, account_id, text, new, now)
            found = next(one for one in await api_tokens.tokens_of(conn, account_id) if one.id == made)
        return made, text, found

    made, text, found = finish(work())
    if as_json:
        show_json({**dataclasses.asdict(found), "token": text})
        return
    click.echo(text)
    note(f"Token {made} may {', '.join(found.scopes)}; ends {_day(found.expires_at)}.")


@token.command("list")
@account_option
@json_option
def list_(account: str | None, as_json: bool) -> None:
    """Every token of an account; never what opens the door."""

    async def work() -> tuple[Token, ...]:
        from trackeep.store import api_tokens

        settings = settings_of()
        async with opened(settings) as db, db.read() as conn:
            return await api_tokens.tokens_of(conn, await account_of(conn, settings, account))

    found = finish(work())
    if as_json:
        show_json([dataclasses.asdict(one) for one in found])
        return
    if not found:
        note("There are no tokens.")
    for one in found:
        used, ends = _day(one.last_used_at), _day(one.expires_at)
        begin = f"{one.id:<5} {one.prefix}…  {','.join(one.scopes):<16}"
        click.echo(plain(f"{begin} used {used:<11} ends {ends:<11} {one.name}"))


@token.command()
@click.argument("number", type=int)
@account_option
@yes_option
@json_option
def revoke(number: int, account: str | None, yes: bool, as_json: bool) -> None:
    """End the token that `trackeep token list` shows with this NUMBER."""
    sure(f"End token {number}? What uses it is refused from then on.", yes)

    async def work() -> None:
        from trackeep.errors import NotFound
        from trackeep.store import api_tokens

        settings = settings_of()
        async with opened(settings) as db, db.write() as conn:
            if not await api_tokens.revoke(conn, await account_of(conn, settings, account), number):
                raise NotFound(f"There is no token {number}.", "See `trackeep token list`.")

    finish(work())
    if as_json:
        show_json({"revoked": number})
    else:
        done(f"Token {number} opens nothing any more.")


def _days(text: str) -> int | None:
    from trackeep.errors import UsageError

    if text == NEVER:
        return None
    if not re.fullmatch(r"[0-9]{1,5}d", text):
        raise UsageError(f"“{text[:20]}” is no time to live.", "Write it as 90d, or never.")
    return int(text[:-1])


def _day(at: int | None) -> str:
    return NEVER if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
