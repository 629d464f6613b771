"""The end of a connection to GitHub: revoked there, forgotten here, and nobody is signed out."""

from __future__ import annotations

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import SecretsError
from trackeep.instance.entry.revocation import revoke
from trackeep.instance.frame import viewer_of
from trackeep.instance.site import Site, site_of
from trackeep.store import people
from trackeep.store.people import Credential

log = structlog.get_logger()

NOTHING = "nothing"


async def disconnect(request: Request) -> Response:
    """POST /settings/disconnect"""
    site = site_of(request)
    outcome = await end(site, viewer_of(request).account_id)
    return site.go(f"/settings/github?disconnected={outcome}")


async def end(site: Site, account_id: int) -> str:
    """End the account's connection; says what became of the token at GitHub.

    `ended`, `kept` when GitHub could not be told just now, `pasted` when only its owner can end it there,
    or `nothing` when there was no connection. Here it is gone in every case.
    """
    async with site.db.read() as conn:
        found = await _stored(conn, site, account_id)
    # Forgotten before GitHub is asked: a renewal that is under way notices, and ends what it gets.
    async with site.db.write() as conn:
        await people.disconnect(conn, account_id)
    if found is None:
        return NOTHING
    log.info("disconnected", account=account_id, by=found.kind)
    return await revoke(site, found)


async def _stored(conn: AsyncConnection, site: Site, account_id: int) -> Credential | None:
    try:
        return await people.credential(conn, site.vault, account_id)
    except SecretsError:
        # The key that sealed it is lost: there is nothing to revoke with, but something to forget.
        return None
