"""One repository's history, fetched from the sandbox and compared with what git itself says."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from gitrepo import GitRepo, ask, remote, served
from programs import Program, start
from sqlalchemy import select, text

from trackeep.database import Database, upsert
from trackeep.errors import GitHubNoAccess, GitHubUnavailable
from trackeep.model import Repository
from trackeep.store import tables
from trackeep.store import tables_fetched as fetched
from trackeep.sync.commits import CommitsFound, sync_commits

pytestmark = pytest.mark.anyio
ATLAS = Repository(70001, "R_1", "fernhill", "atlas")
NOW = 1_795_500_000


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A sandbox whose histories change; every test compares its own database with git's present state."""
    program = start("sandbox", "serve", "--port", "0", "--data-dir", str(tmp_path_factory.mktemp("sandbox")))
    yield program
    program.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def follow(db: Database, repository: Repository) -> None:
    row = {"id": repository.id, "owner": repository.owner, "name": repository.name}
    async with db.write() as conn:
        await upsert(conn, tables.repository, [row], key=("id",))


async def stored(db: Database, repository: Repository = ATLAS, *conditions: Any) -> set[str]:
    query = select(fetched.commit.c.sha).where(fetched.commit.c.repository_id == repository.id, *conditions)
    async with db.read() as conn:
        return set(await conn.scalars(query))


class Case:
    """A followed repository of a sandbox that may be changed."""

    def __init__(self, base: str, http: aiohttp.ClientSession, db: Database) -> None:
        self.base, self.http, self.db = base, http, db
        self.repo = served(base, ATLAS.full_name)

    async def sync(self) -> CommitsFound:
        git = remote(self.http, self.base, ATLAS.full_name)
        return await sync_commits(self.db, git, ATLAS, now=NOW)

    def change(self, kind: str, **more: object) -> Any:
        return ask(self.base, f"/_sandbox/repos/{ATLAS.full_name}/change", {"kind": kind, **more})

    async def agrees(self) -> bool:
        """Whether both flags of all commits are as `git rev-list` has them."""
        reachable = await stored(self.db, ATLAS, fetched.commit.c.reachable)
        on_default = await stored(self.db, ATLAS, fetched.commit.c.on_default)
        return (reachable, on_default) == (self.repo.all_shas(), self.repo.all_shas("main"))

    async def kinds(self) -> list[str]:
        async with self.db.read() as conn:
            return list(
                await conn.scalars(select(fetched.ref_change.c.kind).order_by(fetched.ref_change.c.id))
            )


@pytest.fixture
async def case(changing: Program, http: aiohttp.ClientSession, lite: Database) -> Case:
    await follow(lite, ATLAS)
    case = Case(changing.url, http, lite)
    await case.sync()
    return case


async def test_every_repository_equals_rev_list(
    sandbox: Program, http: aiohttp.ClientSession, db: Database
) -> None:
    """The shas of each repository equal git's own list; a second look is one POST and finds nothing."""
    for each in ask(sandbox.url, "/_sandbox/truth")["repositories"]:
        if "alice" not in each["readers"]:
            continue
        repository = Repository(each["id"], "", *each["full_name"].split("/"))
        await follow(db, repository)
        git, repo = remote(http, sandbox.url, repository.full_name), GitRepo(Path(each["git_dir"]))
        found = await sync_commits(db, git, repository, now=NOW)
        assert await stored(db, repository) == repo.all_shas()
        assert await stored(db, repository, fetched.commit.c.reachable) == repo.all_shas()
        main = repo.all_shas("main") if each["branches"] else set()
        assert await stored(db, repository, fetched.commit.c.on_default) == main
        moved = len(each["branches"]) + len(each["tags"])
        assert (found.commits, found.refs_moved) == (len(repo.all_shas()), moved)
        again = await sync_commits(db, git, repository, now=NOW)
        assert (again.commits, again.refs_moved, again.posts) == (0, 0, 1)


async def test_nothing_moved_writes_nothing(case: Case) -> None:
    """Looking again without news changes no byte of the database."""
    query = text("pragma data_version")
    async with case.db.read() as watching:
        before = await watching.scalar(query)
        found = await case.sync()
        assert (found.commits, found.refs_moved, found.posts) == (0, 0, 1)
        assert await watching.scalar(query) == before


async def test_a_push_costs_two_posts(case: Case) -> None:
    """Three commits on a new branch: one POST to see it, one to fetch exactly these."""
    pushed = case.change("push", branch="bob/topic", author="bob", count=3)
    found = await case.sync()
    assert (found.commits, found.refs_moved, found.posts) == (3, 1, 2)
    assert found.bytes < 20_000 and await case.agrees()
    assert await stored(case.db) >= set(pushed["commits"])
    async with case.db.read() as conn:
        [change] = (await conn.execute(select(fetched.ref_change))).all()
    assert (change.name, change.kind, change.commits) == ("refs/heads/bob/topic", "created", 3)
    assert (change.after_sha, change.seen_at) == (pushed["commits"][-1], NOW)


async def test_an_old_branch_that_is_merged(case: Case) -> None:
    """Commits dated long before the last look arrive all the same, with the merge, in two POSTs."""
    merged = case.change("merge-old-branch", count=4, days_ago=200)
    found = await case.sync()
    assert (found.commits, found.posts) == (5, 2) and await case.agrees()
    assert await stored(case.db, ATLAS, fetched.commit.c.on_default) >= {
        *merged["commits"],
        merged["merge"],
    }


async def test_a_force_push(case: Case) -> None:
    """The commit that was replaced stays, marked as not reachable; the new one costs two POSTs."""
    forced = case.change("force-push")
    found = await case.sync()
    assert (found.commits, found.posts) == (1, 2) and await case.agrees()
    assert await stored(case.db, ATLAS, ~fetched.commit.c.reachable) == {forced["before"]}
    assert await case.kinds() == ["forced"]


async def test_a_deleted_branch_and_its_return(case: Case) -> None:
    """What only the branch reached stays stored; when it comes back nothing is fetched again."""
    case.change("push", branch="bob/short", count=2)
    await case.sync()
    gone = case.change("delete-branch", branch="bob/short")["before"]
    assert (await case.sync()).posts == 1 and await case.agrees()
    assert len(await stored(case.db, ATLAS, ~fetched.commit.c.reachable)) == 2
    case.repo.point("refs/heads/bob/again", gone)
    assert (await case.sync()).posts == 1 and await case.agrees()
    assert await case.kinds() == ["created", "deleted", "created"]


async def test_a_default_branch_that_is_rewritten(case: Case) -> None:
    """When the default branch loses its newest commits, what is on it is found anew."""
    tip, old = case.change("push", count=3)["commits"][-1], case.repo.git("rev-parse", "main~3")
    await case.sync()
    case.repo.point("refs/heads/main", old)
    await case.sync()
    assert await case.kinds() == ["moved", "forced"] and await case.agrees()
    assert len(await stored(case.db, ATLAS, ~fetched.commit.c.reachable)) == 3
    case.repo.point("refs/heads/main", tip)


async def test_tags_of_anything(case: Case) -> None:
    """A tag of a tag leads to its commit; a tag of a folder or file is kept and asked for only once."""
    who = ("-c", "user.name=A", "-c", "user.email=a@x")
    case.repo.git(*who, "tag", "-a", "-m", "one", "once", "main~2")
    case.repo.git(*who, "tag", "-a", "-m", "two", "twice", "once")
    case.repo.git("tag", "of-tree", "main^{tree}")
    case.repo.git("tag", "of-blob", case.repo.git("hash-object", "-w", "--stdin", stdin=b"text"))
    assert (await case.sync()).refs_moved == 4 and await case.agrees()
    assert (await case.sync()).posts == 1
    case.change("push")
    assert (await case.sync()).commits == 1 and await case.agrees()


async def test_rows_lost_behind_our_back(case: Case) -> None:
    """When stored commits are missing in the middle, the next push brings them back."""
    async with case.db.write() as conn:
        old = case.repo.git("rev-list", "--max-count=20", "main").split()
        await conn.execute(fetched.commit.delete().where(fetched.commit.c.sha.in_(old)))
    case.change("push")
    await case.sync()
    assert await case.agrees()


async def test_no_access_leaves_everything_as_it_is(case: Case) -> None:
    """A refusal or a cut answer is an error and no row changes, so that nothing is lost by it."""
    before = await stored(case.db)
    case.change("push")
    for fault, error in (
        ({"kind": "status", "status": 404}, GitHubNoAccess),
        ({"kind": "cut"}, GitHubUnavailable),
    ):
        ask(case.base, "/_sandbox/faults", {"match": "git-upload-pack", **fault})
        with pytest.raises(error):
            await case.sync()
    assert await stored(case.db) == before
    assert (await case.sync()).commits == 1 and await case.agrees()


ALMANAC = Repository(70005, "R_5", "alice", "almanac")
KILLED = """
import asyncio, sys, aiohttp
from trackeep.database import Database
from trackeep.github.gitwire import GitRemote
from trackeep.model import Repository
from trackeep.sync.commits import sync_commits

async def main():
    db = await Database.open(sys.argv[1])
    async with aiohttp.ClientSession() as http:
        git = GitRemote(http, sys.argv[2], sys.argv[3])
        await sync_commits(db, git, Repository(70005, "", "alice", "almanac"), now=1)

asyncio.run(main())
"""


async def killed_in_the_middle(db: Database, url: str, token: str) -> None:
    """Sync in a process of its own and kill -9 it as soon as a page is stored."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, db.url, url, token])
    while process.poll() is None:
        await asyncio.sleep(0.002)
        async with db.read() as conn:
            if await conn.scalar(select(fetched.commit.c.sha).limit(1)):
                os.kill(process.pid, signal.SIGKILL)
                break
    process.wait()


async def test_kill_in_the_middle(changing: Program, http: aiohttp.ClientSession, db: Database) -> None:
    """After kill -9 between two pages the next run has everything, and fetches no stored commit again."""
    await follow(db, ALMANAC)
    repo, git = served(changing.url, ALMANAC.full_name), remote(http, changing.url, ALMANAC.full_name)
    many = b"".join(
        b"commit refs/heads/b%d\ncommitter A <a@x> %d +0000\ndata 4\nWork\n" % (n % 7, 1_600_000_000 + n)
        for n in range(14_000)
    )
    repo.git("fast-import", "--quiet", "--force", stdin=many)
    await killed_in_the_middle(db, git.url, git.token)
    everything, had = repo.all_shas(), await stored(db, ALMANAC)
    assert had and had < everything and not await parents_without_row(db)
    found = await sync_commits(db, git, ALMANAC, now=NOW)
    assert found.commits == len(everything) - len(had)
    assert await stored(db, ALMANAC) == await stored(db, ALMANAC, fetched.commit.c.reachable) == everything
    assert await stored(db, ALMANAC, fetched.commit.c.on_default) == repo.all_shas("main")


async def parents_without_row(db: Database) -> set[str]:
    async with db.read() as conn:
        parents = {
            sha for line in await conn.scalars(select(fetched.commit.c.parents)) for sha in line.split()
        }
    return parents - await stored(db, ALMANAC)
