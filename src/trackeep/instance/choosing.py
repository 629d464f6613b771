"""The page to choose what is followed, from everything that GitHub lists for this person."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import UsageError
from trackeep.instance.frame import reader_of, show
from trackeep.instance.repository_names import search_link
from trackeep.instance.site import site_of
from trackeep.store import reports_repositories, reports_sync, schedule

ACTIVE_WITHIN_S = 90 * 86_400


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
        search_github=search_link(site_of(request).settings.github.web, words),
    )


async def follow(request: Request) -> Response:
    """POST /repos/choose: of the repositories `shown`, follow those in `repo` and no other."""
    site, reader, form = site_of(request), reader_of(request), await request.form()
    shown, ticked = ids_in(form.getlist("shown")), ids_in(form.getlist("repo"))
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


def ids_in(values: Sequence[object]) -> set[int]:
    """Numbers of repositories from a form; raises UsageError for anything else."""
    if not all(isinstance(value, str) and value.isdecimal() and len(value) < 19 for value in values):
        raise UsageError("That is no list of repositories.", "Go back and choose again.")
    return {int(str(value)) for value in values}
