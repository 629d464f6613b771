"""Who looks at a page: the session cookie, and the guards that stand before every page."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from trackeep import web
from trackeep.environment import cookie_name
from trackeep.errors import Forbidden, NotSignedIn, UsageError
from trackeep.instance.site import Site, safe_next, site_of
from trackeep.store import sessions

Endpoint = Callable[[Request], Awaitable[Response]]
COOKIE = "session"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# The key of a request's scope by which a command, in its own process, says whose view it wants. Nothing that
# comes over the network can put a key there.
OPERATED = "trackeep.account_id"


@dataclass(frozen=True)
class Viewer:
    """The person who is signed in and what they chose; "" where they chose nothing.

    `time_zone` is an IANA name, `week_start` an ISO weekday; the others are keys of store/preferences.py.
    """

    account_id: int
    login: str
    name: str
    avatar_url: str
    time_zone: str
    theme: str
    role: str
    heatmap: str = ""
    week_start: int = 1
    date_style: str = ""
    stale_days: int = 14


# ---- guards -------------------------------------------------------------------------------------


def signed_in(endpoint: Endpoint) -> Endpoint:
    """Only for somebody who is signed in: `request.state.viewer` is a Viewer."""

    @wraps(endpoint)
    async def guarded(request: Request) -> Response:
        require_own_page(request)
        request.state.viewer = await current(request)
        if request.state.viewer is not None:
            await _require_plain_form(request)
            return kept_alive(request, await endpoint(request))
        if web.wants_json(request):
            raise NotSignedIn("This needs somebody who is signed in.", "Sign in on the web page first.")
        return site_of(request).go("/signin" + _back_to(request))

    return guarded


def owner_only(endpoint: Endpoint) -> Endpoint:
    """Only for the owner of the instance; anybody else is refused."""

    @wraps(endpoint)
    async def guarded(request: Request) -> Response:
        if request.state.viewer.role != "owner":
            raise Forbidden("Only the owner of this Trackeep may do this.", "Ask the owner.")
        return await endpoint(request)

    return signed_in(guarded)


def anybody(endpoint: Endpoint) -> Endpoint:
    """For everybody: `request.state.viewer` is a Viewer or None."""

    @wraps(endpoint)
    async def guarded(request: Request) -> Response:
        require_own_page(request)
        await _require_plain_form(request)
        request.state.viewer = await current(request)
        return kept_alive(request, await endpoint(request))

    return guarded


def require_plain_address(request: Request) -> None:
    """Nobody types U+0000, and PostgreSQL refuses it. Raises UsageError."""
    if "\0" in request.scope["path"] or "%00" in request.url.query:
        raise UsageError("This address has characters that mean nothing.", "Type it again.")


def require_own_page(request: Request) -> None:
    """Nothing changes on request of a foreign page, not even of a neighbour on the same site.

    Nor does one get anything into itself: a browser tells a page whether what it prefetched was there, which
    is as much as to say whether a repository exists. Links from anywhere open as ever.
    """
    require_plain_address(request)
    if request.method in SAFE_METHODS:
        if web.is_part_of_foreign_page(request):
            raise Forbidden("Another site's page asked for this.", "Open it in a window of its own.")
        return
    if not web.is_same_origin(request, site_of(request).settings.origin):
        raise Forbidden(
            "This request did not come from a page of this Trackeep.",
            "Open the page here and try again; TRACKEEP_BASE_URL must be the address you see.",
        )


async def _require_plain_form(request: Request) -> None:
    """The same for what a form sends; whoever reads it afterwards gets it again. Raises UsageError."""
    if request.method not in SAFE_METHODS:
        body = await request.body()
        if b"\0" in body or b"%00" in body:
            raise UsageError("This form has characters that mean nothing.", "Type it again.")


def _back_to(request: Request) -> str:
    path = request.scope["path"] + (f"?{request.url.query}" if request.url.query else "")
    path = safe_next(path) if request.method == "GET" else "/"
    return "?" + urlencode({"next": path}) if path != "/" else ""


# ---- the session of one browser -----------------------------------------------------------------


async def current(request: Request) -> Viewer | None:
    """The viewer of this request's session; using it keeps it alive for another 30 days."""
    site, session_id = site_of(request), _session_id(request)
    if OPERATED in request.scope:
        async with site.db.read() as conn:
            operated = await sessions.of_account(conn, request.scope[OPERATED])
        return viewer_from(operated) if operated else None
    if not session_id:
        return None
    now = site.now()
    async with site.db.read() as conn:
        found = await sessions.find(conn, session_id, site.rules, now)
    if found is None:
        return None
    if now - found.seen_at >= sessions.TOUCH_AFTER_S:
        device = device_of(request)
        request.state.touched = await site.db.note(lambda conn: sessions.touch(conn, session_id, device, now))
    return viewer_from(found)


def viewer_from(found: sessions.Found) -> Viewer:
    """What pages know of somebody who was found in the database."""
    return Viewer(
        account_id=found.account_id,
        login=found.login,
        name=found.name,
        avatar_url=found.avatar_url,
        time_zone=found.time_zone,
        theme=found.theme,
        role=found.role,
        heatmap=found.heatmap,
        week_start=found.week_start,
        date_style=found.date_style,
        stale_days=found.stale_days,
    )


def kept_alive(request: Request, response: Response) -> Response:
    """`response`, with the session's cookie where that has to be renewed."""
    # The browser's own 30 days begin again together with ours; an answer that ends the session wins.
    site = site_of(request)
    ours = cookie_name(site.settings.base_url, COOKIE) + "="
    is_set = any(value.startswith(ours) for value in response.headers.getlist("set-cookie"))
    if getattr(request.state, "touched", False) and not is_set:
        keep(site, response, _session_id(request))
    return response


def new_id() -> str:
    return secrets.token_urlsafe(32)


def keep(site: Site, response: Response, session_id: str) -> None:
    """Give the browser its session cookie."""
    set_cookie(site, response, COOKIE, session_id, max_age_s=sessions.LIFETIME_S)


async def sign_out(request: Request) -> Response:
    """POST /auth/logout: this session ends, or with `everywhere` all of them."""
    site, session_id = site_of(request), _session_id(request)
    form = await request.form()
    async with site.db.write() as conn:
        if form.get("everywhere"):
            await sessions.end_all(conn, request.state.viewer.account_id)
        await sessions.end(conn, session_id)
    response = site.go("/signin")
    set_cookie(site, response, COOKIE, "", max_age_s=0)
    return response


def device_of(request: Request) -> sessions.Device:
    return sessions.Device(request.headers.get("user-agent", ""), request.state.client_address)


def cookie_of(request: Request, name: str) -> str:
    """The value of a cookie of this instance, "" without one."""
    return request.cookies.get(cookie_name(site_of(request).settings.base_url, name), "")


def set_cookie(site: Site, response: Response, name: str, value: str, *, max_age_s: int) -> None:
    """A cookie of this instance alone: out of reach of scripts, sent along when GitHub sends people back."""
    response.set_cookie(
        cookie_name(site.settings.base_url, name),
        value,
        max_age=max_age_s,
        path=site.settings.base_path or "/",
        secure=site.is_https,
        httponly=True,
        samesite="lax",
    )


def _session_id(request: Request) -> str:
    return cookie_of(request, COOKIE)
