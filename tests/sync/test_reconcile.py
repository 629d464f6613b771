"""Once a week every number is compared with GitHub's own list, and what was missed comes right."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from copy_of_github import differences
from sandbox_control import Sandbox
from sqlalchemy import delete, select, update

from trackeep.database import Database
from trackeep.errors import GitHubUnavailable
from trackeep.store.tables import repository
from trackeep.store.tables_fetched import issue, pull_request, ref, review
from trackeep.sync.engine import Outcome
from trackeep.sync.once import sync_once

pytestmark = pytest.mark.anyio
WEEK_S = 7 * 86_400
NAME = "alice/almanac"
FOR_GOOD = 1_000_000


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
    yield database
    await database.close()


@pytest.fixture
def github(changing: Sandbox) -> Iterator[Sandbox]:
    yield changing
    changing.ask("/faults", method="DELETE")
    changing.ask("/clock", {"real": True})


async def sync(db: Database, github: Sandbox, *names: str) -> Outcome:
    return await sync_once(db, github.addresses, github.token(), names, clock=github.now)


async def spoil(db: Database) -> None:
    """Lose, outdate and invent rows behind the back of the sync, as missed updates leave them."""
    async with db.write() as conn:
        key = (await conn.execute(select(repository.c.id).where(repository.c.name == "almanac"))).scalar_one()
        pulls = list(
            await conn.scalars(select(pull_request.c.number).where(pull_request.c.repository_id == key))
        )
        issues = list(await conn.scalars(select(issue.c.number).where(issue.c.repository_id == key)))
        for table in (review, pull_request):
            await conn.execute(delete(table).where(table.c.repository_id == key, table.c.number == pulls[0]))
        old = {"updated_at": 1_300_000_000, "state": "unknown"}
        first = (pull_request.c.repository_id == key) & (pull_request.c.number == pulls[1])
        await conn.execute(update(pull_request).where(first).values(old))
        await conn.execute(delete(issue).where(issue.c.repository_id == key, issue.c.number == issues[0]))
        transferred = {"repository_id": key, "created_at": 1_300_000_000, "updated_at": 1_300_000_000}
        await conn.execute(issue.insert().values(number=9001, **transferred))
        await conn.execute(issue.insert().values(number=9002, **transferred))
        await conn.execute(delete(ref).where(ref.c.repository_id == key, ref.c.name == "refs/heads/main"))


async def test_what_was_missed_comes_right_within_a_week(db: Database, github: Sandbox) -> None:
    """Missing, outdated and deleted pull requests, issues and refs are noticed though nothing moved."""
    await sync(db, github, NAME)
    await spoil(db)
    github.change(NAME, "delete-comment")
    assert (await sync(db, github, NAME)).state == "idle"
    assert await differences(db, github, [NAME])
    github.advance(WEEK_S + 60)
    await sync(db, github, NAME)
    await sync(db, github, NAME)
    assert await differences(db, github, [NAME]) == {}


async def test_a_comparison_costs_a_point_for_many_lists(db: Database, github: Sandbox) -> None:
    """All repositories of the person are compared for a handful of points, and not again the next day."""
    await sync(db, github)
    github.advance(WEEK_S + 60)
    first = await sync(db, github)
    posts = first.git_posts
    assert first.costs.graphql_points <= 30
    second = await sync(db, github)
    # Git is asked for its refs once: one POST for each of the repositories that her list holds.
    assert posts == 0 and second.git_posts == 11 and second.found.commits == 0
    github.advance(86_400 + 60)
    third = await sync(db, github)
    assert third.git_posts == 0 and third.costs.graphql_points < first.costs.graphql_points


async def test_an_interrupted_comparison_goes_on(db: Database, github: Sandbox) -> None:
    """A GitHub that fails in the middle of it costs nothing but time: the next pass completes it."""
    await sync(db, github, NAME)
    await spoil(db)
    github.advance(WEEK_S + 60)
    github.fault("POST /api/graphql", "status", times=3, status=500)
    with pytest.raises(GitHubUnavailable):
        await sync(db, github, NAME)
    await sync(db, github, NAME)
    await sync(db, github, NAME)
    assert await differences(db, github, [NAME]) == {}


async def test_what_is_not_listed_is_compared_with_nothing(db: Database, github: Sandbox) -> None:
    """Issues that are turned off (410) end the comparison; it is not begun anew at every look."""
    github.fault("POST .*/graphql", "status", times=FOR_GOOD, status=403)
    github.fault(f"GET .*/repos/{NAME}/issues$", "status", times=FOR_GOOD, status=410)
    await sync(db, github, NAME)
    github.advance(WEEK_S + 60)
    await sync(db, github)
    assert (await sync(db, github)).git_posts == 1
    mark = github.mark()
    await sync(db, github)
    assert [each for each in github.log(mark) if each["path"].endswith(f"{NAME}/issues")] == []


async def test_one_that_fails_waits_alone(db: Database, github: Sandbox) -> None:
    """A list that GitHub never manages is asked for later and later; the other repositories are compared."""
    other = "fernhill/reedbed"
    github.fault("POST .*/graphql", "status", times=FOR_GOOD, status=403)
    await sync(db, github, NAME, other)
    await spoil(db)
    github.advance(WEEK_S + 60)
    github.fault(f"GET .*/repos/{other}/pulls$", "status", times=FOR_GOOD, status=500)
    for _ in range(3):
        await sync(db, github)
    assert await differences(db, github, [NAME]) == {}
    mark = github.mark()
    await sync(db, github)
    assert [each["path"] for each in github.log(mark) if each["path"].endswith("/pulls")] == []
