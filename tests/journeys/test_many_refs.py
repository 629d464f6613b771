"""Hundreds of refs that go and more that stay: each commit is fetched once, and none is lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from copy_of_github import differences
from gitrepo import GitRepo
from programs import environment, start
from sandbox_control import Sandbox
from sqlalchemy import func, select

from trackeep.database import Database
from trackeep.store import tables_fetched as fetched
from trackeep.sync.engine import Outcome
from trackeep.sync.once import sync_once

pytestmark = pytest.mark.anyio
RIBBONS, REEF, ANVIL = "alice/ribbons", "alice/reef", "alice/anvil"
MEASURED = """
import asyncio, sys
from trackeep.database import Database
from trackeep.environment import GitHubAddresses
from trackeep.sync.once import sync_once

async def main():
    db = await Database.open(sys.argv[1])
    url, token = sys.argv[2], sys.stdin.read()
    await sync_once(db, GitHubAddresses(url, url + "/api/v3", url), token, sys.argv[3:])
    await db.close()

asyncio.run(main())
# Not getrusage: a process that was started by a large one takes over its peak.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.fixture(scope="module")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A GitHub to which each test adds a repository of its own."""
    program = start("sandbox", "serve", "--port", "0", "--data-dir", str(tmp_path_factory.mktemp("sandbox")))
    yield Sandbox(program.url)
    program.stop()


class Case:
    """A repository of the sandbox and its copy; `posts` and `bytes` are what git cost in the last sync."""

    def __init__(self, db: Database, github: Sandbox, name: str, kind: str, **more: Any) -> None:
        # Both databases run against the same sandbox.
        self.name = f"{name}-{'lite' if db.url.startswith('sqlite') else 'post'}"
        self.db, self.github = db, github
        self.repo = GitRepo(Path(github.make(self.name, kind, **more)["git_dir"]))

    async def sync(self) -> Outcome:
        # GitHub names a push by the second.
        self.github.advance(2)
        outcome = await sync_once(
            self.db, self.github.addresses, self.github.token(), [self.name], clock=self.github.now
        )
        assert not outcome.failures, outcome
        self.posts, self.bytes = outcome.git_posts, outcome.git_bytes
        return outcome

    async def differences(self) -> dict[str, Any]:
        return await differences(self.db, self.github, [self.name])

    async def commits(self, *conditions: Any) -> int:
        async with self.db.read() as conn:
            count = select(func.count()).select_from(fetched.commit).where(*conditions)
            return int(await conn.scalar(count) or 0)


async def test_three_hundred_refs_go_at_once(db: Database, github: Sandbox) -> None:
    """Of 400 branches and tags 300 go: one git POST, no commit comes again, and those they held stay."""
    case = Case(db, github, RIBBONS, "many-refs")
    await case.sync()
    before = await case.commits()
    gone = github.change(case.name, "delete-refs", count=300)["refs"]
    assert len(gone) == 300 and (await case.sync()).found.commits == 0
    assert (case.posts, await case.differences()) == (1, {}) and case.bytes < 20_000
    assert await case.commits() == before == 260
    lost = sum(name.startswith("refs/heads/") for name in gone)
    assert await case.commits(~fetched.commit.c.reachable) == lost > 100
    async with db.read() as conn:
        kinds = await conn.scalars(select(fetched.ref_change.c.kind))
        assert list(kinds) == ["deleted"] * 300


async def test_a_forced_and_a_deleted_branch_among_many(db: Database, github: Sandbox) -> None:
    """A force-push costs two git POSTs and one commit; a branch that comes back costs no commit."""
    case = Case(db, github, f"{RIBBONS}-2", "many-refs", branches=40, tags=10)
    await case.sync()
    forced = github.change(case.name, "force-push", branch="work/0007")
    deleted = github.change(case.name, "delete-branch", branch="work/0008")
    assert (await case.sync()).found.commits == 1
    assert (case.posts, await case.differences()) == (2, {})
    case.repo.point("refs/heads/again", deleted["before"])
    github.change(case.name, "push", branch="other")
    assert (await case.sync()).found.commits == 1 and case.posts == 2
    await case.sync()
    unreachable = fetched.commit.c.sha.in_([forced["before"], deleted["before"]])
    assert await case.commits(unreachable, ~fetched.commit.c.reachable) == 1


async def test_more_tips_than_any_round_has(db: Database, github: Sandbox) -> None:
    """Work on the oldest of 1,400 branches, a merge and a rewritten trunk bring only what is new."""
    case = Case(db, github, REEF, "many-refs", commits=40, branches=1_400, tags=0)
    assert (await case.sync()).found.commits == 1_440
    github.change(case.name, "push", branch="work/0000", count=2)
    assert (await case.sync()).found.commits == 2 and case.posts == 2
    github.change(case.name, "merge-old-branch", branch="work/0001")
    assert (await case.sync()).found.commits == 1 and case.posts == 2
    other = case.repo.commit(case.repo.git("rev-parse", "main~30"), message="Rewritten")
    case.repo.point("refs/heads/main", other)
    github.change(case.name, "open-issue")
    github.change(case.name, "push", branch="elsewhere")
    assert (await case.sync()).found.commits <= 3 and case.posts <= 4
    assert case.bytes < 300_000


async def test_large_messages_do_not_fill_the_memory(db: Database, github: Sandbox) -> None:
    """A hundred and twenty megabytes of messages pass through a small part of that, a page at a time."""
    case = Case(db, github, ANVIL, "heavy", commits=30, bytes=4_000_000)
    command = [sys.executable, "-c", MEASURED, db.url, github.url, case.name]
    done = subprocess.run(
        command, input=github.token(), capture_output=True, text=True, check=True, env=environment()
    )
    assert await case.commits(func.length(fetched.commit.c.message) > 3_999_990) == 30
    peak_mb = int(done.stdout.splitlines()[-1]) // 1024
    assert peak_mb < 230
