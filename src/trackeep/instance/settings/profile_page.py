"""Settings, profile and display: zone, weeks, dates and colours, and which addresses are the reader's."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import UsageError
from trackeep.instance.frame import reader_of, show, viewer_of
from trackeep.instance.settings.sections import show_section
from trackeep.instance.site import safe_next, site_of
from trackeep.store import claims, preferences, reports_identities
from trackeep.store.preferences import DATE_STYLES, HEATMAPS, STALE_DAYS, THEMES, WEEK_STARTS


async def page(request: Request) -> Response:
    """GET /settings"""
    site, viewer = site_of(request), viewer_of(request)
    async with site.db.read() as conn:
        claimed = await claims.claims_of(conn, viewer.account_id)
        candidates = await reports_identities.candidates(conn, reader_of(request))
    return show_section(
        request,
        "settings.html",
        "profile",
        claims=claimed,
        candidates=candidates,
        themes=THEMES,
        heatmaps=HEATMAPS,
        week_starts=WEEK_STARTS,
        date_styles=DATE_STYLES,
        stale_days=STALE_DAYS,
        zones=time_zones(),
    )


async def set_display(request: Request) -> Response:
    """POST /settings/display: zone, first day of the week, date style and stale days, all at once."""
    form, site = await request.form(), site_of(request)
    chosen = {
        "time_zone": _time_zone(form),
        "week_start": int(_one_of(form, "week_start", {str(day): "" for day in WEEK_STARTS})),
        "date_style": _one_of(form, "date_style", DATE_STYLES),
        "stale_days": _stale_days(form),
    }
    async with site.db.write() as conn:
        await preferences.save(conn, viewer_of(request).account_id, **chosen)
    return site.go("/settings")


async def set_theme(request: Request) -> Response:
    """POST /settings/theme"""
    return await _set(request, theme=_one_of(await request.form(), "theme", THEMES))


async def set_heatmap(request: Request) -> Response:
    """POST /settings/heatmap"""
    return await _set(request, heatmap=_one_of(await request.form(), "heatmap", HEATMAPS))


async def set_time_zone(request: Request) -> Response:
    """POST /settings/time-zone"""
    return await _set(request, time_zone=_time_zone(await request.form()))


async def _set(request: Request, **chosen: Any) -> Response:
    site = site_of(request)
    async with site.db.write() as conn:
        await preferences.save(conn, viewer_of(request).account_id, **chosen)
    return site.go(safe_next(str((await request.form()).get("return_to", "/settings"))))


def _time_zone(form: FormData) -> str:
    name = str(form.get("time_zone", "")).strip()
    if name not in time_zones():
        raise UsageError(f"“{name[:60]}” is no time zone we know.", "Write it as Europe/Prague.")
    return name


def _one_of(form: FormData, name: str, choices: dict[str, str]) -> str:
    value = str(form.get(name, ""))
    if value not in choices:
        raise UsageError(f"There is no such {name.replace('_', ' ')}.", "Choose one of those on the page.")
    return value


def _stale_days(form: FormData) -> int:
    text, (least, most) = str(form.get("stale_days", "")), STALE_DAYS
    if not (text.isascii() and text.isdecimal() and len(text) < 4 and least <= int(text) <= most):
        raise UsageError("Stale days must be a whole number.", f"Write one from {least} to {most}.")
    return int(text)


async def shortcuts(request: Request) -> Response:
    """GET /shortcuts"""
    return show(request, "shortcuts.html", "settings")


@lru_cache(maxsize=1)
def time_zones() -> tuple[str, ...]:
    """Every zone with a place in its name, and UTC."""
    places = sorted(name for name in available_timezones() if "/" in name and not name.startswith("Etc/"))
    return ("UTC", *places)
