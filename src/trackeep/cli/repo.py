"""`trackeep repo`: which repositories are followed, and what there is to follow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from trackeep.cli.conventions import dry_run_option, json_option, jsonl_option, yes_option
from trackeep.cli.edge import (
    account_of,
    account_option,
    finish,
    opened,
    reader_of,
    reading,
    settings_of,
    sure,
)
from trackeep.cli.figures import PERIODS
from trackeep.cli.names import owner_and_name
from trackeep.cli.output import NOTHING, Cell, Column, Listing, done, note, show, show_json

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from trackeep.store.reports_access import Reader
    from trackeep.store.reports_repositories import Choice, RepositoryRow

names_argument = click.argument("names", nargs=-1, required=True, metavar="OWNER/NAME...")


@click.group()
def repo() -> None:
    """Choose which repositories are followed."""


@repo.command("list")
@click.option("--period", type=click.Choice(PERIODS), default="30d", show_default=True)
@click.option("--state", type=click.Choice(["tracked", "paused"]), help="Only these.")
@click.option("--owner", help="Only those of this person or organisation.")
@account_option
@json_option
@jsonl_option
def list_(
    period: str, state: str | None, owner: str | None, account: str | None, as_json: bool, as_jsonl: bool
) -> None:
    """The repositories you follow, busiest of the period first."""

    async def work() -> tuple[Reader, list[RepositoryRow]]:
        from trackeep.metrics.windows import compare
        from trackeep.store import reports_repositories

        async with reading(account) as (conn, reader):
            window = compare(period, reader.now, reader.zone).current
            return reader, list(await reports_repositories.table(conn, reader, window))

    reader, rows = finish(work())
    kept = [
        row
        for row in rows
        if state in (None, row.follow_state) and (owner is None or owner.lower() == row.owner.lower())
    ]
    show(_table(kept, reader, period), as_json=as_json, as_jsonl=as_jsonl)


@repo.command()
@click.option("--all", "with_followed", is_flag=True, help="Also those that are followed already.")
@account_option
@json_option
@jsonl_option
def discover(with_followed: bool, account: str | None, as_json: bool, as_jsonl: bool) -> None:
    """Repositories that your account can read and that are not followed, newest push first."""

    async def work() -> tuple[Reader, list[Choice]]:
        from trackeep.store import reports_repositories

        async with reading(account) as (conn, reader):
            every = await reports_repositories.choices(conn, reader)
            return reader, [one for one in every if with_followed or not one.followed]

    reader, choices = finish(work())
    show(_choices(choices, reader), as_json=as_json, as_jsonl=as_jsonl)
    if choices and not (as_json or as_jsonl):
        note("Follow one with `trackeep repo add OWNER/NAME`.")


@repo.command()
@names_argument
@account_option
@dry_run_option
@json_option
def add(names: tuple[str, ...], account: str | None, dry_run: bool, as_json: bool) -> None:
    """Follow repositories; a paused one goes on. The next sync fetches them.

    One that GitHub has not listed for you yet is asked for by name.
    """
    from trackeep.errors import NotFound

    async def work() -> list[str]:
        from trackeep.store import following, reports_repositories

        settings = settings_of()
        async with opened(settings) as db:
            async with db.read() as conn:
                reader = await reader_of(conn, await account_of(conn, settings, account))
                found = [
                    await reports_repositories.find(conn, reader, *owner_and_name(name)) for name in names
                ]
            known = {row.id: row.full_name for row in found if row is not None}
            unknown = [name for name, row in zip(names, found, strict=True) if row is None]
            if unknown:
                raise NotFound(
                    f"There is no repository {unknown[0]} that you may see.",
                    f"Check its name; `trackeep sync {unknown[0]}` asks GitHub for it.",
                )
            if not dry_run:
                async with db.write() as conn:
                    await following.track(conn, reader.account_id, known, reader.now)
            return list(known.values())

    _say("Following", "Would follow", finish(work()), dry_run=dry_run, as_json=as_json)


@repo.command()
@names_argument
@account_option
@yes_option
@dry_run_option
@json_option
def remove(names: tuple[str, ...], account: str | None, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Stop following; what was fetched goes, unless somebody else here follows it too."""
    if not dry_run:
        sure(f"Stop following {', '.join(names)} and delete what was fetched?", yes)

    async def change(conn: AsyncConnection, reader: Reader, ids: Sequence[int]) -> None:
        from trackeep.store import schedule

        await schedule.unfollow_repositories(conn, reader.account_id, ids)

    removed = finish(_changed(names, account, None if dry_run else change))
    _say("No longer following", "Would stop following", removed, dry_run=dry_run, as_json=as_json)


@repo.command()
@names_argument
@account_option
@dry_run_option
@json_option
def pause(names: tuple[str, ...], account: str | None, dry_run: bool, as_json: bool) -> None:
    """Keep what was fetched and ask GitHub for no more of it."""

    async def change(conn: AsyncConnection, reader: Reader, ids: Sequence[int]) -> None:
        from trackeep.store import following

        await following.pause(conn, reader.account_id, ids)

    paused = finish(_changed(names, account, None if dry_run else change))
    _say("Paused", "Would pause", paused, dry_run=dry_run, as_json=as_json)


@repo.command()
@names_argument
@account_option
@dry_run_option
@json_option
def resume(names: tuple[str, ...], account: str | None, dry_run: bool, as_json: bool) -> None:
    """Let paused repositories be fetched again."""

    async def change(conn: AsyncConnection, reader: Reader, ids: Sequence[int]) -> None:
        from trackeep.store import following

        await following.resume(conn, reader.account_id, ids, reader.now)

    resumed = finish(_changed(names, account, None if dry_run else change))
    _say("Following again", "Would follow again", resumed, dry_run=dry_run, as_json=as_json)


@repo.command()
@names_argument
@click.option("--off", is_flag=True, help="Do without them again; what only you asked for is deleted.")
@account_option
@dry_run_option
@json_option
def files(names: tuple[str, ...], off: bool, account: str | None, dry_run: bool, as_json: bool) -> None:
    """Fetch which files each commit changed, so that `path:src/app.py` finds commits by them.

    It costs one fetch of all folders of all commits by git, without what is in the files.
    """

    async def change(conn: AsyncConnection, reader: Reader, ids: Sequence[int]) -> None:
        from trackeep.store import following

        if off:
            await following.give_up_files(conn, reader.account_id, ids)
        else:
            await following.ask_for_files(conn, reader.account_id, ids, reader.now)

    changed = finish(_changed(names, account, None if dry_run else change))
    did, would = ("No longer searching", "Would stop searching") if off else ("Searching", "Would search")
    _say(f"{did} the files of", f"{would} the files of", changed, dry_run=dry_run, as_json=as_json)


async def _changed(names: Sequence[str], account: str | None, change: Any) -> list[str]:
    """Names of the followed repositories that were changed, all of them or none."""
    from trackeep.errors import NotFound
    from trackeep.store import reports_repositories

    settings = settings_of()
    async with opened(settings) as db:
        async with db.read() as conn:
            reader = await reader_of(conn, await account_of(conn, settings, account))
            found = [await reports_repositories.find(conn, reader, *owner_and_name(name)) for name in names]
        for name, row in zip(names, found, strict=True):
            if row is None or not row.follow_state:
                raise NotFound(f"You do not follow {name}.", "See `trackeep repo list`.")
        rows = {row.id: row.full_name for row in found if row is not None}
        if change is not None:
            async with db.write() as conn:
                await change(conn, reader, list(rows))
        return list(rows.values())


def _say(did: str, would: str, names: Sequence[str], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        show_json({"repositories": list(names), "dry_run": dry_run})
    else:
        done(f"{would if dry_run else did} {', '.join(names)}.")


def _state(row: RepositoryRow) -> tuple[str, str]:
    """The state in a word, and its colour on a terminal."""
    if row.state == "gone":
        return "no access", "red"
    if row.follow_state != "tracked":
        return row.follow_state, "bright_black"
    if row.problem:
        return "error", "yellow"
    return ("on time", "green") if row.synced_at else ("waiting", "bright_black")


def _table(rows: Sequence[RepositoryRow], reader: Reader, period: str) -> Listing:
    from trackeep.instance import words

    def items() -> Iterable[Any]:
        from trackeep.instance.api.repositories import repository_from

        return [repository_from(row).model_dump(mode="json") for row in rows]

    def cells(row: RepositoryRow) -> list[str | Cell]:
        word, colour = _state(row)
        return [
            row.full_name,
            Cell(word, colour),
            words.number(row.commits),
            words.number(row.open_pulls),
            words.duration(row.time_to_merge_s),
            words.number(row.branches),
            words.ago(reader.now, row.pushed_at),
            words.ago(reader.now, row.synced_at),
        ]

    columns = (
        Column("repository", is_wide=True),
        Column("state"),
        Column(f"commits {period}", is_number=True),
        Column("open", is_number=True),
        Column("to merge", is_number=True),
        Column("branches", is_number=True),
        Column("pushed"),
        Column("synced"),
    )
    nothing = "Nothing is followed here. See `trackeep repo discover`."
    return Listing(columns, [cells(row) for row in rows], items, nothing)


def _choices(choices: Sequence[Choice], reader: Reader) -> Listing:
    from trackeep.instance import words

    def items() -> Iterable[Any]:
        from trackeep.instance.api.models import instant

        for one in choices:
            pushed_at = instant(one.pushed_at)
            yield {
                "id": one.id,
                "repository": f"{one.owner}/{one.name}",
                "private": one.private,
                "fork": one.fork,
                "archived": one.archived,
                "language": one.language,
                "pushed_at": pushed_at.isoformat().replace("+00:00", "Z") if pushed_at else None,
                "followed": one.followed,
            }

    def marks(one: Choice) -> str:
        named = {"private": one.private, "fork": one.fork, "archived": one.archived, "followed": one.followed}
        return ", ".join(name for name, is_so in named.items() if is_so) or NOTHING

    columns = (Column("repository", is_wide=True), Column("language"), Column("pushed"), Column("is"))
    rows = [
        [f"{one.owner}/{one.name}", one.language or NOTHING, words.ago(reader.now, one.pushed_at), marks(one)]
        for one in choices
    ]
    return Listing(
        columns, rows, items, "There is nothing else to follow. `trackeep sync` asks GitHub again."
    )
