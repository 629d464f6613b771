"""Lists that are longer than a page are read to the end, across kill and change, and no page twice.

The sandbox has twelve repositories; here a list of hundreds comes from a server of the test's own.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from trackeep.database import Database
from trackeep.environment import GitHubAddresses
from trackeep.errors import GitHubUnavailable
from trackeep.model import Email, Person
from trackeep.store import activity, people, schedule
from trackeep.sync import issues, repositories
from trackeep.sync.work import Way, Wishes, Work, open_work

pytestmark = pytest.mark.anyio

ALICE = Person(1001, "alice")
START = 1_700_000_000


def stamp(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class LongLists:
    """Serves `/user/repos` and `/issues` by page, with validators, as GitHub does."""

    pushed: dict[int, int]
    updated: dict[int, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    broken_after: int = 1_000_000
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.path_qs}")
        if len(self.asked) > self.broken_after:
            return web.Response(status=500)
        rows = self._repositories() if request.path.endswith("/user/repos") else self._issues(request)
        page = int(request.query.get("page", "1"))
        body = rows[(page - 1) * 100 : page * 100]
        etag = hashlib.sha256(repr(body).encode()).hexdigest()
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304)
        headers = {"ETag": etag}
        if len(rows) > page * 100:
            following = request.url.update_query({"page": str(page + 1)})
            headers["Link"] = f'<{following}>; rel="next"'
        return web.json_response(body, headers=headers)

    def _repositories(self) -> list[dict[str, Any]]:
        newest_first = sorted(self.pushed.items(), key=lambda each: (-each[1], each[0]))
        return [
            {
                "id": number,
                "node_id": f"R{number}",
                "name": f"r{number}",
                "owner": {"login": "alice"},
                "pushed_at": stamp(pushed_at),
            }
            for number, pushed_at in newest_first
        ]

    def _issues(self, request: web.Request) -> list[dict[str, Any]]:
        since = int(datetime.fromisoformat(request.query["since"]).timestamp())
        changed = sorted((at, number) for number, at in self.updated.items() if at >= since)
        return [
            {
                "id": number,
                "number": number,
                "title": "t",
                "state": "open",
                "created_at": stamp(START),
                "updated_at": stamp(at),
                "repository": {"id": 1},
            }
            for at, number in changed
        ]


@pytest.fixture
async def lists() -> AsyncIterator[LongLists]:
    served = LongLists({number: START + number for number in range(1, 251)})
    app = web.Application()
    app.router.add_route("GET", "/{rest:.*}", served.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield served
    await runner.cleanup()


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url)
    async with database.write() as conn:
        await people.save_account(conn, ALICE, [Email("alice@example.org", verified=True)], START)
    yield database
    await database.close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def new_pass(db: Database, lists: LongLists, http: aiohttp.ClientSession, later_s: int = 0) -> Work:
    addresses = GitHubAddresses(lists.url, lists.url, lists.url)
    way = Way(http, addresses, "token", ("repo",), lambda: time.time() + later_s)
    return await open_work(db, ALICE.id, way, Wishes())


async def listed_by(work: Work) -> int:
    await repositories.poll_list(work)
    return len(repositories.listed(work))


async def granted(db: Database) -> set[int]:
    async with db.read() as conn:
        return await activity.granted_ids(conn, ALICE.id)


async def test_a_walk_goes_on_after_the_page_that_was_stored(
    db: Database, lists: LongLists, http: aiohttp.ClientSession
) -> None:
    """Broken off in the middle, the list is continued where it was, and every repository is known."""
    lists.broken_after = 2
    with pytest.raises(GitHubUnavailable):
        await repositories.poll_list(await new_pass(db, lists, http))
    assert len(await granted(db)) == 200
    lists.broken_after, mark = 1_000_000, len(lists.asked)
    assert await listed_by(await new_pass(db, lists, http)) == 250
    assert len(lists.asked) == mark + 1 and "page=3" in lists.asked[-1]
    assert await granted(db) == set(lists.pushed)


async def test_a_push_is_found_on_the_first_page(
    db: Database, lists: LongLists, http: aiohttp.ClientSession
) -> None:
    """Afterwards one request is enough, changed or not; half a day later the whole list is read again."""
    await repositories.poll_list(await new_pass(db, lists, http))
    lists.pushed[7] = START + 5000
    for expected in ((1, 0), (1, 1)):
        work = await new_pass(db, lists, http)
        assert await listed_by(work) == 250
        assert (work.github.costs.rest_requests, work.github.costs.not_modified) == expected
    async with db.read() as conn:
        assert (await activity.pushed_times(conn, [7]))[7] == START + 5000
    del lists.pushed[9]
    work = await new_pass(db, lists, http, later_s=13 * 3600)
    assert await listed_by(work) == 249
    assert work.github.costs.rest_requests == 3
    assert await granted(db) == set(lists.pushed)


async def test_no_change_is_skipped_while_others_move(
    db: Database, lists: LongLists, http: aiohttp.ClientSession
) -> None:
    """Hundreds of changes are read from ever later starts, so that what moves up hides nothing."""
    lists.updated = {number: START + number for number in range(1, 351)}
    work = await new_pass(db, lists, http)
    await repositories.poll_list(work)
    async with db.write() as conn:
        await schedule.follow_repositories(conn, ALICE.id, [1], START)
        await work.advance(conn, 0, issues.CHANGED, schedule.Cursor({"since": START}))
    await issues.poll_changed(work, await repositories.followed(work))
    async with db.read() as conn:
        known = await activity.known_updates(conn, {1: lists.updated})
    assert known == {(1, number): at for number, at in lists.updated.items()}
    pages = [each for each in lists.asked if "/issues" in each]
    assert len(pages) == 4 and not [each for each in pages if "page=2" in each.split("per_page")[1]]
