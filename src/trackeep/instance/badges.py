"""Badges: pictures that anybody may see who knows their address, from figures of at most five minutes ago."""

from __future__ import annotations

import re
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import NotFound
from trackeep.instance import badge_pictures, validated, words
from trackeep.instance.badge_pictures import Picture
from trackeep.instance.charts_calendar import Calendar, span
from trackeep.instance.frame import reader_of
from trackeep.instance.sessions import viewer_from
from trackeep.instance.site import site_of
from trackeep.metrics.contributions import streaks
from trackeep.metrics.windows import compare, day_of
from trackeep.store import badges, reports_badges, reports_mine
from trackeep.store.badges import Badge
from trackeep.store.reports_access import Reader

PATH = "/b/{secret}.svg"
MEDIA_TYPE = "image/svg+xml"
# 144 bits, as token_urlsafe writes them: nothing else is looked up.
SECRET_BYTES = 18
SHAPE = re.compile(r"[A-Za-z0-9_-]{24}")
LABELS = {
    "commits": "commits in 30 days",
    "merged": "pull requests merged in 30 days",
    "streak": "streak",
    "pulls": "open pull requests",
    "synced": "synced",
}


async def show(request: Request) -> Response:
    """GET /b/{secret}.svg: asked for by strangers, so whoever comes waits for at most two others."""
    site, secret = site_of(request), request.path_params["secret"]
    nowhere = NotFound("There is no picture at this address.", "It may have been removed.")
    if not SHAPE.fullmatch(secret):
        raise nowhere
    async with site.badge_looks:
        picture = await _picture(request, secret)
    if picture is None:
        raise nowhere
    headers = {
        "content-security-policy": picture.policy,
        "cache-control": f"public, max-age={site.pictures.for_s}",
        "x-robots-tag": "noindex",
    }
    return validated.answer(request, picture.svg.encode(), MEDIA_TYPE, headers)


async def _picture(request: Request, secret: str) -> Picture | None:
    """Whether there is one is looked up each time, so that a badge that was removed is gone at once."""
    site = site_of(request)
    async with site.db.read() as conn:
        found = await badges.find(conn, secret, site.rules)
        if found is None:
            return None
        request.state.viewer = viewer_from(found.who)
        reader = replace(reader_of(request), is_public=not found.badge.counts_private)
        name = await name_of(conn, reader, found.badge, found.who.login)
    if name is None:
        return None

    async def make() -> Picture:
        async with site.db.read() as conn:
            return await _drawn(conn, reader, found.badge, name, found.who.heatmap)

    return await site.pictures.get(f"{secret} {name}", reader.now, make)


async def name_of(conn: AsyncConnection, reader: Reader, badge: Badge, login: str) -> str | None:
    """Whom or what it is about, "" where it does not say; None where that may not be seen just now."""
    full_name = login
    if badge.repository_id is not None:
        place = await reports_badges.place(conn, reader, badge.repository_id)
        if place is None:
            return None
        full_name = place.full_name
    return full_name if badge.is_named else ""


async def _drawn(conn: AsyncConnection, reader: Reader, badge: Badge, name: str, ramp: str) -> Picture:
    today = day_of(reader.now, reader.zone)
    if badge.kind in ("heatmap", "streak"):
        by_kind = (await reports_mine.days(conn, reader)).contributions
        every = {day for counts in by_kind.values() for day in counts}
        counts = {day: sum(of_kind.get(day, 0) for of_kind in by_kind.values()) for day in every}
        if badge.kind == "heatmap":
            return badge_pictures.card(Calendar(*span(today, None), today, counts), name, ramp)
        value = words.counted(streaks(counts, today).current, "day")
    else:
        value = await _value(conn, reader, badge)
    label = LABELS[badge.kind]
    return badge_pictures.badge(f"{name} · {label}" if name else label, value, ramp)


async def _value(conn: AsyncConnection, reader: Reader, badge: Badge) -> str:
    if badge.kind == "pulls":
        return words.number(await reports_badges.open_pulls(conn, reader, badge.repository_id or 0))
    if badge.kind == "synced":
        at = await reports_badges.synced_at(conn, reader)
        return words.NOTHING if at is None else words.moment(at, reader.zone)
    totals = await reports_mine.totals(conn, reader, compare("30d", reader.now, reader.zone).current)
    return words.number(totals.merged if badge.kind == "merged" else totals.commits)
