"""You in the JSON API: who asks, how your sync is, and all of your data."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from trackeep.instance.api import models, models_figures
from trackeep.instance.api.access import IS_HEAD, Guarded, caller_of, needs
from trackeep.instance.api.models import instant, moment
from trackeep.instance.frame import reader_of
from trackeep.instance.settings.export_sending import export_of
from trackeep.instance.site import site_of
from trackeep.store import reports_sync
from trackeep.store.reports_sync import RepositorySync
from trackeep.store.schedule import PAUSED

router = APIRouter(route_class=Guarded, tags=["You"])
NDJSON, FILE = "application/x-ndjson", "trackeep.jsonl"
EXPORTED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One JSON object per line: the name of a table, and one of its rows.",
        "content": {NDJSON: {"schema": {"type": "string"}}},
    },
    429: {},
}


@router.get("/me", summary="Who you are", **needs("read"))
async def me(request: Request) -> models.Me:
    """And what your token may do."""
    caller = caller_of(request)
    viewer, token = caller.viewer, caller.token
    return models.Me.model_validate(
        {
            "id": viewer.account_id,
            "login": viewer.login,
            "name": viewer.name,
            "avatar_url": viewer.avatar_url,
            "role": viewer.role,
            "time_zone": viewer.time_zone or "UTC",
            "week_start": viewer.week_start,
            "authentication": {
                "kind": "token" if token else "session",
                "name": token.name if token else "",
                "scopes": caller.scopes,
                "expires_at": instant(token.expires_at) if token else None,
            },
        }
    )


@router.get("/sync", summary="How the sync is", **needs("read"))
async def sync(request: Request) -> models_figures.Sync:
    """Its state, what is left of GitHub's budgets, and how far each repository has come."""
    reader = reader_of(request)
    async with site_of(request).db.read() as conn:
        fresh = await reports_sync.freshness(conn, reader)
        repositories = await reports_sync.repositories(conn, reader)
    return models_figures.Sync.model_validate(
        {
            "connection": fresh.connection_state or "none",
            "problem": fresh.problem,
            "followed": fresh.followed,
            "complete": fresh.read,
            "succeeded_at": instant(fresh.succeeded_at),
            "running_since": instant(fresh.running_since),
            "due_at": instant(fresh.due_at),
            "worker_seen_at": instant(fresh.heartbeat_at),
            "budgets": [
                {
                    "resource": one.resource,
                    "limit": one.limit,
                    "remaining": one.remaining,
                    "reset_at": moment(one.reset_at),
                    "seen_at": moment(one.seen_at),
                }
                for one in fresh.budgets
            ],
            "repositories": [_repository(one) for one in repositories],
        }
    )


@router.get(
    "/export",
    summary="All of your data",
    response_class=StreamingResponse,
    responses=EXPORTED,
    **needs("read"),
)
async def export(request: Request) -> Response:
    """Everything you may read, as JSON lines; the same rows as `trackeep export` writes."""
    if IS_HEAD in request.scope:
        headers = {"content-disposition": f'attachment; filename="{FILE}"', "cache-control": "no-store"}
        return Response(media_type=NDJSON, headers=headers)
    return await export_of(request, "lines", FILE, NDJSON)


def _repository(one: RepositorySync) -> dict[str, Any]:
    return {
        "repository": f"{one.owner}/{one.name}",
        "follow": "paused" if one.follow_state == PAUSED else "tracked",
        "state": "gone" if one.state else "ok",
        "complete": all(stream.complete for stream in one.streams) and bool(one.streams),
        "succeeded_at": instant(one.succeeded_at),
        "problem": one.problem,
        "streams": [
            {
                "name": stream.name,
                "complete": stream.complete,
                "succeeded_at": instant(stream.succeeded_at),
                "due_at": instant(stream.due_at),
                "items": stream.items,
                "failures": stream.failures,
                "problem": stream.problem,
            }
            for stream in one.streams
        ],
    }
