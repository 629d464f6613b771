"""The start page of the service, its error page, and the addresses that say how it is."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trackeep.broker.metrics import CONTENT_TYPE
from trackeep.broker.parts import Broker, broker_of
from trackeep.broker.troubles import trouble
from trackeep.environment import is_loopback_host
from trackeep.errors import TooManyRequests, TrackeepError
from trackeep.web import is_in

# Any of them says that the request came through a proxy, so from outside.
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")


async def start_page(request: Request) -> Response:
    """GET /: what this is, what it keeps, how to end access, how to use it."""
    broker = broker_of(request)
    return broker.pages.page(
        "landing.html",
        base_url=broker.issuer,
        settings_url=f"{broker.settings.github.web}/settings/applications",
        approval_url=_approval_url(broker),
        app_slug=broker.settings.github_app_slug,
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
        trouble=trouble(error.code),
        retry_after_s=error.retry_after_s if isinstance(error, TooManyRequests) else 0,
        approval_url=_approval_url(broker),
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


async def metrics(request: Request) -> Response:
    """GET /metrics in Prometheus's text format, for the operator's own machines; a 404 for all others."""
    broker = broker_of(request)
    if not _is_operators(request, broker):
        raise HTTPException(404)
    text = broker.metrics.text()
    return Response(text, media_type=CONTENT_TYPE, headers={"cache-control": "no-store"})


def _approval_url(broker: Broker) -> str:
    """GitHub's own page about this registration, where an organisation's approval is asked for."""
    web, registration = broker.settings.github.web, broker.github.registration
    if registration.is_github_app:
        return f"{web}/apps/{broker.settings.github_app_slug}/installations/new"
    return f"{web}/settings/connections/applications/{registration.client_id}"


def _is_operators(request: Request, broker: Broker) -> bool:
    # There is no password to lose: what counts is where the connection itself comes from. A visitor who
    # comes through the proxy brings its marks along, or at least the public name.
    if any(name in request.headers for name in FORWARDED):
        return False
    public, asked = urlsplit(broker.issuer).hostname or "", request.url.hostname or ""
    if asked == public and not is_loopback_host(public):
        return False
    peer = request.client.host if request.client else ""
    return is_loopback_host(peer) or is_in(peer, broker.settings.trusted_proxies)
