"""How long the database takes for every question of every screen and of a poll, one question at a time.

    python benchmarks/queries.py DATABASE_URL [--account ID] [--rounds 20] [--cpu]

Nothing is written. For each reader: the median and the 95th percentile of all of its queries together, and
those of its slowest one. With `--cpu` processor time is shown instead of the clock's: that of this process
for SQLite, that of the server's process for PostgreSQL, which other work on the machine disturbs less. Run
`vacuum analyze` first in a PostgreSQL database that was filled a moment ago.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import event, text

from trackeep.database import Database
from trackeep.instance.dashboard import EVENTS_SHOWN, EVENTS_WITHIN, REPOSITORIES_SHOWN
from trackeep.metrics.windows import Comparison, compare, day_of, midnight, steps, weeks_back
from trackeep.store import (
    activity,
    line_counts,
    reports_branches,
    reports_commits,
    reports_events,
    reports_mine,
    reports_pulls,
    reports_pulse,
    reports_repositories,
    reports_repository,
    reports_sync,
    schedule,
)
from trackeep.store.reports_access import Reader

ZONE = ZoneInfo("Europe/Prague")
LARGEST = """select r.id, r.owner, r.name from repository r
where r.id = (select repository_id from "commit" group by repository_id order by count(*) desc limit 1)"""
Question = Callable[[Any], Awaitable[Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("database")
    parser.add_argument("--account", type=int, help="who reads; by default the first account")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--cpu", action="store_true")
    asyncio.run(measure(parser.parse_args()))


async def measure(asked: argparse.Namespace) -> None:
    db = await Database.open(asked.database)
    spent: list[float] = []
    listen(db, spent, asked.cpu)
    async with db.read() as conn:
        questions = await asked_of(conn, asked.account)
        size = (await conn.execute(text('select count(*) from "commit"'))).scalar_one()
    print(f"{size:,} commits; milliseconds{' of processor time' if asked.cpu else ''}")
    print(f"{'question':<28}{'queries':>8}{'p50':>8}{'p95':>8}{'slowest p50':>13}{'slowest p95':>13}")
    for name, question in questions.items():
        rounds = [await once(db, question, spent) for _ in range(asked.rounds + 1)][1:]
        whole, slowest = [sum(each) for each in rounds], [max(each) for each in rounds]
        figures = (*middle_and_high(whole), *middle_and_high(slowest))
        print(f"{name:<28}{len(rounds[0]):>8}{figures[0]:>8.1f}{figures[1]:>8.1f}"
              f"{figures[2]:>13.1f}{figures[3]:>13.1f}", flush=True)  # fmt: skip
    await db.close()


def ask(reader: Callable[..., Awaitable[Any]], *given: Any, **named: Any) -> Question:
    return lambda conn: reader(conn, *given, **named)


async def once(db: Database, question: Question, spent: list[float]) -> list[float]:
    """Milliseconds of each query that `question` made."""
    spent.clear()
    async with db.read() as conn:
        spent.clear()
        await question(conn)
    return [each * 1000 for each in spent]


def middle_and_high(times: list[float]) -> tuple[float, float]:
    return statistics.median(times), statistics.quantiles(times, n=20)[-1]


def listen(db: Database, spent: list[float], cpu: bool) -> None:
    """Append the seconds of every query to `spent`."""

    def clock(conn: Any) -> float:
        if not cpu:
            return time.perf_counter()
        if db.is_sqlite:
            return time.process_time()
        # Nanoseconds on a processor: https://docs.kernel.org/scheduler/sched-stats.html
        server = conn.connection.driver_connection.get_server_pid()
        return int(Path(f"/proc/{server}/schedstat").read_text().split()[0]) / 1e9

    def before(conn: Any, *_: Any) -> None:
        conn.info["began"] = clock(conn)

    def after(conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lower().startswith("select"):
            spent.append(clock(conn) - conn.info["began"])

    event.listen(db.engine.sync_engine, "before_cursor_execute", before)
    event.listen(db.engine.sync_engine, "after_cursor_execute", after)


async def asked_of(conn: Any, account_id: int | None) -> dict[str, Question]:
    """Every reader with what its screen asks; the repository is the one with most commits."""
    if account_id is None:
        account_id = (await conn.execute(text("select min(id) from account"))).scalar_one()
    newest = text('select max(committed_at) from "commit" where committed_at < 2000000000')
    now = int((await conn.execute(newest)).scalar_one())
    place, *name = (await conn.execute(text(LARGEST))).one()
    reader = Reader(account_id, now, ZONE)
    ids = [each.id for each in await schedule.followed(conn, account_id)]
    return {
        **of_everything(reader),
        **of_lists(reader, (name[0], name[1])),
        **of_repository(reader, place, (name[0], name[1])),
        **of_a_poll(reader, ids),
    }


def of_everything(reader: Reader) -> dict[str, Question]:
    today = day_of(reader.now, reader.zone)
    shown = (today - timedelta(days=364), today)
    found: dict[str, Question] = {
        "dashboard": ask(dashboard, reader, compare("30d", reader.now, ZONE), shown),
        "calendar": ask(reports_mine.days, reader),
        "choices": ask(reports_repositories.choices, reader),
        "stored": ask(reports_commits.stored, reader),
        "sync, what is stored": ask(reports_sync.stored, reader),
        "sync, repositories": ask(reports_sync.repositories, reader),
        "freshness": ask(reports_sync.freshness, reader),
    }
    for period in ("30d", "12m", "all"):
        window = compare(period, reader.now, ZONE).current
        found[f"repositories, {period}"] = ask(reports_repositories.table, reader, window)
    return found


async def dashboard(conn: Any, reader: Reader, comparison: Comparison, shown: tuple[date, date]) -> None:
    """What its blocks ask, one after the other."""
    assert comparison.previous is not None
    lately = reports_events.Wanted(since=midnight(shown[1] - EVENTS_WITHIN, reader.zone))
    await reports_sync.freshness(conn, reader)
    await reports_mine.days(conn, reader)
    await reports_mine.totals(conn, reader, comparison.previous)
    await reports_mine.merges(conn, reader, 0)
    await reports_mine.busiest_repository(conn, reader, *shown)
    await reports_pulls.queue(conn, reader)
    await reports_repositories.table(conn, reader, comparison.current, limit=REPOSITORIES_SHOWN)
    await reports_events.recent(conn, reader, lately, limit=EVENTS_SHOWN)


def of_lists(reader: Reader, name: tuple[str, str]) -> dict[str, Question]:
    commits, pulls, events = reports_commits, reports_pulls, reports_events
    found: dict[str, Question] = {"queue": ask(pulls.queue, reader)}
    for label, wanted in {
        "": commits.Wanted(),
        ", mine": commits.Wanted(author="me"),
        ", mine that count": commits.Wanted(author="me", everything=False, forks=False, dated="author"),
        ", of one repository": commits.Wanted(repository=name),
        ", by nobody's name": commits.Wanted(author="nobody of this name"),
        ", with words": commits.Wanted(words="fix cache"),
    }.items():
        found[f"commits{label}"] = ask(commits.search, reader, wanted)
    for what in ("all", "open", "merged"):
        asked = pulls.Wanted(what=what)
        found[f"pull requests, {what}"] = ask(pulls.search, reader, asked)
    asked = pulls.Wanted(words="fix cache")
    found["pull requests, with words"] = ask(pulls.search, reader, asked)
    for label, seen in {
        "": events.Wanted(),
        ", mine": events.Wanted(mine=True),
        ", of one repository": events.Wanted(repository=name),
    }.items():
        found[f"activity{label}"] = ask(events.recent, reader, seen)
    return found


def of_repository(reader: Reader, place: int, name: tuple[str, str]) -> dict[str, Question]:
    since: date = weeks_back(13, reader.now, ZONE)[0]
    found: dict[str, Question] = {
        "repository, by name": ask(reports_repositories.find, reader, *name),
        "repository, branches": ask(
            reports_branches.branches, reader, reports_branches.Wanted(repository=place)
        ),
        "repository, pull requests": ask(reports_repository.pull_weeks, reader, place, since, 13),
    }
    for period in ("90d", "all"):
        window = compare(period, reader.now, ZONE).current
        for title, question in (
            ("pulse", reports_repository.pulse),
            ("people", reports_repository.authors),
            ("hours", reports_repository.hours),
        ):
            found[f"repository, {title}, {period}"] = ask(question, reader, place, window)
        drawn = steps(since if window.start else date(2016, 1, 1), day_of(reader.now, ZONE))
        found[f"repository, people by step, {period}"] = ask(
            reports_repository.author_steps, reader, place, window, drawn
        )
        found[f"repository, lines, {period}"] = ask(reports_pulse.lines, reader, place, window, drawn)
    return found


def of_a_poll(reader: Reader, ids: list[int]) -> dict[str, Question]:
    me, now = reader.account_id, reader.now
    return {
        "poll, followed": ask(schedule.followed, me),
        "poll, cursors": ask(schedule.cursors, me),
        "poll, progress": ask(schedule.progress, me),
        "poll, details wanted": ask(activity.wanting_details, me, ids, now, is_watched=True),
        "poll, own lines": ask(line_counts.own, me, limit=100),
        "poll, recent lines": ask(line_counts.recent, me, now - 90 * 86_400, limit=100),
        "poll, other lines": ask(line_counts.remaining, me, now, limit=100),
    }


if __name__ == "__main__":
    main()
