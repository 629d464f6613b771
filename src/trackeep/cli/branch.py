"""`trackeep branch`: the branches of what you follow, and which of them can go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from trackeep.cli.conventions import json_option, jsonl_option
from trackeep.cli.edge import account_option, finish, reading
from trackeep.cli.names import owner_and_name
from trackeep.cli.output import NOTHING, Cell, Column, Listing, show

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from trackeep.store.reports_access import Reader
    from trackeep.store.reports_branches import BranchRow
    from trackeep.store.reports_repositories import RepositoryRow

PAGE = 500
COLOURS = {"default": "", "active": "green", "merged": "magenta", "stale": "yellow"}


@click.group()
def branch() -> None:
    """Branches: which are stale, which are merged."""


@branch.command("list")
@click.option("--stale", is_flag=True, help="Only those without a commit for 90 days, not merged.")
@click.option("--merged", is_flag=True, help="Only those that are merged.")
@click.option("--active", is_flag=True, help="Only those with a commit in the last 90 days, not merged.")
@click.option("--repo", "repository", metavar="OWNER/NAME", help="Only of this repository.")
@account_option
@json_option
@jsonl_option
def list_(
    stale: bool,
    merged: bool,
    active: bool,
    repository: str | None,
    account: str | None,
    as_json: bool,
    as_jsonl: bool,
) -> None:
    """Branches by repository, the default one first; several of the switches add up."""
    chosen = {"stale": stale, "merged": merged, "active": active}
    states = {name for name, is_wanted in chosen.items() if is_wanted}

    async def work() -> tuple[Reader, list[BranchRow]]:
        async with reading(account) as (conn, reader):
            found: list[BranchRow] = []
            for place in await _places(conn, reader, repository):
                found += await _branches(conn, reader, place)
            return reader, [row for row in found if not states or row.state(reader.now) in states]

    reader, found = finish(work())
    show(_table(found, reader), as_json=as_json, as_jsonl=as_jsonl)


async def _places(conn: AsyncConnection, reader: Reader, name: str | None) -> list[RepositoryRow]:
    from trackeep.errors import NotFound
    from trackeep.metrics.windows import Window
    from trackeep.store import reports_repositories

    if name is None:
        rows = await reports_repositories.table(conn, reader, Window(0, 0))
        return sorted(rows, key=lambda row: row.full_name.lower())
    row = await reports_repositories.find(conn, reader, *owner_and_name(name))
    if row is None:
        raise NotFound(f"There is no repository {name} that you may see.", "See `trackeep repo list`.")
    return [row]


async def _branches(conn: AsyncConnection, reader: Reader, place: RepositoryRow) -> list[BranchRow]:
    from trackeep.store import reports_branches

    found: list[BranchRow] = []
    while True:
        wanted = reports_branches.Wanted(
            repository=place.id, by_name=True, after=found[-1].name_key if found else None
        )
        page = await reports_branches.branches(conn, reader, wanted, limit=PAGE)
        found += page[:PAGE]
        if len(page) <= PAGE:
            return found


def _table(found: list[BranchRow], reader: Reader) -> Listing:
    from trackeep.instance import words

    def items() -> Iterable[Any]:
        from trackeep.instance.api.repositories import branch_from

        for row in found:
            yield {"repository": row.full_name, **branch_from(row, reader.now).model_dump(mode="json")}

    columns = (
        Column("repository"),
        Column("branch", is_wide=True),
        Column("state"),
        Column("last commit"),
        Column("author"),
        Column("pull request"),
    )
    rows: list[list[str | Cell]] = [
        [
            row.full_name,
            row.name,
            Cell(row.state(reader.now), COLOURS[row.state(reader.now)]),
            words.ago(reader.now, row.committed_at),
            row.author or row.author_name or NOTHING,
            f"#{row.pull} {row.pull_state}" if row.pull else NOTHING,
        ]
        for row in found
    ]
    return Listing(columns, rows, items, "There is no such branch.")
