"""Settings, feeds: a token for a feed reader, the addresses it opens, and the end of one."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import NotFound
from trackeep.instance import feeds
from trackeep.instance.frame import owner_and_name, reader_of, repository_in, viewer_of
from trackeep.instance.settings.ending import ended
from trackeep.instance.settings.sections import show_section
from trackeep.instance.site import site_of
from trackeep.store import feed_tokens, reports_repositories
from trackeep.store.hashed_tokens import LONGEST_NAME
from trackeep.store.token_text import FEED_PREFIX, SECRET_BYTES, token_of


@dataclass(frozen=True)
class Address:
    """One feed that a new token opens."""

    label: str
    url: str


async def page(request: Request) -> Response:
    """GET /settings/feeds, with `repo=owner/name` where somebody wants that repository's feed."""
    place = repository_in(request)
    return await _show(request, "/".join(place) if place else "")


async def create(request: Request) -> Response:
    """POST /settings/feeds: the page with the new addresses on it, the only time that they are shown."""
    site, form = site_of(request), await request.form()
    name, repository = feed_tokens.named(str(form.get("name", ""))), str(form.get("repository", "")).strip()
    full_name = await _known(request, repository) if repository else ""
    token = token_of(secrets.token_bytes(SECRET_BYTES), FEED_PREFIX)
    async with site.db.write() as conn:
        made = await feed_tokens.create(conn, viewer_of(request).account_id, token, name, site.now())
    return await _show(
        request, full_name, made=made, addresses=addresses(site.settings.base_url, token, full_name)
    )


async def revoke(request: Request) -> Response:
    """POST /settings/feeds/revoke"""
    return await ended(request, "token", feed_tokens.revoke, "/settings/feeds")


def addresses(base_url: str, token: str, repository: str) -> tuple[Address, ...]:
    """What this token opens; `repository` is owner/name, or "" for none in particular."""
    below = base_url + feeds.ACTIVITY.replace("{token}", token)
    found = [
        Address("Activity", below),
        Address("Waiting for you", base_url + feeds.QUEUE.replace("{token}", token)),
        Address("Your own activity", f"{below}?who=me"),
    ]
    if repository:
        owner, _, name = repository.partition("/")
        path = feeds.REPOSITORY.replace("{token}", token).replace("{owner}", owner).replace("{name}", name)
        found.insert(0, Address(repository, base_url + path))
    return tuple(found)


async def _known(request: Request, repository: str) -> str:
    """As GitHub writes it. Raises UsageError and NotFound."""
    owner, name = owner_and_name(repository)
    async with site_of(request).db.read() as conn:
        row = await reports_repositories.find(conn, reader_of(request), owner, name)
    if row is None:
        raise NotFound("There is no such repository that you may see.", "Check its name.")
    return row.full_name


async def _show(
    request: Request, repository: str, *, made: int = 0, addresses: tuple[Address, ...] = ()
) -> Response:
    site = site_of(request)
    async with site.db.read() as conn:
        found = await feed_tokens.tokens_of(conn, viewer_of(request).account_id)
    return show_section(
        request,
        "settings_feeds.html",
        "feeds",
        tokens=found,
        repository=repository,
        longest_name=LONGEST_NAME,
        addresses=addresses,
        made=made,
    )
