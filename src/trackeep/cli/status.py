"""`trackeep status`: what needs you, how fresh the copy is, and what is left of GitHub's budgets."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from trackeep.cli.conventions import json_option
from trackeep.cli.edge import (
    NOTHING_TO_DO,
    account_of,
    account_option,
    finish,
    opened,
    reader_of,
    settings_of,
)
from trackeep.cli.output import plain, show, show_json

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from trackeep.environment import InstanceSettings
    from trackeep.store.reports_access import Reader
    from trackeep.store.reports_pulls import PullRow


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
    needs_you: list[PullRow]
    waiting: int
    budgets: list[Budget]


@click.command()
@account_option
@json_option
@click.option("--exit-status", is_flag=True, help="Exit 8 when nothing needs you.")
def status(account: str | None, as_json: bool, exit_status: bool) -> None:
    """What needs you, how fresh the copy is and what is left of GitHub's budgets."""
    found, reader = finish(_status(settings_of(), account))
    if as_json:
        show_json(_item(found))
    else:
        _say(found, reader)
    if exit_status and not found.needs_you:
        raise click.exceptions.Exit(NOTHING_TO_DO)


def _item(found: Status) -> dict[str, Any]:
    from trackeep.cli.pr import items_of

    figures = {**vars(found), "budgets": [asdict(one) for one in found.budgets]}
    return {**figures, "needs_you": items_of(found.needs_you)}


def _say(found: Status, reader: Reader) -> None:
    from trackeep.cli.pr import listing
    from trackeep.instance import words

    if found.needs_you:
        click.echo(click.style(f"{words.counted(len(found.needs_you), 'pull request')} for you", bold=True))
        show(listing(found.needs_you, reader))
    else:
        click.echo(click.style("Nothing waits for you.", bold=True))
    if found.waiting:
        click.echo(plain(f"{words.counted(found.waiting, 'pull request')} of yours wait for others."))
    click.echo()
    click.echo(plain(f"{found.login}: {found.connection}"))
    done = f"{found.repositories_done} of {found.repositories} repositories complete"
    click.echo(f"  {done}, {found.commits:,} commits")
    outcome = f" ({found.last_outcome})" if found.last_outcome else ""
    click.echo(f"  last sync {_ago(found.last_sync_at, reader.now)}{outcome}")
    if found.reconnect_at:
        click.echo(f"  Reconnect: open {found.reconnect_at}")
    if found.problem:
        click.echo(plain(f"  problem: {found.problem}"))
    for budget in found.budgets:
        reset = words.clock(budget.reset_at, reader.zone)
        click.echo(
            f"  {budget.resource}: {budget.remaining:,} of {budget.limit:,} left, full again at {reset}"
        )


async def _status(settings: InstanceSettings, login: str | None) -> tuple[Status, Reader]:
    async with opened(settings) as db, db.read() as conn:
        reader = await reader_of(conn, await account_of(conn, settings, login))
        return await _figures(conn, settings, reader), reader


async def _figures(conn: AsyncConnection, settings: InstanceSettings, reader: Reader) -> Status:
    from sqlalchemy import select

    from trackeep.store import reports_pulls, schedule
    from trackeep.store.tables import connection, person
    from trackeep.store.tables_sync import run

    account_id = reader.account_id
    queue = await reports_pulls.queue(conn, reader)
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
        needs_you=[pull for pull in queue if pull.needs_me],
        waiting=sum(pull.section == "waiting" for pull in queue),
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
