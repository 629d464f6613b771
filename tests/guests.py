"""Accounts of an instance for people who came to the local GitHub later, as the pages would make them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sandbox_control import Sandbox
from sqlalchemy import func, select

from trackeep.database import Database
from trackeep.github.transport import fingerprint
from trackeep.model import Email, Person, Repository
from trackeep.store import activity, leases, people, schedule
from trackeep.store.people import Credential
from trackeep.store.tables import follow
from trackeep.store.tables_sync import cursor
from trackeep.store.tables_sync import schedule as schedule_table
from trackeep.vault import open_vault

KEY = "a key that is long enough for these tests alone"


async def connect_all(db: Database, github: Sandbox, guests: Iterable[Any], folder: Path) -> None:
    """They have signed in on the pages and chosen there what to follow: all that they work on."""
    truth = {each["full_name"]: each for each in github.ask("/truth")["repositories"]}
    vault, now = open_vault(KEY, folder), int(time.time())
    for guest in guests:
        token, chosen = guest["token"], [truth[name] for name in guest["repositories"]]
        ids = [each["id"] for each in chosen]
        async with db.write() as conn:
            who = Person(guest["id"], guest["login"])
            await people.save_account(conn, who, [Email(f"{who.login}@x.example")], now)
            credential = Credential("token", token, fingerprint(token), ("repo", "read:org"))
            await people.save_credential(conn, vault, who.id, credential, now)
            await activity.save_repositories(conn, [_listed(each) for each in chosen])
            await activity.grant_access(conn, who.id, dict.fromkeys(ids, "push"), now)
            await schedule.follow_repositories(conn, who.id, ids, now)


async def is_complete(db: Database) -> bool:
    """Whether everything that anybody follows was read, and nobody waits or is worked for."""
    done = select(func.count()).where(cursor.c.complete, cursor.c.stream.in_(schedule.STREAMS))
    held = select(func.count()).where(schedule_table.c.leased_by != "")
    async with db.read() as conn:
        wanted = (await conn.execute(select(func.count()).select_from(follow))).scalar_one()
        is_read = (await conn.execute(done)).scalar_one() == wanted * len(schedule.STREAMS)
        is_idle = await leases.most_urgent(conn, int(time.time())) is None
        return is_read and is_idle and (await conn.execute(held)).scalar_one() == 0


def _listed(real: dict[str, Any]) -> Repository:
    owner, _, name = real["full_name"].partition("/")
    return Repository(
        **{each: real[each] for each in ("id", "node_id", "private", "fork", "archived", "default_branch")},
        **{"owner": owner, "name": name, "description": "", "language": "", "size_kb": 0, "created_at": 0},
        **{each: real[each] for each in ("pushed_at", "updated_at")},
    )
