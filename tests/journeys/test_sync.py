"""A sync leaves exactly what GitHub has, whatever happened there since the last one."""

from __future__ import annotations

import pytest
from copy_of_github import differences
from programs import Program
from sandbox_control import Sandbox

from trackeep.database import Database
from trackeep.sync.engine import Outcome
from trackeep.sync.once import sync_once

pytestmark = pytest.mark.anyio

LIGHTHOUSE = 70009


async def sync(db: Database, sandbox: Sandbox, *names: str) -> Outcome:
    return await sync_once(db, sandbox.addresses, sandbox.token("alice"), names)


def member_of(sandbox: Sandbox) -> list[str]:
    """What GitHub lists for alice: everything she may read but a stranger's public repository."""
    return [each["full_name"] for each in sandbox.repositories() if each["full_name"] != "carol/heron"]


async def test_first_sync_stores_everything(db: Database, sandbox: Program) -> None:
    """Commits equal `git rev-list`, pull requests, reviews and issues equal the sandbox's own list."""
    github = Sandbox(sandbox.url)
    outcome = await sync(db, github)
    assert outcome.state == "done" and not outcome.failures
    assert await differences(db, github, member_of(github)) == {}


async def test_every_kind_of_change_arrives(db: Database, changing: Sandbox) -> None:
    """Merge of an old branch, force-push, deleted branch, rename, review, merge: equal sets again."""
    await sync(db, changing)
    changing.change("fernhill/atlas", "merge-old-branch")
    changing.change("fernhill/reedbed", "force-push")
    changing.change("alice/almanac", "delete-branch")
    renamed = next(each["full_name"] for each in changing.repositories() if each["id"] == LIGHTHOUSE)
    changing.change(renamed, "rename", name=f"{renamed.split('/')[1]}-renamed")
    changing.change("fernhill/kelp-ui", "review")
    changing.change("fernhill/harbor", "merge-pull")
    changing.change("fernhill/harbor", "close-issue")
    changing.change("alice/almanac", "open-pull", reviewers=["alice"])
    outcome = await sync(db, changing)
    assert outcome.found.commits >= 5
    assert await differences(db, changing, member_of(changing)) == {}
