"""Which files commits changed: exactly what git says, asked for once, and gone when nobody asks any more."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from gitrepo import GitRepo
from paths_in_git import compared, stored_paths, true_paths
from programs import Program
from sandbox_control import Sandbox
from sqlalchemy import func, select

from trackeep.database import Database
from trackeep.store import following, schedule
from trackeep.store.tables_paths import commit_path, compared_commit, path
from trackeep.sync import files
from trackeep.sync.engine import Outcome
from trackeep.sync.once import sync_once
from trackeep.sync.work import Way, Wishes, Work, open_work

pytestmark = pytest.mark.anyio
NAME = "alice/tide-tables"


async def sync(db: Database, github: Sandbox, *names: str, login: str = "alice") -> Outcome:
    return await sync_once(db, github.addresses, github.token(login), names, clock=github.now)


async def ask(db: Database, github: Sandbox, name: str, login: str = "alice") -> int:
    """Ask for the files of a repository that is followed; its number."""
    number = int(github.repository(name)["id"])
    async with db.write() as conn:
        await following.ask_for_files(conn, github.person_id(login), [number], int(github.now()))
    return number


def git_of(github: Sandbox, name: str) -> GitRepo:
    return GitRepo(Path(github.repository(name)["git_dir"]))


def git_posts(github: Sandbox, mark: int) -> int:
    return sum(each["path"].endswith("/git-upload-pack") for each in github.log(mark))


async def rows(db: Database) -> list[int]:
    async with db.read() as conn:
        return [
            (await conn.execute(select(func.count()).select_from(table))).scalar_one()
            for table in (path, commit_path, compared_commit)
        ]


async def test_every_file_of_every_commit(db: Database, sandbox: Program) -> None:
    """What is stored is what `git log --name-only` says; nothing before it is asked for, or a second time."""
    github = Sandbox(sandbox.url)
    await sync(db, github, NAME)
    assert await rows(db) == [0, 0, 0]
    number = await ask(db, github, NAME)
    mark = github.mark()
    await sync(db, github, NAME)
    # One for all the folders.
    assert git_posts(github, mark) == 1
    true = true_paths(git_of(github, NAME))
    assert len(true) > 100
    assert await stored_paths(db, number) == true
    assert {files for files, _ in (await compared(db, number)).values()} >= {1, 2}
    mark = github.mark()
    await sync(db, github, NAME)
    assert git_posts(github, mark) == 0


async def test_what_is_pushed_later(lite: Database, changing: Sandbox) -> None:
    """A push costs one question more, a rewritten branch too; what it left behind stays as it was."""
    await sync(lite, changing, NAME)
    number = await ask(lite, changing, NAME)
    await sync(lite, changing, NAME)
    repo = git_of(changing, NAME)
    changing.change(NAME, "push", branch="topic", count=2)
    changing.change(NAME, "merge-old-branch")
    mark = changing.mark()
    await sync(lite, changing, NAME)
    before = true_paths(repo)
    assert await stored_paths(lite, number) == before
    # Refs, commits, folders.
    assert git_posts(changing, mark) == 3
    rewritten = changing.change(NAME, "force-push", branch="topic")
    await sync(lite, changing, NAME)
    assert await stored_paths(lite, number) == before | true_paths(repo, "--branches", "--tags")
    assert rewritten["before"] in await compared(lite, number)


async def one_step(db: Database, github: Sandbox, number: int) -> Work:
    """What a process does that is gone after its first step."""
    turns = iter((False, True))
    async with aiohttp.ClientSession() as http:
        way = Way(http, github.addresses, github.token(), ("repo",), github.now)
        wishes = Wishes(is_time_up=lambda: next(turns, True))
        work = await open_work(db, github.person_id(), way, wishes)
        async with db.read() as conn:
            followed = await schedule.followed(conn, work.account_id)
        await files.sync(work, [each for each in followed if each.id == number])
    return work


async def test_a_process_that_ended_is_gone_on_from(lite: Database, sandbox: Program) -> None:
    """Each step is stored as a whole with its cursor: the next process begins behind it, and all is there."""
    github, name = Sandbox(sandbox.url), "fernhill/atlas"
    await sync(lite, github, name)
    number = await ask(lite, github, name)
    true = true_paths(git_of(github, name))
    first = await one_step(lite, github, number)
    some = await stored_paths(lite, number)
    assert len(await compared(lite, number)) == files.FIRST_STEP
    assert some < true and first.leaves_more
    mark = github.mark()
    await one_step(lite, github, number)
    assert git_posts(github, mark) == 1
    assert await stored_paths(lite, number) == true


async def test_names_as_nobody_should_have_written_them(db: Database, changing: Sandbox) -> None:
    """Line breaks, escapes, bytes of no encoding, depth, length, modes, a file that becomes a folder."""
    name = f"alice/odd-names-{db.engine.dialect.name}"
    made = changing.make(name, "many-refs", commits=1, branches=0, tags=0)
    repo = GitRepo(Path(made["git_dir"]))
    blob = repo.git("hash-object", "-w", "--stdin", stdin=b"x")
    long = "l" * 700

    def tree(*entries: tuple[str, bytes, str]) -> str:
        kinds = {"040000": "tree", "160000": "commit"}
        lines = b"".join(
            f"{mode} {kinds.get(mode, 'blob')} {sha}\t".encode() + name + b"\0" for mode, name, sha in entries
        )
        return repo.git("mktree", "-z", "--missing", stdin=lines)

    def commit(root: str, *parents: str) -> str:
        lines = [f"tree {root}", *(f"parent {each}" for each in parents)]
        lines += [f"{who} Alice <alice@fernhill.example> 1700000000 +0000" for who in ("author", "committer")]
        return repo.raw("\n".join([*lines, "", "Odd"]).encode())

    odd = (b"new\nline", b"\x1b[31mred\x1b[0m", b"caf\xe9", "naïve 分支.py".encode(), b'<b>"&', b"a\\b%_*")
    first = commit(tree(*(("100644", name, blob) for name in odd), ("100644", long.encode(), blob)))
    inner = tree(("100755", b"run", blob), ("120000", b"link", blob))
    deep = inner
    for _ in range(60):
        deep = tree(("040000", b"d", deep))
    second = commit(tree(("040000", b"caf\xe9", inner), ("040000", b"deep", deep)), first)
    third = commit(tree(("040000", b"caf\xe9", inner), ("160000", b"module", first)), second)
    repo.point("refs/heads/odd", third)
    await sync(db, changing, name)
    number = await ask(db, changing, name)
    await sync(db, changing, name)
    stored = await stored_paths(db, number)
    true = {(sha, text[:600]) for sha, text in true_paths(repo, "odd", "main")}
    assert stored == true
    assert (second, "café") in stored and (second, "café/run") in stored
    assert len(await compared(db, number)) == 4


async def test_a_commit_of_very_many_files(lite: Database, changing: Sandbox) -> None:
    """Of so many the first are stored, every upper folder among them, and it is noted."""
    made = changing.make("alice/very-many", "empty")
    lines = "".join(
        f"M 100644 inline part{n % 50}/file{n}\ndata 1\nx\n" for n in range(files.MOST_PATHS + 500)
    )
    head = "commit refs/heads/main\ncommitter A <a@x.example> 1700000000 +0000\ndata 4\nMany\n"
    GitRepo(Path(made["git_dir"])).git("fast-import", "--quiet", stdin=(head + lines).encode())
    await sync(lite, changing, "alice/very-many")
    number = await ask(lite, changing, "alice/very-many")
    await sync(lite, changing, "alice/very-many")
    (counted,) = (await compared(lite, number)).values()
    assert counted == (files.MOST_PATHS - 50, True)
    async with lite.read() as conn:
        folders = set(await conn.scalars(select(path.c.text).where(path.c.text.endswith("/"))))
    assert folders == {f"part{n}/" for n in range(50)}


async def test_they_are_given_up(db: Database, sandbox: Program) -> None:
    """They stay as long as somebody asks for them: alice alone, bob alone, and then nobody."""
    github, name = Sandbox(sandbox.url), "alice/lighthouse"
    for login in ("alice", "bob"):
        await sync(db, github, name, login=login)
        number = await ask(db, github, name, login=login)
        await sync(db, github, name, login=login)
    true = true_paths(git_of(github, name))
    async with db.write() as conn:
        await following.give_up_files(conn, github.person_id("alice"), [number])
    await sync(db, github, name)
    assert await stored_paths(db, number) == true
    async with db.write() as conn:
        await schedule.unfollow_repositories(conn, github.person_id("bob"), [number])
    assert await rows(db) == [0, 0, 0]
    await sync(db, github, name)
    assert await rows(db) == [0, 0, 0]


async def test_git_that_refuses_is_said(lite: Database, changing: Sandbox) -> None:
    """Where git gives nothing there are no files, everything else goes on, and the sync page says why."""
    await sync(lite, changing, NAME)
    number = await ask(lite, changing, NAME)
    changing.fault("git-upload-pack", "status", times=1, status=403)
    outcome = await sync(lite, changing, NAME)
    assert "no access" in outcome.failures[NAME]
    assert await compared(lite, number) == {}
    await sync(lite, changing, NAME)
    assert await stored_paths(lite, number) == true_paths(git_of(changing, NAME))
