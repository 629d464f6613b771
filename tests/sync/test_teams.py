"""Teams of organisations: a review asked of one's team waits for oneself; others' teams have no name."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from programs import Program
from sandbox_control import Sandbox
from sqlalchemy import select

from trackeep.database import Database
from trackeep.store import reports_pulls
from trackeep.store.reports_access import Reader
from trackeep.store.reports_pulls import PullRow
from trackeep.store.tables import account_team
from trackeep.sync.once import sync_once

pytestmark = pytest.mark.anyio
REEDBED, TEAM = "fernhill/reedbed", "tide-crew"
DAY_S = 86_400
TEAMS = "/api/v3/user/teams"


async def sync(db: Database, github: Sandbox, token: str = "", *names: str) -> None:
    outcome = await sync_once(db, github.addresses, token or github.token(), names, clock=github.now)
    assert not outcome.failures


async def teams(db: Database) -> list[str]:
    async with db.read() as conn:
        return list(await conn.scalars(select(account_team.c.team)))


async def queue(db: Database, github: Sandbox) -> tuple[PullRow, ...]:
    async with db.read() as conn:
        return await reports_pulls.queue(
            conn, Reader(github.person_id(), int(github.now()), ZoneInfo("Europe/Prague"))
        )


async def to_review(db: Database, github: Sandbox) -> dict[tuple[str, int], str]:
    """(repository, number) of what waits for alice's review: the team that was asked, or ""."""
    found = [pull for pull in await queue(db, github) if pull.section == "review"]
    return {(f"{pull.owner}/{pull.repository}", pull.number): pull.my_team for pull in found}


def truly_to_review(github: Sandbox, *, with_team: bool) -> dict[tuple[str, int], str]:
    """The same, from what is true at GitHub."""
    found = {}
    for repository in github.repositories():
        for pull in repository["pulls"]:
            named, asked = asked_of_alice(pull, with_team=with_team)
            is_open = pull["state"] == "open" and not pull["draft"] and pull["author"] != "alice"
            reviewed = [one["submitted_at"] for one in pull["reviews"] if one["author"] == "alice"]
            if is_open and asked and max(reviewed, default=0) < max(asked):
                found[(repository["full_name"], pull["number"])] = "" if named else TEAM
    return found


def asked_of_alice(pull: dict[str, Any], *, with_team: bool) -> tuple[bool, list[int]]:
    """Whether she was asked by name, and when she or her team were, of those who are asked still."""
    named = "alice" in pull["requested_reviewers"]
    subjects = {"alice"} if named else set()
    if with_team and TEAM in pull["requested_teams"]:
        subjects.add(f"team:{TEAM}")
    events = [event for event in pull["events"] if event["kind"] == "review_requested"]
    return named, [event["at"] for event in events if event["subject"] in subjects]


def questions(github: Sandbox, mark: int) -> list[tuple[int, int]]:
    """(status, cost) of each question about teams since `mark`."""
    return [(each["status"], each["cost"]) for each in github.log(mark) if each["path"] == TEAMS]


async def test_a_review_asked_of_my_team_is_asked_of_me(db: Database, sandbox: Program) -> None:
    """The queue holds what GitHub asks of alice and of her team, and says which of the two it was."""
    github = Sandbox(sandbox.url)
    await sync(db, github)
    assert await teams(db) == [f"fernhill/{TEAM}"]
    found = await to_review(db, github)
    assert found == truly_to_review(github, with_team=True)
    assert TEAM in found.values() and "" in found.values()


async def test_it_is_asked_once_a_day_for_nothing(db: Database, changing: Sandbox) -> None:
    """Two passes of one day ask once; the next day costs no quota; whoever left is asked no more."""
    changing.change(REEDBED, "team", login="alice")
    changing.change(REEDBED, "open-pull", team=True)
    mark = changing.mark()
    await sync(db, changing, "", REEDBED)
    await sync(db, changing)
    assert questions(changing, mark) == [(200, 1)]
    assert TEAM in (await to_review(db, changing)).values()
    changing.advance(DAY_S + 60)
    mark = changing.mark()
    await sync(db, changing)
    await sync(db, changing)
    assert questions(changing, mark) == [(304, 0)]
    changing.change(REEDBED, "team", login="alice", member=False)
    changing.advance(DAY_S + 60)
    await sync(db, changing)
    assert await teams(db) == []
    assert TEAM not in (await to_review(db, changing)).values()


async def test_without_the_permission_nothing_is_claimed(db: Database, changing: Sandbox) -> None:
    """No question, no team; what waits for one says "a team"; and what an earlier token told is forgotten."""
    changing.change(REEDBED, "open-pull", author="alice", title="Longer stems", team=True)
    narrow = changing.new_token("alice", "repo", "read:user", "user:email")
    mark = changing.mark()
    await sync(db, changing, narrow, REEDBED)
    assert questions(changing, mark) == [] and await teams(db) == []
    assert TEAM not in (await to_review(db, changing)).values()
    mine = next(pull for pull in await queue(db, changing) if pull.title == "Longer stems")
    assert [(one.login, one.is_team) for one in mine.reviewers] == [("a team", True)]


async def test_a_narrower_token_takes_the_claim_back(db: Database, changing: Sandbox) -> None:
    """Once the token may not read organisations any more, its owner is in no team for us."""
    changing.change(REEDBED, "team", login="alice")
    await sync(db, changing, "", REEDBED)
    assert await teams(db)
    await sync(db, changing, changing.new_token("alice", "repo", "read:user", "user:email"))
    assert await teams(db) == []


async def test_a_refusal_fails_nothing(db: Database, changing: Sandbox) -> None:
    """Where GitHub refuses the question all else is fetched, and it is asked again later."""
    changing.change(REEDBED, "team", login="alice")
    changing.fault(f"GET {TEAMS}", "status", status=403)
    await sync(db, changing, "", REEDBED)
    assert await queue(db, changing) and await teams(db) == []
    changing.advance(2 * DAY_S)
    await sync(db, changing)
    assert await teams(db) == [f"fernhill/{TEAM}"]
