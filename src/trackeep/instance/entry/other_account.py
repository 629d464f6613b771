"""Somebody who is signed in comes back from GitHub as another person: which of the two is it to be?"""

from __future__ import annotations

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import LoginError, TrackeepError, UsageError
from trackeep.instance import sessions
from trackeep.instance.entry import admission
from trackeep.instance.entry.admission import Arrival
from trackeep.instance.entry.revocation import revoke
from trackeep.instance.frame import viewer_of
from trackeep.instance.site import Site, site_of
from trackeep.store import arrivals

log = structlog.get_logger()


async def page(request: Request) -> Response:
    """GET /auth/other"""
    site, viewer = site_of(request), viewer_of(request)
    async with site.db.read() as conn:
        content = await arrivals.find(conn, site.vault, _cookie(request), viewer.account_id, site.now())
    if content is None:
        return site.go("/")
    arrival = _decode(content)
    return site.pages.page(
        "other_account.html",
        here=viewer.login,
        there=arrival.viewer.person.login,
        is_revoked=arrival.credential.kind == "broker",
    )


async def choose(request: Request) -> Response:
    """POST /auth/other: continue as the one GitHub names, or stay; each answer counts once."""
    site, viewer = site_of(request), viewer_of(request)
    decision = str((await request.form()).get("decision", ""))
    if decision not in ("continue", "stay"):
        raise UsageError("The answer is missing.", "Use the buttons of the page.")
    async with site.db.write() as conn:
        content = await arrivals.take(conn, site.vault, _cookie(request), viewer.account_id, site.now())
    if content is None:
        raise LoginError("This question was answered already, or is too old.", "Sign in again.")
    arrival = _decode(content)
    response = await _answer(request, arrival, is_chosen=decision == "continue")
    sessions.set_cookie(site, response, admission.PENDING, "", max_age_s=0)
    return response


async def end_overdue(site: Site) -> None:
    """End the tokens of people who never said which of the two they want to be."""
    try:
        async with site.db.write() as conn:
            overdue = await arrivals.take_overdue(conn, site.vault, site.now())
    except TrackeepError as error:
        log.warning("unanswered logins not ended", reason=error.sentence)
        return
    for content in overdue:
        await revoke(site, _decode(content).credential)


async def _answer(request: Request, arrival: Arrival, *, is_chosen: bool) -> Response:
    site = site_of(request)
    if not is_chosen:
        await revoke(site, arrival.credential)
        return site.go("/")
    try:
        entered = await admission.enter(request, arrival, is_chosen=True)
    except TrackeepError:
        await revoke(site, arrival.credential)
        raise
    if entered.replaced:
        await revoke(site, entered.replaced)
    return entered.response


def _decode(content: str) -> Arrival:
    return msgspec.json.decode(content, type=Arrival)


def _cookie(request: Request) -> str:
    return sessions.cookie_of(request, admission.PENDING)
