"""Whether this program lives, and whether it can serve."""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trackeep.database import newest_revision
from trackeep.errors import DatabaseError
from trackeep.instance.checks import ALIVE_WITHIN_S
from trackeep.instance.site import site_of
from trackeep.store import instance_figures
from trackeep.store.tables import instance

log = structlog.get_logger()
READY_WITHIN_S = 3.0


async def healthz(_request: Request) -> Response:
    """GET /healthz: the process answers; the database is not asked."""
    return JSONResponse({"status": "ok"}, headers={"cache-control": "no-store"})


async def readyz(request: Request) -> Response:
    """GET /readyz: the database answers, has the tables of this program, and a worker was heard of lately.

    While nobody is connected no worker is needed; with `worker=optional` none is, for processes that only
    show pages.
    """
    try:
        async with asyncio.timeout(READY_WITHIN_S), site_of(request).db.read() as conn:
            status = await _status(conn, request)
    except (DatabaseError, SQLAlchemyError, OSError, TimeoutError) as error:
        log.warning("not ready", reason=type(error).__name__)
        status = "database does not answer"
    return _answer(status, 200 if status == "ready" else 503)


async def _status(conn: AsyncConnection, request: Request) -> str:
    await conn.execute(select(instance.c.id).limit(1))
    if await instance_figures.revision(conn) != newest_revision():
        return "database is of another version"
    if request.query_params.get("worker") == "optional" or not await instance_figures.needs_worker(conn):
        return "ready"
    workers = await instance_figures.workers(conn)
    is_alive = bool(workers) and workers[0].seen_at > site_of(request).now() - ALIVE_WITHIN_S
    return "ready" if is_alive else "no worker answers"


def _answer(status: str, code: int) -> Response:
    return JSONResponse({"status": status}, status_code=code, headers={"cache-control": "no-store"})
