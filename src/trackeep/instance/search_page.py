"""One search over everything: the first commits, pull requests and repositories, and where the others are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import UsageError
from trackeep.instance.frame import reader_of, show
from trackeep.instance.marks import marked
from trackeep.instance.site import site_of
from trackeep.metrics.windows import day_of
from trackeep.store import reports_commits, reports_pulls, reports_sync, search
from trackeep.store.reports_access import Reader
from trackeep.store.reports_commit_details import Details, Key, details
from trackeep.store.reports_commits import CommitPage, Wanted
from trackeep.store.reports_pulls import PullPage
from trackeep.store.search_grammar import COMMITS, Query, parse

SHOWN = 8
# Of these a pull request knows something, and a repository, too.
_OF_PULLS = {"repo", "author", "is", "since", "until", "before", "after"}
_OF_PLACES = {"repo", "owner"}


@dataclass
class Found:
    """The first of each kind; `asked` is what was asked of pull requests, None where nothing could be."""

    commits: CommitPage = field(default_factory=lambda: CommitPage((), 0, 0, None))
    details: Mapping[Key, Details] = field(default_factory=dict)
    asked: reports_pulls.Wanted | None = None
    pulls: PullPage = field(default_factory=lambda: PullPage((), 0, None))
    places: tuple[search.Place, ...] = ()
    place_count: int = 0


async def page(request: Request) -> Response:
    """GET /search"""
    reader = reader_of(request)
    words = request.query_params.get("q", "").strip()
    found, query, refused = Found(), Query(), None
    async with site_of(request).db.read() as conn:
        try:
            query = parse(words, COMMITS, day_of(reader.now, reader.zone))
            found = await _search(conn, reader, words, query) if query else found
        except UsageError as error:
            refused = error
        stored = await reports_commits.stored(conn, reader)
        freshness = await reports_sync.freshness(conn, reader)
    answer = show(
        request,
        "search.html",
        "search",
        **vars(found),
        words=words,
        query=query,
        refused=refused,
        marked=marked,
        stored=stored,
        freshness=freshness,
        most=found.commits.most,
        most_pulls=reports_pulls.COUNTED_UP_TO,
    )
    answer.status_code = refused.status if refused else 200
    return answer


async def _search(conn: AsyncConnection, reader: Reader, words: str, query: Query) -> Found:
    found = Found(asked=pulls_like(query, reader))
    found.commits = await reports_commits.search(conn, reader, Wanted(words=words), limit=SHOWN)
    keys = [(row.repository_id, row.sha) for row in found.commits.rows]
    found.details = await details(conn, reader, keys)
    if found.asked is not None:
        found.pulls = await reports_pulls.search(conn, reader, found.asked, limit=SHOWN)
    if is_about_places(query):
        found.places, found.place_count = await search.repositories(conn, reader, query, limit=SHOWN)
    return found


def pulls_like(query: Query, reader: Reader) -> reports_pulls.Wanted | None:
    """The same question about pull requests; None where it is about commits alone."""
    authors = (*query.values("author"), *("me" for value in query.values("is") if value == "mine"))
    names = query.values("repo")
    is_simple = len(set(authors)) <= 1 and len(names) <= 1 and all("/" in name for name in names)
    is_plain = not any([*(term.negated for term in query.terms), *(one.negated for one in query.filters)])
    known = {one.key for one in query.filters} <= _OF_PULLS and set(query.values("is")) <= {"mine"}
    if not (is_simple and is_plain and known):
        return None
    since, until = query.bounds(reader.zone)
    owner, _, name = names[0].partition("/") if names else ("", "", "")
    return reports_pulls.Wanted(
        what="opened" if since is not None or until is not None else "all",
        repository=(owner, name) if names else None,
        author=authors[0] if authors else "",
        words=" ".join(term.text for term in query.terms),
        since=since,
        until=until,
    )


def is_about_places(query: Query) -> bool:
    """Whether repositories have all that is asked for: words, and where they are."""
    return {one.key for one in query.filters} <= _OF_PLACES
