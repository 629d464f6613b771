"""What GitHub keeps to itself, or cannot finish, in one place stops nothing in any other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sandbox_control import Sandbox
from sqlalchemy import func, select, update

from trackeep.database import Database
from trackeep.store import reports_pulls
from trackeep.store.reports_access import Reader
from trackeep.store.tables_fetched import pull_request, review, review_asked, review_request
from trackeep.store.tables_sync import cursor
from trackeep.sync.once import sync_once

pytestmark = pytest.mark.anyio

QUERY = "POST /api/graphql"
FIRST, SECOND = "alice/almanac", "fernhill/reedbed"
FOR_GOOD = 1_000_000
# One question alone is asked three times before it is given up.
TRIES_ALONE = 3


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(f"sqlite:///{tmp_path / 'trackeep.db'}")
    yield database
    await database.close()


async def sync(db: Database, github: Sandbox, *names: str) -> None:
    await sync_once(db, github.addresses, github.token(), names, clock=github.now)


async def count(db: Database, table: object) -> int:
    async with db.read() as conn:
        return int((await conn.execute(select(func.count()).select_from(table))).scalar_one())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "field", ["reviews", "mergeable", "statusCheckRollup", "labels", "requestedReviewer"]
)
async def test_a_part_that_may_not_be_seen(db: Database, changing: Sandbox, field: str) -> None:
    """A field that is null with FORBIDDEN inside every pull request: all of them are stored all the same."""
    changing.fault(QUERY, "withheld", FOR_GOOD, withheld=field)
    try:
        await sync(db, changing, FIRST)
    finally:
        changing.ask("/faults", method="DELETE")
    real = changing.repository(FIRST)
    assert await count(db, pull_request) == len(real["pulls"]) > 5
    # REST shows the reviews that GraphQL withheld.
    assert await count(db, review) == sum(len(each["reviews"]) for each in real["pulls"]) > 5


async def test_checks_that_may_not_be_seen_are_not_passing(db: Database, changing: Sandbox) -> None:
    """They are stored as not known, and nothing is called ready to merge because of them."""
    changing.fault(QUERY, "withheld", FOR_GOOD, withheld="statusCheckRollup")
    try:
        await sync(db, changing)
    finally:
        changing.ask("/faults", method="DELETE")
    async with db.read() as conn:
        rows = select(pull_request.c.checks).where(pull_request.c.state == "open").distinct()
        assert (await conn.scalars(rows)).all() == ["UNKNOWN"]
        reader = Reader(changing.person_id(), int(changing.now()), ZoneInfo("UTC"))
        unsure = await reports_pulls.queue(conn, reader)
    async with db.write() as conn:
        await conn.execute(update(pull_request).values(checks="SUCCESS"))
    async with db.read() as conn:
        ready = [row.number for row in await reports_pulls.queue(conn, reader) if row.section == "ready"]
    assert ready and [row for row in unsure if row.section == "ready"] == []


@pytest.mark.parametrize(
    ("failures", "names"),
    [(TRIES_ALONE, (FIRST,)), (1 + 2 * TRIES_ALONE, (FIRST, SECOND))],
    ids=["alone", "one of two"],
)
async def test_a_look_that_is_too_much(
    db: Database, changing: Sandbox, failures: int, names: tuple[str, ...]
) -> None:
    """A repository that is beyond GraphQL's ten seconds even alone is looked at over REST, the others not."""
    changing.fault(QUERY, "graphql-errors", failures)
    mark = changing.mark()
    await sync(db, changing, *names)
    real = [changing.repository(name) for name in names]
    assert await count(db, pull_request) == sum(len(each["pulls"]) for each in real)
    looked = [each["path"] for each in changing.log(mark) if each["path"].endswith(("/pulls", "/languages"))]
    assert any(FIRST in path for path in looked)
    assert not any(SECOND in path for path in looked)
    async with db.read() as conn:
        incomplete = select(cursor.c.stream).where(cursor.c.stream == "pulls", cursor.c.complete.is_(False))
        assert (await conn.execute(incomplete)).all() == []


async def test_a_request_stays_known_after_it_is_answered(db: Database, changing: Sandbox) -> None:
    """GitHub forgets a request once it is answered; when it was made is kept, for turnaround."""
    await sync(db, changing, FIRST, SECOND)
    assert await count(db, review_asked) > await count(db, review_request)
    async with db.read() as conn:
        answered = (
            select(func.count())
            .select_from(review_asked)
            .join(
                review,
                (review.c.repository_id == review_asked.c.repository_id)
                & (review.c.number == review_asked.c.number)
                & (review.c.author_id == review_asked.c.reviewer_id),
            )
            .where(review.c.submitted_at >= review_asked.c.requested_at)
        )
        assert (await conn.execute(answered)).scalar_one() > 0
