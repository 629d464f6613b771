"""Commits: searched, narrowed, shown by day, and taken along as CSV, JSON or Markdown."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from trackeep import templates
from trackeep.errors import UsageError
from trackeep.instance import stamps
from trackeep.instance.figures import csv_response
from trackeep.instance.frame import address, reader_of, show
from trackeep.instance.lists import by_day, commits_wanted, next_page
from trackeep.instance.marks import marked
from trackeep.instance.site import site_of
from trackeep.metrics.windows import day_of
from trackeep.store import reports_commits, reports_sync
from trackeep.store.reports_access import Reader
from trackeep.store.reports_commit_details import Details, Key, details
from trackeep.store.reports_commits import CommitPage, CommitRow, Wanted
from trackeep.store.search_grammar import Filter, Query
from trackeep.store.search_keys import COMMITS

EXPORTED_UP_TO = 10_000
_EXPORTED_AT_ONCE = 500
_CSV = (
    *("repository", "sha", "subject", "author", "author_name", "authored_at", "committed_at"),
    *("additions", "deletions", "merge", "on_default_branch", "pull_request", "co_authors"),
)
# What gives a Markdown reader a meaning, and a line of a list its beginning.
_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~])")


@dataclass(frozen=True)
class Chip:
    """A filter to take or leave with one click; `q` is the search with it changed."""

    label: str
    q: str
    is_on: bool


async def commits(request: Request) -> Response:
    """GET /commits"""
    reader = reader_of(request)
    wanted = commits_wanted(request, reader)
    async with site_of(request).db.read() as conn:
        values = await searched(conn, reader, wanted)
        stored = await reports_commits.stored(conn, reader)
        freshness = await reports_sync.freshness(conn, reader)
        age = await stamps.read(conn, reader, freshness, {"commits": (stamps.COMMITS,)})
    query, found, refused = values["query"], values["found"], values["refused"]
    page = show(
        request,
        "commits.html",
        "commits",
        **values,
        chips=chips(query, found.rows),
        dropped=[Chip(str(Query((), (one,))), str(query.without(one)), True) for one in query.filters],
        stored=stored,
        freshness=freshness,
        stamps=age,
        next=next_page(request, found.after),
        download=_download(request),
    )
    page.status_code = refused.status if refused else 200
    return page


async def searched(conn: AsyncConnection, reader: Reader, wanted: Wanted) -> dict[str, Any]:
    """What every list of commits is made from; `refused` is the sentence where `wanted` cannot be meant."""
    found, query, refused = CommitPage((), 0, 0, None), Query(), None
    try:
        query = reports_commits.query_of(replace(wanted, author=""), reader)
        found = await reports_commits.search(conn, reader, wanted)
    except UsageError as error:
        refused = error
    return {
        "found": found,
        "days": by_day(found.rows, reader, lambda row: row.at),
        "wanted": wanted,
        "query": query,
        "refused": refused,
        "details": await details(conn, reader, [(row.repository_id, row.sha) for row in found.rows]),
        "marked": marked,
        "keys": COMMITS.keys,
        "most": found.most,
    }


async def as_csv(request: Request) -> Response:
    """GET /commits.csv"""
    found, more = await _everything(request)
    return csv_response("commits.csv", _CSV, (_cells(row, more[row.repository_id, row.sha]) for row in found))


async def as_json(request: Request) -> Response:
    """GET /commits.json: a list of commits as the JSON API describes them."""
    found, _ = await _everything(request)
    # With it come the models of the whole API, which pages do without.
    commit_of = import_module("trackeep.instance.api.lists").commit_of
    text = json.dumps([commit_of(row).model_dump(mode="json") for row in found], ensure_ascii=False, indent=1)
    return _file("commits.json", "application/json", text)


async def as_markdown(request: Request) -> Response:
    """GET /commits.md: what to tell at a stand-up, by repository."""
    found, more = await _everything(request)
    text = standup(found, more, site_of(request).settings.github.web, reader_of(request))
    return _file("standup.md", "text/markdown; charset=utf-8", text)


def standup(rows: Iterable[CommitRow], more: Mapping[Key, Details], web_url: str, reader: Reader) -> str:
    """One heading a repository, one bullet a pull request or commit; merges speak by their pull request."""
    by_place: dict[str, list[str]] = {}
    seen: set[tuple[str, int]] = set()
    for row in rows:
        place = f"{row.owner}/{row.repository}"
        lines, pull = by_place.setdefault(place, []), more[row.repository_id, row.sha].pull
        day = f"{day_of(row.at, reader.zone):%a} {day_of(row.at, reader.zone).day}"
        if pull is not None:
            number, title = pull
            if (place, number) not in seen:
                seen.add((place, number))
                lines.append(f"- {_plain(title)} ([#{number}]({web_url}/{place}/pull/{number})), {day}")
        else:
            link = f"[{row.sha[:7]}]({web_url}/{place}/commit/{row.sha})"
            lines.append(f"- {_plain(row.subject) or '(no message)'} ({link}), {day}")
    parts = [f"## {_plain(place)}\n\n" + "\n".join(lines) for place, lines in sorted(by_place.items())]
    return "\n\n".join(parts or ["No commit matches."]) + "\n"


def chips(query: Query, rows: Iterable[CommitRow]) -> list[Chip]:
    """What a search may be narrowed with: the usual filters, and who and where the page's commits are."""
    rows = list(rows)
    people = Counter(row.login for row in rows if row.login)
    places = Counter(f"{row.owner}/{row.repository}" for row in rows)
    offered = [Filter("is", "mine"), Filter("is", "merge"), Filter("since", "7d"), Filter("since", "30d")]
    if len(people) > 1 and not query.values("author"):
        offered += [Filter("author", name) for name, _ in people.most_common(2)]
    if len(places) > 1 and not query.values("repo"):
        offered += [Filter("repo", name) for name, _ in places.most_common(2)]
    known = {(one.key, one.value) for one in offered}
    offered += [one for one in query.filters if not one.negated and (one.key, one.value) not in known]
    found = []
    for one in offered:
        is_on = one.value in query.values(one.key)
        label, changed = Query((), (one,)), query.toggled(one.key, one.value)
        found.append(Chip(str(label), str(changed), is_on))
    return found


async def _everything(request: Request) -> tuple[list[CommitRow], dict[Key, Details]]:
    """All commits of the search, at most 10,000. Raises UsageError, and TooManyRequests."""
    reader, site = reader_of(request), site_of(request)
    wanted = replace(commits_wanted(request, reader), after=None)
    # Seconds of the database each: whoever asks for many at a time waits with them, not everybody.
    with site.exports_on_the_way.one(reader.account_id):
        async with site.exports_at_once, site.db.read() as conn:
            return await _all_pages(conn, reader, wanted)


async def _all_pages(
    conn: AsyncConnection, reader: Reader, wanted: Wanted
) -> tuple[list[CommitRow], dict[Key, Details]]:
    rows: list[CommitRow] = []
    more: dict[Key, Details] = {}
    while len(rows) < EXPORTED_UP_TO:
        page = await reports_commits.search(conn, reader, wanted, limit=_EXPORTED_AT_ONCE)
        rows += page.rows
        more |= await details(conn, reader, [(row.repository_id, row.sha) for row in page.rows])
        if page.after is None:
            break
        wanted = replace(wanted, after=page.after)
    return rows, more


def _cells(row: CommitRow, more: Details) -> tuple[Any, ...]:
    return (
        *(f"{row.owner}/{row.repository}", row.sha, row.subject, row.login, row.author_name),
        *(_instant(row.authored_at), _instant(row.committed_at), row.additions, row.deletions),
        *("yes" if row.parent_count > 1 else "no", "yes" if row.on_default else "no"),
        *(more.pull[0] if more.pull else "", ", ".join(more.co_authors)),
    )


def _instant(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def _download(request: Request) -> dict[str, str]:
    query = {name: value for name, value in request.query_params.items() if name != "after"}
    return {ending: address(f"/commits.{ending}", **query) for ending in ("csv", "json", "md")}


def _file(name: str, media_type: str, text: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return Response(text, media_type=media_type, headers=headers)


def _plain(text: str) -> str:
    """`text` as it is read, on one line: a carriage return ends one, and a terminal obeys its escapes."""
    return _SPECIAL.sub(r"\\\1", templates.shown(" ".join(text.split())))
