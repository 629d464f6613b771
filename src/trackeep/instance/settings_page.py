"""Settings: time zone, theme, how GitHub is connected, signing out."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlencode, urlsplit
from zoneinfo import available_timezones

from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import UsageError
from trackeep.instance import permissions
from trackeep.instance.frame import show, viewer_of
from trackeep.instance.settings_sections import show_section
from trackeep.instance.signin import new_token_link
from trackeep.instance.site import safe_next, site_of
from trackeep.store import preferences, reports_connection
from trackeep.sync.renewal import renews_at

THEMES = {"system": "Like the system", "light": "Light", "dark": "Dark"}


# What became of a token after "Disconnect", in words.
DISCONNECTED = {
    "ended": "Disconnected, and GitHub ended the token.",
    "pasted": "Disconnected. The token that you pasted still works elsewhere; only you can end it.",
    "kept": "Disconnected here, but GitHub could not be told just now. End the access there.",
    "nothing": "There was no connection.",
}


async def page(request: Request) -> Response:
    """GET /settings"""
    site, viewer = site_of(request), viewer_of(request)
    async with site.db.read() as conn:
        way = await reports_connection.connection_of(conn, viewer.account_id)
    outcome = request.query_params.get("disconnected", "")
    return show_section(
        request,
        "settings.html",
        "profile",
        way=way,
        permissions=permissions.in_words(way.scopes) if way else (),
        renews_at=renews_at(way.expires_at, way.token_fingerprint)
        if way and way.expires_at and way.is_renewable
        else None,
        broker=urlsplit(way.broker_url).netloc if way else "",
        has_broker=bool(site.settings.broker_url),
        again=again(way),
        new_token=new_token_link(site.settings.github),
        disconnected=(outcome, DISCONNECTED.get(outcome, "")),
        themes=THEMES,
        zones=time_zones(),
    )


def again(way: reports_connection.Connection | None) -> str:
    """The link that connects to GitHub, with as much access as there is now."""
    query = {"next": "/settings"}
    if way and way.scopes and way.kind == "broker" and "repo" not in way.scopes:
        query["access"] = "public"
    return f"/auth/login?{urlencode(query)}"


async def set_theme(request: Request) -> Response:
    """POST /settings/theme"""
    form = await request.form()
    theme = str(form.get("theme", ""))
    if theme not in THEMES:
        raise UsageError("There is no such theme.", "Choose system, light or dark.")
    site = site_of(request)
    async with site.db.write() as conn:
        await preferences.save(conn, viewer_of(request).account_id, theme=theme)
    return site.go(safe_next(str(form.get("return_to", "/settings"))))


async def set_time_zone(request: Request) -> Response:
    """POST /settings/time-zone"""
    form = await request.form()
    name = str(form.get("time_zone", "")).strip()
    if name not in time_zones():
        raise UsageError(f"“{name[:60]}” is no time zone we know.", "Write it as Europe/Prague.")
    site = site_of(request)
    async with site.db.write() as conn:
        await preferences.save(conn, viewer_of(request).account_id, time_zone=name)
    return site.go(safe_next(str(form.get("return_to", "/settings"))))


async def privacy(request: Request) -> Response:
    """GET /privacy"""
    settings = site_of(request).settings
    hosts = [settings.github.web, settings.github.api, settings.broker_url]
    return show(request, "privacy.html", "settings", hosts=list(dict.fromkeys(filter(None, hosts))))


async def shortcuts(request: Request) -> Response:
    """GET /shortcuts"""
    return show(request, "shortcuts.html", "settings")


@lru_cache(maxsize=1)
def time_zones() -> tuple[str, ...]:
    """Every zone with a place in its name, and UTC."""
    places = sorted(name for name in available_timezones() if "/" in name and not name.startswith("Etc/"))
    return ("UTC", *places)
