"""A visit to an instance that holds the small world, at its noon, without a GitHub behind it."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from local_instance import Guest, LocalInstance, serve
from small_world import ALICE, NOW, enter, fill

NOWHERE = "http://127.0.0.1:1"


@asynccontextmanager
async def visit(
    folder: Path, account_id: int = ALICE, *, path: str = "", **settings: str
) -> AsyncIterator[tuple[LocalInstance, Guest]]:
    """An instance with the small world at its noon, and somebody who is signed in."""
    async with (
        serve(folder, NOWHERE, path=path, **settings) as instance,
        Guest(instance.url, "") as guest,
    ):
        instance.clock.ahead_s = NOW - instance.site.now()
        await fill(instance.site.db)
        await enter(instance, guest, account_id)
        yield instance, guest


def text_of(page: str) -> str:
    """What a reader sees, in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
