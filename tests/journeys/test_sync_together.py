"""Several people on one instance share what they both may read, and nothing else."""

from __future__ import annotations

import asyncio

import pytest
from copy_of_github import differences
from programs import Program
from sandbox_control import Sandbox

from trackeep.database import Database
from trackeep.store import activity
from trackeep.sync.once import sync_once

pytestmark = pytest.mark.anyio


async def test_two_people_sync_at_once(db: Database, sandbox: Program) -> None:
    """Two first syncs of the same repositories at the same time: one exact copy, each with its own proof."""
    github = Sandbox(sandbox.url)
    people = ("alice", "bob")
    await asyncio.gather(
        *(sync_once(db, github.addresses, github.token(login)) for login in people),
    )
    names = {each["full_name"] for login in people for each in github.repositories(login)}
    async with db.read() as conn:
        granted = {login: await activity.granted_ids(conn, github.person_id(login)) for login in people}
    for login in people:
        readable = {each["id"] for each in github.repositories(login)}
        assert granted[login] <= readable
    copied = granted["alice"] | granted["bob"]
    both = [name for name in names if github.repository(name)["id"] in copied]
    assert granted["alice"] & granted["bob"]
    assert await differences(db, github, both) == {}
