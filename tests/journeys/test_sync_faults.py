"""A sync goes on through a GitHub that limits, breaks, refuses and forgets; and through its own death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from copy_of_github import differences
from sandbox_control import Sandbox
from sqlalchemy import func, select

from trackeep.database import Database
from trackeep.errors import GitHubRateLimited, GitHubTokenDead, NotFound
from trackeep.store import reports_sync
from trackeep.store.reports_access import Reader
from trackeep.store.tables_fetched import pull_request
from trackeep.store.tables_sync import run
from trackeep.sync.engine import Outcome
from trackeep.sync.once import sync_once

pytestmark = pytest.mark.anyio

DRIVER = """
import asyncio, sys
from trackeep.database import Database
from trackeep.environment import GitHubAddresses
from trackeep.sync.once import sync_once

async def main(url, database_url, token):
    db = await Database.open(database_url)
    await sync_once(db, GitHubAddresses(url, url + "/api/v3", url), token)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
    yield database
    await database.close()


@pytest.fixture
def github(changing: Sandbox) -> Iterator[Sandbox]:
    """A sandbox to break; what a test broke is whole again afterwards."""
    yield changing
    changing.ask("/faults", method="DELETE")
    changing.ask("/latency", {"ms": 0})


async def sync(db: Database, github: Sandbox, *names: str, token: str = "") -> Outcome:
    return await sync_once(db, github.addresses, token or github.token(), names, clock=github.now)


def names_of(github: Sandbox) -> list[str]:
    return [each["full_name"] for each in github.repositories() if each["full_name"] != "carol/heron"]


async def test_killed_in_the_middle_it_goes_on(db: Database, github: Sandbox) -> None:
    """After kill -9 the next run completes the copy and fetches no finished page a second time."""
    github.ask("/latency", {"ms": 60})
    token = github.token()
    first = subprocess.Popen([sys.executable, "-c", DRIVER, github.url, db.url, token])
    while await stored(db, pull_request) < 60:
        assert first.poll() is None, "it was done before it could be killed"
        time.sleep(0.02)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    mark = github.mark()
    assert 0 < await stored(db, pull_request) < 278
    github.ask("/latency", {"ms": 0})
    finished = pages_answered(github, 0, mark)
    await sync(db, github)
    again = pages_answered(github, mark, github.mark())
    # One page was in hand in each of REST and GraphQL, the list of repositories aside.
    twice = {page for page in finished.keys() & again.keys() if "/issues?" in page}
    assert len(twice) <= 2
    assert await differences(db, github, names_of(github)) == {}


async def test_dead_token_is_said_at_once(db: Database, github: Sandbox) -> None:
    """A revoked or mistyped token ends the sync with its own error, after one request."""
    mark = github.mark()
    with pytest.raises(GitHubTokenDead):
        await sync(db, github, token="ghp_sandboxnobody00000000000000000000000")
    assert len(github.log(mark)) == 1


@pytest.mark.parametrize("name", ["alice/nothing-here", "nonsense"])
async def test_unknown_repository_is_said(db: Database, github: Sandbox, name: str) -> None:
    """A name that GitHub does not show is an error that names it, and nothing is followed."""
    with pytest.raises(NotFound, match=name):
        await sync(db, github, name)


async def test_primary_limit_is_obeyed(db: Database, github: Sandbox) -> None:
    """Nothing is asked before the reset; after it the sync goes on where it was and completes."""
    github.quota("graphql", used=3999)
    with pytest.raises(GitHubRateLimited) as limited:
        await sync(db, github)
    reset_at = github.quota("graphql")["reset_at"]
    assert reset_at <= limited.value.retry_at <= reset_at + 2
    mark = github.mark()
    with pytest.raises(GitHubRateLimited):
        await sync(db, github)
    assert not [each for each in github.log(mark) if each["resource"] == "graphql"]
    github.advance(limited.value.retry_at - github.now() + 1)
    await sync(db, github)
    assert await differences(db, github, names_of(github)) == {}


async def test_secondary_limit_is_obeyed(db: Database, github: Sandbox) -> None:
    """`Retry-After` holds for every kind of request, also for a run that starts again before it."""
    await sync(db, github)
    github.fault("GET /api/v3/user/repos", "secondary", status=403, retry_after=90)
    with pytest.raises(GitHubRateLimited) as limited:
        await sync(db, github)
    assert 85 < limited.value.retry_at - github.now() < 95
    mark = github.mark()
    with pytest.raises(GitHubRateLimited):
        await sync(db, github)
    assert github.log(mark) == []
    github.advance(100)
    assert (await sync(db, github)).error is None


async def test_a_query_that_is_too_wide_is_halved(db: Database, github: Sandbox) -> None:
    """502 from GraphQL means "ask for less": the page shrinks, is remembered, and nothing is lost."""
    github.fault("POST /api/graphql", "html", times=1, status=502)
    await sync(db, github, "fernhill/atlas")
    github.fault("POST /api/graphql", "graphql-errors", times=2)
    github.change("fernhill/atlas", "review")
    await sync(db, github, "fernhill/atlas")
    assert await differences(db, github, ["fernhill/atlas"]) == {}


async def test_broken_answers_are_asked_again(db: Database, github: Sandbox) -> None:
    """A cut body, a 500 and an HTML error page in the middle of a sync change nothing in its result."""
    github.fault("GET /api/v3/user/repos", "cut")
    github.fault("GET /api/v3/repos/.*/issues", "status", status=500)
    github.fault("GET /api/v3/repos/alice/almanac/issues", "html", status=503)
    github.fault("POST /api/graphql", "cut")
    outcome = await sync(db, github)
    assert not outcome.failures
    assert await differences(db, github, names_of(github)) == {}


async def test_one_broken_repository_fails_alone(db: Database, github: Sandbox) -> None:
    """The others are complete, the failure is written down, and the next sync completes it."""
    github.fault("POST /alice/almanac.git", "status", times=50, status=500)
    outcome = await sync(db, github)
    assert list(outcome.failures) == ["alice/almanac"]
    others = [name for name in names_of(github) if name != "alice/almanac"]
    assert await differences(db, github, others) == {}
    github.ask("/faults", method="DELETE")
    await sync(db, github)
    assert await differences(db, github, names_of(github)) == {}


async def test_every_run_says_what_it_cost(db: Database, github: Sandbox) -> None:
    """The row of a run holds what the sandbox's own log counted."""
    token = github.token()
    await sync(db, github, "alice/almanac")
    mark = github.mark()
    github.change("alice/almanac", "push")
    await sync(db, github, token=token)
    seen = Counter(each["resource"] for each in github.log(mark))
    async with db.read() as conn:
        last = (await conn.execute(select(run).order_by(run.c.id.desc()).limit(1))).one()
    assert (last.rest_requests, last.graphql_points, last.git_posts) == (
        seen["core"],
        seen["graphql"],
        seen["git"],
    )
    assert (last.outcome, last.trigger, last.commits) == ("done", "command", 1)


def pages_answered(github: Sandbox, since: int, until: int) -> Counter[str]:
    entries = [each for each in github.log(since) if each["n"] <= until and each["status"] == 200]
    return Counter(f"{each['path']}?{each['query']}" for each in entries if each["method"] == "GET")


async def stored(db: Database, table: object) -> int:
    async with db.read() as conn:
        return int((await conn.execute(select(func.count()).select_from(table))).scalar_one())  # type: ignore[arg-type]  # any table


async def test_the_first_sync_is_a_first_look_however_slow(db: Database, github: Sandbox) -> None:
    """A first list that takes more than a second to arrive: the same run has read what it then follows."""
    github.fault("GET /api/v3/user/repos", "slow", delay_s=1.3)
    await sync(db, github)
    me = Reader(github.person_id(), int(github.now()), ZoneInfo("UTC"))
    async with db.read() as conn:
        freshness = await reports_sync.freshness(conn, me)
    assert freshness.succeeded_at is not None and freshness.read == freshness.followed > 0
