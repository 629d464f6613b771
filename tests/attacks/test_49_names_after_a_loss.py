"""Attack 49: mallory lost access, waits, and looks for what the repository is called by now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from local_instance import Guest, LocalInstance, serve
from sandbox_control import Sandbox
from small_world import enter

from trackeep.database import Database
from trackeep.model import Person
from trackeep.store import people
from trackeep.sync.once import sync_once

pytestmark = pytest.mark.anyio
KNOWN, LATER = "bob/otter-cli", "otter-acquisition"


@pytest.fixture
async def instance(changing: Sandbox, tmp_path: Path) -> AsyncIterator[LocalInstance]:
    async with serve(tmp_path, changing.url) as running:
        yield running


async def sync(db: Database, github: Sandbox, login: str, *names: str) -> None:
    await sync_once(db, github.addresses, github.token(login), names, clock=github.now)


async def test_a_later_name_is_not_told(instance: LocalInstance, changing: Sandbox) -> None:
    """The new name came with somebody else's sync after the loss: every page knows only the old one."""
    db = instance.site.db
    for login in ("bob", "alice"):
        await sync(db, changing, login, KNOWN)
    changing.change(KNOWN, "access", private=True)
    changing.change(KNOWN, "access", login="alice", permission=None)
    changing.change(KNOWN, "rename", name=LATER)
    await sync(db, changing, "bob")
    await sync(db, changing, "alice")
    who = Person(changing.person_id("alice"), "alice")
    async with db.write() as conn:
        await people.allow(conn, who, "command", instance.site.now())
    async with Guest(instance.url, "") as guest:
        await enter(instance, guest, who.id)
        page = (await guest.open("/sync")).text
    assert f"{KNOWN}: it was deleted, or you lost access." in page and LATER not in page
