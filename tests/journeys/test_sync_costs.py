"""What a sync asks of GitHub: nothing when nothing changed, and little after a little change."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from copy_of_github import differences
from programs import Program
from sandbox_control import Sandbox
from sqlalchemy import func, select

from trackeep.database import Database
from trackeep.github import graphql
from trackeep.store import activity
from trackeep.store.tables import access
from trackeep.store.tables_fetched import commit, pull_request, review
from trackeep.sync.engine import Outcome
from trackeep.sync.once import sync_once

pytestmark = pytest.mark.anyio


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
    yield database
    await database.close()


async def sync(db: Database, sandbox: Sandbox, *names: str) -> Outcome:
    return await sync_once(db, sandbox.addresses, sandbox.token("alice"), names, clock=sandbox.now)


async def count_lines(db: Database, sandbox: Sandbox) -> None:
    """What the minutes after a sync do: one pass is enough for a thousand commits."""
    sandbox.advance(301)
    await sync(db, sandbox)
    async with db.read() as conn:
        uncounted = select(func.count()).where(commit.c.additions.is_(None))
        assert (await conn.execute(uncounted)).scalar_one() == 0


async def test_first_sync_costs_little(db: Database, sandbox: Program) -> None:
    """Everything of every repository; a point is for the accounts behind all addresses, a request for teams.

    The rest is for details of pull requests that are open or were merged lately, as many as the day has, and
    a request for the comments of each repository that has reviews.
    """
    github = Sandbox(sandbox.url)
    outcome = await sync(db, github)
    lately = github.now() - activity.DETAIL_WINDOW_S
    pulls = [pull for each in github.repositories("alice") for pull in each["pulls"]]
    detailed = [each for each in pulls if each["state"] == "open" or (each["merged_at"] or 0) > lately]
    async with db.read() as conn:
        reviewed = len((await conn.scalars(select(review.c.repository_id).distinct())).all())
    assert outcome.costs.rest_requests <= 12 + reviewed
    assert outcome.costs.graphql_points <= 9 + 1 + math.ceil(len(detailed) / graphql.DETAIL_PAGE)
    assert outcome.git_posts <= 21


async def test_second_sync_costs_nothing(db: Database, sandbox: Program) -> None:
    """Nothing changed: two requests, both answered 304, no quota, no git."""
    github = Sandbox(sandbox.url)
    await sync(db, github)
    mark, before = github.mark(), github.quota("core")["used"]
    outcome = await sync(db, github)
    log = [each for each in github.log(mark) if each["login"] == "alice"]
    assert outcome.state == "idle" and outcome.git_posts == 0
    assert [(each["path"], each["status"], each["cost"]) for each in log] == [
        ("/api/v3/user/repos", 304, 0),
        ("/api/v3/issues", 304, 0),
    ]
    assert github.quota("core")["used"] == before


async def test_one_changed_repository_costs_five_requests(db: Database, changing: Sandbox) -> None:
    """A push and a new pull request: two REST requests, one point, two git POSTs; then nothing again."""
    await sync(db, changing)
    changing.change("alice/almanac", "open-pull")
    outcome = await sync(db, changing)
    costs = (outcome.costs.rest_requests, outcome.costs.graphql_points, outcome.git_posts)
    assert costs == (2, 1, 2)
    assert outcome.found.pull_requests == 1
    again = await sync(db, changing)
    assert (again.costs.not_modified, again.costs.graphql_points, again.git_posts) == (2, 0, 0)


async def test_lines_are_counted_in_quiet_minutes(db: Database, changing: Sandbox) -> None:
    """Five minutes after a push, one point for its commits; before and after, what an idle pass costs."""
    await sync(db, changing, "alice/almanac")
    await count_lines(db, changing)
    changing.change("alice/almanac", "push", count=3)
    assert (await sync(db, changing)).costs.graphql_points == 0
    changing.advance(120)
    assert (await sync(db, changing)).costs.graphql_points == 0
    changing.advance(200)
    late = await sync(db, changing)
    assert (late.costs.rest_requests, late.costs.graphql_points, late.state) == (2, 1, "idle")
    changing.advance(301)
    idle = await sync(db, changing)
    assert (idle.costs.not_modified, idle.costs.rest_requests, idle.costs.graphql_points) == (2, 2, 0)


async def test_a_foreign_public_repository_is_watched(db: Database, changing: Sandbox) -> None:
    """A repository that no list of the person's covers is fetched, and its changes are found, by pulse."""
    await sync(db, changing, "carol/heron")
    changing.change("carol/heron", "push")
    changing.change("carol/heron", "open-issue")
    changing.change("carol/heron", "review")
    outcome = await sync(db, changing)
    assert outcome.found.commits == 1
    assert await differences(db, changing, ["carol/heron"]) == {}


async def test_a_token_without_the_list_of_changes(db: Database, changing: Sandbox) -> None:
    """Where GitHub refuses the list across repositories, each is watched by pulse, and nothing is missed."""
    changing.fault("GET /api/v3/issues", "status", status=403)
    await sync(db, changing, "alice/almanac", "fernhill/reedbed")
    changing.change("alice/almanac", "open-issue")
    changing.change("fernhill/reedbed", "review")
    changing.change("fernhill/reedbed", "push")
    mark = changing.mark()
    await sync(db, changing)
    assert "/api/v3/issues" not in [each["path"] for each in changing.log(mark)]
    assert await differences(db, changing, ["alice/almanac", "fernhill/reedbed"]) == {}


async def test_once_a_day_releases_are_read(db: Database, changing: Sandbox) -> None:
    """A new release is found within a day, for one point and what moved; then nothing is asked again."""
    await sync(db, changing, "alice/almanac")
    await count_lines(db, changing)
    changing.change("alice/almanac", "tag", name="v99.0")
    await sync(db, changing)
    assert list(await differences(db, changing, ["alice/almanac"])) == ["alice/almanac releases"]
    changing.advance(25 * 3600)
    outcome = await sync(db, changing)
    assert outcome.costs.graphql_points <= 2
    assert await differences(db, changing, ["alice/almanac"]) == {}
    assert (await sync(db, changing)).state == "idle"


async def test_lost_access_hides_and_keeps(db: Database, changing: Sandbox) -> None:
    """Somebody else's private repository that is taken away is followed no more, and its rows stay."""
    await sync(db, changing)
    before = changing.repository("bob/otter-cli")
    changing.change("bob/otter-cli", "access", login="alice", permission=None)
    outcome = await sync(db, changing)
    assert outcome.state in ("done", "idle") and not outcome.failures
    async with db.read() as conn:
        mine = select(access.c.state).where(access.c.repository_id == before["id"])
        pulls = select(pull_request.c.number).where(pull_request.c.repository_id == before["id"])
        assert (await conn.execute(mine)).scalar_one() == "lost"
        assert len((await conn.execute(pulls)).all()) == len(before["pulls"])
