"""Fills a database with an invented world, by the code that stores what a sync fetched and without network.

A world is made from its sizes alone: a few of its repositories hold most commits, words come as often as
words do (the hundredth is in one message of a hundred), and one of 2,000 people is alice, who wrote about
3 % of all. There are a tenth as many pull requests as commits, and half as many issues. It is twelve years
old, and nothing of it is newer than its `now`.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import Database
from trackeep.model import Commit, Signature
from trackeep.store import history, tables, tables_branches, tables_fetched, tables_sync

DAY_S = 86_400
YEARS_S = 12 * 365 * DAY_S
# As in the sandbox, so that its token signs in as her.
ALICE = 1001
PEOPLE, PAGE, WORDS = 2_000, 4_000, 30_000
ALICES_NUMBER, _FIRST_ID = 5, 10_000
_MOST_BRANCHES = 40
SUBJECTS = (
    *("fix", "add", "remove", "update", "use", "make", "test", "move", "rename", "allow", "handle"),
    *("support", "improve", "bump", "drop", "merge", "cache", "retry", "timeout", "error", "config"),
    *("build", "docs", "parser", "index", "query", "worker", "session", "token", "header", "page"),
)
LANGUAGES = (("Python", "#3572A5"), ("Go", "#00ADD8"), ("Rust", "#dea584"), ("TypeScript", "#3178c6"))
Row = dict[str, Any]


@dataclass(frozen=True)
class World:
    """How much there is; `now` in unix seconds."""

    commits: int
    repositories: int
    now: int

    def shares(self) -> list[int]:
        """How many commits each repository has, the first the most."""
        weights = [1 / (n + 4) for n in range(self.repositories)]
        counts = [max(1, round(self.commits * weight / sum(weights))) for weight in weights]
        counts[0] += self.commits - sum(counts)
        return counts


async def fill(db: Database, world: World) -> None:
    """Store all of it in an empty database."""
    async with db.write() as conn:
        await _people(conn, world)
        await _places(conn, world)
    for place, count in enumerate(world.shares()):
        chance = random.Random(place)
        made = list(commits(place, count, chance, world.now))
        await _store(db, place + 1, made)
        async with db.write() as conn:
            await _refs(conn, place + 1, made)
            await _talk(conn, (place + 1, count // 10), chance, world)
    async with db.write() as conn:
        await _cursors(conn, world)


async def _store(db: Database, repository_id: int, made: Sequence[Commit]) -> None:
    for start in range(0, len(made), PAGE):
        page = made[start : start + PAGE]
        async with db.write() as conn:
            shas = {each.sha for each in page}
            await history.save_commits(conn, repository_id, page, reachable=True, on_default=shas)


async def _add(conn: AsyncConnection, table: Table, rows: list[Row]) -> None:
    if rows:
        await conn.execute(insert(table), rows)


# ---- who and where ------------------------------------------------------------------------------


def person_id(number: int) -> int:
    return ALICE if number == ALICES_NUMBER else _FIRST_ID + number


def address(number: int) -> str:
    return f"person{number}@example.com"


def login(number: int) -> str:
    return "alice" if number == ALICES_NUMBER else f"p{number}"


async def _people(conn: AsyncConnection, world: World) -> None:
    everybody = range(PEOPLE)
    people = [
        {"id": person_id(n), "login": login(n), "name": f"Person {n}", "kind": "User"} for n in everybody
    ]
    await _add(conn, tables.person, people)
    known = [{"email": address(n), "person_id": person_id(n), "source": "commit"} for n in everybody]
    await _add(conn, tables_fetched.identity, known)
    began = world.now - 90 * DAY_S
    await _add(conn, tables.account, [{"id": ALICE, "role": "owner", "created_at": began}])
    await _add(conn, tables_sync.schedule, [{"account_id": ALICE, "due_at": world.now + 60}])


async def _places(conn: AsyncConnection, world: World) -> None:
    ids = range(1, world.repositories + 1)
    places = [
        {
            "id": n,
            "owner": f"acme{n % 50}",
            "name": f"r{n - 1}",
            "default_branch": "main",
            "fork": n % 20 == 0,
            "private": n % 3 == 0,
            "language": LANGUAGES[n % len(LANGUAGES)][0],
            "created_at": world.now - YEARS_S,
            "pushed_at": world.now - n * 60,
            "updated_at": world.now - n * 60,
        }
        for n in ids
    ]
    await _add(conn, tables.repository, places)
    began = world.now - 90 * DAY_S
    follows = [
        {"account_id": ALICE, "repository_id": n, "state": "tracked", "created_at": began} for n in ids
    ]
    await _add(conn, tables.follow, follows)
    # Proofs hold for a day; these for as long as the database is kept for measuring.
    proved = {"account_id": ALICE, "state": "granted", "checked_at": world.now + 365 * DAY_S}
    await _add(conn, tables.access, [{**proved, "repository_id": n} for n in ids])
    written = [
        {"repository_id": n, "name": name, "bytes": 10_000 * (place + 1), "color": colour}
        for n in ids
        for place, (name, colour) in enumerate(LANGUAGES[: 1 + n % len(LANGUAGES)])
    ]
    await _add(conn, tables_fetched.language, written)


async def _cursors(conn: AsyncConnection, world: World) -> None:
    """As if a pass had just found nothing new."""
    seen = {"attempted_at": world.now, "succeeded_at": world.now, "due_at": world.now + 3_600, "requests": 3}
    streams = ("commits", "pulls", "issues")
    rows = [
        {"account_id": ALICE, "repository_id": place, "stream": stream, "complete": True, "items": 1, **seen}
        for place in range(1, world.repositories + 1)
        for stream in streams
    ]
    account = [
        {**rows[0], "repository_id": 0, "stream": stream, "conditional": 2, "not_modified": 2}
        for stream in ("repositories", "changes")
    ]
    await _add(conn, tables_sync.cursor, [*rows, *account])
    runs = [
        {
            "account_id": ALICE,
            "started_at": world.now - n * 900,
            "finished_at": world.now - n * 900 + 2,
            "trigger": "poll",
            "outcome": "idle" if n % 4 else "done",
            "rest_requests": 2,
            "conditional": 2,
            "not_modified": 2,
        }
        for n in range(200)
    ]
    await _add(conn, tables_sync.run, runs)
    budgets = [
        {
            "account_id": ALICE,
            "resource": name,
            "limit": 5_000,
            "remaining": 4_800,
            "reset_at": world.now + 1_800,
            "seen_at": world.now,
        }
        for name in ("core", "graphql")
    ]
    await _add(conn, tables_sync.budget, budgets)


# ---- commits and branches -----------------------------------------------------------------------


def commits(place: int, count: int, chance: random.Random, now: int) -> Iterator[Commit]:
    """Those of the `place`th repository, oldest first; one in eight is a merge."""
    times = sorted(chance.randrange(now - YEARS_S, now) for _ in range(count))
    before: list[str] = []
    for number, at in enumerate(times):
        sha = hashlib.sha1(f"{place}.{number}".encode(), usedforsecurity=False).hexdigest()
        person = _somebody(chance)
        who = Signature(f"Person {person}", address(person), at, 60)
        merged = before[:-1][-1:] if chance.random() < 0.12 else []
        yield Commit(sha, (*before[-1:], *merged), who, who, message(chance))
        before = [*before[-7:], sha]


def message(chance: random.Random) -> str:
    first = min(len(SUBJECTS) - 1, int(chance.paretovariate(0.8)) - 1)
    rest = [min(WORDS, int(chance.paretovariate(0.5))) for _ in range(6)]
    some = chance.choices(SUBJECTS, k=2)
    return f"{SUBJECTS[first].capitalize()} {' '.join(some)} {' '.join(f'w{each}' for each in rest)}"


def _somebody(chance: random.Random) -> int:
    return min(PEOPLE - 1, int(chance.paretovariate(0.6)) - 1)


async def _refs(conn: AsyncConnection, repository_id: int, made: Sequence[Commit]) -> None:
    """The default branch, and up to forty that were left where it stood once."""
    tips = made[-1:] + made[-2 : -2 - min(_MOST_BRANCHES, len(made) // 20) : -1]
    refs = [
        {
            "repository_id": repository_id,
            "name": f"refs/heads/topic-{n}" if n else "refs/heads/main",
            "sha": tip.sha,
            "commit_sha": tip.sha,
            "first_seen_at": tip.committer.at,
            "moved_at": tip.committer.at,
        }
        for n, tip in enumerate(tips)
    ]
    await _add(conn, tables_fetched.ref, refs)
    changes = [
        {
            "repository_id": repository_id,
            "name": ref["name"],
            "kind": "moved",
            "after_sha": ref["sha"],
            "commits": 1,
            "seen_at": ref["moved_at"],
        }
        for ref in refs[:10]
    ]
    await _add(conn, tables_fetched.ref_change, changes)
    apart = [
        {
            "repository_id": repository_id,
            "base_sha": tips[0].sha,
            "head_sha": tip.sha,
            "ahead": 0,
            "behind": n,
        }
        for n, tip in enumerate(tips)
    ]
    await _add(conn, tables_branches.branch_distance, apart)


# ---- pull requests, reviews, issues -------------------------------------------------------------


async def _talk(conn: AsyncConnection, place: tuple[int, int], chance: random.Random, world: World) -> None:
    """`place` is the repository and how many pull requests it has; the newest thousandth of them are open."""
    repository_id, count = place
    times = sorted(chance.randrange(world.now - YEARS_S, world.now - DAY_S) for _ in range(count))
    pulls, reviews, asked = [], [], []
    for number, at in enumerate(times, start=1):
        is_open = number > count - max(1, count // 1_000)
        pull = _pull(repository_id, number, (at, is_open), chance, world)
        pulls.append(pull)
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            reviews.append(_review(pull, len(reviews), chance, world))
        if is_open and number % 2:
            asked.append({**_place_of(pull), "reviewer_id": ALICE, "requested_at": at, "team": ""})
    await _add(conn, tables_fetched.pull_request, pulls)
    await _add(conn, tables_fetched.review, reviews)
    await _add(conn, tables_fetched.review_request, asked)
    await _add(
        conn, tables_fetched.review_asked, [{k: v for k, v in a.items() if k != "team"} for a in asked]
    )
    await _add(conn, tables_fetched.issue, [_issue(pull, count) for pull in pulls[::2]])
    releases = [
        {
            "repository_id": repository_id,
            "id": repository_id * 1_000 + n,
            "tag": f"v{n}",
            "name": f"Version {n}",
            "author_id": ALICE,
            "created_at": pull["updated_at"],
            "published_at": pull["updated_at"],
        }
        for n, pull in enumerate(pulls[:: max(1, count // 20)])
    ]
    await _add(conn, tables_fetched.release, releases)


def _place_of(pull: Row) -> Row:
    return {name: pull[name] for name in ("repository_id", "number")}


def _pull(
    repository_id: int, number: int, when: tuple[int, bool], chance: random.Random, world: World
) -> Row:
    at, is_open = when
    done = None if is_open else min(world.now, at + int(chance.lognormvariate(11.0, 1.3)))
    is_merged = not is_open and chance.random() < 0.85
    lines = int(chance.lognormvariate(4.0, 1.5))
    head = hashlib.sha1(f"{repository_id}#{number}".encode(), usedforsecurity=False).hexdigest()
    return {
        "repository_id": repository_id,
        "number": number,
        "id": repository_id * 1_000_000 + number,
        "title": message(chance),
        "state": "open" if is_open else "merged" if is_merged else "closed",
        "author_id": person_id(_somebody(chance)),
        "base_ref": "main",
        "head_ref": f"topic-{number}",
        "head_sha": head,
        "created_at": at,
        "updated_at": done or world.now - number % 100 * 3_600,
        "closed_at": done,
        "merged_at": done if is_merged else None,
        "additions": lines,
        "deletions": lines // 3,
        "changed_files": 1 + lines // 40,
        "comments": number % 5,
        "ready_at": at,
        "first_commit_at": at - 7_200,
        "labels": '[{"name":"bug","color":"d73a4a"}]' if number % 9 == 0 else "[]",
        "detailed_at": world.now,
    }


def _review(pull: Row, so_far: int, chance: random.Random, world: World) -> Row:
    at = pull["created_at"] + int(chance.lognormvariate(9.5, 1.3))
    return {
        **_place_of(pull),
        "id": pull["repository_id"] * 1_000_000 + so_far,
        "author_id": person_id(_somebody(chance)),
        "state": chance.choice(("APPROVED", "APPROVED", "CHANGES_REQUESTED", "COMMENTED")),
        "submitted_at": min(world.now, at),
        "commit_sha": pull["head_sha"],
        "comments": 1,
    }


def _issue(pull: Row, pulls: int) -> Row:
    known = ("repository_id", "title", "author_id", "created_at", "updated_at", "closed_at")
    rest = {"number": pull["number"] + pulls, "state": "closed" if pull["closed_at"] else "open"}
    return {**{name: pull[name] for name in known}, **rest, "labels": "[]"}
