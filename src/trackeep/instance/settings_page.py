"""Settings: time zone, theme, how GitHub is connected, signing out."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import available_timezones

from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import UsageError
from trackeep.instance.frame import reader_of, show, viewer_of
from trackeep.instance.site import safe_next, site_of
from trackeep.store import preferences, reports_sync

THEMES = {"system": "Like the system", "light": "Light", "dark": "Dark"}


async def page(request: Request) -> Response:
    """GET /settings"""
    reader = reader_of(request)
    async with site_of(request).db.read() as conn:
        freshness = await reports_sync.freshness(conn, reader)
    return show(request, "settings.html", "settings", freshness=freshness, themes=THEMES, zones=time_zones())


async def set_theme(request: Request) -> Response:
    """POST /settings/theme"""
    form = await request.form()
    theme = str(form.get("theme", ""))
    if theme not in THEMES:
        raise UsageError("There is no such theme.", "Choose system, light or dark.")
    site = site_of(request)
    async with site.db.write() as conn:
        await preferences.save_theme(conn, viewer_of(request).account_id, theme)
    return site.go(safe_next(str(form.get("return_to", "/settings"))))


async def set_time_zone(request: Request) -> Response:
    """POST /settings/time-zone"""
    form = await request.form()
    name = str(form.get("time_zone", "")).strip()
    if name not in time_zones():
        raise UsageError(f"“{name[:60]}” is no time zone we know.", "Write it as Europe/Prague.")
    site = site_of(request)
    async with site.db.write() as conn:
        await preferences.save_time_zone(conn, viewer_of(request).account_id, name)
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
