"""Whether this program lives, and whether it can serve."""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trackeep.errors import DatabaseError
from trackeep.instance.site import site_of
from trackeep.store.tables import instance

log = structlog.get_logger()
READY_WITHIN_S = 3.0


async def healthz(_request: Request) -> Response:
    """GET /healthz: the process answers; the database is not asked."""
    return JSONResponse({"status": "ok"}, headers={"cache-control": "no-store"})


async def readyz(request: Request) -> Response:
    """GET /readyz: the database answers and has the tables of this program."""
    try:
        async with asyncio.timeout(READY_WITHIN_S), site_of(request).db.read() as conn:
            await conn.execute(select(instance.c.id).limit(1))
    except (DatabaseError, SQLAlchemyError, OSError, TimeoutError) as error:
        log.warning("not ready", reason=type(error).__name__)
        return _answer("database does not answer", 503)
    return _answer("ready", 200)


def _answer(status: str, code: int) -> Response:
    return JSONResponse({"status": status}, status_code=code, headers={"cache-control": "no-store"})
