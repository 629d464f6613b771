"""Writes in what languages a repository is written, as GitHub measures it once a day."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import upsert
from trackeep.model import Language
from trackeep.store.tables_fetched import language


async def save_languages(conn: AsyncConnection, repository_id: int, languages: Sequence[Language]) -> None:
    """Save the languages of one repository; those not among them go.

    One that comes without a colour gets the colour that it has in any repository.
    """
    names = [each.name for each in languages]
    gone = (language.c.repository_id == repository_id) & language.c.name.not_in(names)
    await conn.execute(delete(language).where(gone))
    bare = [each.name for each in languages if not each.color]
    colored = select(language.c.name, language.c.color).where(
        language.c.name.in_(bare), language.c.color != ""
    )
    colors = {row.name: row.color for row in await conn.execute(colored.distinct())}
    rows = [
        {
            "repository_id": repository_id,
            "name": each.name,
            "bytes": each.bytes,
            "color": each.color or colors.get(each.name, ""),
        }
        for each in sorted(languages, key=lambda each: each.name)
    ]
    await upsert(conn, language, rows, key=["repository_id", "name"])
