"""Settings, danger zone: read everything again, leave with all of one's data, or empty the instance."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import UsageError
from trackeep.instance import sessions
from trackeep.instance.entry import disconnect, setup
from trackeep.instance.frame import viewer_of
from trackeep.instance.settings.sections import show_section
from trackeep.instance.site import Site, site_of
from trackeep.store import departures

log = structlog.get_logger()


async def page(request: Request) -> Response:
    """GET /settings/danger"""
    site, viewer = site_of(request), viewer_of(request)
    async with site.db.read() as conn:
        followed = await departures.followed_by(conn, viewer.account_id)
    return show_section(
        request,
        "settings_danger.html",
        "danger",
        followed=len(followed),
        host=host_of(site),
        is_reset=request.query_params.get("done") == "reset",
    )


async def reset_sync(request: Request) -> Response:
    """POST /settings/danger/reset-sync"""
    site, viewer = site_of(request), viewer_of(request)
    site.read_again.take(viewer.account_id, site.clock())
    async with site.db.write() as conn:
        await departures.reset_sync(conn, viewer.account_id, site.now())
    return site.go("/settings/danger?done=reset")


async def delete_mine(request: Request) -> Response:
    """POST /settings/danger/delete: whoever types their login leaves with all of their data."""
    site, viewer = site_of(request), viewer_of(request)
    _require(await request.form(), viewer.login)
    await forget_account(site, viewer.account_id)
    return _signed_out(site)


async def empty(request: Request) -> Response:
    """POST /settings/danger/empty: typed the host name, the owner empties the whole instance."""
    site = site_of(request)
    _require(await request.form(), host_of(site))
    async with site.db.read() as conn:
        connected = await departures.connected(conn)
    for account_id in connected:
        await disconnect.end(site, account_id)
    async with site.db.write() as conn:
        await departures.empty(conn)
    log.warning("the instance was emptied by its owner")
    await setup.announce(site)
    return _signed_out(site)


async def forget_account(site: Site, account_id: int) -> str:
    """Delete an account and every repository that nobody else follows; what became of its token.

    The account goes last: whoever is interrupted finds it there still, and asks again.
    """
    outcome = await disconnect.end(site, account_id)
    async with site.db.read() as conn:
        followed = await departures.followed_by(conn, account_id)
    gone = 0
    for repository_id in followed:
        async with site.db.write() as conn:
            gone += await departures.part(conn, account_id, repository_id)
    async with site.db.write() as conn:
        await departures.leave(conn, account_id)
    log.info("account deleted", account=account_id, repositories=gone)
    return outcome


def host_of(site: Site) -> str:
    """What the owner types: the host of the base URL."""
    return urlsplit(site.settings.base_url).hostname or ""


def _require(form: FormData, expected: str) -> None:
    typed = str(form.get("confirm", "")).strip()
    if not secrets.compare_digest(typed.lower().encode(), expected.lower().encode()):
        raise UsageError(
            f"Nothing was deleted: {expected} was not typed.", "Type it exactly, then try again."
        )


def _signed_out(site: Site) -> Response:
    response = site.go("/signin")
    sessions.set_cookie(site, response, sessions.COOKIE, "", max_age_s=0)
    return response
