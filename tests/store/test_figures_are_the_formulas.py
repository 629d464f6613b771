"""What the databases count is what the formulas say of the same rows, figure by figure, on both of them."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import date
from itertools import groupby
from typing import Any

import pytest
from small_world import ALICE, ATLAS, BOB, BOT, CAROL, HERON, MALLORY, NOW, PRAGUE, UTC, fill, reader
from sqlalchemy import Row, delete, select, update

from trackeep.database import Database
from trackeep.metrics import commits, contributions, people, pulls, reviews, windows
from trackeep.metrics.commits import Made
from trackeep.metrics.pulls import Moments
from trackeep.metrics.reviews import Given
from trackeep.metrics.windows import Window
from trackeep.store import (
    reports_contributors,
    reports_insights,
    reports_mine,
    reports_pulls,
    reports_repository,
    tables,
)
from trackeep.store import tables_fetched as fetched
from trackeep.store.reports_insights import Wanted
from trackeep.store.search_grammar import parse
from trackeep.store.search_keys import PULLS

pytestmark = pytest.mark.anyio

DAY = 86_400
PEOPLE = (ALICE, BOB, CAROL, BOT, None)
LOGINS = {ALICE: "alice", BOB: "bob", CAROL: "carol", BOT: "dependabot[bot]"}
ADDRESSES = {
    ALICE: ("alice@fernhill.example", "1+alice@users.noreply.github.com"),
    BOB: ("bob@x.example",),
    BOT: ("bot@x.example",),
    None: ("stranger@x.example",),
}
WINDOW = Window(windows.midnight(date(2026, 10, 20), PRAGUE), windows.midnight(date(2026, 11, 24), PRAGUE))
DAYS = "2026-10-20..2026-11-23"
Rows = list[Row[Any]]


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """The people and repositories of the small world, with other work in them, the same every time."""
    database = await Database.open(database_url)
    await fill(database)
    chance = random.Random(20261129)
    async with database.write() as conn:
        for table in (
            fetched.commit,
            fetched.pull_request,
            fetched.review,
            fetched.review_request,
            fetched.issue,
        ):
            await conn.execute(delete(table))
        await conn.execute(fetched.commit.insert(), _commits(chance))
        await conn.execute(fetched.pull_request.insert(), _pulls(chance))
        await conn.execute(fetched.review.insert(), _reviews(chance))
        await conn.execute(fetched.review_comment.insert(), _comments(chance))
        await conn.execute(fetched.review_asked.insert(), _asked(chance))
        # carol is a bot, says alice.
        await conn.execute(tables.account_bot.insert().values(account_id=ALICE, login="carol"))
    yield database
    await database.close()


def _at(chance: random.Random) -> int:
    return NOW - chance.randrange(80 * DAY)


def _commits(chance: random.Random) -> list[dict[str, Any]]:
    rows = []
    for number in range(300):
        who = chance.choice([ALICE, ALICE, BOB, BOT, None])
        at = _at(chance)
        row = {
            "sha": f"c{number}",
            "parent_count": chance.choice([0, 1, 1, 1, 2]),
            "author_name": "somebody",
            "author_email": chance.choice(ADDRESSES[who]),
            "authored_at": at - chance.randrange(3 * DAY),
            "committed_at": at,
            "author_offset_minutes": chance.choice([0, 60, -300]),
            "message": "Change",
            "on_default": chance.random() < 0.8,
            "additions": chance.choice([None, chance.randrange(400)]),
        }
        row["deletions"] = None if row["additions"] is None else chance.randrange(90)
        # Every fourth is in the fork, too, and some are there alone.
        places = [(ATLAS, HERON), (ATLAS,), (ATLAS,), (HERON,)][number % 4]
        rows += [{**row, "repository_id": place} for place in places]
    return rows


def _pulls(chance: random.Random) -> list[dict[str, Any]]:
    rows = []
    for number in range(1, 181):
        created, state = _at(chance), chance.choice(["open", "merged", "merged", "closed"])
        ended = min(NOW, created + chance.randrange(20 * DAY)) if state != "open" else None
        rows.append(
            {
                "repository_id": chance.choice([ATLAS, ATLAS, HERON]),
                "number": number,
                "title": f"Pull {number}",
                "state": state,
                "draft": state == "open" and chance.random() < 0.2,
                "author_id": chance.choice(PEOPLE),
                "created_at": created,
                "updated_at": ended or min(NOW, created + chance.randrange(40 * DAY)),
                "ready_at": chance.choice([None, created + 600]),
                "first_commit_at": chance.choice([None, created - 7200]),
                "merged_at": ended if state == "merged" else None,
                "closed_at": ended,
                "additions": chance.choice([None, 0, 5, 40, 300, 2000]),
                "deletions": chance.choice([0, 4, 25, 300]),
            }
        )
    return rows


def _reviews(chance: random.Random) -> list[dict[str, Any]]:
    return [
        {
            "repository_id": chance.choice([ATLAS, ATLAS, HERON]),
            "id": number,
            "number": chance.randrange(1, 181),
            "author_id": chance.choice(PEOPLE),
            "state": chance.choice(["APPROVED", "COMMENTED", "CHANGES_REQUESTED"]),
            "submitted_at": chance.choice([_at(chance)] * 9 + [None]),
        }
        for number in range(1, 320)
    ]


def _comments(chance: random.Random) -> list[dict[str, Any]]:
    return [
        {
            "repository_id": chance.choice([ATLAS, HERON]),
            "id": number,
            "number": chance.randrange(1, 181),
            "author_id": chance.choice(PEOPLE),
            **dict.fromkeys(("created_at", "updated_at", "seen_at"), _at(chance)),
        }
        for number in range(1, 200)
    ]


def _asked(chance: random.Random) -> list[dict[str, Any]]:
    keys = {(chance.choice([ATLAS, HERON]), chance.randrange(1, 181), _at(chance)) for _ in range(150)}
    return [
        {"repository_id": place, "number": number, "reviewer_id": ALICE, "requested_at": at}
        for place, number, at in sorted(keys)
    ]


async def rows_of(db: Database, table: Any) -> Rows:
    async with db.read() as conn:
        return list((await conn.execute(select(table))).all())


def is_machine(who: int | None) -> bool:
    return who is not None and people.is_bot("User", LOGINS[who], chosen=["carol"])


async def given_reviews(db: Database) -> tuple[Rows, dict[tuple[int, int], list[Given]]]:
    """Every pull request, and its reviews, as the formulas want them."""
    found = await rows_of(db, fetched.pull_request)
    authors = {(each.repository_id, each.number): each.author_id for each in found}
    by_pull: dict[tuple[int, int], list[Given]] = defaultdict(list)
    for each in await rows_of(db, fetched.review):
        key = (each.repository_id, each.number)
        if key in authors:
            machine = is_machine(each.author_id)
            by_pull[key].append(Given(key, authors[key], each.author_id, machine, each.submitted_at))
    return found, by_pull


async def count(db: Database, text: str) -> int:
    wanted = reports_pulls.Wanted(words=text, query=parse(text, PULLS, windows.day_of(NOW, PRAGUE)))
    async with db.read() as conn:
        return (await reports_pulls.search(conn, reader(), wanted)).count


def moments(found: Rows) -> list[Moments]:
    return [Moments(each.created_at, each.merged_at, each.closed_at) for each in found]


async def test_first_reviews_and_how_much_was_said(db: Database) -> None:
    """First review, reviews and comments of each pull request that something happened to."""
    rows, by_pull = await given_reviews(db)
    said: dict[tuple[int, int], int] = defaultdict(int)
    authors = {(each.repository_id, each.number): each.author_id for each in rows}
    for each in await rows_of(db, fetched.review_comment):
        key = (each.repository_id, each.number)
        own = each.author_id is not None and each.author_id == authors.get(key)
        said[key] += not own and not is_machine(each.author_id)
    expected = {
        each.number: (
            reviews.first_at(by_pull[each.repository_id, each.number]),
            sum(map(reviews.counts, by_pull[each.repository_id, each.number])),
            said[each.repository_id, each.number],
        )
        for each in rows
        if any(
            at is not None and WINDOW.holds(at) for at in (each.created_at, each.merged_at, each.closed_at)
        )
    }
    async with db.read() as conn:
        found = await reports_insights.pulls(conn, reader(), WINDOW, Wanted(bots=True))
    assert {one.number: (one.first_review_at, one.reviews, one.comments) for one in found} == expected
    assert len(expected) > 80


async def test_bots_are_left_out_until_they_are_asked_for(db: Database) -> None:
    """Without the switch: exactly those whose author is no machine."""
    rows, _ = await given_reviews(db)
    async with db.read() as conn:
        without = await reports_insights.pulls(conn, reader(), WINDOW, Wanted())
        everything = await reports_insights.pulls(conn, reader(), WINDOW, Wanted(bots=True))
    machines = {each.number for each in rows if is_machine(each.author_id)}
    assert {one.number for one in without} == {one.number for one in everything} - machines
    assert machines & {one.number for one in everything}


async def test_throughput_and_its_lists(db: Database) -> None:
    """Opened, merged and closed of a window, and the searches that list them."""
    rows, _ = await given_reviews(db)
    expected = pulls.throughput(moments(rows), WINDOW)
    finished = expected.merged + expected.closed
    assert (expected.opened, expected.merged, finished) == (
        await count(db, f"created:{DAYS}"),
        await count(db, f"merged:{DAYS}"),
        await count(db, f"closed:{DAYS}"),
    )
    assert expected.opened and expected.merged and expected.closed


async def test_weeks_of_a_repository(db: Database) -> None:
    """Opened and merged per week, as drawn on a repository's page."""
    starts = windows.weeks_back(8, NOW, PRAGUE)
    edges = [windows.midnight(day, PRAGUE) for day in (*starts, date(2026, 11, 24))]
    rows = [each for each in await rows_of(db, fetched.pull_request) if each.repository_id == ATLAS]
    expected = [(each.opened, each.merged) for each in pulls.weekly(moments(rows), edges)]
    async with db.read() as conn:
        assert await reports_repository.pull_weeks(conn, reader(), ATLAS, starts[0], 8) == expected
    assert sum(map(sum, expected)) > 40


async def test_sizes_and_their_lists(db: Database) -> None:
    """Each size, and nothing for those whose lines are not known."""
    rows = await rows_of(db, fetched.pull_request)
    expected = pulls.sizes((each.additions, each.deletions) for each in rows)
    for name in pulls.SIZE_NAMES:
        assert await count(db, f"size:{name}") == expected[name], name
    assert expected[None] > 5


async def test_what_nobody_looked_at(db: Database) -> None:
    """Waiting for a first review, merged without one, and what is stale."""
    rows, by_pull = await given_reviews(db)
    firsts = {key: reviews.first_at(given) for key, given in by_pull.items()}
    waiting = {
        each.number: each.ready_at or each.created_at
        for each in rows
        if reviews.is_waiting_for_first(
            each.state,
            draft=each.draft,
            first_review_at=firsts.get((each.repository_id, each.number)),
        )
    }
    async with db.read() as conn:
        total, oldest = await reports_insights.unreviewed(conn, reader(), Wanted(bots=True), limit=500)
    assert {one.number: one.since for one in oldest} == waiting
    assert total == len(waiting) == await count(db, "is:open -is:draft review:none")
    without = [
        each.number
        for each in rows
        if reviews.is_merged_without(
            each.merged_at, sum(map(reviews.counts, by_pull[each.repository_id, each.number]))
        )
    ]
    assert await count(db, "is:merged review:none") == len(without) > 5
    stale = [each.number for each in rows if pulls.is_stale(each.state, each.updated_at, NOW)]
    assert await count(db, "is:stale") == len(stale) > 3


async def test_review_load_and_its_lists(db: Database) -> None:
    """Who gave how many reviews of how many pull requests; each number has its list."""
    _, by_pull = await given_reviews(db)
    within = [
        each
        for given in by_pull.values()
        for each in given
        if each.submitted_at is not None and WINDOW.holds(each.submitted_at)
    ]
    for bots in (False, True):
        expected = reviews.load(within, bots=bots)
        known = {LOGINS[who]: load for who, load in expected.items() if who is not None}
        async with db.read() as conn:
            found = await reports_insights.load(conn, reader(), WINDOW, Wanted(bots=bots))
        assert {person.login: load for person, load in found} == known
        assert [load.pulls for _, load in found] == sorted(
            (each.pulls for each in known.values()), reverse=True
        )
        for login, load in known.items():
            text = f"reviewed-by:{login} reviewed:{DAYS}"
            assert await count(db, text) == load.pulls, text
    assert len(known) == len(LOGINS)


async def test_turnaround(db: Database) -> None:
    """What alice was asked, and what she reviewed first within the window."""
    rows, by_pull = await given_reviews(db)
    asked: dict[tuple[int, int], list[int]] = defaultdict(list)
    for each in await rows_of(db, fetched.review_asked):
        asked[each.repository_id, each.number].append(each.requested_at)
    expected = []
    for each in sorted(rows, key=lambda each: (each.repository_id, each.number)):
        key = (each.repository_id, each.number)
        mine = [one.submitted_at for one in by_pull[key] if one.reviewer == ALICE and one.submitted_at]
        if each.author_id != ALICE and mine and WINDOW.holds(min(mine)):
            expected.append((tuple(sorted(asked[key])), (min(mine),)))
    async with db.read() as conn:
        assert await reports_insights.turnarounds(conn, reader(), WINDOW, Wanted()) == tuple(expected)
    assert any(requests for requests, _ in expected)


async def test_commits_of_mine_and_contributions_of_each_day(db: Database) -> None:
    """By author date; a sha that the fork has too counts once, and one only there is no contribution."""
    held = [each for each in await rows_of(db, fetched.commit) if each.author_email in ADDRESSES[ALICE]]
    made = [(each, Made(each.sha, each.parent_count, each.on_default)) for each in held]
    within = [
        one
        for each, one in made
        if WINDOW.holds(commits.counted_at(each.authored_at, each.committed_at, mine=True))
    ]
    by_day: dict[date, set[str]] = defaultdict(set)
    for each, one in made:
        if commits.is_counted(one) and each.repository_id == ATLAS:
            by_day[windows.day_of(each.authored_at, PRAGUE)].add(each.sha)
    rows, by_pull = await given_reviews(db)
    opened, reviewed = defaultdict(set), defaultdict(set)
    for each in rows:
        if each.author_id == ALICE:
            opened[windows.day_of(each.created_at, PRAGUE)].add(each.number)
        for one in by_pull[each.repository_id, each.number]:
            if one.reviewer == ALICE and each.author_id != ALICE and one.submitted_at is not None:
                reviewed[windows.day_of(one.submitted_at, PRAGUE)].add(one.pull)
    expected = {
        day: contributions.of_day(by_day[day], opened[day], reviewed[day], ())
        for day in {*by_day, *opened, *reviewed}
    }
    async with db.read() as conn:
        totals = await reports_mine.totals(conn, reader(), WINDOW)
        days = await reports_mine.days(conn, reader())
    assert totals.commits == commits.count(within) > 20
    found: dict[date, int] = defaultdict(int)
    for counts in days.contributions.values():
        for day, n in counts.items():
            found[day] += n
    assert found == {day: n for day, n in expected.items() if n}


@pytest.mark.parametrize("zone", [PRAGUE, UTC], ids=["prague", "utc"])
async def test_a_repositorys_commits(db: Database, zone: Any) -> None:
    """Lines, the punch card in the reader's zone, and who carries it: by committer date."""
    held = [
        each
        for each in await rows_of(db, fetched.commit)
        if each.repository_id == ATLAS
        and commits.is_counted(Made(each.sha, each.parent_count, each.on_default))
        and WINDOW.holds(commits.counted_at(each.authored_at, each.committed_at, mine=False))
    ]
    card = commits.punch_card((each.committed_at, windows.offset_s(zone, each.committed_at)) for each in held)
    lines = [(each.additions, each.deletions) for each in held]
    owners = {address: who for who, addresses in ADDRESSES.items() for address in addresses}
    authors = [owners[each.author_email] for each in held]
    by_author = [len(list(group)) for _, group in groupby(sorted(who or 0 for who in authors))]
    async with db.read() as conn:
        asking = reader(zone=zone)
        assert await reports_repository.hours(conn, asking, ATLAS, WINDOW) == card
        pulse = await reports_repository.pulse(conn, asking, ATLAS, WINDOW)
        found = await reports_repository.authors(conn, asking, ATLAS, WINDOW)
    assert pulse.additions + pulse.deletions == commits.churn(lines)
    assert pulse.additions - pulse.deletions == commits.net(lines)
    assert sorted(each.commits for each in found) == sorted(by_author)
    assert people.absence_factor(each.commits for each in found) == people.absence_factor(by_author)
    persons = {LOGINS[who] for who in people.contributors(authors, (), bots=[BOT])}
    assert {each.login for each in found if each.login and not each.is_bot} == persons
    rows, by_pull = await given_reviews(db)
    here = [each for each in rows if each.repository_id == ATLAS]
    merged = [each for each in here if each.merged_at is not None and WINDOW.holds(each.merged_at)]
    assert pulls.throughput(moments(here), WINDOW) == pulls.Throughput(
        pulse.opened, pulse.merged, pulse.closed
    )
    assert pulse.unreviewed == sum(
        reviews.is_merged_without(each.merged_at, sum(map(reviews.counts, by_pull[ATLAS, each.number])))
        for each in merged
    )


async def test_contributors_with_their_co_authors(db: Database) -> None:
    """Who wrote a counted commit or is named in one, by a known address; no strangers and no machines."""
    chance = random.Random(7)
    owners = {address: who for who, addresses in ADDRESSES.items() for address in addresses}
    held = [each for each in await rows_of(db, fetched.commit) if each.repository_id == ATLAS]
    window = Window(NOW - 4 * DAY, NOW)
    named = [
        {"repository_id": ATLAS, "sha": each.sha, "email": chance.choice(sorted(owners)).upper(), "name": ""}
        for each in held
        if each.author_email in ADDRESSES[ALICE]
    ]
    async with db.write() as conn:
        await conn.execute(
            update(fetched.commit)
            .where(fetched.commit.c.author_email == "bob@x.example")
            .values(author_email="stranger@x.example")
        )
        await conn.execute(fetched.co_author.insert(), named)
    counted = [
        each
        for each in await rows_of(db, fetched.commit)
        if each.repository_id == ATLAS
        and window.holds(each.committed_at)
        and commits.is_counted(Made(each.sha, each.parent_count, each.on_default))
    ]
    shas = {each.sha for each in counted}
    authors = {owners[each.author_email] for each in counted}
    others = {owners[each["email"].lower()] for each in named if each["sha"] in shas}
    expected = people.contributors(authors, others, bots=[BOT])
    async with db.read() as conn:
        found = await reports_contributors.contributors(conn, reader(), ATLAS, window)
        named = await reports_contributors.co_authors(conn, reader(), ATLAS, window)
        nothing = await reports_contributors.contributors(conn, reader(MALLORY), ATLAS, window)
    assert {each.id for each in found} == expected == {ALICE, BOB}
    assert {each.id for each in found if each.wrote} == {ALICE}
    assert nothing == ()


async def test_my_punch_card_is_the_authors_clock(db: Database) -> None:
    """Each counted sha of mine once, in the cell of the clock that it was written by."""
    mine = {
        each.sha: (each.authored_at, each.author_offset_minutes * 60)
        for each in await rows_of(db, fetched.commit)
        if each.author_email in ADDRESSES[ALICE]
        and WINDOW.holds(each.authored_at)
        and commits.is_counted(Made(each.sha, each.parent_count, each.on_default))
    }
    async with db.read() as conn:
        found = await reports_mine.hours(conn, reader(), WINDOW)
        assert await reports_mine.hours(conn, reader(MALLORY), WINDOW) == [[0] * 24 for _ in range(7)]
    assert found == commits.punch_card(mine.values())
    assert len({offset for _, offset in mine.values()}) == 3 and sum(map(sum, found)) == len(mine)


async def test_somebody_without_access_has_no_figures(db: Database) -> None:
    """mallory follows nothing: no row, no name, no count."""
    async with db.write() as conn:
        await conn.execute(
            update(tables.access).where(tables.access.c.account_id == BOB).values(state="lost")
        )
    for account_id in (MALLORY, BOB):
        async with db.read() as conn:
            asking = reader(account_id)
            assert await reports_insights.pulls(conn, asking, WINDOW, Wanted(bots=True)) == ()
            assert await reports_insights.unreviewed(conn, asking, Wanted(bots=True)) == (0, ())
            assert await reports_insights.load(conn, asking, WINDOW, Wanted()) == ()
            assert await reports_insights.turnarounds(conn, asking, WINDOW, Wanted()) == ()
