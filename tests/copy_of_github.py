"""Compares what an instance stored with what is true in the sandbox, set against set."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from typing import Any

from sandbox_control import Sandbox
from sqlalchemy import select

from trackeep.database import Database
from trackeep.store.tables import person, repository
from trackeep.store.tables_fetched import commit, issue, pull_request, ref, release, review, review_comment


async def differences(db: Database, sandbox: Sandbox, names: Iterable[str]) -> dict[str, Any]:
    """Every set that differs between the copy and the sandbox, for these repositories; {} is the promise."""
    found: dict[str, Any] = {}
    truth = {each["full_name"]: each for each in sandbox.ask("/truth")["repositories"]}
    async with db.read() as conn:
        people = {row.id: row.login for row in await conn.execute(select(person.c.id, person.c.login))}
        stored = {
            f"{row.owner}/{row.name}": row.id
            for row in await conn.execute(select(repository.c.id, repository.c.owner, repository.c.name))
        }
        for name in names:
            real, key = truth[name], stored.get(name)
            if key != real["id"]:
                found[f"{name} id"] = (key, real["id"])
                continue
            both = await _both(conn, real, people)
            found |= {
                f"{name} {what}": {"missing": theirs - ours, "extra": ours - theirs}
                for what, (ours, theirs) in both.items()
                if ours != theirs
            }
    return found


async def _both(
    conn: Any, real: dict[str, Any], people: dict[int, str]
) -> dict[str, tuple[set[Any], set[Any]]]:
    """For each kind of thing the set that is stored and the set that is true."""
    key = real["id"]
    return {
        "commits": (await _commits(conn, key), _git_commits(real["git_dir"])),
        "refs": (await _refs(conn, key), _git_refs(real["git_dir"])),
        "pulls": (await _pulls(conn, key, people), _true_pulls(real)),
        "reviews": (await _reviews(conn, key, people), _true_reviews(real)),
        "comments": (await _comments(conn, key), _true_comments(real)),
        "issues": (await _issues(conn, key, people), _true_issues(real)),
        "releases": (await _releases(conn, key), _true_releases(real)),
    }


async def _commits(conn: Any, key: int) -> set[str]:
    rows = select(commit.c.sha).where(commit.c.repository_id == key, commit.c.reachable)
    return set((await conn.execute(rows)).scalars())


async def _refs(conn: Any, key: int) -> set[tuple[str, str]]:
    rows = select(ref.c.name, ref.c.commit_sha).where(ref.c.repository_id == key, ref.c.name.like("refs/%"))
    return {(row.name, row.commit_sha) for row in await conn.execute(rows)}


async def _pulls(conn: Any, key: int, people: dict[int, str]) -> set[Any]:
    p = pull_request.c
    rows = select(
        p.number, p.state, p.draft, p.author_id, p.created_at, p.updated_at, p.closed_at, p.merged_at
    ).where(p.repository_id == key)
    return {
        (
            *(row.number, row.state, row.draft, people.get(row.author_id)),
            *(row.created_at, row.updated_at, row.closed_at, row.merged_at),
        )
        for row in await conn.execute(rows)
    }


async def _reviews(conn: Any, key: int, people: dict[int, str]) -> set[Any]:
    r = review.c
    rows = select(r.id, r.number, r.author_id, r.state, r.submitted_at).where(r.repository_id == key)
    return {
        (row.id, row.number, people.get(row.author_id), row.state, row.submitted_at)
        for row in await conn.execute(rows)
    }


async def _comments(conn: Any, key: int) -> set[Any]:
    """Comments on lines, and how many each review says it has."""
    c, r = review_comment.c, review.c
    rows = await conn.execute(select(c.id, c.number, c.review_id).where(c.repository_id == key))
    counts = await conn.execute(select(r.id, r.comments).where(r.repository_id == key))
    return {*map(tuple, rows), *map(tuple, counts)}


async def _issues(conn: Any, key: int, people: dict[int, str]) -> set[Any]:
    i = issue.c
    rows = select(i.number, i.state, i.author_id, i.created_at, i.updated_at, i.closed_at).where(
        i.repository_id == key
    )
    return {
        (row.number, row.state, people.get(row.author_id), row.created_at, row.updated_at, row.closed_at)
        for row in await conn.execute(rows)
    }


async def _releases(conn: Any, key: int) -> set[Any]:
    r = release.c
    rows = select(r.id, r.tag, r.name, r.draft, r.prerelease, r.created_at, r.published_at)
    return {tuple(row) for row in await conn.execute(rows.where(r.repository_id == key))}


def _git(git_dir: str, *args: str) -> list[str]:
    done = subprocess.run(["git", "-C", git_dir, *args], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def _git_commits(git_dir: str) -> set[str]:
    return set(_git(git_dir, "rev-list", "--branches", "--tags"))


def _git_refs(git_dir: str) -> set[tuple[str, str]]:
    """Every branch and tag with what it leads to in the end, through tags of tags too."""
    if not _git(git_dir, "for-each-ref", "refs/heads", "refs/tags"):
        return set()  # Where there is none, show-ref ends with an error.
    rows = [line.split(" ", 1) for line in _git(git_dir, "show-ref", "--heads", "--tags", "--dereference")]
    return set({name.removesuffix("^{}"): sha for sha, name in rows}.items())


def _true_pulls(real: dict[str, Any]) -> set[Any]:
    return {
        (
            *(
                each["number"],
                "merged" if each["merged_at"] else each["state"],
                each["draft"],
                each["author"],
            ),
            *(each["created_at"], each["updated_at"], each["closed_at"], each["merged_at"]),
        )
        for each in real["pulls"]
    }


def _true_reviews(real: dict[str, Any]) -> set[Any]:
    return {
        (each["id"], pull["number"], each["author"], each["state"], each["submitted_at"])
        for pull in real["pulls"]
        for each in pull["reviews"]
    }


def _true_comments(real: dict[str, Any]) -> set[Any]:
    reviews = [(pull["number"], each) for pull in real["pulls"] for each in pull["reviews"]]
    comments = {
        (each["id"] * 100 + line, number, each["id"])
        for number, each in reviews
        for line in range(1, each["comments"] + 1)
    }
    return comments | {(each["id"], each["comments"]) for _, each in reviews}


def _true_issues(real: dict[str, Any]) -> set[Any]:
    return {
        (
            *(each["number"], each["state"], each["author"]),
            *(each["created_at"], each["updated_at"], each["closed_at"]),
        )
        for each in real["issues"]
    }


def _true_releases(real: dict[str, Any]) -> set[Any]:
    names = ("id", "tag_name", "name", "draft", "prerelease", "created_at", "published_at")
    return {tuple(each[name] for name in names) for each in real["releases"]}
