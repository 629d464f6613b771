"""Searching commits finds exactly those that a look at every single one would find, and nobody else's."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

import pytest
from small_world import ALICE, ATLAS, BOB, HERON, MALLORY, SECRET, at, fill, reader
from sqlalchemy import text

from trackeep.database import Database
from trackeep.errors import UsageError
from trackeep.model import Commit, Signature
from trackeep.store import activity, commit_words, departures, history, reports_commits
from trackeep.store import tables_fetched as fetched
from trackeep.store.reports_access import Reader
from trackeep.store.reports_commits import Wanted

pytestmark = pytest.mark.anyio
NAMES = {ATLAS: "fernhill/atlas", HERON: "alice/heron", SECRET: "bob/secret-plan"}
VISIBLE = {ALICE: {ATLAS, HERON}, BOB: {ATLAS, SECRET}}
WORDS = ("fix", "cache", "Cache", "cache_key", "retry", "re-try", "the", "added", "x1e5", "a/b.c", "don't")
PEOPLE = {
    "alice": ("Alice Moreau", "alice@fernhill.example"),
    "bob": ("Bob Okafor", "BOB@x.example"),
    "": ("Nobody Known", "nobody@x.example"),
}


@dataclass(frozen=True)
class Made:
    """An invented commit with what a filter may look at."""

    place: int
    commit: Commit
    login: str

    @property
    def words(self) -> list[str]:
        return re.findall(r"[a-z0-9]+", self.commit.message.lower())

    @property
    def name_words(self) -> list[str]:
        return self.commit.author.name.lower().split()

    def has(self, *phrase: str) -> bool:
        size = len(phrase)
        return any(
            tuple(words[n : n + size]) == phrase
            for words in (self.words, self.name_words)
            for n in range(len(words))
        )


Part = tuple[str, Callable[[Made], bool]]
DAY = at("2026-11-10 00:00")
PARTS: tuple[Part, ...] = (
    ("fix", lambda c: c.has("fix")),
    ("CACHE", lambda c: c.has("cache")),
    ("-retry", lambda c: not c.has("retry")),
    ('"fix cache"', lambda c: c.has("fix", "cache")),
    ('"the cache key"', lambda c: c.has("the", "cache", "key")),
    ('-"the cache"', lambda c: not c.has("the", "cache")),
    ("cache_key", lambda c: c.has("cache", "key")),
    ("re-try", lambda c: c.has("re", "try")),
    ("a/b.c", lambda c: c.has("a", "b", "c")),
    ("don't", lambda c: c.has("don", "t")),
    ("x1e5", lambda c: c.has("x1e5")),
    ("re*", lambda c: any(word.startswith("re") for word in (*c.words, *c.name_words))),
    ("moreau", lambda c: c.has("moreau")),
    ('"Alice Moreau"', lambda c: c.has("alice", "moreau")),
    ("author:alice", lambda c: c.login == "alice"),
    ("author:me", lambda c: c.login == "alice"),
    ("-author:bob", lambda c: c.login != "bob"),
    ('author:"nobody known"', lambda c: c.login == ""),
    ("committer:bob", lambda c: c.commit.committer.email == "BOB@x.example"),
    ("is:mine", lambda c: c.login == "alice"),
    ("-is:mine", lambda c: c.login != "alice"),
    ("is:merge", lambda c: len(c.commit.parents) > 1),
    ("-is:merge", lambda c: len(c.commit.parents) <= 1),
    ("is:verified", lambda c: c.commit.signed),
    ("repo:fernhill/atlas", lambda c: c.place == ATLAS),
    ("repo:HERON", lambda c: c.place == HERON),
    ("repo:secret-plan", lambda c: c.place == SECRET),
    ("-repo:heron", lambda c: c.place != HERON),
    ("owner:alice", lambda c: c.place == HERON),
    ("since:2026-11-10", lambda c: c.commit.committer.at >= DAY),
    ("before:2026-11-10", lambda c: c.commit.committer.at < DAY),
    ("until:2026-11-09", lambda c: c.commit.committer.at < DAY),
    ("after:2026-11-09", lambda c: c.commit.committer.at >= DAY),
)


def invented(seed: int, count: int = 240) -> list[Made]:
    """Commits of three repositories; some of atlas are in its fork heron, too."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        login = chance.choice(list(PEOPLE))
        name, email = PEOPLE[login]
        # Many share a second, so that a page may end within one.
        when = at("2026-11-01 00:00") + chance.randrange(20) * 86_400 + chance.randrange(3)
        committer = PEOPLE[chance.choice(["alice", "bob"])]
        sha = f"{number:04x}" + "".join(chance.choices("0123456789abcdef", k=36))
        body = " ".join(chance.choices(WORDS, k=chance.randrange(1, 6)))
        commit = Commit(
            sha,
            ("0" * 40,) * chance.choice([1, 1, 2]),
            Signature(name, email, when - 60, 60),
            Signature(*committer, when, 0),
            body + chance.choice(["", "\n\nlonger text"]),
            chance.random() < 0.3,
        )
        place = chance.choice([ATLAS, ATLAS, HERON, SECRET])
        found.append(Made(place, commit, login))
        if place == ATLAS and chance.random() < 0.3:
            found.append(Made(HERON, commit, login))
    return found


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url)
    try:
        await fill(database)
        async with database.write() as conn:
            await commit_words.forget_all(conn)
            await conn.execute(fetched.commit.delete())
        yield database
    finally:
        await database.close()


async def save(db: Database, made: list[Made]) -> None:
    async with db.write() as conn:
        for place in NAMES:
            here = [each.commit for each in made if each.place == place]
            # In pieces, and once more: what is stored already is not found twice.
            for start in range(0, len(here), 30):
                await history.save_commits(conn, place, here[start : start + 40], reachable=True)


async def found(db: Database, who: Reader, words: str, limit: int = 40) -> tuple[list[str], int]:
    """The shas of all pages, and the number the first one gave."""
    shas, wanted, count = [], Wanted(words=words), -1
    async with db.read() as conn:
        while True:
            page = await reports_commits.search(conn, who, wanted, limit=limit)
            count = page.count if count < 0 else count
            shas += [row.sha for row in page.rows]
            if page.after is None:
                return shas, count
            assert page.rows
            wanted = replace(wanted, after=page.after)


def expected(made: list[Made], account_id: int, parts: list[Part]) -> list[str]:
    rows = [each for each in made if each.place in VISIBLE[account_id]]
    keys = {(c.commit.committer.at, c.commit.sha) for c in rows if all(test(c) for _, test in parts)}
    return [sha for _, sha in sorted(keys, reverse=True)]


async def test_a_search_finds_what_a_look_at_every_commit_finds(db: Database) -> None:
    """Each part alone, and a hundred times some of them together: the same commits in the same order."""
    made = invented(1)
    await save(db, made)
    chance = random.Random(2)
    several = [chance.sample(PARTS, k=chance.choice([2, 2, 3])) for _ in range(100)]
    # Values of one key are alternatives; they have a test of their own.
    mixed = [parts for parts in several if len({key(text) for text, _ in parts}) == len(parts)]
    hits = 0
    for parts in [[each] for each in PARTS] + mixed:
        words = " ".join(text for text, _ in parts)
        shas, count = await found(db, reader(), words)
        assert shas == expected(made, ALICE, parts), words
        assert count == len(shas), words
        hits += bool(shas)
    assert hits > 50


def key(part: str) -> str:
    """One of a kind: two words are no two values of a key."""
    name, colon, value = part.lstrip("-").partition(":")
    dates = ("since", "after", "until", "before")
    if not colon or name in dates:
        return part
    return name + (value if name == "is" else "")


async def test_values_of_one_key_are_alternatives(db: Database) -> None:
    """Of two authors either may be it, and neither when both are ruled out."""
    made = invented(3)
    await save(db, made)
    for words, test in (
        ("author:alice author:bob", lambda c: c.login != ""),
        ("-author:alice -author:bob fix", lambda c: c.login == "" and c.has("fix")),
        ("repo:atlas repo:heron cache", lambda c: c.has("cache")),
        ("is:merge is:verified", lambda c: len(c.commit.parents) > 1 and c.commit.signed),
    ):
        assert (await found(db, reader(), words))[0] == expected(made, ALICE, [(words, test)]), words


async def test_a_sha_finds_its_commit_and_the_word_its_messages(db: Database) -> None:
    """Four digits or more of a sha; a word that could be one is still a word, and nothing comes twice."""
    made = [each for each in invented(4) if each.place != SECRET]
    word = next(each for each in made if "added" in each.words)
    by_sha = replace(made[0], commit=replace(made[0].commit, sha="added" + "0" * 35, message="Something"))
    both = replace(made[1], commit=replace(word.commit, sha="added" + "1" * 35))
    await save(db, [*made, by_sha, both])
    every = expected(
        [*made, by_sha, both], ALICE, [("", lambda c: c.has("added") or c.commit.sha.startswith("added"))]
    )
    assert await found(db, reader(), "added") == (every, len(every))
    sha = made[7].commit.sha
    assert (await found(db, reader(), sha[:10]))[0] == [sha]
    assert (await found(db, reader(), sha.upper()))[0] == [sha]
    assert (await found(db, reader(), f"{sha[:10]} repo:nowhere"))[0] == []


async def test_nobody_finds_or_counts_what_others_may_not_read(db: Database) -> None:
    """bob's private repository is found by him alone: by word, sha, name, author; mallory finds nothing."""
    made = invented(5)
    await save(db, made)
    secret = next(each for each in made if each.place == SECRET)
    shas = {each.commit.sha for each in made if each.place == SECRET}
    for words in (
        "fix",
        "-fix",
        secret.commit.sha[:8],
        "repo:secret-plan",
        "owner:bob",
        "author:bob",
        "is:merge",
    ):
        mine, count = await found(db, reader(), words)
        assert not shas & set(mine) and count == len(mine), words
        assert await found(db, reader(MALLORY), words) == ([], 0)
    assert (await found(db, reader(BOB), "repo:secret-plan"))[1] == len(shas)
    assert (await found(db, reader(BOB), secret.commit.sha[:8]))[0] == [secret.commit.sha]


@pytest.mark.parametrize(
    "words",
    [
        *(
            '"',
            '""""',
            "NEAR(fix cache)",
            "fix AND OR NOT",
            "tags:every",
            "'",
            "fix'--",
            "fix) OR (cache",
            "{message}",
        ),
        *(
            "fix\0cache",
            "%",
            "100%",
            "\\",
            "fix & !cache | the:*",
            "<->",
            "*",
            "***fix***",
            "^fix",
            "-",
            "--fix",
        ),
        *(
            "é" * 400,
            "a" * 10_000,
            " ".join("abcdefgh" * 40),
            "😀",
            "\ud800",
            "-fix -cache",
            "every",
            "r10",
            "0author0",
        ),
    ],
)
async def test_hostile_searches_are_searches_or_refused(db: Database, words: str) -> None:
    """No text reaches the database's own language: an answer of one's own commits, or one sentence."""
    made = invented(6, 40)
    await save(db, made)
    try:
        shas, count = await found(db, reader(), words)
    except UsageError:
        return
    assert count == len(shas)
    assert set(shas) <= set(expected(made, ALICE, []))


async def test_a_file_is_refused_in_words(db: Database) -> None:
    """Where nobody has asked for the files of a repository, that is said."""
    with pytest.raises(UsageError, match="path:"):
        await found(db, reader(), "path:src fix")


async def test_branches(db: Database) -> None:
    """The default branch has its commits; another one what it has beside them."""
    chain = [Commit(f"{n:040x}", (f"{n - 1:040x}",) if n else (), *who(n), f"Step {n}") for n in range(6)]
    main, topic = "refs/heads/main", "refs/heads/topic"
    async with db.write() as conn:
        await history.save_commits(conn, ATLAS, chain, reachable=True, on_default={c.sha for c in chain[:4]})
        for name, tip in ((main, 3), (topic, 5)):
            row = fetched.ref.update().where(fetched.ref.c.repository_id == ATLAS, fetched.ref.c.name == name)
            await conn.execute(row.values(commit_sha=chain[tip].sha))
    shas = [each.sha for each in reversed(chain)]
    assert (await found(db, reader(), "branch:main"))[0] == shas[2:]
    assert (await found(db, reader(), "branch:topic"))[0] == shas[:2]
    assert (await found(db, reader(), "branch:topic step -5"))[0] == shas[1:2]
    assert (await found(db, reader(), "branch:nowhere"))[0] == []


def who(number: int) -> tuple[Signature, Signature]:
    one = Signature("Alice Moreau", "alice@fernhill.example", at("2026-11-20 09:00") + number, 0)
    return one, one


async def test_by_author_date_too(db: Database) -> None:
    """Ordered by the author's dates, words find the same commits."""
    made = invented(7)
    await save(db, made)
    async with db.read() as conn:
        page = await reports_commits.search(conn, reader(), Wanted(words="fix", dated="author"), limit=500)
    assert {row.sha for row in page.rows} == set(expected(made, ALICE, [("", lambda c: c.has("fix"))]))
    assert [row.at for row in page.rows] == sorted((row.authored_at for row in page.rows), reverse=True)


@pytest.mark.parametrize("how", ["unfollowed", "deleted", "emptied"])
async def test_words_go_with_their_repository(db: Database, how: str) -> None:
    """After a repository's data are deleted nothing of it is found, nor left in the full text."""
    made = invented(8)
    await save(db, made)
    async with db.write() as conn:
        if how == "unfollowed":
            await activity.forget_activity(conn, [ATLAS])
        elif how == "deleted":
            await departures.forget(conn, ATLAS)
        else:
            await activity.forget_activity(conn, list(NAMES))
    kept = [] if how == "emptied" else [each for each in made if each.place != ATLAS]
    assert (await found(db, reader(), "fix"))[0] == expected(kept, ALICE, [("", lambda c: c.has("fix"))])
    if db.is_sqlite:
        async with db.read() as conn:
            left = await conn.execute(
                text("select count(*) from commit_words where commit_words match 'every'")
            )
            assert left.scalar_one() == len(kept)
    if how != "deleted":
        # What comes again is found again.
        await save(db, made)
        assert (await found(db, reader(), "fix"))[0] == expected(made, ALICE, [("", lambda c: c.has("fix"))])


async def test_times_out_of_the_ordinary(db: Database) -> None:
    """Git takes any date: before 1970 and thousands of years from now are found and ordered as well."""
    times = (-(10**9), -1, 0, 1, 2**33, 2**40)
    made = [
        Commit(f"{n:040x}", (), *[Signature("A", "a@x.example", t, 0)] * 2, "fix")
        for n, t in enumerate(times)
    ]
    async with db.write() as conn:
        await history.save_commits(conn, ATLAS, made, reachable=True)
    shas, count = await found(db, reader(), "fix", limit=2)
    assert (shas, count) == ([each.sha for each in reversed(made)], 6)
