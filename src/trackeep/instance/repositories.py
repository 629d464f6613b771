"""What is followed: the table of repositories, what GitHub shows no more, and what may be added."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import UsageError
from trackeep.instance import charts
from trackeep.instance.api.cursors import cursor_after, key_in
from trackeep.instance.blocks import Failed, blocks_of
from trackeep.instance.frame import comparison_in, days_of, reader_of, show
from trackeep.instance.repository_actions import done_in
from trackeep.instance.repository_names import search_link
from trackeep.instance.site import site_of
from trackeep.store import reports_listing, schedule, wishes
from trackeep.store.reports_listing import SORTS, ListedRepository, Listing, LostRepository, Value

LATE_S = 86_400
COLUMNS = {
    "repository": "Repository",
    "weeks": "26 weeks",
    "commits": "Commits",
    "open": "Open",
    "oldest": "Oldest",
    "branches": "Branches",
    "push": "Last push",
    "stored": "Stored",
    "sync": "Last sync",
}
STATES = {
    "tracked": "Tracked",
    "paused": "Paused",
    "archived": "Archived",
    "error": "Error",
    "lost": "No access",
    "hidden": "Hidden",
}
VISIBILITIES = {"public": "Public", "private": "Private"}


def state_of(row: ListedRepository, now: int) -> tuple[str, str]:
    """The colour of the dot (ok, warn, off) and the word beside it."""
    if row.follow_state == schedule.PAUSED:
        return "off", "Paused"
    if row.problem:
        return "warn", "Error"
    if row.synced_at is None:
        return "off", "Waiting"
    if row.synced_at < now - LATE_S:
        return "warn", "Late"
    return "ok", "On time" if row.is_whole else "Reading"


async def table(request: Request) -> Response:
    """GET /repos"""
    site, reader = site_of(request), reader_of(request)
    comparison = comparison_in(request, reader)
    listing = listing_in(request)
    async with blocks_of(request) as block:
        overview = await reports_listing.overview(block.conn, reader)
        lost = await reports_listing.lost(block.conn, reader)
        asked = await wishes.of(block.conn, reader.account_id)
        page = await block.read(reports_listing.listed, reader, comparison.current, listing)
        suggestions = await block.read(reports_listing.suggestions, reader)
    return show(
        request,
        "repositories.html",
        "repositories",
        page=page,
        rows=() if isinstance(page, Failed) else page.rows,
        next="" if isinstance(page, Failed) else _next_page(request, page.next),
        is_later_page=listing.after is not None,
        overview=overview,
        lost=[each for each in lost if _shows(listing, each)],
        lost_in_all=len(lost),
        tags=() if isinstance(page, Failed) else page.tags,
        suggestions=suggestions,
        wishes=asked,
        made_from=json.dumps({"wishes": sum(one.state == wishes.WAITING for one in asked)}),
        listing=listing,
        columns=COLUMNS,
        sort_link=_sort_link(listing),
        states=STATES,
        visibilities=VISIBILITIES,
        state_of=lambda row: state_of(row, reader.now),
        done=done_in(request),
        search_github=search_link(site.settings.github.web, listing.words),
        period=comparison.period,
        window=days_of(comparison.current, reader.zone),
        sparkline=charts.sparkline,
    )


def listing_in(request: Request) -> Listing:
    """What the query asks for; a filter or a column that does not exist is as if it were not there.

    Raises UsageError for a `cursor` that is not one of this very list.
    """
    query = request.query_params
    sort = query.get("sort", "commits")
    sort = sort if sort in SORTS else "commits"
    descending = {"up": False, "down": True}.get(query.get("dir", ""), SORTS[sort])
    text = {name: query.get(name, "").strip()[:200] for name in ("q", "owner", "language", "tag")}
    chosen = {name: query.get(name, "") for name in ("visibility", "state")}
    key = key_in(request, int, str, int)
    return Listing(
        words=text["q"],
        owner=text["owner"],
        visibility=chosen["visibility"] if chosen["visibility"] in VISIBILITIES else "",
        language=text["language"],
        state=chosen["state"] if chosen["state"] in STATES else "",
        tag=text["tag"],
        sort=sort,
        descending=descending,
        after=None if key is None else (_value_of(sort, key[0], key[1]), key[2]),
    )


def _shows(listing: Listing, each: LostRepository) -> bool:
    """Whether a lost repository belongs to what is listed; only its name and its owner are known."""
    if listing.after is not None or listing.visibility or listing.language or listing.tag:
        return False
    if listing.state not in ("", "lost", "hidden") or (each.hidden and not listing.state):
        return False
    owner = each.name.partition("/")[0]
    if listing.owner.lower() not in ("", owner.lower()):
        return False
    return listing.words.lower() in each.name.lower() and (each.hidden or listing.state != "hidden")


def _next_page(request: Request, key: tuple[Value, int] | None) -> str:
    """The query of the page behind this one, "" at the end."""
    if key is None:
        return ""
    value, row_id = key
    query = {name: text for name, text in request.query_params.items() if name not in ("cursor", "done")}
    shown = "" if value is None else str(value)
    query["cursor"] = cursor_after(request, int(value is not None), shown, row_id)
    return f"/repos?{urlencode(query)}"


def _value_of(sort: str, is_known: int, text: str) -> Value:
    if not is_known or sort == "repository":
        return text if is_known else None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise UsageError("This page is not one of ours.", "Go back to the start of the list.")
    return int(text)


def _sort_link(listing: Listing) -> Callable[[str], dict[str, str]]:
    """What changes in the address when a column's name is clicked; the same column turns around."""

    def changed(column: str) -> dict[str, str]:
        usual = SORTS[column]
        wanted = not listing.descending if column == listing.sort else usual
        return {"sort": column, "dir": "" if wanted == usual else ("down" if wanted else "up")}

    return changed
