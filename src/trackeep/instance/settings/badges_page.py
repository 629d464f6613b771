"""Settings, badges and sharing: a new picture for a page elsewhere, those there are, and the end of one."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from markupsafe import escape
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import NotFound, UsageError
from trackeep.instance import badges as pictures
from trackeep.instance.entry.client_document import is_public_host
from trackeep.instance.frame import reader_of, viewer_of
from trackeep.instance.settings.ending import ended, number_in
from trackeep.instance.settings.sections import show_section
from trackeep.instance.site import site_of
from trackeep.store import badges, reports_badges
from trackeep.store.badges import KINDS, OF_REPOSITORY, Badge
from trackeep.store.reports_badges import Place


@dataclass(frozen=True)
class Shown:
    """One badge as its owner sees it; `place` is its repository, and `is_seen` whether strangers see it."""

    badge: Badge
    place: Place | None
    is_seen: bool
    url: str
    alt: str

    @property
    def markdown(self) -> str:
        return f"![{self.alt}]({self.url})"

    @property
    def html(self) -> str:
        return f'<img src="{escape(self.url)}" alt="{escape(self.alt)}">'


async def page(request: Request) -> Response:
    """GET /settings/badges"""
    site, reader = site_of(request), reader_of(request)
    async with site.db.read() as conn:
        found = await badges.badges_of(conn, reader.account_id)
        places = await reports_badges.places(conn, reader)
        known = [await _place_of(conn, request, each) for each in found]
    return show_section(
        request,
        "settings_badges.html",
        "badges",
        badges=[_shown(request, badge, place) for badge, place in zip(found, known, strict=True)],
        kinds=KINDS,
        places=places,
        is_reachable=is_public_host(urlsplit(site.settings.base_url).hostname or ""),
        login=viewer_of(request).login,
        kept_min=site.pictures.for_s // 60,
    )


async def create(request: Request) -> Response:
    """POST /settings/badges"""
    site, form = site_of(request), await request.form()
    new = _wanted(form)
    reader = replace(reader_of(request), is_public=not new.counts_private)
    async with site.db.write() as conn:
        if (
            new.repository_id is not None
            and await reports_badges.place(conn, reader, new.repository_id) is None
        ):
            await _refuse(conn, request, new.repository_id)
        await badges.create(conn, reader.account_id, new, site.now())
    return site.go("/settings/badges")


async def remove(request: Request) -> Response:
    """POST /settings/badges/remove"""
    return await ended(request, "badge", badges.remove, "/settings/badges")


async def _refuse(conn: AsyncConnection, request: Request, repository_id: int) -> None:
    """Says why the badge of a repository is not made: its owner did not ask for what is private, or it is not
    theirs to see."""
    if await reports_badges.place(conn, reader_of(request), repository_id) is None:
        raise NotFound("There is no such repository that you may see.", "Choose one of those on the page.")
    raise UsageError(
        "This repository is private.", "Tick that private repositories may be shown, if you mean it."
    )


async def _place_of(conn: AsyncConnection, request: Request, badge: Badge) -> Place | None:
    if badge.repository_id is None:
        return None
    return await reports_badges.place(conn, reader_of(request), badge.repository_id)


def _shown(request: Request, badge: Badge, place: Place | None) -> Shown:
    base = site_of(request).settings.base_url
    name = place.full_name if place else viewer_of(request).login
    kind = KINDS[badge.kind].removesuffix(" of a repository")
    lost = badge.repository_id is not None and place is None
    hidden = place is not None and place.private and not badge.counts_private
    return Shown(
        badge=badge,
        place=place,
        is_seen=not (lost or hidden),
        url=base + pictures.PATH.replace("{secret}", badge.secret),
        alt=f"{name}: {kind.lower()}" if badge.is_named else kind,
    )


def _wanted(form: FormData) -> Badge:
    kind = str(form.get("kind", ""))
    if kind not in KINDS:
        raise UsageError("It is not said what the badge shows.", "Choose one of those on the page.")
    return Badge(
        id=0,
        secret=secrets.token_urlsafe(pictures.SECRET_BYTES),
        kind=kind,
        repository_id=number_in(form, "repository") if kind in OF_REPOSITORY else None,
        is_named=bool(form.get("named")),
        counts_private=bool(form.get("private")),
        created_at=0,
    )
