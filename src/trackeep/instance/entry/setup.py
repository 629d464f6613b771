"""The first run: whoever can read this program's log becomes its owner."""

from __future__ import annotations

from urllib.parse import urlencode

import structlog
from starlette.requests import Request
from starlette.responses import Response

from trackeep.environment import InstanceSettings
from trackeep.errors import LoginError
from trackeep.instance.entry import sealed_cookies
from trackeep.instance.site import Site, at_home, site_of
from trackeep.store import ownership

log = structlog.get_logger()


async def current_code(site: Site) -> str | None:
    """The set-up code as people type it, None when there is an owner."""
    code = await ownership.setup_code(site.db, site.vault, site.now())
    return ownership.readable(code.text) if code else None


async def announce(site: Site, *, again: bool = False) -> str | None:
    """Write the set-up code to the log while there is no owner; with `again` even when it is not new.

    Returns the code as people type it, None when there is an owner.
    """
    code = await ownership.setup_code(site.db, site.vault, site.now())
    if code is None:
        return None
    text = ownership.readable(code.text)
    if code.is_new or again:
        address = site.settings.base_url + "/setup"
        log.warning(
            "no owner yet: open the address and enter the set-up code", address=address, setup_code=text
        )
    return text


def link(settings: InstanceSettings, code: str) -> str:
    """The set-up page with the code filled in, for a demo that anybody may own."""
    return f"{settings.base_url}/setup?{urlencode({'code': code})}"


async def page(request: Request) -> Response:
    """GET /setup: asks for the set-up code; `?code=` only fills the field in."""
    site = site_of(request)
    if elsewhere := at_home(request):
        return elsewhere
    if await announce(site) is None:
        return site.go("/signin")
    return _page(site, request.query_params.get("code", ""))


async def answer(request: Request) -> Response:
    """POST /setup: the right code lets this browser, and no other, become the owner by signing in."""
    site, form = site_of(request), await request.form()
    if await announce(site) is None:
        return site.go("/signin")
    text = str(form.get("code", ""))
    try:
        code_hash = await ownership.try_code(site.db, text, site.now())
    except LoginError as error:
        return _page(site, text, problem=error.sentence)
    response = site.go("/signin")
    sealed_cookies.keep_setup(site, response, code_hash)
    return response


def _page(site: Site, code: str, *, problem: str = "") -> Response:
    return site.pages.page("setup.html", status=400 if problem else 200, code=code[:64], problem=problem)
