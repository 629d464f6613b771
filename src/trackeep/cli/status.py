"""`trackeep status`: what is followed, how fresh it is, and what is left of GitHub's budgets."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from trackeep.cli.edge import account_of, account_option, finish, opened, settings_of

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from trackeep.environment import InstanceSettings


@dataclass(frozen=True)
class Budget:
    resource: str
    remaining: int
    limit: int
    reset_at: int


@dataclass(frozen=True)
class Status:
    """The state of one account; times are unix seconds."""

    login: str
    connection: str
    repositories: int
    repositories_done: int
    commits: int
    last_sync_at: int | None
    last_outcome: str
    problem: str
    reconnect_at: str
    budgets: list[Budget]


@click.command()
@account_option
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def status(account: str | None, as_json: bool) -> None:
    """Show what is followed, how fresh it is and what is left of the budgets."""
    found = finish(_status(settings_of(), account))
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2))
        return
    now = time.time()
    click.echo(f"{found.login}: {found.connection}")
    done = f"{found.repositories_done} of {found.repositories} repositories complete"
    click.echo(f"  {done}, {found.commits:,} commits")
    outcome = f" ({found.last_outcome})" if found.last_outcome else ""
    click.echo(f"  last sync {_ago(found.last_sync_at, now)}{outcome}")
    if found.reconnect_at:
        click.echo(f"  Reconnect: open {found.reconnect_at}")
    if found.problem:
        click.echo(f"  problem: {found.problem}")
    for budget in found.budgets:
        reset = time.strftime("%H:%M %Z", time.localtime(budget.reset_at))
        click.echo(
            f"  {budget.resource}: {budget.remaining:,} of {budget.limit:,} left, full again at {reset}"
        )


async def _status(settings: InstanceSettings, login: str | None) -> Status:
    async with opened(settings) as db, db.read() as conn:
        return await _figures(conn, settings, await account_of(conn, settings, login))


async def _figures(conn: AsyncConnection, settings: InstanceSettings, account_id: int) -> Status:
    from sqlalchemy import select

    from trackeep.store import schedule
    from trackeep.store.tables import connection, person
    from trackeep.store.tables_sync import run

    who = (await conn.execute(select(person.c.login).where(person.c.id == account_id))).scalar_one()
    way = (await conn.execute(select(connection).where(connection.c.account_id == account_id))).first()
    newest = select(run).where(run.c.account_id == account_id, run.c.finished_at.is_not(None))
    last = (await conn.execute(newest.order_by(run.c.finished_at.desc()).limit(1))).first()
    progress = await schedule.progress(conn, account_id)
    budgets = await schedule.budgets(conn, account_id)
    is_dead = way is not None and way.state != "ok"
    return Status(
        login=who,
        connection="not connected" if way is None else ("reconnect" if is_dead else "connected"),
        repositories=progress.repositories,
        repositories_done=progress.repositories_done,
        commits=progress.commits,
        last_sync_at=last.finished_at if last else None,
        last_outcome=last.outcome if last else "",
        problem=(way.problem if way and is_dead else "") or (last.problem if last else ""),
        reconnect_at=_way_back(settings, way.kind) if way and is_dead else "",
        budgets=[Budget(each.resource, each.remaining, each.limit, each.reset_at) for each in budgets],
    )


def _way_back(settings: InstanceSettings, kind: str) -> str:
    """The address that reconnects: for a pasted token the page where a new one is pasted."""
    is_direct = kind != "token" and settings.has_github_login
    path = "/auth/login?next=/settings/github" if is_direct else "/settings/github"
    return settings.base_url + path


def _ago(at: int | None, now: float) -> str:
    if at is None:
        return "never"
    seconds = max(0, int(now - at))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"
