"""mallory writes what a terminal would obey into titles, names and messages; here it is only text."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
from programs import run
from small_world import ALICE, ATLAS, BOB, MALLORY, fill
from sqlalchemy import update
from terminal import on_terminal

from trackeep.database import Database
from trackeep.store import tables
from trackeep.store import tables_fetched as fetched

# Clears the screen, sets the title of the window, writes into the clipboard, moves up, and turns round.
EVIL = "\x1b[2J\x1b]0;owned\x07\x1b]52;c;cm0gLXJm\x07\x9b1A\r\x08\u202egnp.exe"
TEXT_COMMANDS = (
    ["status"],
    ["pr", "list"],
    ["pr", "list", "--state", "all"],
    ["pr", "view", "fernhill/atlas#4"],
    ["pr", "stats", "--csv"],
    ["commit", "list"],
    ["commit", "search", "gnp"],
    ["branch", "list"],
    ["repo", "list"],
    ["stats", "--group-by", "repo", "--csv", "--period", "all"],
    ["standup", "--since", "2026-11-01"],
    ["standup", "--since", "2026-11-01", "--format", "html"],
    ["report", "weekly", "--week", "2026-11-18"],
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The small world, where every word that somebody at GitHub may choose is mallory's."""
    folder = tmp_path_factory.mktemp("evil")

    async def prepare() -> None:
        db = await Database.open(f"sqlite:///{folder / 'trackeep.db'}")
        await fill(db, int(time.time()))
        async with db.write() as conn:
            await conn.execute(update(fetched.commit).values(message=EVIL, author_name=EVIL))
            await conn.execute(
                update(fetched.pull_request).values(title=EVIL, head_ref=EVIL, base_ref=EVIL, checks=EVIL)
            )
            await conn.execute(update(fetched.issue).values(title=EVIL))
            await conn.execute(update(fetched.review).values(state=EVIL))
            await conn.execute(
                update(fetched.ref)
                .where(fetched.ref.c.name == "refs/heads/topic")
                .values(name=f"refs/heads/{EVIL}")
            )
            await conn.execute(
                update(tables.person).where(tables.person.c.id.in_([BOB, MALLORY])).values(login=EVIL)
            )
            await conn.execute(
                update(tables.repository).where(tables.repository.c.id == ATLAS).values(language=EVIL)
            )
            await conn.execute(
                update(tables.connection)
                .where(tables.connection.c.account_id == ALICE)
                .values(state="reconnect", problem=EVIL)
            )
        await db.close()

    asyncio.run(prepare())
    return {"TRACKEEP_DATA_DIR": str(folder)}


@pytest.mark.parametrize("words", TEXT_COMMANDS, ids=" ".join)
def test_nothing_that_somebody_wrote_moves_the_cursor(home: dict[str, str], words: list[str]) -> None:
    """Neither on stdout nor on stderr stands a control character but the end of a line."""
    done = run(*words, "--account", "alice", env=home)
    assert done.returncode == 0, done.stderr
    for text in (done.stdout, done.stderr):
        harmful = {one for one in text if (ord(one) < 32 or 127 <= ord(one) < 160) and one != "\n"}
        assert not harmful and "\u202e" not in text


def test_json_holds_what_was_written_and_shows_nothing_of_it(home: dict[str, str]) -> None:
    """A program gets the title as it is; on a terminal its escapes are seen, not obeyed."""
    done = run("pr", "list", "--state", "all", "--json", "--account", "alice", env=home)
    assert EVIL in {one["title"] for one in json.loads(done.stdout)}
    assert done.stdout.isascii() and "\x1b" not in done.stdout


def test_on_a_terminal_only_our_own_colours_arrive(home: dict[str, str]) -> None:
    """No command to clear, to name the window or to write into the clipboard."""
    screen = on_terminal("pr", "list", "--account", "alice", env=home)
    assert screen.code == 0
    assert not any(evil in screen.raw for evil in ("\x1b[2J", "\x1b]", "\x07", "\x9b", "\x08"))


def test_an_error_repeats_nothing_that_a_terminal_obeys(home: dict[str, str], tmp_path: Path) -> None:
    """What was typed, or pasted from somewhere, comes back as text."""
    done = run("pr", "view", f"a/b{EVIL}#1", "--account", "alice", env=home)
    assert done.returncode != 0 and "\x1b" not in done.stderr and "\x07" not in done.stderr
