"""Settings, users, for the owner: who may sign in and why, and the end of it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import NotFound, UsageError
from trackeep.instance.entry import admission, disconnect
from trackeep.instance.frame import viewer_of
from trackeep.instance.identities import LOGIN
from trackeep.instance.settings.ending import number_in
from trackeep.instance.settings.sections import show_section
from trackeep.instance.site import Site, site_of
from trackeep.store import people


async def page(request: Request) -> Response:
    """GET /settings/users"""
    site = site_of(request)
    async with site.db.read() as conn:
        found = await people.everybody(conn)
    return show_section(
        request,
        "settings_users.html",
        "users",
        people=found,
        allowed_users=site.settings.allowed_users,
        allowed_orgs=site.settings.allowed_orgs,
    )


async def allow(request: Request) -> Response:
    """POST /settings/users/allow: GitHub says once who the login is; that number counts from then on."""
    site, login = site_of(request), str((await request.form()).get("login", "")).strip().removeprefix("@")
    if not LOGIN.fullmatch(login):
        raise UsageError("That is not a login of GitHub.", "Write it as GitHub shows it.")
    await admission.allow_login(site, viewer_of(request).account_id, login)
    return site.go("/settings/users")


async def remove(request: Request) -> Response:
    """POST /settings/users/remove"""
    site = site_of(request)
    await shut_out(site, number_in(await request.form(), "person"))
    return site.go("/settings/users")


async def make_owner(request: Request) -> Response:
    """POST /settings/users/owner: the instance is handed on; whoever gave it stays a member."""
    site, person_id = site_of(request), number_in(await request.form(), "person")
    async with site.db.write() as conn:
        await people.hand_over(conn, viewer_of(request).account_id, person_id, site.rules, site.now())
    return site.go("/settings")


async def shut_out(site: Site, person_id: int) -> str:
    """End all that lets somebody in, and their token at GitHub; says what became of that one.

    Raises NotFound for somebody who has no permission, UsageError for the owner.
    """
    async with site.db.write() as conn:
        if not await people.shut_out(conn, person_id):
            raise NotFound("This person may not sign in here.", "See the list of users.")
    return await disconnect.end(site, person_id)
