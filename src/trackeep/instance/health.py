"""Whether this program lives, and whether it can serve."""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trackeep.errors import DatabaseError
from trackeep.instance.site import Site, site_of
from trackeep.store import leases

log = structlog.get_logger()
READY_WITHIN_S = 3.0


async def healthz(_request: Request) -> Response:
    """GET /healthz: the process answers; the database is not asked."""
    return JSONResponse({"status": "ok"}, headers={"cache-control": "no-store"})


async def readyz(request: Request) -> Response:
    """GET /readyz: the database answers and has the tables of this program; `worker` tells of the sync.

    A silent worker makes pages old, not wrong, so it does not take them away.
    """
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            return await _examine(site_of(request))
    except (DatabaseError, SQLAlchemyError, OSError, TimeoutError) as error:
        log.warning("not ready", reason=type(error).__name__)
        return _answer(503, "database does not answer")


async def _examine(site: Site) -> Response:
    async with site.db.read() as conn:
        if not await site.db.is_current(conn):
            return _answer(503, "database has the tables of another version")
        seen = await leases.workers_seen(conn, site.now() - leases.SILENT_AFTER_S)
    return _answer(200, "ready", worker="ok" if seen else "silent")


def _answer(code: int, status: str, **more: str) -> Response:
    return JSONResponse({"status": status, **more}, status_code=code, headers={"cache-control": "no-store"})
