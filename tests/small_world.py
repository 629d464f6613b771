"""Two repositories, a fork and a private one with a handful of rows each, small enough to count by hand."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from local_instance import Guest, LocalInstance
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import Database
from trackeep.environment import cookie_name
from trackeep.store import commit_words, sessions, tables, tables_sync
from trackeep.store import tables_fetched as fetched
from trackeep.store.reports_access import Reader

ALICE, BOB, CAROL, BOT, MALLORY = 1, 2, 3, 4, 9
ATLAS, HERON, SECRET = 10, 11, 12
PRAGUE, UTC = ZoneInfo("Europe/Prague"), ZoneInfo("UTC")


def at(text: str, zone: ZoneInfo = PRAGUE) -> int:
    """ "2026-11-20 09:30" in Prague as unix seconds."""
    return int(datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=zone).timestamp())


NOW = at("2026-11-23 12:00")


def reader(account_id: int = ALICE, zone: ZoneInfo = PRAGUE, now: int = NOW) -> Reader:
    return Reader(account_id, now, zone)


async def fill(db: Database, now: int = NOW) -> None:
    """alice follows atlas and its fork heron; bob follows the private repository that only he can read."""
    async with db.write() as conn:
        await _people(conn, now)
        await _repositories(conn, now)
        await _commits(conn)
        await _pulls(conn)
        await _reviews(conn)
        await _sync(conn, now)


async def enter(instance: LocalInstance, guest: Guest, account_id: int = ALICE) -> None:
    """Give this browser a session, as a login would."""
    session_id = secrets.token_urlsafe(32)
    async with instance.site.db.write() as conn:
        device = sessions.Device("test", "127.0.0.1")
        await sessions.start(conn, session_id, account_id, device, instance.site.now())
    name = cookie_name(instance.site.settings.base_url, "session")
    guest.cookies.setdefault("localhost", {})[name] = session_id


async def _put(conn: AsyncConnection, table: Any, rows: list[dict[str, Any]]) -> None:
    await conn.execute(table.insert(), rows)


async def _people(conn: AsyncConnection, now: int) -> None:
    people = {ALICE: "alice", BOB: "bob", CAROL: "carol", BOT: "dependabot[bot]", MALLORY: "mallory"}
    names = {ALICE: "Alice Moreau", BOB: "Bob Okafor", CAROL: "", BOT: "", MALLORY: ""}
    rows = [
        {"id": number, "login": login, "name": names[number], "kind": "Bot" if number == BOT else "User"}
        for number, login in people.items()
    ]
    await _put(conn, tables.person, rows)
    accounts = (ALICE, BOB, MALLORY)
    await _put(
        conn,
        tables.account,
        [{"id": who, "role": "member", "time_zone": "Europe/Prague", "created_at": now} for who in accounts],
    )
    await _put(
        conn,
        tables.allowed_person,
        [{"id": who, "login": people[who], "source": "command", "checked_at": now} for who in accounts],
    )
    emails = [("alice@fernhill.example", True, "github"), ("old@college.example", False, "github")]
    await _put(
        conn,
        tables.account_email,
        [
            {"account_id": ALICE, "address": address, "verified": verified, "source": source}
            for address, verified, source in emails
        ],
    )
    known = {"1+alice@users.noreply.github.com": ALICE, "bob@x.example": BOB, "bot@x.example": BOT}
    await _put(
        conn,
        fetched.identity,
        [{"email": email, "person_id": who, "source": "noreply"} for email, who in known.items()],
    )


async def _repositories(conn: AsyncConnection, now: int) -> None:
    rows = [
        {"id": ATLAS, "owner": "fernhill", "name": "atlas", "private": False, "fork": False},
        {"id": HERON, "owner": "alice", "name": "heron", "private": False, "fork": True},
        {"id": SECRET, "owner": "bob", "name": "secret-plan", "private": True, "fork": False},
    ]
    await _put(conn, tables.repository, [{**row, "default_branch": "main", "pushed_at": now} for row in rows])
    pairs = [(ALICE, ATLAS), (ALICE, HERON), (BOB, ATLAS), (BOB, SECRET)]
    await _put(
        conn,
        tables.follow,
        [
            {"account_id": a, "repository_id": r, "state": "tracked", "created_at": now - 900}
            for a, r in pairs
        ],
    )
    await _put(
        conn,
        tables.access,
        [{"account_id": a, "repository_id": r, "state": "granted", "checked_at": now} for a, r in pairs],
    )
    main, topic = "refs/heads/main", "refs/heads/topic"
    refs = [(ATLAS, main, "a5"), (ATLAS, topic, "a8"), (ATLAS, "refs/tags/v1", "a1"), (HERON, main, "f1")]
    await _put(
        conn,
        fetched.ref,
        [
            {"repository_id": r, "name": n, "sha": s, "commit_sha": s, "first_seen_at": now, "moved_at": now}
            for r, n, s in refs
        ],
    )


async def _commits(conn: AsyncConnection) -> None:
    alice, shouting, noreply = (
        "alice@fernhill.example",
        "Alice@Fernhill.Example",
        "1+alice@users.noreply.github.com",
    )
    written = [
        # repository, sha, address, author date, parents, on the default branch
        (ATLAS, "a1", alice, "2026-11-20 09:30", 1, True),
        (ATLAS, "a2", shouting, "2026-11-21 00:30", 1, True),
        (ATLAS, "a3", noreply, "2026-11-22 23:30", 1, True),
        (ATLAS, "a4", alice, "2026-11-22 10:00", 2, True),
        (ATLAS, "a5", "bob@x.example", "2026-11-22 11:00", 1, True),
        (ATLAS, "a6", "bot@x.example", "2026-11-22 12:00", 1, True),
        (ATLAS, "a7", "old@college.example", "2026-11-22 13:00", 1, True),
        (ATLAS, "a8", alice, "2026-11-23 08:00", 1, False),
        (ATLAS, "a9", alice, "2026-10-20 08:00", 1, True),
        # The fork has a commit of its own and one that atlas has too.
        (HERON, "a1", alice, "2026-11-20 09:30", 1, True),
        (HERON, "f1", alice, "2026-11-19 09:00", 1, True),
        (SECRET, "s1", "bob@x.example", "2026-11-22 11:00", 1, True),
    ]
    await _put(
        conn,
        fetched.commit,
        [
            {
                "repository_id": place,
                "sha": sha,
                "parents": "",
                "parent_count": parents,
                "author_name": address.split("@")[0],
                "author_email": address,
                "authored_at": at(when),
                "committer_email": address,
                "committed_at": at(when),
                "message": f"Change {sha} of the secret plan" if place == SECRET else f"Change {sha}\n\nWhy.",
                "on_default": on_default,
            }
            for place, sha, address, when, parents, on_default in written
        ],
    )
    await commit_words.catch_up(conn)


async def _pulls(conn: AsyncConnection) -> None:
    usual = {"state": "merged", "draft": False, "review_decision": "", "checks": "", "mergeable": ""}
    given = [
        # number, author, created, ready, merged, more
        (1, ALICE, "2026-11-18 10:00", None, "2026-11-18 14:00", {}),
        (2, ALICE, "2026-11-19 10:00", "2026-11-20 10:00", "2026-11-20 12:00", {}),
        (3, ALICE, "2026-10-20 10:00", None, "2026-10-21 10:00", {}),
        (4, BOB, "2026-11-21 10:00", None, None, {"state": "open"}),
        (5, ALICE, "2026-11-21 11:00", None, None, {"state": "open", "review_decision": "CHANGES_REQUESTED"}),
        (6, ALICE, "2026-11-21 12:00", None, None, {"state": "open", "review_decision": "APPROVED"}),
        (7, ALICE, "2026-11-21 13:00", None, None, {"state": "open", "draft": True}),
        (8, ALICE, "2026-11-21 14:00", None, None, {"state": "open", "review_decision": "REVIEW_REQUIRED"}),
        (9, BOB, "2026-11-20 10:00", None, None, {"state": "closed"}),
    ]
    await _put(
        conn,
        fetched.pull_request,
        [
            {
                **usual,
                **more,
                "repository_id": ATLAS,
                "number": number,
                "title": f"Pull {number}",
                "author_id": author,
                "created_at": at(created),
                "updated_at": at(merged or created),
                "ready_at": at(ready) if ready else None,
                "merged_at": at(merged) if merged else None,
                "closed_at": at(merged) if merged else (at("2026-11-21 09:00") if number == 9 else None),
            }
            for number, author, created, ready, merged, more in given
        ],
    )


async def _reviews(conn: AsyncConnection) -> None:
    reviews = [
        (1, 4, ALICE, "COMMENTED", "2026-11-21 12:00"),
        (2, 9, ALICE, "APPROVED", "2026-11-20 12:00"),
        (3, 9, ALICE, "COMMENTED", "2026-11-20 13:00"),
        (4, 5, BOB, "CHANGES_REQUESTED", "2026-11-22 12:00"),
        (5, 6, BOB, "APPROVED", "2026-11-22 12:00"),
        # A comment on one's own pull request is no review given.
        (6, 5, ALICE, "COMMENTED", "2026-11-22 13:00"),
    ]
    await _put(
        conn,
        fetched.review,
        [
            {
                "repository_id": ATLAS,
                "id": i,
                "number": n,
                "author_id": who,
                "state": s,
                "submitted_at": at(t),
            }
            for i, n, who, s, t in reviews
        ],
    )
    # Asked again after the review of the day before.
    requests = [(4, ALICE, "2026-11-22 12:00"), (8, BOB, "2026-11-21 15:00")]
    await _put(
        conn,
        fetched.review_request,
        [
            {"repository_id": ATLAS, "number": n, "reviewer_id": who, "requested_at": at(t)}
            for n, who, t in requests
        ],
    )
    opened = at("2026-11-22 09:00")
    issue = {"number": 20, "title": "Broken", "state": "open", "author_id": ALICE, "created_at": opened}
    await _put(conn, fetched.issue, [{**issue, "repository_id": ATLAS, "updated_at": opened}])


async def _sync(conn: AsyncConnection, now: int) -> None:
    streams = [
        (ALICE, place, stream) for place in (ATLAS, HERON) for stream in ("commits", "pulls", "issues")
    ]
    await _put(
        conn,
        tables_sync.cursor,
        [
            {
                "account_id": who,
                "repository_id": place,
                "stream": stream,
                "complete": not (place == HERON and stream == "pulls"),
                "succeeded_at": now - 240,
            }
            for who, place, stream in streams
        ],
    )
    budget = {"resource": "core", "limit": 5000, "remaining": 4812, "reset_at": now + 1800, "seen_at": now}
    await _put(conn, tables_sync.budget, [{**budget, "account_id": ALICE}])
    await _put(
        conn,
        tables_sync.run,
        [{"account_id": ALICE, "started_at": now - 300, "finished_at": now - 240, "outcome": "done"}],
    )
    connected = {"kind": "token", "state": "ok", "created_at": now - 900}
    await _put(conn, tables.connection, [{**connected, "account_id": who} for who in (ALICE, BOB)])
