"""`trackeep commit`: commits as lists, newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from trackeep.cli.conventions import json_option, jsonl_option
from trackeep.cli.days import day_meant
from trackeep.cli.edge import account_option, finish, reading
from trackeep.cli.names import place_of
from trackeep.cli.output import NOTHING, Cell, Column, Listing, note, show

if TYPE_CHECKING:
    from trackeep.store.reports_access import Reader
    from trackeep.store.reports_commits import CommitPage, Wanted

SHA_SHOWN = 9


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(
        (
            click.option("--repo", "repository", metavar="OWNER/NAME", help="Only of this repository."),
            click.option("--author", metavar="LOGIN", default="", help="Only by this person; `me` is you."),
            click.option("--since", metavar="DAY", help="From this day on: yesterday, 7d, 2026-11-23."),
            click.option("--until", metavar="DAY", help="Up to and with this day."),
            click.option(
                "--limit",
                type=click.IntRange(1, 10_000),
                default=50,
                show_default=True,
                help="At most so many.",
            ),
        )
    ):
        command = option(command)
    return command


@click.group()
def commit() -> None:
    """List and search commits."""


@commit.command("list")
@_filters
@click.option("--counted", is_flag=True, help="Without merges and other branches, as statistics count.")
@account_option
@json_option
@jsonl_option
def list_(account: str | None, as_json: bool, as_jsonl: bool, **asked: Any) -> None:
    """Commits of everything you follow, newest first; one that several repositories have comes once."""
    _show(account, "", asked, as_json=as_json, as_jsonl=as_jsonl)


@commit.command()
@click.argument("words", nargs=-1, required=True)
@_filters
@account_option
@json_option
@jsonl_option
def search(words: tuple[str, ...], account: str | None, as_json: bool, as_jsonl: bool, **asked: Any) -> None:
    """Commits whose message or author has all of WORDS, or whose sha begins with them.

    Words are what the search field of the pages takes. Put -- before those that begin with a hyphen.
    """
    _show(account, " ".join(words), asked, as_json=as_json, as_jsonl=as_jsonl)


def _show(account: str | None, words: str, asked: dict[str, Any], *, as_json: bool, as_jsonl: bool) -> None:
    async def work() -> tuple[Reader, CommitPage, tuple[int, int]]:
        from trackeep.store import reports_commits

        async with reading(account) as (conn, reader):
            wanted = _wanted(reader, words, asked)
            found = await reports_commits.search(conn, reader, wanted, limit=asked["limit"])
            return reader, found, await reports_commits.stored(conn, reader)

    reader, found, (commits, repositories) = finish(work())
    nothing = f"No commit matches. Searched {commits:,} commits in {repositories:,} repositories."
    show(_table(found, reader, nothing), as_json=as_json, as_jsonl=as_jsonl)
    if found.with_files is not None and found.with_files[0] < found.with_files[1] and not as_json:
        some, every = found.with_files
        note(f"The files of {some:,} of {every:,} repositories were searched; see `trackeep repo files`.")
    if found.after is not None and not as_json and not as_jsonl:
        note(f"There are more than {len(found.rows):,}; see further with --limit.")


def _wanted(reader: Reader, words: str, asked: dict[str, Any]) -> Wanted:
    from datetime import timedelta

    from trackeep.metrics.windows import day_of, midnight
    from trackeep.store.reports_commits import Wanted

    today = day_of(reader.now, reader.zone)
    since, until = (day_meant(asked[name], today) if asked[name] else None for name in ("since", "until"))
    return Wanted(
        words=words,
        repository=place_of(asked["repository"]),
        author=asked["author"],
        dated="author" if asked["author"] else "committer",
        everything=not asked.get("counted"),
        since=midnight(since, reader.zone) if since else None,
        until=midnight(until + timedelta(days=1), reader.zone) if until else None,
    )


def _table(found: CommitPage, reader: Reader, nothing: str) -> Listing:
    from trackeep.instance import words

    def items() -> Iterable[Any]:
        from trackeep.instance.api.lists import commit_of

        return [commit_of(row).model_dump(mode="json") for row in found.rows]

    columns = (
        Column("commit"),
        Column("repository"),
        Column("subject", is_wide=True),
        Column("author"),
        Column("when"),
        Column("lines", is_number=True),
    )
    rows: list[list[str | Cell]] = [
        [
            Cell(row.sha[:SHA_SHOWN], "yellow"),
            f"{row.owner}/{row.repository}",
            row.subject,
            row.login or row.author_name or NOTHING,
            words.ago(reader.now, row.at),
            NOTHING if row.additions is None else f"+{row.additions:,} −{row.deletions or 0:,}",
        ]
        for row in found.rows
    ]
    return Listing(columns, rows, items, nothing)
