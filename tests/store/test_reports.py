"""The figures of the pages, counted by hand on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from small_world import ALICE, ATLAS, BOB, MALLORY, NOW, UTC, at, fill, reader
from sqlalchemy import select, update

from trackeep.database import Database
from trackeep.metrics.windows import Window, compare, steps
from trackeep.store import (
    reports_branches,
    reports_commits,
    reports_events,
    reports_mine,
    reports_pulls,
    reports_repositories,
    reports_repository,
    reports_sync,
    tables,
    tables_sync,
)
from trackeep.store import tables_fetched as fetched

pytestmark = pytest.mark.anyio
THIRTY = compare("30d", NOW, reader().zone)


@pytest.fixture
async def db(db: Database) -> Database:
    await fill(db)
    return db


async def test_days_are_the_readers_own(db: Database) -> None:
    """A commit at half past midnight in Prague is of that day there and of the day before in UTC."""
    async with db.read() as conn:
        here = (await reports_mine.days(conn, reader())).counts["commit"]
        there = (await reports_mine.days(conn, reader(zone=UTC))).counts["commit"]
    assert here[date(2026, 11, 21)] == 1
    assert date(2026, 11, 21) not in there
    assert there[date(2026, 11, 20)] == 2


async def test_commits_that_count(db: Database) -> None:
    """Mine by any verified address, once per sha; no merges, no other branches, no unverified address."""
    async with db.read() as conn:
        days = await reports_mine.days(conn, reader())
    assert days.counts["commit"] == {
        date(2026, 11, 22): 1,
        date(2026, 11, 21): 1,
        date(2026, 11, 20): 1,
        date(2026, 11, 19): 1,
        date(2026, 10, 20): 1,
    }
    assert date(2026, 11, 19) not in days.contributions["commit"], "only in a fork"


async def test_reviews_and_contributions_differ(db: Database) -> None:
    """Two reviews of one pull request on one day are two reviews and one contribution; own ones are none."""
    async with db.read() as conn:
        days = await reports_mine.days(conn, reader())
    assert days.counts["review"] == {date(2026, 11, 20): 2, date(2026, 11, 21): 1}
    assert days.contributions["review"] == {date(2026, 11, 20): 1, date(2026, 11, 21): 1}
    assert "merged" not in days.contributions


async def test_the_window_before_ends_at_the_same_hour(db: Database) -> None:
    """The 30 days before count what happened until the same time of day."""
    assert THIRTY.previous is not None
    async with db.read() as conn:
        before = await reports_mine.totals(conn, reader(), THIRTY.previous)
        now = await reports_mine.totals(conn, reader(), THIRTY.current)
    assert (before.commits, before.merged, before.reviews) == (1, 1, 0)
    assert (now.commits, now.merged, now.reviews) == (4, 2, 3)


async def test_time_to_merge_starts_when_ready(db: Database) -> None:
    """A draft's day of preparation is not waiting time."""
    async with db.read() as conn:
        merges = await reports_mine.merges(conn, reader(), THIRTY.current.start)
        rows = await reports_repositories.table(conn, reader(), THIRTY.current)
    assert [merge.seconds for merge in merges] == [4 * 3600, 2 * 3600]
    atlas = next(row for row in rows if row.id == ATLAS)
    assert (atlas.merged, atlas.time_to_merge_s) == (2, 3 * 3600)


async def test_the_table_counts_everybody(db: Database) -> None:
    """A repository's commits are everybody's, by committer date, without merges and other branches."""
    async with db.read() as conn:
        rows = await reports_repositories.table(conn, reader(), THIRTY.current)
    assert [(row.full_name, row.commits, row.open_pulls) for row in rows] == [
        ("fernhill/atlas", 6, 5),
        ("alice/heron", 2, 0),
    ]
    assert rows[0].weeks[-1] == 6
    assert sum(rows[0].weeks) == 7
    assert rows[0].oldest_open_at == at("2026-11-21 10:00")


async def test_the_queue_says_whose_turn_it_is(db: Database) -> None:
    """Each pull request that concerns alice stands in its section; one she reviewed is asked again."""
    async with db.read() as conn:
        queue = await reports_pulls.queue(conn, reader())
    assert [(pull.number, pull.section) for pull in queue] == [
        (4, "review"),
        (5, "returned"),
        (6, "ready"),
        (8, "waiting"),
        (7, "draft"),
        (1, "merged"),
        (2, "merged"),
    ]
    waiting = queue[3]
    assert [(one.login, one.state) for one in waiting.reviewers] == [("bob", "")]


async def test_lists_hold_what_numbers_count(db: Database) -> None:
    """The list behind a number has exactly as many rows as the number says."""
    window = {"since": THIRTY.current.start, "until": THIRTY.current.end}
    async with db.read() as conn:
        mine = reports_commits.Wanted(author="me", dated="author", everything=False, **window)
        commits = await reports_commits.search(conn, reader(), mine)
        merged = reports_pulls.Wanted(what="merged", author="me", **window)
        pulls = await reports_pulls.search(conn, reader(), merged)
        wanted = reports_events.Wanted(kind="review", mine=True, **window)
        reviews = await reports_events.recent(conn, reader(), wanted)
        totals = await reports_mine.totals(conn, reader(), THIRTY.current)
    assert commits.count == len(commits.rows) == totals.commits
    assert pulls.count == len(pulls.rows) == totals.merged
    assert len(reviews.rows) == totals.reviews


async def test_pages_follow_by_key(db: Database) -> None:
    """Page after page of two: every commit once, none twice, in order."""
    seen, wanted = [], reports_commits.Wanted()
    async with db.read() as conn:
        while True:
            page = await reports_commits.search(conn, reader(), wanted, limit=2)
            seen += [(row.at, row.sha) for row in page.rows]
            if page.after is None:
                break
            wanted = replace(wanted, after=page.after)
    assert len(seen) == page.count == 10
    assert seen == sorted(set(seen), reverse=True)


async def test_a_commit_with_many_copies_comes_once(db: Database) -> None:
    """Ten forks that alice follows share two commits: two lines, whatever the length of a page."""
    forks, names = range(901, 911), ("copied-old", "copied-new")
    async with db.write() as conn:
        await conn.execute(
            tables.repository.insert(),
            [{"id": each, "owner": "alice", "name": f"fork{each}"} for each in forks],
        )
        mine = [{"account_id": ALICE, "repository_id": each} for each in forks]
        await conn.execute(
            tables.follow.insert(), [row | {"state": "tracked", "created_at": NOW} for row in mine]
        )
        await conn.execute(
            tables.access.insert(), [row | {"state": "granted", "checked_at": NOW} for row in mine]
        )
        copies = [
            {"repository_id": each, "sha": sha, "authored_at": NOW + at, "committed_at": NOW + at}
            for each in forks
            for at, sha in enumerate(names)
        ]
        await conn.execute(fetched.commit.insert(), copies)
    async with db.read() as conn:
        first = await reports_commits.search(conn, reader(), reports_commits.Wanted(), limit=1)
        following = reports_commits.Wanted(after=first.after)
        second = await reports_commits.search(conn, reader(), following, limit=1)
    assert [(row.sha, row.repository_id) for row in (*first.rows, *second.rows)] == [
        ("copied-new", 901),
        ("copied-old", 901),
    ]
    assert second.after is not None


@pytest.mark.parametrize(
    ("words", "shas"), [("change a5", {"a5"}), ("WHY bob", {"a5"}), ("100%", set()), ("nothing_", set())]
)
async def test_search_finds_words_in_any_case(db: Database, words: str, shas: set[str]) -> None:
    """Every word must be in the message or the name; the database's wildcards are ordinary letters."""
    async with db.read() as conn:
        page = await reports_commits.search(conn, reader(), reports_commits.Wanted(words=words))
    assert {row.sha for row in page.rows} == shas


async def test_a_day_lists_its_contributions(db: Database) -> None:
    """The day's page shows what the calendar counted, and no more."""
    day = Window(at("2026-11-20 00:00"), at("2026-11-21 00:00"))
    wanted = reports_events.Wanted(mine=True, contributions=True, since=day.start, until=day.end)
    async with db.read() as conn:
        page = await reports_events.recent(conn, reader(), wanted)
    assert [(event.kind, event.number) for event in page.rows] == [
        ("review", 9),
        ("review", 9),
        ("commit", 0),
    ]


async def test_commits_of_one_person_become_one_line(db: Database) -> None:
    """The commits of one author in one repository on one day are one event that says how many."""
    async with db.write() as conn:
        author = {"author_name": "bob", "author_email": "bob@x.example"}
        await conn.execute(
            update(fetched.commit).where(fetched.commit.c.sha.in_(("a6", "a7"))).values(author)
        )
    async with db.read() as conn:
        page = await reports_events.recent(conn, reader(), reports_events.Wanted(kind="commit"))
    runs = [(event.actor, event.count) for event in page.rows if event.repository == "atlas"]
    assert ("bob", 3) in runs


async def many_commits(db: Database) -> None:
    """Forty commits of one morning, alice's and bob's in turns."""
    async with db.write() as conn:
        pattern = dict((await conn.execute(select(fetched.commit).limit(1))).mappings().one())
        del pattern["id"]
        rows = [
            {
                **pattern,
                "repository_id": ATLAS,
                "sha": f"b{n:02}",
                "author_name": "alice" if n % 2 else "bob",
                "author_email": "alice@fernhill.example" if n % 2 else "bob@x.example",
                "authored_at": at("2026-11-18 08:00") + 60 * n,
                "committed_at": at("2026-11-18 08:00") + 60 * n,
            }
            for n in range(40)
        ]
        await conn.execute(fetched.commit.insert(), rows)


@pytest.mark.parametrize("limit", [2, 3, 5, 50])
async def test_a_line_says_the_same_number_on_every_page(db: Database, limit: int) -> None:
    """However few lines a page has, a line stands for the whole day's commits, and comes once."""
    await many_commits(db)
    lines, wanted = [], reports_events.Wanted()
    async with db.read() as conn:
        while True:
            page = await reports_events.recent(conn, reader(), wanted, limit=limit)
            lines += [event for event in page.rows if event.kind == "commit"]
            assert page.rows
            if page.before is None:
                break
            wanted = replace(wanted, before=page.before)
    days = [(event.repository, event.actor, event.count) for event in lines if event.count > 1]
    assert sorted(days) == [("atlas", "alice", 20), ("atlas", "bob", 20)]
    # What happened in the same second may come twice.
    assert sum(event.count for event in set(lines)) == 50


async def test_activity_is_paged_without_loss(db: Database) -> None:
    """Page after page of three lines holds every event of the whole list."""
    async with db.read() as conn:
        whole = await reports_events.recent(conn, reader(), reports_events.Wanted(), limit=200)
        seen, wanted = [], reports_events.Wanted()
        while True:
            page = await reports_events.recent(conn, reader(), wanted, limit=3)
            seen += [(event.kind, event.repository, event.number, event.first_at) for event in page.rows]
            if page.before is None:
                break
            wanted = reports_events.Wanted(before=page.before)
    assert {(event.kind, event.repository, event.number, event.first_at) for event in whole.rows} <= set(seen)


async def test_the_pulse_of_a_repository(db: Database) -> None:
    """People, commits and pull requests of a window; merges left out, machines marked."""
    by_name = reports_branches.Wanted(repository=ATLAS, by_name=True)
    async with db.read() as conn:
        pulse = await reports_repository.pulse(conn, reader(), ATLAS, THIRTY.current)
        authors = await reports_repository.authors(conn, reader(), ATLAS, THIRTY.current)
        hours = await reports_repository.hours(conn, reader(), ATLAS, THIRTY.current)
        branches = await reports_branches.branches(conn, reader(), by_name)
    assert (pulse.commits_everywhere, pulse.merged, pulse.closed, pulse.unreviewed) == (7, 2, 1, 2)
    assert {(one.login or one.name, one.commits, one.is_bot) for one in authors} == {
        ("alice", 3, False),
        ("bob", 1, False),
        ("dependabot[bot]", 1, True),
        ("old", 1, False),
    }
    assert hours[5][0] == 1, "Saturday 21 November, half past midnight in Prague"
    assert [(one.name, one.is_merged) for one in branches] == [("main", False), ("topic", False)]


async def test_a_borrowed_name_is_not_the_account(db: Database) -> None:
    """Who signs with somebody's login from an unknown address stays apart, in figures, weeks and lists."""
    async with db.write() as conn:
        stranger = fetched.commit.c.author_email == "old@college.example"
        await conn.execute(update(fetched.commit).where(stranger).values(author_name="bob"))
    async with db.read() as conn:
        authors = await reports_repository.authors(conn, reader(), ATLAS, THIRTY.current)
        quarter = compare("90d", NOW, reader().zone).current
        drawn = steps(date(2026, 8, 25), date(2026, 11, 23))
        weeks = await reports_repository.author_steps(conn, reader(), ATLAS, quarter, drawn)
        wanted = reports_commits.Wanted(author="alice", repository=("fernhill", "atlas"), everything=False)
        alices = await reports_commits.search(conn, reader(), wanted)
    commits = {one.key: one.commits for one in authors}
    assert commits == {("alice", ""): 3, ("bob", ""): 1, ("dependabot[bot]", ""): 1, ("", "bob"): 1}
    assert {key: sum(counts) for key, counts in weeks.items()} == commits | {("alice", ""): 4}
    assert alices.count == 4 and {row.login for row in alices.rows} == {"alice"}


async def test_freshness(db: Database) -> None:
    """When it last worked, what is left, and how much of the past has been read."""
    async with db.read() as conn:
        fresh = await reports_sync.freshness(conn, reader())
    core = fresh.budget("core")
    assert (fresh.succeeded_at, fresh.followed, fresh.read) == (NOW - 240, 2, 1)
    assert core is not None
    assert (core.remaining, core.limit) == (4812, 5000)


async def test_what_did_not_change_is_as_fresh_as_the_last_look(db: Database) -> None:
    """A repository is up to date as of the last good run, unless something of it is missing or failed."""
    cursor = tables_sync.cursor.c
    problem = update(tables_sync.cursor).where(cursor.repository_id == ATLAS, cursor.stream == "issues")
    seen = []
    async with db.write() as conn:
        await conn.execute(update(tables_sync.run).values(started_at=NOW - 60, finished_at=NOW - 30))
    for said in ("", "GitHub answered 502."):
        async with db.write() as conn:
            await conn.execute(problem.values(problem=said))
        async with db.read() as conn:
            rows = await reports_repositories.table(conn, reader(), THIRTY.current)
            found = await reports_repositories.find(conn, reader(), "fernhill", "atlas")
            synced = await reports_sync.repositories(conn, reader())
        assert found is not None
        ages = {row.name: NOW - (row.synced_at or 0) for row in rows}
        assert ages == {one.name: NOW - (one.succeeded_at or 0) for one in synced}
        assert NOW - (found.synced_at or 0) == ages["atlas"]
        seen.append(ages)
    assert seen == [{"atlas": 30, "heron": 240}, {"atlas": 240, "heron": 240}]


async def test_nobody_reads_what_they_may_not(db: Database) -> None:
    """mallory, and alice about bob's private repository, see nothing of it in any report."""
    for account in (MALLORY, ALICE):
        who = reader(account)
        async with db.read() as conn:
            everything = [
                await reports_mine.days(conn, who),
                await reports_mine.busiest_repository(conn, who, date(2026, 1, 1), date(2026, 12, 31)),
                await reports_pulls.queue(conn, who),
                await reports_repositories.table(conn, who, THIRTY.current),
                await reports_commits.search(conn, who, reports_commits.Wanted(words="secret")),
                await reports_commits.search(
                    conn, who, reports_commits.Wanted(repository=("bob", "secret-plan"))
                ),
                await reports_events.recent(conn, who, reports_events.Wanted()),
                await reports_repositories.find(conn, who, "bob", "secret-plan"),
                await reports_repositories.choices(conn, who),
                await reports_sync.repositories(conn, who),
                await reports_repository.authors(conn, who, 12, Window(0, NOW)),
                await reports_branches.branches(conn, who, reports_branches.Wanted(repository=12)),
            ]
        assert "secret" not in str(everything)


async def test_proof_of_access_grows_old(db: Database) -> None:
    """A private repository is hidden a day after GitHub last confirmed it, and public ones are not."""
    async with db.read() as conn:
        today = await reports_repositories.table(conn, reader(BOB), THIRTY.current)
        later = await reports_repositories.table(conn, reader(BOB, now=NOW + 90_000), THIRTY.current)
    assert {row.name for row in today} == {"atlas", "secret-plan"}
    assert {row.name for row in later} == {"atlas"}
