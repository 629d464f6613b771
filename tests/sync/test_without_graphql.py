"""Without GraphQL, which some tokens and proxies refuse, REST brings the same rows, and none is lost."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from copy_of_github import differences
from sandbox_control import Sandbox
from sqlalchemy import Table, delete, func, select

from trackeep.database import Database
from trackeep.errors import GitHubRateLimited
from trackeep.store.tables import person, repository
from trackeep.store.tables_fetched import (
    commit,
    identity,
    issue,
    language,
    pull_request,
    release,
    review,
    review_request,
)
from trackeep.sync import engine, fallback
from trackeep.sync.engine import Outcome
from trackeep.sync.once import sync_once
from trackeep.sync.work import ACCOUNT, Way, Wishes, open_work

pytestmark = pytest.mark.anyio

FOR_GOOD = 1_000_000
DAY_S = 86_400
SMALL, HERON = "alice/almanac", "carol/heron"
# With drafts, teams, a fork's pull requests, and one that no list of alice's covers.
NAMES = (SMALL, "fernhill/reedbed", HERON)
COMPARED = (repository, pull_request, review, review_request, issue, release, language, identity)
# What REST does not say; and when it was looked at.
UNKNOWN = {
    pull_request: {"review_decision", "checks", "unresolved_threads", "detailed_at"},
    language: {"color"},
}

DRIVER = """
import asyncio, sys
from trackeep.database import Database
from trackeep.environment import GitHubAddresses
from trackeep.sync.once import sync_once

async def main(url, database_url, token, *names):
    db = await Database.open(database_url)
    await sync_once(db, GitHubAddresses(url, url + "/api/v3", url), token, names)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(f"sqlite:///{tmp_path / 'rest.db'}")
    yield database
    await database.close()


@pytest.fixture
async def by_graphql(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(f"sqlite:///{tmp_path / 'graphql.db'}")
    yield database
    await database.close()


@pytest.fixture
def github(changing: Sandbox) -> Iterator[Sandbox]:
    """A sandbox to break; what a test broke is whole again afterwards."""
    yield changing
    whole(changing)
    changing.ask("/clock", {"real": True})


def whole(github: Sandbox) -> None:
    github.ask("/faults", method="DELETE")
    github.ask("/latency", {"ms": 0})
    for resource in ("core", "graphql"):
        github.quota(resource, used=0)


def refuse_graphql(github: Sandbox, status: int = 403) -> None:
    github.fault("POST .*/graphql", "status", times=FOR_GOOD, status=status)


async def sync(db: Database, github: Sandbox, *names: str) -> Outcome:
    """As the command does it, for a person who waits."""
    return await sync_once(db, github.addresses, github.token(), names or NAMES, clock=github.now)


async def poll(db: Database, github: Sandbox) -> Outcome:
    """As the worker does it, for nobody in particular."""
    async with aiohttp.ClientSession() as http:
        way = Way(http, github.addresses, github.token(), ("repo", "read:org"), github.now)
        return await engine.sync_account(await open_work(db, github.person_id(), way, Wishes()))


async def rows(db: Database, table: Table, without: Collection[str] = ()) -> list[dict[str, Any]]:
    columns = [each for each in table.c if each.name not in without]
    async with db.read() as conn:
        found = await conn.execute(select(*columns).order_by(*table.primary_key.columns))
        return [dict(row._mapping) for row in found]


async def unlike(one: Database, other: Database) -> list[str]:
    """The tables in which two copies differ beyond what REST cannot know."""
    differing = []
    for table in COMPARED:
        without = UNKNOWN.get(table, ())
        if await rows(one, table, without) != await rows(other, table, without):
            differing.append(table.name)
    logins = [{each["id"]: each["login"] for each in await rows(db, person)} for db in (one, other)]
    return differing if logins[0] == logins[1] else [*differing, person.name]


async def count(db: Database) -> int:
    async with db.read() as conn:
        return int((await conn.execute(select(func.count()).select_from(pull_request))).scalar_one())


def asked_by_graphql(github: Sandbox, mark: int) -> int:
    return sum(each["path"].endswith("/graphql") for each in github.log(mark))


def answered(github: Sandbox, since: int, until: int) -> Counter[str]:
    """How often each single pull request was asked for."""
    entries = [each for each in github.log(since) if each["n"] <= until and each["status"] == 200]
    return Counter(each["path"] for each in entries if re.search(r"/pulls/\d+$", each["path"]))


def paths(pulls: list[dict[str, Any]], repositories: list[dict[str, Any]]) -> set[str]:
    """Where REST is asked for these single pull requests."""
    names = {each["id"]: f"{each['owner']}/{each['name']}" for each in repositories}
    return {f"/api/v3/repos/{names[each['repository_id']]}/pulls/{each['number']}" for each in pulls}


async def test_the_same_rows(db: Database, by_graphql: Database, github: Sandbox) -> None:
    """Every column of every row is what GraphQL gives, but for those that REST does not know."""
    await sync(by_graphql, github)
    refuse_graphql(github)
    outcome = await sync(db, github)
    assert outcome.state == "done" and not outcome.failures
    assert await unlike(db, by_graphql) == []
    assert await differences(db, github, NAMES) == {}
    unknown = [
        each
        for each in await rows(db, pull_request)
        if each["checks"] not in ("", "UNKNOWN") or each["review_decision"]
    ]
    assert unknown == [] and any(each["first_commit_at"] for each in await rows(db, pull_request))


async def test_every_kind_of_change_arrives(db: Database, by_graphql: Database, github: Sandbox) -> None:
    """Opened as a draft, made ready, reviewed, merged, a new issue: the rows stay those of GraphQL."""
    refuse_graphql(github)
    await sync(db, github)
    for name in (SMALL, HERON):
        draft = github.change(name, "open-pull", draft=True, reviewers=["alice"])["number"]
        assert (await sync(db, github)).found.pull_requests == 1
        github.change(name, "ready-pull", number=draft)
        github.change(name, "review", number=draft, state="CHANGES_REQUESTED")
        await sync(db, github)
        github.change(name, "review", number=draft, author="zoe-l")
        github.change(name, "merge-pull", number=draft)
        github.change(name, "open-issue")
        github.change(name, "push")
        assert (await sync(db, github)).found.reviews >= 2
    assert await differences(db, github, NAMES) == {}
    whole(github)
    await sync(by_graphql, github)
    assert await unlike(db, by_graphql) == []


async def test_nothing_new_costs_nothing(db: Database, github: Sandbox) -> None:
    """Also a repository that no list covers is watched by answers of 304 alone, and none is missed."""
    refuse_graphql(github)
    await sync(db, github)
    await poll(db, github)
    used, mark = github.quota("core")["used"], github.mark()
    outcome = await poll(db, github)
    assert outcome.state == "idle" and github.quota("core")["used"] == used
    assert {each["status"] for each in github.log(mark)} == {304} and len(github.log(mark)) == 4
    github.change(HERON, "review")
    assert (await poll(db, github)).found.reviews > 0
    assert await differences(db, github, NAMES) == {}


async def test_what_was_seen_is_not_forgotten(db: Database, github: Sandbox) -> None:
    """A change that was noticed but could not be fetched comes later, though GitHub says "unchanged" then."""
    refuse_graphql(github)
    await sync(db, github)
    await poll(db, github)
    github.fault(f"GET .*/{HERON}/pulls/[0-9]+$", "status", times=FOR_GOOD, status=500)
    github.change(HERON, "review")
    assert list((await poll(db, github)).failures) == [HERON]
    whole(github)
    refuse_graphql(github)
    await sync(db, github)
    assert await differences(db, github, NAMES) == {}


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 404},
        {"kind": "graphql-errors", "error_type": "FORBIDDEN"},
    ],
    ids=["proxy", "token"],
)
async def test_every_refusal_is_one(database_url: str, github: Sandbox, fault: dict[str, Any]) -> None:
    """A proxy that has no such page, and GitHub's own word that this token may not ask."""
    github.fault("POST .*/graphql", times=FOR_GOOD, **fault)
    db = await Database.open(database_url)
    outcome = await sync(db, github, SMALL, HERON)
    assert outcome.state == "done" and not outcome.failures
    github.change(HERON, "review")
    assert (await poll(db, github)).found.reviews > 0
    assert await differences(db, github, [SMALL, HERON]) == {}
    await db.close()


@pytest.mark.parametrize("fault", [{"kind": "html", "status": 502}, {"kind": "secondary", "retry_after": 60}])
async def test_trouble_is_no_refusal(db: Database, github: Sandbox, fault: dict[str, Any]) -> None:
    """A GitHub that fails or limits is asked by GraphQL again, and no pull request by REST."""
    github.fault("POST .*/graphql", times=2, **fault)
    mark = github.mark()
    if fault["kind"] == "secondary":
        with pytest.raises(GitHubRateLimited):
            await sync(db, github, SMALL)
        github.ask("/faults", method="DELETE")
        github.advance(120)
    await sync(db, github, SMALL)
    assert answered(github, mark, github.mark()).total() == 0
    assert await differences(db, github, [SMALL]) == {}


async def test_a_refusal_is_remembered_for_a_day(db: Database, github: Sandbox) -> None:
    """Polls ask by REST at once, until a day has passed or a person asks; then GraphQL is used again."""
    refuse_graphql(github)
    await sync(db, github, SMALL)
    mark = github.mark()
    github.change(SMALL, "review")
    await poll(db, github)
    assert asked_by_graphql(github, mark) == 0
    github.change(SMALL, "review")
    await sync(db, github, SMALL)
    assert asked_by_graphql(github, mark) == 1, "one question tells it is refused still"
    github.advance(DAY_S)
    await poll(db, github)
    assert asked_by_graphql(github, mark) == 2
    whole(github)
    github.change(SMALL, "review")
    await sync(db, github, SMALL)
    async with aiohttp.ClientSession() as http:
        way = Way(http, github.addresses, github.token(), ("repo",), github.now)
        work = await open_work(db, github.person_id(), way, Wishes())
    assert not fallback.is_refused(work) and work.cursor(ACCOUNT, fallback.STREAM).complete
    assert await differences(db, github, [SMALL]) == {}


async def test_killed_in_the_middle_it_goes_on(db: Database, github: Sandbox) -> None:
    """After kill -9 the rest is fetched, and no pull request of a finished page a second time."""
    refuse_graphql(github)
    github.ask("/latency", {"ms": 10})
    command = [sys.executable, "-c", DRIVER, github.url, db.url, github.token(), *NAMES]
    first = subprocess.Popen(command)
    while await count(db) < 30:
        assert first.poll() is None, "it was done before it could be killed"
        time.sleep(0.02)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    mark, kept = github.mark(), await rows(db, pull_request)
    github.ask("/latency", {"ms": 0})
    await sync(db, github)
    again = answered(github, mark, github.mark())
    finished = paths(kept, await rows(db, repository))
    assert len(finished) >= 30 and not finished & again.keys()
    assert await differences(db, github, NAMES) == {}


@pytest.mark.parametrize("left", [12, 100], ids=["look", "lists"])
async def test_a_limit_is_waited_for(db: Database, github: Sandbox, left: int) -> None:
    """When the reserve is reached what is there stays, git goes on, and after the reset the rest comes."""
    refuse_graphql(github)
    github.quota("core", used=4_000 - left)
    with pytest.raises(GitHubRateLimited) as limited:
        await sync(db, github)
    some = await count(db)
    assert (some > 0) == (left == 100) and some < 80
    truth = {each["full_name"]: each for each in github.repositories()}
    commits = Counter(each["repository_id"] for each in await rows(db, commit))
    for name in NAMES:
        reached = ["git", "-C", truth[name]["git_dir"], "rev-list", "--count", "--branches", "--tags"]
        done = subprocess.run(reached, capture_output=True, text=True, check=True)
        assert commits[truth[name]["id"]] == int(done.stdout)
    github.advance(limited.value.retry_at - github.now() + 1)
    await sync(db, github)
    assert await count(db) > some
    assert await differences(db, github, NAMES) == {}


async def test_there_and_back_in_the_middle(db: Database, by_graphql: Database, github: Sandbox) -> None:
    """Begun by GraphQL, gone on with by REST, ended by GraphQL: no row is lost and none is there twice."""
    github.quota("graphql", used=3_996)
    with pytest.raises(GitHubRateLimited) as limited:
        await sync(db, github)
    begun = await count(db)
    github.advance(limited.value.retry_at - github.now() + 1)
    refuse_graphql(github)
    # Enough for a page of twenty with all their details, and hardly for all that is left.
    github.quota("core", used=3_890)
    with contextlib.suppress(GitHubRateLimited):
        await sync(db, github)
    assert 0 < begun < await count(db)
    whole(github)
    github.advance(2 * 3_600)
    await sync(db, github)
    assert await differences(db, github, NAMES) == {}
    await sync(by_graphql, github)
    assert await unlike(db, by_graphql) == []


async def test_what_graphql_brought_is_not_fetched_again(db: Database, github: Sandbox) -> None:
    """A long list that GraphQL has begun is ended by REST with those that are missing."""
    long = "fernhill/harbor"
    github.quota("graphql", used=3_998)
    with pytest.raises(GitHubRateLimited) as limited:
        await sync(db, github, long)
    begun, mark = await rows(db, pull_request), github.mark()
    refuse_graphql(github)
    github.advance(limited.value.retry_at - github.now() + 1)
    await sync(db, github, long)
    # Those of interest today are asked for the details that lists do not have.
    old = [
        each
        for each in begun
        if each["state"] != "open" and (each["merged_at"] or 0) < github.now() - 91 * DAY_S
    ]
    again = answered(github, mark, github.mark()).keys()
    assert old and again and not paths(old, await rows(db, repository)) & again
    assert len(begun) < await count(db) and await differences(db, github, [long]) == {}


async def test_the_weekly_comparison(db: Database, github: Sandbox) -> None:
    """What was lost, or deleted at GitHub, is noticed by REST too."""
    refuse_graphql(github)
    await sync(db, github, SMALL)
    of_pull, of_issue = pull_request.c.number, issue.c.number
    first = min(each["number"] for each in await rows(db, pull_request))
    times = {"created_at": 1_300_000_000, "updated_at": 1_300_000_000}
    async with db.write() as conn:
        key = (await conn.execute(select(issue.c.repository_id).limit(1))).scalar_one()
        await conn.execute(delete(review).where(review.c.number == first))
        await conn.execute(delete(pull_request).where(of_pull == first))
        await conn.execute(delete(issue).where(of_issue == select(func.max(of_issue)).scalar_subquery()))
        for number in (9_001, 9_002):
            await conn.execute(issue.insert().values(repository_id=key, number=number, **times))
    assert await differences(db, github, [SMALL])
    github.advance(8 * DAY_S)
    mark = github.mark()
    await sync(db, github, SMALL)
    await sync(db, github, SMALL)
    assert await differences(db, github, [SMALL]) == {} and asked_by_graphql(github, mark) == 2


async def test_lines_are_counted(db: Database, github: Sandbox) -> None:
    """Forty commits a pass, the person's own first, each as git counts it."""
    refuse_graphql(github)
    await sync(db, github, SMALL)
    github.advance(600)
    await poll(db, github)
    counted = [each for each in await rows(db, commit) if each["additions"] is not None]
    repo = github.repository(SMALL)["git_dir"]
    assert len(counted) == 40
    for each in counted[:5]:
        command = ["git", "-C", repo, "show", "--first-parent", "--format=", "--numstat", each["sha"]]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        sums = [sum(int(line.split()[column]) for line in lines) for column in (0, 1)]
        assert sums == [each["additions"], each["deletions"]]


async def test_without_git_too_everything_is_there(db: Database, github: Sandbox) -> None:
    """REST alone: commits, branches and tags as git has them, and all that belongs to them."""
    refuse_graphql(github)
    github.fault("POST .*/git-upload-pack", "status", times=FOR_GOOD, status=403)
    outcome = await sync(db, github)
    assert outcome.state == "done" and outcome.costs.graphql_points == 0
    assert await differences(db, github, NAMES) == {}
