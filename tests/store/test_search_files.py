"""Searching by path finds exactly the commits a look at every single path would find, and nobody else's."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator

import pytest
from small_world import ALICE, ATLAS, BOB, HERON, MALLORY, NOW, SECRET, fill, reader
from sqlalchemy import select, update

from trackeep.database import Database
from trackeep.errors import UsageError
from trackeep.model import ChangedPaths
from trackeep.store import exports, following, paths, reports_commits
from trackeep.store.reports_access import Reader
from trackeep.store.reports_commits import CommitPage, Wanted
from trackeep.store.tables import follow
from trackeep.store.tables_fetched import commit

pytestmark = pytest.mark.anyio
FILES = (
    *("src/app.py", "src/apple/core.py", "lib/src/app.py", "src/App.java", "docs/guide/src.md", "README.md"),
    *("docs/readme.txt", "tests/test_app.py", "a_b/x%y.txt", "src", "srcs/deep/er/app.py", "axb/x1y.txt"),
    *("ÄPFEL/café.txt", "back\\slash", "with space/file one", "star*.txt", "src/app.pyc"),
)
WANTED = (
    *("src/app.py", "src", "src/", "/src", "/src/", "app", "APP.PY", "docs", "/docs/g", "*.py", "*.py*"),
    *("src/*", "/*/src/app.py", "a_b", "a_b/x%y", "d*/er", "readme", "/README.MD", "er/app", "Äpfel"),
    *("ÄPFEL", "café", "CAFÉ", "back\\", "with space/f", "star*", "s*c/app*.py", "nothing", "*", "src//"),
)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url)
    await fill(database)
    yield database
    await database.close()


def with_folders(*files: str) -> tuple[str, ...]:
    """Files with every folder they are in, as a comparison of trees finds them."""
    parts = (re.findall("[^/]+/?", name) for name in files)
    return tuple(sorted({"".join(each[:end]) for each in parts for end in range(1, len(each) + 1)}))


async def ask(db: Database, account_id: int, *places: int) -> None:
    async with db.write() as conn:
        await following.ask_for_files(conn, account_id, places, NOW)


async def change(db: Database, place: int, *, seed: int = 5) -> dict[str, set[str]]:
    """Give every commit of a repository up to three files; which, by sha."""
    dice = random.Random(seed)
    async with db.write() as conn:
        rows = await conn.execute(select(commit.c.id, commit.c.sha).where(commit.c.repository_id == place))
        made = {row.id: (row.sha, set(dice.sample(FILES, dice.randint(0, 3)))) for row in rows}
        found = {key: ChangedPaths(with_folders(*files)) for key, (_, files) in made.items()}
        await paths.save(conn, place, found)
    return dict(made.values())


async def search(db: Database, words: str, who: Reader) -> CommitPage:
    async with db.read() as conn:
        return await reports_commits.search(conn, who, Wanted(words=words))


async def shas(db: Database, words: str, who: Reader | None = None) -> set[str]:
    return {row.sha for row in (await search(db, words, who or reader())).rows}


def lowered(text: str) -> str:
    return "".join(each.lower() if each.isascii() else each for each in text)


def is_meant(value: str, file: str) -> bool:
    """The rule as it is written in docs/search.md, over whole paths of files alone."""
    value, file = re.sub("/+", "/", lowered(value)), lowered(file)
    start, value = ("" if value.startswith("/") else "(?:.*/)?"), value.lstrip("/")
    bare = value.rstrip("/")
    folders, slash, last = bare.rpartition("/")

    def glob(text: str, star: str) -> str:
        return star.join(map(re.escape, text.split("*")))

    end = "/.*" if value.endswith("/") else "(?:/.*)?" if "*" in last else ".*"
    return bool(
        re.fullmatch(start + glob(folders + slash, ".*") + glob(last, "[^/]*") + end, file, re.DOTALL)
    )


async def test_exactly_what_a_look_at_each_path_finds(db: Database) -> None:
    """Prefixes, parts, anchors, folders, stars, letters of other scripts, what means something in SQL."""
    await ask(db, ALICE, ATLAS)
    changed = await change(db, ATLAS)
    found_some = 0
    for value in WANTED:
        query = f'"{value}"'
        expected = {sha for sha, files in changed.items() if any(is_meant(value, file) for file in files)}
        found_some += bool(expected)
        assert await shas(db, f"repo:atlas path:{query}") == expected, query
        assert await shas(db, f"repo:atlas -path:{query}") == changed.keys() - expected, query
    assert found_some > 20


async def test_paths_together_with_everything_else(db: Database) -> None:
    """Two paths are alternatives, one that is ruled out takes away, words and filters hold besides."""
    await ask(db, ALICE, ATLAS)
    changed = await change(db, ATLAS)
    has = {name: {sha for sha, files in changed.items() if name in files} for name in FILES}
    assert (
        await shas(db, "path:/README.md path:/docs/readme.txt") == has["README.md"] | has["docs/readme.txt"]
    )
    src = {sha for sha, files in changed.items() if any(is_meant("/src/", each) for each in files)}
    assert await shas(db, "path:/src/ -path:/src/app.py") == src - {
        sha for sha, files in changed.items() if any(is_meant("/src/app.py", each) for each in files)
    }
    one = min(src)
    assert await shas(db, f"path:/src/ {one}") == {one}
    assert await shas(db, "path:/src/ author:nobody") == set()


async def test_where_files_were_searched_is_said(db: Database) -> None:
    """Nowhere: a sentence that says how to ask. In some repositories: in how many of how many."""
    for words in ("path:src", "-path:src", "path:src repo:atlas"):
        with pytest.raises(UsageError, match="only when you ask for it"):
            await search(db, words, reader())
    await ask(db, ALICE, ATLAS)
    await change(db, ATLAS)
    assert (await search(db, "path:src", reader())).with_files == (1, 2)
    assert (await search(db, "path:src repo:atlas", reader())).with_files == (1, 1)
    assert (await search(db, "change", reader())).with_files is None
    with pytest.raises(UsageError):
        await search(db, "path:src repo:heron", reader())


async def test_what_is_not_known_is_neither(db: Database) -> None:
    """Commits that were not compared are not without a path; of one that was cut what it has is known."""
    await ask(db, ALICE, ATLAS, HERON)
    async with db.write() as conn:
        rows = await conn.execute(select(commit.c.sha, commit.c.id).where(commit.c.repository_id == ATLAS))
        number = {row.sha: row.id for row in rows}
        cut = ChangedPaths(with_folders("src/app.py"), is_cut=True)
        await paths.save(conn, ATLAS, {number["a1"]: cut, number["a2"]: ChangedPaths(("README.md",))})
    assert await shas(db, "path:app.py") == {"a1"}
    assert await shas(db, "-path:docs") == {"a2"}
    assert await shas(db, "-path:README.md") == set()


async def test_a_second_time_changes_nothing(db: Database) -> None:
    """What was compared by two accounts at once is stored once."""
    await ask(db, ALICE, ATLAS)
    changed = await change(db, ATLAS)
    await change(db, ATLAS, seed=6)
    for value in ("src", "*.py", "README.md"):
        expected = {sha for sha, files in changed.items() if any(is_meant(value, each) for each in files)}
        assert await shas(db, f"repo:atlas path:{value}") == expected


async def test_nobody_else_finds_them(db: Database) -> None:
    """Bob's private paths are nobody's to find, count, export or be told of; mallory is told of none."""
    await ask(db, BOB, SECRET)
    await change(db, SECRET)
    bobs, everything = reader(BOB), " ".join(f"path:{query}" for query in ("*", "src"))
    assert (await search(db, everything, bobs)).with_files == (1, 2)
    assert await shas(db, everything, bobs)
    for who in (reader(ALICE), reader(MALLORY)):
        for words in (everything, f"{everything} repo:bob/secret-plan", "-path:nothing"):
            try:
                found = await search(db, words, who)
            except UsageError as error:
                assert "secret" not in repr(error)
            else:
                assert (found.rows, found.count, found.with_files or (0, 0)) == ((), 0, (0, 0))
    for account_id, has_some in ((BOB, True), (ALICE, False), (MALLORY, False)):
        async with db.read() as conn:
            found_rows = [
                row
                async for block in exports.rows(conn, reader(account_id), exports.changed_paths)
                for row in block
            ]
        assert bool(found_rows) == has_some
        assert not any(row["path"].endswith("/") for row in found_rows)
        assert {tuple(row) for row in found_rows} <= {("repository_id", "sha", "path")}


async def test_files_that_others_asked_for_are_found_too(db: Database) -> None:
    """Rows are shared with whoever may read the repository; they go with the last who asked."""
    await ask(db, BOB, ATLAS)
    await change(db, ATLAS)
    assert await shas(db, "repo:atlas path:*") == await shas(db, "repo:atlas path:*", reader(BOB)) != set()
    async with db.write() as conn:
        await following.give_up_files(conn, BOB, [ATLAS])
    with pytest.raises(UsageError):
        await search(db, "path:*", reader())
    async with db.write() as conn:
        await conn.execute(update(follow).values(files=True))
    assert await shas(db, "path:*") == set()


@pytest.mark.parametrize(
    "words", ["path:*" + "a" * 60, "path:a*b*c*d*e*f", " ".join(f"path:*{n}" for n in range(5))]
)
async def test_a_star_costs_no_more_than_it_may(db: Database, words: str) -> None:
    """What would be compared with every name at length is refused in one sentence."""
    async with db.read() as conn:
        with pytest.raises(UsageError, match=r"\*"):
            await reports_commits.search(conn, reader(), Wanted(words=words))
