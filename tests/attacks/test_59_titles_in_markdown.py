"""Attack 59: mallory's messages and titles are in the Markdown that alice pastes, or shows in a terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from local_instance import Guest, serve
from small_world import NOW, enter, fill
from sqlalchemy import update

from trackeep.store.tables_fetched import commit, pull_request

pytestmark = pytest.mark.anyio

EVIL = "a\r# Heading\r- [click](https://mallory.example)\x1b[2J\x1b]0;mallory\x07\x9b\u202eend<script>"


async def test_a_list_in_markdown_has_our_lines_alone(tmp_path: Path) -> None:
    """Each line begins as ours do, and no character moves a cursor or turns the text round."""
    async with serve(tmp_path, "http://localhost:1") as instance, Guest(instance.url, "") as alice:
        instance.clock.ahead_s = NOW - instance.site.now()
        await fill(instance.site.db)
        async with instance.site.db.write() as conn:
            await conn.execute(update(commit).values(message=EVIL))
            await conn.execute(update(pull_request).values(title=EVIL + "\n# Another", merge_sha="a5"))
        await enter(instance, alice)
        answer = await alice.open("/commits.md")
    assert answer.status == 200 and "/pull/" in answer.text and "/commit/" in answer.text
    lines = answer.text.splitlines()
    assert lines and all(line == "" or line.startswith(("## ", "- ")) for line in lines), lines
    assert not {one for one in answer.text if (ord(one) < 32 or 127 <= ord(one) < 160) and one != "\n"}
    assert "\u202e" not in answer.text and not re.search(r"(?<!\\)\]\(https://mallory", answer.text)
