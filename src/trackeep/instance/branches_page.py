"""Branches everywhere and of one repository: which are forgotten, which are ahead, and how to delete them."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import UsageError
from trackeep.instance import stamps
from trackeep.instance.frame import address, reader_of, repository_in, show
from trackeep.instance.repository import age_of, find, show_repository
from trackeep.instance.site import Site, site_of
from trackeep.store import distances, reports_branches, reports_sync
from trackeep.store.reports_access import Reader
from trackeep.store.reports_branches import MOST_COMMITS, PREFIX, VIEWS, BranchRow, Wanted

ROWS = 40
VIEW_WORDS = {view: view.capitalize() for view in VIEWS}
LONGEST_PAGE_KEY = 400


async def everywhere(request: Request) -> Response:
    """GET /branches"""
    site, reader = site_of(request), reader_of(request)
    wanted = wanted_of(request)
    async with site.db.read() as conn:
        listed = await reports_branches.branches(conn, reader, wanted, limit=ROWS)
        freshness = await reports_sync.freshness(conn, reader)
        age = await stamps.read(conn, reader, freshness, {"branches": (stamps.COMMITS,)})
    listed = await _measured(site, reader, listed)
    values = _listed(request, reader, wanted, listed)
    return show(request, "branches.html", "commits", freshness=freshness, stamps=age, **values)


async def of_repository(request: Request) -> Response:
    """GET /r/{owner}/{name}/branches"""
    site, reader = site_of(request), reader_of(request)
    async with site.db.read() as conn:
        found = await find(conn, request, reader)
        wanted = wanted_of(request, (found.owner, found.name))
        listed = await reports_branches.branches(conn, reader, wanted, limit=ROWS)
        age = await age_of(conn, request, found, "branches")
    listed = await _measured(site, reader, listed)
    values = _listed(request, reader, wanted, listed)
    return show_repository(request, "repository_branches.html", found, tab="branches", stamps=age, **values)


def wanted_of(request: Request, repository: tuple[str, str] | None = None) -> Wanted:
    """What the query asks for: view, q, after, and without `repository` also repo."""
    query = request.query_params
    view = query.get("view", "all")
    return Wanted(
        view=view if view in VIEWS else "all",
        repository=repository or repository_in(request),
        words=query.get("q", "").strip()[:200],
        after=_key_in(query.get("after", "")),
    )


def delete_commands(rows: Sequence[BranchRow], picked: Sequence[str]) -> str:
    """One `git push origin --delete` per repository for those of `rows` that were picked, "" for none.

    Names are quoted for a shell, because a branch may be called anything.
    """
    names: dict[str, list[str]] = {}
    for row in rows:
        if not row.is_default and pick_of(row) in picked:
            name = PREFIX + row.name if row.name.startswith("-") else row.name
            names.setdefault(row.full_name, []).append(shlex.quote(name))
    return "\n".join(
        f"# {full_name}\ngit push origin --delete {' '.join(branches)}"
        for full_name, branches in names.items()
    )


def pick_of(row: BranchRow) -> str:
    """What the tick of a branch says in a form."""
    return f"{row.full_name}:{row.name}"


def _key_in(text: str) -> reports_branches.Key | None:
    if not text:
        return None
    at, _, rest = text.partition(".")
    place, _, name = rest.partition(".")
    numbers = all(part.isdecimal() and len(part) < 19 for part in (at, place))
    if not numbers or not name or len(text) > LONGEST_PAGE_KEY:
        raise UsageError("This page number is not one of ours.", "Go back to the start of the list.")
    return int(at), int(place), name


def _listed(
    request: Request, reader: Reader, wanted: Wanted, listed: tuple[BranchRow, ...]
) -> dict[str, Any]:
    rows = listed[:ROWS]
    picked = request.query_params.getlist("pick")[:ROWS]
    query = {name: value for name, value in request.query_params.items() if name != "pick"}
    after = ".".join(map(str, rows[-1].key)) if len(listed) > ROWS else ""
    return {
        "rows": [(row, row.state(reader.now)) for row in rows],
        "wanted": wanted,
        "views": VIEW_WORDS,
        "picked": picked,
        "pick_of": pick_of,
        "commands": delete_commands(rows, picked),
        "most_commits": MOST_COMMITS,
        "next": address(request.scope["path"], **query | {"after": after}) if after else "",
    }


async def _measured(site: Site, reader: Reader, rows: tuple[BranchRow, ...]) -> tuple[BranchRow, ...]:
    """Rows with their distances; those not kept are counted, from as many commits as a page may read."""
    left = MOST_COMMITS
    for place, base in {row.repository_id: row.base_sha for row in rows if row.distance is None}.items():
        if not base or left <= 0:
            continue
        async with site.db.read() as conn:
            graph = await reports_branches.graph(conn, reader, place, most=left)
        if graph.parents is None:
            # It would be read in vain on every page; a smaller one may still fit.
            continue
        left -= len(graph.parents)
        tips = [row.sha for row in rows if row.repository_id == place] + list(graph.tips)
        found = await asyncio.to_thread(distances.distances, graph.parents, base, tips)
        async with site.db.write() as conn:
            await distances.save(conn, place, base, found)
        rows = reports_branches.with_distances(rows, found, place)
    return rows
