"""Branches and tags: what happened to them and what they reach, compared with plain graph arithmetic."""

from __future__ import annotations

import itertools
import random
from collections.abc import AsyncIterator, Mapping

import pytest
from sqlalchemy import select

from trackeep.database import Database, upsert
from trackeep.model import Commit, Ref, Signature
from trackeep.store import tables
from trackeep.store import tables_fetched as fetched
from trackeep.store.history import save_commits
from trackeep.store.refs import HEAD, RefChange, save_refs, stored_refs, with_head

pytestmark = pytest.mark.anyio
WHO = Signature("Alice", "alice@x", 1_700_000_000, 0)
MAIN = "refs/heads/main"
Graph = dict[str, tuple[str, ...]]


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    db = await Database.open(database_url)
    async with db.write() as conn:
        rows = [{"id": number, "owner": "alice", "name": f"r{number}"} for number in range(1, 40)]
        await upsert(conn, tables.repository, rows, key=("id",))
    yield db
    await db.close()


def sha(number: int) -> str:
    return f"{number:040x}"


def ancestors(graph: Graph, *tips: str) -> set[str]:
    seen: set[str] = set()
    stack = [tip for tip in tips if tip in graph]
    while stack:
        if (each := stack.pop()) not in seen:
            seen.add(each)
            stack.extend(graph[each])
    return seen


async def sync(
    db: Database,
    number: int,
    added: Mapping[str, tuple[str, ...]],
    tips: dict[str, str],
    *,
    seen_at: int = 5,
    head: str = MAIN,
) -> list[RefChange]:
    """What one fetch writes: `added` commits (parents first), then the refs as `tips` say."""
    after = with_head([Ref(name, tip, tip) for name, tip in tips.items()], head)
    commits = [Commit(each, parents, WHO, WHO, "Work") for each, parents in added.items()]
    async with db.write() as conn:
        before = await stored_refs(conn, number)
        await save_commits(conn, number, commits, reachable=not before)
        return await save_refs(conn, number, before, after, seen_at=seen_at)


async def flags(db: Database, number: int) -> tuple[set[str], set[str]]:
    """The commits marked reachable, and those marked as on the default branch."""
    columns = (
        fetched.commit.c.sha,
        fetched.commit.c.reachable,
        fetched.commit.c.on_default,
    )
    async with db.read() as conn:
        rows = (await conn.execute(select(*columns).where(fetched.commit.c.repository_id == number))).all()
    return {row.sha for row in rows if row.reachable}, {row.sha for row in rows if row.on_default}


def chain(*numbers: int) -> Graph:
    """`numbers` one after the other, the first one standing on nothing new."""
    return {sha(each): (sha(before),) for before, each in itertools.pairwise(numbers)}


async def test_the_first_fetch_is_no_news(db: Database) -> None:
    """Nothing counts as created when it was merely unknown; refs and flags are there all the same."""
    added = {sha(1): (), **chain(1, 2), **chain(1, 3)}
    assert await sync(db, 1, added, {MAIN: sha(2), "refs/tags/v1": sha(3)}) == []
    assert await flags(db, 1) == ({sha(1), sha(2), sha(3)}, {sha(1), sha(2)})
    async with db.read() as conn:
        assert set(await stored_refs(conn, 1)) == {MAIN, "refs/tags/v1", HEAD}


async def test_what_happens_to_a_branch(db: Database) -> None:
    """Created, moved, forced and deleted are told apart, with the commits that only the branch has."""
    await sync(db, 1, {sha(1): (), **chain(1, 2, 3)}, {MAIN: sha(3)})
    topic = "refs/heads/topic"
    seen = []
    steps: list[tuple[Graph, dict[str, str]]] = [
        (chain(3, 4, 5), {MAIN: sha(3), topic: sha(5)}),
        (chain(5, 6), {MAIN: sha(3), topic: sha(6)}),
        (chain(4, 7), {MAIN: sha(3), topic: sha(7)}),
        ({sha(8): (sha(3), sha(7))}, {MAIN: sha(8), topic: sha(7)}),
        ({}, {MAIN: sha(8), topic: sha(3)}),
        ({}, {MAIN: sha(8), topic: sha(8)}),
        ({}, {MAIN: sha(8)}),
    ]
    for added, tips in steps:
        seen += [(change.name, change.kind, change.commits) for change in await sync(db, 1, added, tips)]
    assert seen == [
        (topic, "created", 2),
        (topic, "moved", 1),
        (topic, "forced", 1),
        (MAIN, "moved", 3),
        (topic, "forced", 0),
        (topic, "moved", 0),
        (topic, "deleted", 0),
    ]
    assert (await flags(db, 1))[0] == {sha(each) for each in (1, 2, 3, 4, 7, 8)}
    async with db.read() as conn:
        assert len((await conn.execute(select(fetched.ref_change))).all()) == 7


async def test_times_of_a_ref(db: Database) -> None:
    """A ref knows when it was first seen and when it moved last; one that rests is not written."""
    await sync(db, 1, {sha(1): (), **chain(1, 2)}, {MAIN: sha(1), "refs/tags/v1": sha(1)}, seen_at=10)
    await sync(db, 1, {}, {MAIN: sha(2), "refs/tags/v1": sha(1)}, seen_at=20)
    async with db.read() as conn:
        rows = (await conn.execute(select(fetched.ref))).all()
    times = {row.name: (row.first_seen_at, row.moved_at) for row in rows}
    assert times == {MAIN: (10, 20), HEAD: (10, 20), "refs/tags/v1": (10, 10)}


async def test_another_default_branch(db: Database) -> None:
    """When the default branch changes, so does what counts as on it, and back again."""
    added = {sha(1): (), **chain(1, 2), **chain(1, 3)}
    tips = {MAIN: sha(2), "refs/heads/next": sha(3)}
    await sync(db, 1, added, tips)
    assert await sync(db, 1, {}, tips, head="refs/heads/next") == []
    assert (await flags(db, 1))[1] == {sha(1), sha(3)}
    await sync(db, 1, {}, tips, head="refs/heads/none")
    assert (await flags(db, 1))[1] == set()


async def test_long_branches(db: Database) -> None:
    """Hundreds of commits one after the other are walked whole, whatever is read at once."""
    await sync(db, 1, {sha(1): (), **chain(*range(1, 301))}, {MAIN: sha(1)})
    await sync(db, 1, chain(1, *range(301, 501)), {MAIN: sha(300), "refs/heads/long": sha(500)})
    changes = await sync(db, 1, {}, {MAIN: sha(200), "refs/heads/long": sha(400)})
    assert [(change.kind, change.commits) for change in changes] == [("forced", 0), ("forced", 0)]
    reached, default = await flags(db, 1)
    assert (len(reached), len(default)) == (300, 200)


async def test_an_older_list_of_refs_is_not_written(db: Database) -> None:
    """A worker that was overtaken by another one writes nothing and reports nothing."""
    await sync(db, 1, {sha(1): (), **chain(1, 2)}, {MAIN: sha(1)})
    async with db.write() as conn:
        stale = await stored_refs(conn, 1)
    await sync(db, 1, {}, {MAIN: sha(2)})
    async with db.write() as conn:
        assert await save_refs(conn, 1, stale, with_head([Ref(MAIN, sha(1), sha(1))], MAIN), seen_at=9) == []
        assert (await stored_refs(conn, 1))[MAIN].commit_sha == sha(2)


def grow(rng: random.Random, graph: Graph) -> Graph:
    """Up to 30 more commits anywhere in the history, some of them merges or new beginnings."""
    added: Graph = {}
    for _ in range(rng.randrange(30)):
        known = [*graph, *added]
        count = min(len(known), rng.choice((0, 1, 1, 1, 1, 1, 1, 2, 2, 3)))
        added[sha(len(known) + 1)] = tuple(rng.sample(known[-40:], min(count, len(known[-40:]))))
    return added


def move(rng: random.Random, graph: Graph, tips: dict[str, str]) -> dict[str, str]:
    """Branches and tags created, deleted and put anywhere; names that lead to no commit too."""
    moved = {name: tip for name, tip in tips.items() if rng.random() > 0.15}
    for name in [MAIN, *(f"refs/heads/b{n}" for n in range(4)), "refs/tags/t1"]:
        if graph and rng.random() < 0.4:
            moved[name] = rng.choice([*list(graph)[-15:], rng.choice(list(graph))])
    if rng.random() < 0.2:
        moved["refs/tags/tree"] = "f" * 40
    return moved


async def test_any_history_of_refs(db: Database) -> None:
    """After each of many random fetches the flags and the kinds of changes equal those of the whole graph."""
    for seed in range(1, 13):
        rng = random.Random(seed)
        graph: Graph = {}
        tips: dict[str, str] = {}
        for _ in range(12):
            added = grow(rng, graph)
            before, graph = tips, graph | added
            tips = move(rng, graph, tips)
            changes = await sync(db, seed, added, tips)
            reached = ancestors(graph, *tips.values()), ancestors(graph, tips.get(MAIN, ""))
            assert await flags(db, seed) == reached
            check_changes(graph, before, tips, changes)


def check_changes(
    graph: Graph, before: dict[str, str], tips: dict[str, str], changes: list[RefChange]
) -> None:
    for change in changes:
        if change.kind in ("moved", "forced"):
            forwards = change.before_sha in ancestors(graph, change.after_sha)
            assert change.kind == ("moved" if forwards else "forced")
    if before:
        assert {change.name for change in changes} == {name for name, _ in before.items() ^ tips.items()}
