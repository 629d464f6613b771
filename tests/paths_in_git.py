"""Which paths commits changed, as git itself tells it, and as they are stored."""

from __future__ import annotations

from typing import Any

from gitrepo import GitRepo
from sqlalchemy import select

from trackeep.database import Database
from trackeep.store.tables_fetched import commit
from trackeep.store.tables_paths import commit_path, compared_commit, path

Pairs = set[tuple[str, str]]


def true_paths(repo: GitRepo, *what: str) -> Pairs:
    """(sha, path) of `git log --name-only`, without merges; of all that branches and tags reach."""
    command = ("log", "--no-merges", "--no-renames", "--name-only", "-z", "--format=%x01%H")
    told = repo.git_bytes(*command, *(what or ("--branches", "--tags")))
    found: Pairs = set()
    for block in told.split(b"\x01")[1:]:
        sha, _, names = block.partition(b"\0")
        # The first name follows an empty line.
        found |= {(sha.decode(), as_text(name)) for name in names.removeprefix(b"\n").split(b"\0") if name}
    return found


def as_text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")


async def stored_paths(db: Database, repository_id: int, *conditions: Any) -> Pairs:
    """(sha, path) of the files, without the folders they are in."""
    rows = (
        select(commit.c.sha, path.c.text)
        .join(commit_path, commit_path.c.commit_id == commit.c.id)
        .join(path, path.c.id == commit_path.c.path_id)
        .where(commit.c.repository_id == repository_id, *conditions)
    )
    async with db.read() as conn:
        return {(sha, text) for sha, text in await conn.execute(rows) if not text.endswith("/")}


async def compared(db: Database, repository_id: int) -> dict[str, tuple[int, bool]]:
    """How many files each commit changed, and whether that is not all; by sha."""
    columns = (commit.c.sha, compared_commit.c.files, compared_commit.c.is_cut)
    rows = select(*columns).join(compared_commit, compared_commit.c.commit_id == commit.c.id)
    async with db.read() as conn:
        found = await conn.execute(rows.where(commit.c.repository_id == repository_id))
        return {sha: (files, is_cut) for sha, files, is_cut in found}
