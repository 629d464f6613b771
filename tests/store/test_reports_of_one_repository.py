"""Issues, releases, languages and lines of one repository, counted by hand on a small one."""

from __future__ import annotations

from datetime import date

import pytest
from small_world import ALICE, ATLAS, BOB, CAROL, NOW, at, fill, reader
from sqlalchemy import update

from trackeep.database import Database
from trackeep.metrics.windows import Window, between, compare, steps
from trackeep.store import reports_events, reports_pulse, reports_repository
from trackeep.store import tables_fetched as fetched
from trackeep.store.reports_events import Event, Wanted
from trackeep.store.reports_pulse import Issues, Language, Lines
from trackeep.store.tables import account_bot

pytestmark = pytest.mark.anyio
WEEK = compare("7d", NOW, reader().zone).current
QUARTER = compare("90d", NOW, reader().zone).current


@pytest.fixture
async def db(db: Database) -> Database:
    await fill(db)
    return db


async def add(db: Database, table: object, *rows: dict[str, object]) -> None:
    async with db.write() as conn:
        for row in rows:
            await conn.execute(table.insert().values(repository_id=ATLAS, **row))  # type: ignore[attr-defined]  # any table


async def test_issues_count_in_the_window_of_each_event(db: Database) -> None:
    """Opened long ago and closed this week is closed this week; what is open is open whatever the window."""
    made = {"updated_at": NOW, "author_id": BOB}
    await add(
        db,
        fetched.issue,
        {
            "number": 21,
            "state": "closed",
            "created_at": at("2026-08-01 09:00"),
            "closed_at": NOW - 60,
            **made,
        },
        {"number": 22, "state": "open", "created_at": at("2026-08-02 09:00"), **made},
    )
    async with db.read() as conn:
        week = await reports_pulse.issues(conn, reader(), ATLAS, WEEK)
        ever = await reports_pulse.issues(conn, reader(), ATLAS, Window(0, NOW))
        foreign = await reports_pulse.issues(conn, reader(CAROL), ATLAS, WEEK)
    assert (week, ever, foreign) == (Issues(1, 1, 2), Issues(3, 1, 2), Issues(0, 0, 0))


async def test_releases_that_were_published(db: Database) -> None:
    """A draft is none; the newest come first whatever the window, the number is the window's own."""
    made = {"created_at": NOW}
    await add(
        db,
        fetched.release,
        {"id": 1, "tag": "v1", "name": "One", "published_at": at("2026-09-01 10:00"), **made},
        {"id": 2, "tag": "v2", "name": "", "prerelease": True, "published_at": NOW - 60, **made},
        {"id": 3, "tag": "v3", "draft": True, "published_at": NOW - 30, **made},
        {"id": 4, "tag": "v4", "published_at": None, **made},
    )
    async with db.read() as conn:
        count, newest = await reports_pulse.releases(conn, reader(), ATLAS, WEEK)
    assert count == 1
    assert [(one.tag, one.prerelease) for one in newest] == [("v2", True), ("v1", False)]


async def test_languages_by_size(db: Database) -> None:
    """The largest first, nothing of what has no bytes."""
    sizes = (("CSS", 10, ""), ("Python", 90, "#3572A5"), ("Nix", 0, ""))
    await add(db, fetched.language, *({"name": n, "bytes": b, "color": c} for n, b, c in sizes))
    async with db.read() as conn:
        found = await reports_pulse.languages(conn, reader(), ATLAS)
    assert found == (Language("Python", 90, "#3572A5"), Language("CSS", 10, ""))


async def test_lines_per_week(db: Database) -> None:
    """Counted commits of each span with the lines of those that are measured; merges and branches are out."""
    known = {"a1": (10, 1), "a2": (0, 0), "a9": (7, 3), "a4": (500, 500), "a8": (900, 900)}
    async with db.write() as conn:
        for sha, (added, deleted) in known.items():
            this = (fetched.commit.c.sha == sha) & (fetched.commit.c.repository_id == ATLAS)
            await conn.execute(update(fetched.commit).where(this).values(additions=added, deletions=deleted))
    drawn = steps(date(2026, 10, 20), date(2026, 11, 23))
    assert drawn.starts[0] == date(2026, 10, 20)
    window = between(date(2026, 10, 20), date(2026, 11, 23), NOW, reader().zone).current
    async with db.read() as conn:
        found = await reports_pulse.lines(conn, reader(), ATLAS, window, drawn)
    assert found == (Lines(7, 3, 1, 1), Lines(), Lines(), Lines(), Lines(10, 1, 6, 2))


async def test_the_oldest_step_is_cut_to_the_window(db: Database) -> None:
    """A span that begins before the window holds nothing from before it."""
    drawn = steps(date(2026, 10, 21), date(2026, 11, 23))
    assert drawn.starts[0] == date(2026, 10, 20)
    window = between(date(2026, 10, 21), date(2026, 11, 23), NOW, reader().zone).current
    async with db.read() as conn:
        found = await reports_pulse.lines(conn, reader(), ATLAS, window, drawn)
        by_author = await reports_repository.author_steps(conn, reader(), ATLAS, window, drawn)
    assert [one.commits for one in found] == [0, 0, 0, 0, 6]
    assert by_author["alice", ""] == [0, 0, 0, 0, 3]


async def test_all_time_begins_with_the_first_commit(db: Database) -> None:
    """A chart of all time begins where the history does, of other windows where they do."""
    async with db.read() as conn:
        ever = await reports_pulse.days_of_window(conn, reader(), ATLAS, Window(0, WEEK.end))
        week = await reports_pulse.days_of_window(conn, reader(), ATLAS, WEEK)
        nothing = await reports_pulse.days_of_window(conn, reader(CAROL), ATLAS, Window(0, WEEK.end))
    today = date(2026, 11, 23)
    assert ever == (date(2026, 10, 20), today)
    assert week == (date(2026, 11, 17), today)
    assert nothing == (today, today)


async def test_ones_own_list_of_bots_counts_for_oneself(db: Database) -> None:
    """Whom alice calls a bot is one in her figures, and a person in bob's."""
    async with db.write() as conn:
        await conn.execute(account_bot.insert().values(account_id=ALICE, login="bob"))
    seen = {}
    for who in (ALICE, BOB):
        async with db.read() as conn:
            authors = await reports_repository.authors(conn, reader(who), ATLAS, QUARTER)
        seen[who] = {author.login for author in authors if author.is_bot}
    assert seen == {ALICE: {"bob", "dependabot[bot]"}, BOB: {"dependabot[bot]"}}


async def what_happened(db: Database, **wanted: object) -> list[Event]:
    async with db.read() as conn:
        page = await reports_events.recent(conn, reader(), Wanted(**wanted), limit=200)  # type: ignore[arg-type]  # given by name
    return list(page.rows)


async def test_what_one_person_did(db: Database) -> None:
    """Commits by any known address, pull requests and reviews of bob, and nothing of others."""
    found = await what_happened(db, who="BOB")
    assert {(event.kind, event.actor) for event in found} == {
        ("commit", "bob"),
        ("opened", "bob"),
        ("closed", "bob"),
        ("review", "bob"),
    }
    assert sum(event.count for event in found if event.kind == "commit") == 1
    assert await what_happened(db, who="nobody-of-that-name") == []
    mine = await what_happened(db, who="alice", kind="commit")
    assert sum(event.count for event in mine) == 7


async def test_parts_of_a_kind(db: Database) -> None:
    """Merged pull requests alone, closed issues alone, force pushes alone; together they are the kind."""
    change = {"name": "refs/heads/topic", "before_sha": "a1", "after_sha": "a8", "seen_at": NOW - 60}
    await add(db, fetched.ref_change, *({"kind": kind, **change} for kind in ("forced", "created", "moved")))
    for kind, (source, name) in reports_events.PARTS.items():
        part = await what_happened(db, kind=kind)
        whole = await what_happened(db, kind=source)
        assert {event.kind for event in part} <= {name}
        assert len(part) == len([event for event in whole if event.kind == name]), kind
    assert len(await what_happened(db, kind="merged")) == 3
    assert len(await what_happened(db, kind="forced")) == 1
    assert len(await what_happened(db, kind="branch")) == 2
