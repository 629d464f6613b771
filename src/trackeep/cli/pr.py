"""`trackeep pr`: whose turn it is, one pull request, and how long changes take."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from trackeep.cli.conventions import json_option, jsonl_option
from trackeep.cli.edge import account_option, finish, reading, settings_of
from trackeep.cli.figures import PERIODS, SPANS, figure_rows, spread_of
from trackeep.cli.names import place_of
from trackeep.cli.output import NOTHING, Cell, Column, Listing, plain, show, show_json

if TYPE_CHECKING:
    from trackeep.store.reports_access import Reader
    from trackeep.store.reports_pull import PullView
    from trackeep.store.reports_pulls import PullRow

QUEUE = "queue"
STATES = (QUEUE, "open", "merged", "closed", "all")
TURN_COLOURS = {"review": "yellow", "returned": "red", "ready": "green", "merged": "magenta"}
CHECKS = {
    "SUCCESS": Cell("passed", "green"),
    **dict.fromkeys(("FAILURE", "ERROR"), Cell("failed", "red")),
    **dict.fromkeys(("PENDING", "EXPECTED"), Cell("running", "yellow")),
    "UNKNOWN": Cell("not known"),
}
COLOURS = {"open": "green", "merged": "magenta", "closed": "red", "draft": "bright_black"}


@click.group()
def pr() -> None:
    """Pull requests: what waits for whom, and how long changes take."""


@pr.command("list")
@click.option(
    "--state",
    type=click.Choice(STATES),
    default=QUEUE,
    show_default=True,
    help="queue: what concerns you, by whose turn it is.",
)
@click.option("--repo", "repository", metavar="OWNER/NAME", help="Only of this repository.")
@click.option("--author", metavar="LOGIN", help="Only by this person; `me` is you.")
@click.option("--search", "words", default="", metavar="WORDS", help="Only with all of these in the title.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
@account_option
@json_option
@jsonl_option
def list_(
    state: str,
    repository: str | None,
    author: str | None,
    words: str,
    limit: int,
    account: str | None,
    as_json: bool,
    as_jsonl: bool,
) -> None:
    """What concerns you, by whose turn it is; with --state a plain list, newest first."""

    async def work() -> tuple[Reader, Sequence[PullRow]]:
        from trackeep.store import reports_pulls

        async with reading(account) as (conn, reader):
            if state != QUEUE:
                wanted = reports_pulls.Wanted(
                    what=state,
                    repository=place_of(repository),
                    author=author or "",
                    words=words,
                )
                return reader, (await reports_pulls.search(conn, reader, wanted, limit=limit)).rows
            found = await reports_pulls.queue(conn, reader)
            return reader, [row for row in found if _is_wanted(row, repository, author, words)][:limit]

    reader, rows = finish(work())
    show(listing(rows, reader), as_json=as_json, as_jsonl=as_jsonl)


@pr.command()
@click.argument("which", metavar="OWNER/NAME#NUMBER")
@account_option
@json_option
def view(which: str, account: str | None, as_json: bool) -> None:
    """One pull request with its reviews and how long it took."""
    from trackeep.errors import NotFound, UsageError

    written = re.fullmatch(r"([^/#\s]+)/([^/#\s]+)(?:#|/pull/)([0-9]{1,9})", which)
    if written is None:
        raise UsageError(f"“{which[:60]}” is no pull request.", "Write it as owner/name#12.")

    async def work() -> tuple[Reader, PullView | None]:
        from trackeep.store import reports_pull

        async with reading(account) as (conn, reader):
            found = await reports_pull.find(conn, reader, written[1], written[2], int(written[3]))
            return reader, found

    reader, found = finish(work())
    if found is None:
        raise NotFound(
            f"There is no pull request {which} that you may see.", "Check its repository and number."
        )
    address = (
        f"{settings_of(say_warnings=False).github.web}/{found.owner}/{found.repository}/pull/{found.number}"
    )
    if as_json:
        show_json(_view_item(found, address))
    else:
        click.echo(_view_text(found, reader, address))


@pr.command()
@click.option("--period", type=click.Choice(PERIODS), default="90d", show_default=True)
@click.option("--since", metavar="DAY", help="Instead of a period: from this day until now.")
@click.option("--repo", "repository", metavar="OWNER/NAME", help="Only of this repository.")
@click.option("--author", metavar="LOGIN", default="", help="Only by this person; `me` is you.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV; durations in seconds.")
@account_option
@json_option
def stats(
    period: str,
    since: str | None,
    repository: str | None,
    author: str,
    as_csv: bool,
    account: str | None,
    as_json: bool,
) -> None:
    """Where the pull requests merged in a period spent their time: medians and 90th percentiles."""

    async def work() -> dict[str, Any]:
        from trackeep.cli.figures import cycle_figures, window_of
        from trackeep.store import reports_durations

        async with reading(account) as (conn, reader):
            window = window_of(reader, period, since)
            wanted = reports_durations.Wanted(place_of(repository), author)
            found = await reports_durations.passages(conn, reader, window, wanted)
            waiting = await reports_durations.waiting(conn, reader, wanted)
            return cycle_figures(found, waiting, window, reader)

    figures = finish(work())
    if as_json:
        show_json(figures)
        return
    figure_rows(
        ("duration", "merged", "p50", "p90"),
        [(name, figures[name]) for name in SPANS],
        spread_of,
        as_csv=as_csv,
    )
    if not as_csv:
        click.echo(
            f"{figures['merged_pulls']:,} merged, {figures['without_review']:,} of them without a review; "
            f"{figures['waiting']:,} wait for a first review."
        )


def listing(rows: Sequence[PullRow], reader: Reader) -> Listing:
    """Pull requests as a table; their sections where they come from the queue."""
    from trackeep.instance import words
    from trackeep.metrics.pulls import size

    def cells(row: PullRow) -> list[str | Cell]:
        return [
            _turn_or_state(row),
            f"{row.owner}/{row.repository}#{row.number}",
            row.title,
            row.author or NOTHING,
            words.age(reader.now, row.waits_since),
            size(row.additions, row.deletions) or NOTHING,
            _checks(row.checks),
        ]

    columns = (
        Column("whose turn" if any(row.section for row in rows) else "state"),
        Column("pull request"),
        Column("title", is_wide=True),
        Column("author"),
        Column("age", is_number=True),
        Column("size"),
        Column("checks"),
    )
    return Listing(columns, [cells(row) for row in rows], lambda: items_of(rows), "Nothing waits here.")


def items_of(rows: Sequence[PullRow]) -> list[dict[str, Any]]:
    """Pull requests as the API shows them; those of the queue with their section and its reason."""
    from trackeep.instance.api.lists import pull_of

    sections = [{"section": row.section, "reason": row.reason} if row.section else {} for row in rows]
    return [
        {**pull_of(row).model_dump(mode="json"), **section}
        for row, section in zip(rows, sections, strict=True)
    ]


def _turn_or_state(row: PullRow) -> Cell:
    from trackeep.instance.pulls_page import SECTION_WORDS

    if row.section is None:
        state = "draft" if row.draft and row.state == "open" else row.state
        return Cell(state, COLOURS.get(state, ""))
    words = SECTION_WORDS[row.section][0]
    shown = f"{words} ({row.reason})" if row.reason else words
    return Cell(shown, TURN_COLOURS.get(row.section, ""))


def _is_wanted(row: PullRow, repository: str | None, author: str | None, words: str) -> bool:
    place = place_of(repository)
    here = (row.owner.lower(), row.repository.lower())
    is_here = place is None or here == (place[0].lower(), place[1].lower())
    is_by = author is None or (row.mine if author == "me" else row.author.lower() == author.lower())
    return is_here and is_by and all(word.lower() in row.title.lower() for word in words.split())


def _view_item(found: PullView, address: str) -> dict[str, Any]:
    from trackeep.cli.figures import instant_text
    from trackeep.metrics.pulls import size

    times = ("first_commit_at", "created_at", "ready_at", "updated_at", "merged_at", "closed_at")
    plain_fields = (
        *("number", "title", "state", "draft", "author", "base_ref", "head_ref", "head_sha", "additions"),
        *("deletions", "changed_files", "comments", "checks", "review_decision", "mergeable"),
    )
    return {
        "repository": f"{found.owner}/{found.repository}",
        **{name: getattr(found, name) for name in plain_fields},
        "unresolved_threads": found.unresolved,
        "size": size(found.additions, found.deletions),
        **{name: instant_text(getattr(found, name)) for name in times},
        "durations_s": {name: seconds for name, seconds in _durations(found)},
        "reviews": [
            {"login": one.login, "state": one.state, "at": instant_text(one.at), "comments": one.comments}
            for one in found.reviews
        ],
        "url": address,
    }


def _view_text(found: PullView, reader: Reader, address: str) -> str:
    from trackeep.instance import words
    from trackeep.metrics.pulls import size

    state = "draft" if found.draft and found.state == "open" else found.state
    opened = words.moment(found.created_at, reader.zone)
    checks = _checks(found.checks)
    lines = [
        click.style(plain(f"{found.title}  {found.owner}/{found.repository}#{found.number}"), bold=True),
        f"{click.style(state, fg=COLOURS.get(state))} · {plain(found.author or NOTHING)} · opened {opened}",
        plain(f"{found.head_ref or NOTHING} into {found.base_ref or NOTHING}"),
        f"+{words.number(found.additions)} −{words.number(found.deletions)} "
        f"({size(found.additions, found.deletions) or NOTHING}), "
        f"{words.counted(found.changed_files or 0, 'file')}, checks {checks.text}, "
        f"{words.counted(found.unresolved or 0, 'unresolved thread')}",
    ]
    took = [f"{name.replace('_', ' ')} {words.duration(s)}" for name, s in _durations(found) if s is not None]
    lines += [" · ".join(took)] if took else []
    for one in found.reviews:
        when = words.ago(reader.now, one.at) if one.at else "not submitted"
        comments = f", {words.counted(one.comments, 'comment')}" if one.comments else ""
        lines.append(
            plain(f"  {one.state.lower().replace('_', ' '):<18} {one.login or NOTHING}, {when}{comments}")
        )
    return "\n".join([*lines, address])


def _checks(state: str) -> Cell:
    return CHECKS.get(state, Cell(plain(state.lower()) or NOTHING))


def _durations(found: PullView) -> list[tuple[str, int | None]]:
    from trackeep.metrics import durations

    ready = durations.ready_at(found.created_at, found.ready_at)
    others = [one.at for one in found.reviews if one.at is not None and one.login != found.author]
    first_review = min(others, default=None)
    return [
        ("coding", durations.coding_time(found.first_commit_at, ready)),
        ("pickup", durations.pickup_time(ready, first_review)),
        ("review", durations.review_time(first_review, found.merged_at)),
        ("time_to_merge", durations.time_to_merge(ready, found.merged_at)),
        ("cycle_time", durations.cycle_time(found.first_commit_at, found.merged_at)),
    ]
