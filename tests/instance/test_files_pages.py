"""The files of a repository on the screens: asked for with one button, searched, given up, nobody else's."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urljoin

import pytest
from local_instance import Guest
from small_visit import text_of, visit
from small_world import ATLAS, HERON, MALLORY, SECRET, enter
from sqlalchemy import select

from trackeep.model import ChangedPaths
from trackeep.store import paths
from trackeep.store.schedule import Cursor, advance
from trackeep.store.tables import follow
from trackeep.store.tables_fetched import commit
from trackeep.store.tables_paths import path

pytestmark = pytest.mark.anyio
PLACE = "/sync/r/fernhill/atlas"


async def press(guest: Guest, button: str, back: str = PLACE) -> str:
    """The text of the page that a button of the card leads to."""
    sent = await guest.send("/repos/bulk", {"one": button, "return_to": back})
    assert sent.status == 303
    return text_of((await guest.get(urljoin(sent.url, sent.location))).text)


async def test_from_asking_to_giving_up(tmp_path: Path) -> None:
    """The sentence of the search leads to the button, the button to the search, and back to nothing."""
    async with visit(tmp_path) as (instance, alice):
        refused = await alice.open("/commits?q=path:src")
        assert refused.status == 400
        assert "only when you ask for it" in text_of(refused.text)
        assert "<code>trackeep repo files OWNER/NAME</code>" in refused.text
        tab = (await alice.open("/r/fernhill/atlas/commits")).text
        assert f'href="{PLACE}#files"' in tab
        card = text_of((await alice.open(PLACE)).text)
        assert "Search files of this repository" in card and "one fetch of all folders" in card
        assert "The files of 1 repository are fetched" in await press(alice, f"files.{ATLAS}")
        assert "The files of 0 commits are here so far" in text_of(
            (await alice.open("/r/fernhill/atlas/commits")).text
        )
        async with instance.site.db.write() as conn:
            number = await conn.scalar(select(commit.c.id).where(commit.c.sha == "a1"))
            assert number is not None
            await paths.save(conn, ATLAS, {number: ChangedPaths(("src/", "src/\x1b[31m<b>\n.py"))})
            await advance(conn, 1, (ATLAS, "files"), Cursor(complete=True, items=1), 0)
        for page in ("/commits?q=path:src", "/search?q=path:src"):
            found = text_of((await alice.open(page)).text)
            assert "Change a1" in found
            assert "The files of 1 of 2 repositories were searched" in found
        tab = (await alice.open("/r/fernhill/atlas/commits?q=path:src")).text
        assert "Change a1" in tab and "#files" not in tab
        answer = await alice.open("/commits.json?q=path:src")
        assert '"sha": "a1"' in answer.text
        assert "searched no more" in await press(alice, f"no-files.{ATLAS}")
        async with instance.site.db.read() as conn:
            assert (await conn.execute(select(path))).first() is None
        assert (await alice.open("/commits?q=path:src")).status == 400


async def test_what_is_not_followed_is_not_asked_for(tmp_path: Path) -> None:
    """Neither mallory's form nor alice's touches a repository that the sender does not follow."""
    async with visit(tmp_path) as (instance, alice):
        assert (await alice.send("/repos/bulk", {"one": f"files.{SECRET}"})).status == 404
        async with Guest(instance.url, "") as mallory:
            await enter(instance, mallory, MALLORY)
            for number in (ATLAS, HERON, SECRET):
                assert (await mallory.send("/repos/bulk", {"one": f"files.{number}"})).status == 404
        async with instance.site.db.read() as conn:
            assert (await conn.execute(select(follow).where(follow.c.files))).first() is None
