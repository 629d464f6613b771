"""GitHub's limits: no request goes out before the allowed time, too fast, or out of the person's reserve."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from copy_of_github import differences
from sandbox_control import Sandbox
from sqlalchemy import select

from trackeep.database import Database
from trackeep.errors import GitHubError, GitHubRateLimited
from trackeep.github.transport import GitHub
from trackeep.github.turns import Turns
from trackeep.model import Budget, Waiting
from trackeep.store.tables import connection
from trackeep.sync.engine import Outcome
from trackeep.sync.once import sync_once

pytestmark = pytest.mark.anyio

ALMANAC = "alice/almanac"
LIMITED = {"kind": "secondary", "status": 403}
DRIVER = """
import asyncio, sys, time
from trackeep.database import Database
from trackeep.environment import GitHubAddresses
from trackeep.sync.once import sync_once

async def main(url, database_url, token, ahead_s):
    db = await Database.open(database_url)
    addresses = GitHubAddresses(url, url + "/api/v3", url)
    await sync_once(db, addresses, token, clock=lambda: time.time() + float(ahead_s))

asyncio.run(main(*sys.argv[1:]))
"""

REST_ONLY = {"issues", "comments"}


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
    yield database
    await database.close()


@pytest.fixture
def github(changing: Sandbox) -> Iterator[Sandbox]:
    """A sandbox to limit; what a test limited is free again afterwards."""
    yield changing
    changing.ask("/faults", method="DELETE")
    changing.ask("/latency", {"ms": 0})
    changing.advance(4_000)


async def sync(db: Database, github: Sandbox, *names: str, login: str = "alice") -> Outcome:
    return await sync_once(db, github.addresses, github.token(login), names, clock=github.now)


def stir(github: Sandbox) -> None:
    """Something new for REST, GraphQL and git."""
    github.change(ALMANAC, "open-pull")
    github.change(ALMANAC, "open-issue")


def struck(github: Sandbox, since: int) -> dict[str, Any]:
    return next(each for each in github.log(since) if each["fault"])


@pytest.mark.parametrize(
    ("match", "fault", "wait_s"),
    [
        ("GET /api/v3/user/repos", {**LIMITED, "retry_after": 90}, 90),
        ("GET /api/v3/issues", {"kind": "status", "status": 429, "retry_after": 40}, 40),
        ("GET /api/v3/issues", {"kind": "status", "status": 503, "retry_after": 70}, 70),
        ("POST /api/graphql", {**LIMITED, "retry_after": 50}, 50),
        ("POST /api/graphql", {"kind": "graphql-errors", "error_type": "RATE_LIMITED"}, 60),
        ("POST /alice/almanac.git", {"kind": "status", "status": 429, "retry_after": 45}, 45),
    ],
    ids=["rest-403", "rest-429", "rest-503", "graphql-403", "graphql-200", "git-429"],
)
async def test_nobody_asks_before_the_allowed_time(
    db: Database, github: Sandbox, match: str, fault: dict[str, Any], wait_s: int
) -> None:
    """Refused once, neither REST nor GraphQL nor git is asked, in this run or the next, until it is time."""
    await sync(db, github, ALMANAC)
    stir(github)
    mark = github.mark()
    github.ask("/faults", {"match": match, **fault})
    with pytest.raises(GitHubRateLimited):
        await sync(db, github)
    refused = struck(github, mark)
    with pytest.raises(GitHubRateLimited):
        await sync(db, github)
    github.advance(refused["at"] + wait_s - 3 - github.now())
    with pytest.raises(GitHubRateLimited):
        await sync(db, github)
    after = [each for each in github.log(mark) if each["began"] > refused["ended"]]
    assert after == []
    github.advance(8)
    assert (await sync(db, github)).error is None
    assert await differences(db, github, [ALMANAC]) == {}


async def test_without_a_date_the_wait_doubles(db: Database, github: Sandbox) -> None:
    """60 s, then twice that, across runs; an answer in between begins again."""
    await sync(db, github, ALMANAC)
    waits = []
    for times in (3, 1):
        github.fault("GET /api/v3/user/repos", "status", times, status=429)
        for _ in range(times):
            with pytest.raises(GitHubRateLimited) as limited:
                await sync(db, github)
            waits.append(round((limited.value.retry_at - github.now()) / 60))
            github.advance(limited.value.retry_at - github.now() + 2)
        await sync(db, github)
    assert waits == [1, 2, 4, 1]


async def test_killed_right_after_a_refusal(db: Database, github: Sandbox) -> None:
    """What GitHub said about time is kept before anything else happens: kill -9 forgets none of it."""
    await sync(db, github, ALMANAC)
    stir(github)
    github.fault("POST /alice/almanac.git", "slow", delay_s=20)
    github.fault("POST /api/graphql", "secondary", retry_after=120)
    ahead_s = github.now() - float(github.ask("/clock", {"real": True})["now"])
    github.advance(ahead_s)
    words = [github.url, db.url, github.token(), str(ahead_s)]
    running = subprocess.Popen([sys.executable, "-c", DRIVER, *words], stderr=subprocess.DEVNULL)
    try:
        async with asyncio.timeout(60):
            while not await waits(db):
                await asyncio.sleep(0.05)
    finally:
        running.kill()
        running.wait()
    mark = github.mark()
    with pytest.raises(GitHubRateLimited):
        await sync(db, github)
    assert github.log(mark) == []


async def waits(db: Database) -> bool:
    async with db.read() as conn:
        return bool((await conn.execute(select(connection.c.retry_at))).scalar_one())


async def test_one_account_waits_alone(db: Database, github: Sandbox) -> None:
    """Alice's limit is no limit of bob's, though both follow the same repository on one instance."""
    github.fault("GET /api/v3/user/repos", "secondary", retry_after=300)
    with pytest.raises(GitHubRateLimited):
        await sync(db, github)
    assert (await sync(db, github, "bob/otter-cli", login="bob")).error is None
    assert await differences(db, github, ["bob/otter-cli"]) == {}


@pytest.mark.parametrize("resource", ["core", "graphql"])
async def test_a_fifth_is_left_to_other_tools(db: Database, github: Sandbox, resource: str) -> None:
    """However much the person's other tools take in the meantime, a fifth of each bucket is not ours."""
    github.quota(resource, used=3_996)
    with pytest.raises(GitHubRateLimited) as limited:
        await sync(db, github)
    left = github.quota(resource)
    assert 4_000 <= left["used"] <= 4_003
    assert left["reset_at"] <= limited.value.retry_at <= left["reset_at"] + 2
    github.quota(resource, used=4_900)
    mark = github.mark()
    with pytest.raises(GitHubRateLimited):
        await sync(db, github)
    assert not [each for each in github.log(mark) if each["resource"] == resource]


async def test_without_rest_git_and_graphql_go_on(db: Database, github: Sandbox) -> None:
    """While REST may not be asked, what is known to be missing comes by the ways that are open."""
    github.fault("POST /alice/almanac.git", "status", times=20, status=500)
    github.fault("POST .*graphql", "status", times=20, status=500)
    with pytest.raises(GitHubError):
        await sync(db, github, "alice/almanac")
    github.ask("/faults", method="DELETE")
    github.quota("core", used=4_900)
    with pytest.raises(GitHubRateLimited):
        await sync(db, github)
    # Only what REST alone can tell is still missing.
    assert {name.split()[-1] for name in await differences(db, github, ["alice/almanac"])} <= REST_ONLY


async def test_what_is_left_is_read_from_every_answer(github: Sandbox) -> None:
    """From a 304, a 404, a redirect's both halves, a body that breaks off, and GraphQL's refusal."""
    seen: list[Budget] = []
    async with aiohttp.ClientSession() as http:
        kept: dict[str, str] = {}
        asking = GitHub(http, github.addresses, github.token(), validators=kept, on_budget=seen.append)
        first = await asking.get("/user", conditional=True)
        kept[first.url] = first.etag
        assert (await asking.get("/user", conditional=True)).not_modified
        with pytest.raises(GitHubError):
            await asking.get("/repos/alice/nothing-here")
        renamed = next(each for each in github.repositories() if each["former_names"])
        owner = renamed["full_name"].split("/")[0]
        await asking.get(f"/repos/{owner}/{renamed['former_names'][0]}")
        github.fault("GET /api/v3/user$", "cut")
        await asking.get("/user")
        github.quota("graphql", used=5_000)
        with pytest.raises(GitHubRateLimited):
            await asking.post_graphql(b'{"query": "{ viewer { login } }"}')
    assert [each.resource for each in seen] == [*["core"] * 7, "graphql"]
    assert seen[0].remaining == seen[1].remaining == seen[2].remaining + 1
    assert seen[-1].remaining == 0


async def test_one_at_a_time(db: Database, github: Sandbox) -> None:
    """Never two REST or two GraphQL requests of an account in flight; of git's at most three."""
    github.ask("/latency", {"ms": 30})
    mark = github.mark()
    await sync(db, github)
    most = {name: crowd(github.log(mark), name) for name in ("core", "graphql", "git")}
    assert (most["core"], most["graphql"]) == (1, 1)
    assert 1 < most["git"] <= 3


def crowd(log: list[dict[str, Any]], resource: str) -> int:
    """How many requests of a kind were in flight together at most."""
    mine = [each for each in log if each["resource"] == resource]
    moments = sorted([(each["began"], 1) for each in mine] + [(each["ended"], -1) for each in mine])
    return max(itertools.accumulate(step for _, step in moments))


async def test_the_pace_outlives_a_run() -> None:
    """850 REST requests or 1,900 points in a minute are the most, those of the runs before included."""
    now, paused = 1_000_000.0, []
    for resource, spent in (("core", 849), ("core", 850), ("graphql", 1_899), ("graphql", 1_900)):
        turns = Turns(lambda: now)
        turns.remember([], Waiting(spent={resource: spent}))
        lane = turns.rest if resource == "core" else turns.graphql
        waiting = asyncio.create_task(turns.wait(lane))
        done, _ = await asyncio.wait([waiting], timeout=0.1)
        paused.append(not done)
        waiting.cancel()
    assert paused == [False, True, False, True]
