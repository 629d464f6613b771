"""One repository's history as a database holds it, brought there by whichever way is open at the sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
from sandbox_control import Sandbox
from sqlalchemy import select

from trackeep.database import Database, upsert
from trackeep.github import rest
from trackeep.github.sizes import Sizes
from trackeep.model import Repository
from trackeep.store import activity
from trackeep.store import tables_fetched as fetched
from trackeep.store.tables import account, person
from trackeep.store.tables_sync import cursor
from trackeep.sync.commit_sources import fetch_commits
from trackeep.sync.work import Way, Wishes, Work, open_work

# When a ref was seen depends on when somebody looked.
_TIMES = {"first_seen_at", "moved_at", "seen_at", "id"}


@dataclass
class Copy:
    """alice's copy of one repository; `sync` is one pass for its commits alone."""

    db: Database
    github: Sandbox
    name: str
    login: str = "alice"
    seen: Repository | None = None

    async def sync(
        self,
        *,
        urgent: bool = False,
        is_time_up: Callable[[], bool] = lambda: False,
        is_known: bool = False,
        page: int = 0,
    ) -> Work:
        """With `is_known` the repository is taken for what an earlier call has seen.

        `page` is what GitHub managed at the last attempt to read more commits over GraphQL.
        """
        account_id = self.github.person_id(self.login)
        async with aiohttp.ClientSession() as http:
            way = Way(http, self.github.addresses, self.github.token(self.login), ("repo",), self.github.now)
            await self._account(account_id)
            wishes = Wishes(urgent=urgent, is_time_up=is_time_up)
            work = await open_work(self.db, account_id, way, wishes)
            if self.seen is None or not is_known:
                self.seen = (await rest.repository(work.github, self.name)).repository
            async with self.db.write() as conn:
                await activity.save_repositories(conn, [self.seen])
            if page:
                work.github.sizes = Sizes({"history": {self.seen.node_id: page}})
            await fetch_commits(work, self.seen)
        return work

    async def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Every row of every table that the commits of a repository end up in, as far as git says it."""
        tables = (
            fetched.commit,
            fetched.co_author,
            fetched.ref,
            fetched.ref_change,
            fetched.unclaimed_address,
        )
        found = {table.name: await self._all(table) for table in (*tables, fetched.identity, fetched.walked)}
        for each in found["unclaimed_address"]:
            del each["sha"]  # any commit of the address will do
        return {name: sorted(rows, key=repr) for name, rows in found.items()}

    async def shas(self, *conditions: Any) -> set[str]:
        async with self.db.read() as conn:
            return set(await conn.scalars(select(fetched.commit.c.sha).where(*conditions)))

    async def marked(self) -> set[str]:
        """The commits of unfinished walks."""
        async with self.db.read() as conn:
            return set(await conn.scalars(select(fetched.walked.c.sha)))

    async def id(self) -> int:
        return int(self.github.repository(self.name)["id"])

    async def position(self) -> dict[str, Any]:
        async with self.db.read() as conn:
            row = (await conn.execute(select(cursor).where(cursor.c.stream == "commits"))).one()
        return dict(json.loads(row.position), complete=row.complete)

    async def _all(self, table: Any) -> list[dict[str, Any]]:
        async with self.db.read() as conn:
            rows = (await conn.execute(select(table))).mappings().all()
        return [{key: value for key, value in row.items() if key not in _TIMES} for row in rows]

    async def _account(self, account_id: int) -> None:
        async with self.db.write() as conn:
            await upsert(conn, person, [{"id": account_id, "login": self.login}], key=["id"])
            row = {"id": account_id, "created_at": 1, "role": "owner"}
            await upsert(conn, account, [row], key=["id"])
