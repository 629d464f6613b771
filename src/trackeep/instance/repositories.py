"""What is followed: the table of repositories, and the page to choose them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import UsageError
from trackeep.instance import charts
from trackeep.instance.frame import comparison_in, days_of, reader_of, show, viewer_of
from trackeep.instance.site import site_of
from trackeep.store import reports_repositories, reports_sync, schedule
from trackeep.store.reports_repositories import RepositoryRow

ACTIVE_WITHIN_S = 90 * 86_400
PAGE_ROWS = 50
STATES = {"ok": "On time", "warn": "Late", "bad": "No access", "off": "Paused"}
SORTS: dict[str, tuple[str, Callable[[RepositoryRow], Any], bool]] = {
    "repository": ("Repository", attrgetter("owner", "name"), False),
    "commits": ("Commits", attrgetter("commits"), True),
    "open": ("Open", attrgetter("open_pulls"), True),
    "branches": ("Branches", attrgetter("branches"), True),
    "push": ("Last push", lambda row: row.pushed_at or 0, True),
}


@dataclass(frozen=True)
class Filter:
    """What the table is narrowed to; "" means any."""

    words: str = ""
    owner: str = ""
    visibility: str = ""
    language: str = ""
    state: str = ""

    def keeps(self, row: RepositoryRow, now: int) -> bool:
        return (
            self.words.lower() in row.full_name.lower()
            and self.owner in ("", row.owner)
            and self.visibility in ("", "private" if row.private else "public")
            and self.language in ("", row.language)
            and self.state in ("", state_of(row, now))
        )


def state_of(row: RepositoryRow, now: int) -> str:
    """ok, warn (late or with a problem), bad (no access) or off (paused): the colour of the dot."""
    if row.state == "gone":
        return "bad"
    if row.follow_state == schedule.PAUSED:
        return "off"
    late = row.synced_at is not None and row.synced_at < now - 86_400
    return "warn" if row.problem or late else "ok"


async def table(request: Request) -> Response:
    """GET /repos"""
    reader, query = reader_of(request), request.query_params
    comparison = comparison_in(request, reader)
    async with site_of(request).db.read() as conn:
        every = await reports_repositories.table(conn, reader, comparison.current)
        freshness = await reports_sync.freshness(conn, reader)
    names = ("owner", "visibility", "language", "state")
    chosen = Filter(query.get("q", "").strip(), *(query.get(name, "") for name in names))
    sort = query.get("sort", "commits")
    sort = sort if sort in SORTS else "commits"
    kept = [row for row in every if chosen.keeps(row, reader.now)]
    kept.sort(key=SORTS[sort][1], reverse=SORTS[sort][2])
    first = query.get("from", "0")
    start = min(int(first) if first.isdecimal() and len(first) < 10 else 0, len(kept))
    return show(
        request,
        "repositories.html",
        "repositories",
        every=every,
        rows=kept[start : start + PAGE_ROWS],
        start=start,
        total=len(kept),
        page_rows=PAGE_ROWS,
        chosen=chosen,
        sort=sort,
        sorts=SORTS,
        states=STATES,
        state_of=lambda row: state_of(row, reader.now),
        freshness=freshness,
        period=comparison.period,
        window=days_of(comparison.current, reader.zone),
        sparkline=charts.sparkline,
    )


async def choose(request: Request) -> Response:
    """GET /repos/choose"""
    reader = reader_of(request)
    async with site_of(request).db.read() as conn:
        choices = await reports_repositories.choices(conn, reader)
        freshness = await reports_sync.freshness(conn, reader)
        stored = await reports_sync.stored(conn, reader)
    words = request.query_params.get("q", "").strip()
    shown = [one for one in choices if words.lower() in f"{one.owner}/{one.name}".lower()]
    is_first = not any(one.followed for one in choices)
    active_since = reader.now - ACTIVE_WITHIN_S
    ticked = {
        one.id
        for one in choices
        if one.followed or (is_first and (one.pushed_at or 0) >= active_since and not one.archived)
    }
    owners: dict[str, list[reports_repositories.Choice]] = {}
    for one in shown:
        owners.setdefault(one.owner, []).append(one)
    return show(
        request,
        "choose.html",
        "repositories",
        choices=choices,
        owners=owners,
        shown=len(shown),
        ticked=ticked,
        ticked_here=sum(one.id in ticked for one in shown),
        words=words,
        freshness=freshness,
        stored=stored,
    )


async def follow(request: Request) -> Response:
    """POST /repos/choose: of the repositories `shown`, follow those in `repo` and no other."""
    site, reader, form = site_of(request), reader_of(request), await request.form()
    shown, ticked = _ids(form.getlist("shown")), _ids(form.getlist("repo"))
    async with site.db.write() as conn:
        choices = {one.id: one for one in await reports_repositories.choices(conn, reader)}
        ours = {number for number in shown if number in choices}
        wanted = {number for number in ours & ticked if not choices[number].followed}
        dropped = {number for number in ours - ticked if choices[number].followed}
        if wanted:
            await schedule.follow_repositories(conn, reader.account_id, wanted, reader.now)
        if dropped:
            await schedule.unfollow_repositories(conn, reader.account_id, dropped)
    return site.go("/")


async def sync_now(request: Request) -> Response:
    """POST /sync/now: let the worker come at once."""
    site = site_of(request)
    async with site.db.write() as conn:
        await schedule.request_sync(conn, viewer_of(request).account_id, site.now())
    return site.go("/sync")


def _ids(values: Sequence[object]) -> set[int]:
    """Numbers of repositories from a form; raises UsageError for anything else."""
    if not all(isinstance(value, str) and value.isdecimal() and len(value) < 19 for value in values):
        raise UsageError("That is no list of repositories.", "Go back and choose again.")
    return {int(str(value)) for value in values}
