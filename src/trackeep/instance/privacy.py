"""The privacy page: what is stored, who is told what, and every host that is talked to."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from trackeep.instance.contacts import contacts
from trackeep.instance.frame import show
from trackeep.instance.site import site_of


async def page(request: Request) -> Response:
    """GET /privacy"""
    site = site_of(request)
    told = contacts(site.settings)
    if request.state.viewer is None:
        # Whoever is asked to sign in may read first what that means.
        return site.pages.page("privacy.html", layout="solo.html", contacts=told)
    return show(request, "privacy.html", "settings", layout="frame.html", contacts=told)
