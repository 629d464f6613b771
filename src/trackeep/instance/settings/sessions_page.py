"""Settings, sessions: every browser that is signed in, and the end of each."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import NotFound, UsageError
from trackeep.instance import devices, sessions
from trackeep.instance.frame import viewer_of
from trackeep.instance.settings.sections import show_section
from trackeep.instance.site import site_of
from trackeep.store import sessions as stored


async def page(request: Request) -> Response:
    """GET /settings/sessions"""
    site, here = site_of(request), sessions.cookie_of(request, sessions.COOKIE)
    async with site.db.read() as conn:
        found = await stored.open_ones(conn, viewer_of(request).account_id, here, site.now())
    return show_section(
        request,
        "settings_sessions.html",
        "sessions",
        sessions=found,
        browser=devices.browser,
        is_handheld=devices.is_handheld,
        lifetime_days=stored.LIFETIME_S // 86_400,
    )


async def end(request: Request) -> Response:
    """POST /settings/sessions/end: one other browser of one's own is signed out."""
    site, key = site_of(request), str((await request.form()).get("session", ""))
    if not re.fullmatch("[0-9a-f]{64}", key):
        raise UsageError("It is not said which session is meant.", "Use the buttons of the page.")
    async with site.db.write() as conn:
        if not await stored.end_named(conn, viewer_of(request).account_id, key):
            raise NotFound("This session has ended already.", "Open the list again.")
    return site.go("/settings/sessions")


async def end_others(request: Request) -> Response:
    """POST /settings/sessions/end-others: everywhere else."""
    site, here = site_of(request), sessions.cookie_of(request, sessions.COOKIE)
    async with site.db.write() as conn:
        await stored.end_all(conn, viewer_of(request).account_id, but=here)
    return site.go("/settings/sessions")
