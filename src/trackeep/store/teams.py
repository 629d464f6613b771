"""Which teams of organisations each account is in: a review asked of one of them is asked of the person."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import upsert
from trackeep.model import Team
from trackeep.store.tables import account_team


async def replace_teams(conn: AsyncConnection, account_id: int, teams: Iterable[Team]) -> None:
    """Store these as all of the account's teams; none when GitHub tells of none any more."""
    await conn.execute(delete(account_team).where(account_team.c.account_id == account_id))
    rows = {
        each.combined_slug.lower(): {
            "account_id": account_id,
            "team": each.combined_slug.lower(),
            "name": each.name,
        }
        for each in teams
    }
    await upsert(conn, account_team, list(rows.values()), key=["account_id", "team"])
