"""Atom feeds: what happened, one repository, and what waits for one, for whoever holds a feed token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import wraps
from urllib.parse import quote

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from trackeep import __version__
from trackeep.errors import NotFound
from trackeep.instance import atom, validated, words
from trackeep.instance.activity_page import events_wanted
from trackeep.instance.frame import address, reader_of
from trackeep.instance.pulls_page import SECTION_WORDS
from trackeep.instance.sessions import require_plain_address, viewer_from
from trackeep.instance.site import site_of
from trackeep.metrics.windows import day_of
from trackeep.store import feed_tokens, reports_events, reports_pulls, reports_repositories
from trackeep.store.feed_tokens import FeedToken
from trackeep.store.hashed_tokens import TOUCH_AFTER_S
from trackeep.store.reports_access import Reader
from trackeep.store.reports_events import Event
from trackeep.store.reports_pulls import PullRow

Endpoint = Callable[[Request], Awaitable[Response]]
ENTRIES = 50
ACTIVITY = "/feeds/{token}/activity.atom"
QUEUE = "/feeds/{token}/pulls.atom"
REPOSITORY = "/feeds/{token}/r/{owner}/{name}/activity.atom"
# The address is a secret, so it goes nowhere with the links of the feed; what it gives is one person's.
HEADERS = {"cache-control": "private, no-cache", "referrer-policy": "no-referrer", "x-robots-tag": "noindex"}


def by_token(endpoint: Endpoint) -> Endpoint:
    """Only for a living feed token in the address: `request.state.viewer` is its owner as of now.

    Raises NotFound for everything else, a token that never was and one that ended alike.
    """

    @wraps(endpoint)
    async def guarded(request: Request) -> Response:
        require_plain_address(request)
        site = site_of(request)
        async with site.db.read() as conn:
            found = await feed_tokens.find(conn, request.path_params["token"], site.rules)
        if found is None:
            raise NotFound("There is no feed at this address.", "Its token may be revoked; make a new one.")
        request.state.viewer, request.state.feed_token = viewer_from(found.who), found.token
        await _touch(request, found.token)
        return await endpoint(request)

    return guarded


@by_token
async def activity(request: Request) -> Response:
    """GET /feeds/{token}/activity.atom: the list at /activity, with its filters."""
    reader = reader_of(request)
    wanted, _ = events_wanted(request, reader)
    return await _events(request, reader, wanted)


@by_token
async def repository(request: Request) -> Response:
    """GET /feeds/{token}/r/{owner}/{name}/activity.atom: the same, of one repository."""
    reader = reader_of(request)
    wanted, _ = events_wanted(request, reader)
    place = (request.path_params["owner"], request.path_params["name"])
    return await _events(request, reader, replace(wanted, repository=place))


@by_token
async def queue(request: Request) -> Response:
    """GET /feeds/{token}/pulls.atom: the pull requests whose next step is the reader's."""
    reader = reader_of(request)
    async with site_of(request).db.read() as conn:
        found = await reports_pulls.queue(conn, reader)
    mine = sorted((pull for pull in found if pull.needs_me), key=lambda pull: -pull.updated_at)
    entries = tuple(_pull(request, pull) for pull in mine[:ENTRIES])
    return _answer(request, ("queue", reader.account_id), "Waiting for you", "/pulls", entries)


async def _events(request: Request, reader: Reader, wanted: reports_events.Wanted) -> Response:
    async with site_of(request).db.read() as conn:
        full_name = await _full_name(conn, reader, wanted.repository) if wanted.repository else ""
        page = await reports_events.recent(conn, reader, wanted, limit=ENTRIES)
    query = {name: value for name, value in request.query_params.items() if name != "repo"}
    shown = address("/activity", repo=full_name or None, **query)
    key = ("activity", reader.account_id, full_name.lower(), tuple(sorted(query.items())))
    title = f"Activity in {full_name}" if full_name else "Activity"
    entries = tuple(_event(request, event, reader) for event in page.rows)
    return _answer(request, key, f"{title}, yours only" if wanted.mine else title, shown, entries)


async def _full_name(conn: AsyncConnection, reader: Reader, place: tuple[str, str]) -> str:
    """As GitHub writes it. Raises NotFound for what this person may not see just now."""
    row = await reports_repositories.find(conn, reader, *place)
    if row is None:
        raise NotFound("There is no feed at this address.", "Its token may be revoked; make a new one.")
    return row.full_name


async def _touch(request: Request, token: FeedToken) -> None:
    site, now = site_of(request), site_of(request).now()
    used_at = token.last_used_at
    if used_at is None or now - used_at >= TOUCH_AFTER_S:
        address = request.state.client_address
        await site.db.note(lambda conn: feed_tokens.touch(conn, token.id, address, now))


def _answer(
    request: Request, key: tuple[object, ...], title: str, page: str, entries: tuple[atom.Entry, ...]
) -> Response:
    base = site_of(request).settings.base_url
    token = request.state.feed_token
    feed = atom.Feed(
        key=key,
        title=f"{title} · Trackeep",
        itself=address(base + quote(request.scope["path"]), **dict(request.query_params)),
        page=base + page,
        since=token.created_at,
        generator=f"Trackeep {__version__}",
        entries=entries,
    )
    return validated.answer(request, atom.write(feed), atom.MEDIA_TYPE, HEADERS)


# ---- what the entries say -----------------------------------------------------------------------


def _event(request: Request, event: Event, reader: Reader) -> atom.Entry:
    who = event.actor or event.actor_name
    key: tuple[object, ...] = (event.repository_id, event.kind, event.number, event.at, who, event.detail)
    if event.kind == "commit":
        # The commits of one day are one entry, which grows.
        key = (event.repository_id, event.kind, day_of(event.at, reader.zone).isoformat(), who)
    return atom.Entry(
        key=("event", *key),
        title=told(event),
        at=event.at,
        link=f"{site_of(request).settings.github.web}/{quote(_path(event))}",
        author=who,
        text=event.title,
    )


def told(event: Event) -> str:
    """One event in a sentence."""
    who = "You" if event.mine else (event.actor or event.actor_name or "Somebody")
    place = f"{event.owner}/{event.repository}"
    pull, branch = f"{place} #{event.number}", event.detail.removeprefix("refs/heads/")
    did = {"APPROVED": "approved", "CHANGES_REQUESTED": "asked for changes in"}.get(event.detail, "reviewed")
    return {
        "commit": f"{who} made {words.counted(event.count, 'commit')} in {place}",
        "opened": f"{who} opened {pull}",
        "merged": f"{who} merged {pull}",
        "closed": f"{pull} was closed without merging",
        "review": f"{who} {did} {pull}",
        "issue": f"{who} opened issue {pull}",
        "issue-closed": f"Issue {pull} was closed",
        "release": f"{place} {event.detail} was released",
        "created": f"Branch {branch} appeared in {place}",
        "deleted": f"Branch {branch} was deleted in {place}",
        "forced": f"{place} {branch} was force-pushed",
    }.get(event.kind, f"{event.kind} in {place}")


def _path(event: Event) -> str:
    """Where at GitHub it is to be seen."""
    place, branch = f"{event.owner}/{event.repository}", event.detail.removeprefix("refs/heads/")
    if event.kind in ("opened", "merged", "closed", "review"):
        return f"{place}/pull/{event.number}"
    if event.kind in ("issue", "issue-closed"):
        return f"{place}/issues/{event.number}"
    if event.kind == "release":
        return f"{place}/releases/tag/{event.detail}"
    return f"{place}/tree/{branch}" if event.kind in ("created", "forced") else place


def _pull(request: Request, pull: PullRow) -> atom.Entry:
    place, section = f"{pull.owner}/{pull.repository}", pull.section or ""
    return atom.Entry(
        key=("pull", pull.repository_id, pull.number, section),
        title=f"{SECTION_WORDS[section][0]}: {pull.title}",
        at=pull.updated_at,
        link=f"{site_of(request).settings.github.web}/{quote(place)}/pull/{pull.number}",
        author=pull.author or pull.author_name,
        text=f"{place} #{pull.number}, {SECTION_WORDS[section][1]}",
    )
