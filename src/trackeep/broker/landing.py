"""The start page of the service, its error page, and the two addresses that say how it is."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trackeep.broker.parts import broker_of
from trackeep.errors import TrackeepError


async def start_page(request: Request) -> Response:
    """GET /: what this is, what it keeps, how to end access, how to use it."""
    broker = broker_of(request)
    return broker.pages.page(
        "landing.html",
        base_url=broker.issuer,
        settings_url=f"{broker.settings.github.web}/settings/applications",
        app_slug=broker.settings.app_slug,
        token_mode=broker.settings.token_mode,
    )


def error_page(request: Request, error: TrackeepError, request_id: str) -> Response:
    """What happened, what to do, and a number to mention; never more."""
    broker = broker_of(request)
    at = datetime.fromtimestamp(int(broker.clock()), UTC)
    return broker.pages.page(
        "error.html",
        status=error.status,
        error=error,
        request_id=request_id,
        at=f"{at:%Y-%m-%d %H:%M:%S} UTC",
    )


async def healthz(request: Request) -> Response:
    """GET /healthz: the process answers."""
    return JSONResponse({"status": "ok"}, headers={"cache-control": "no-store"})


async def readyz(request: Request) -> Response:
    """GET /readyz: the keys are loaded, so logins can be served."""
    broker = broker_of(request)
    ready = bool(broker.ring.published(broker.clock()))
    return JSONResponse({"status": "ok" if ready else "no keys"}, status_code=200 if ready else 503)
