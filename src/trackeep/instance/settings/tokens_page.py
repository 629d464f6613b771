"""Settings, API tokens: which programs may ask in one's name, a new token, and the end of one."""

from __future__ import annotations

import secrets

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import UsageError
from trackeep.instance.frame import viewer_of
from trackeep.instance.settings.ending import ended
from trackeep.instance.settings.sections import show_section
from trackeep.instance.site import site_of
from trackeep.store import api_tokens
from trackeep.store.hashed_tokens import LONGEST_NAME
from trackeep.store.token_text import SECRET_BYTES, token_of

LIVES = {"30": "30 days", "90": "90 days", "365": "1 year", "": "No end"}
USUAL_LIFE = "90"


async def page(request: Request) -> Response:
    """GET /settings/tokens"""
    return await _show(request)


async def create(request: Request) -> Response:
    """POST /settings/tokens: the page with the new token on it, the only time that it is shown."""
    site, form = site_of(request), await request.form()
    scopes = [str(scope) for scope in form.getlist("scope")]
    new = api_tokens.wanted(str(form.get("name", "")), scopes, _days(form), site.now())
    token = token_of(secrets.token_bytes(SECRET_BYTES))
    async with site.db.write() as conn:
        made = await api_tokens.create(conn, viewer_of(request).account_id, token, new, site.now())
    return await _show(request, token=token, made=made)


async def revoke(request: Request) -> Response:
    """POST /settings/tokens/revoke"""
    return await ended(request, "token", api_tokens.revoke, "/settings/tokens")


async def _show(request: Request, *, token: str = "", made: int = 0) -> Response:
    site = site_of(request)
    async with site.db.read() as conn:
        found = await api_tokens.tokens_of(conn, viewer_of(request).account_id)
    return show_section(
        request,
        "settings_tokens.html",
        "tokens",
        tokens=found,
        now=site.now(),
        scopes=api_tokens.SCOPES,
        lives=LIVES,
        usual_life=USUAL_LIFE,
        longest_name=LONGEST_NAME,
        new_token=token,
        made=made,
        base_url=site.settings.base_url,
    )


def _days(form: FormData) -> int | None:
    text = str(form.get("days", ""))
    if text not in LIVES:
        raise UsageError("It is not said how long the token lives.", "Choose one of those on the page.")
    return int(text) if text else None
