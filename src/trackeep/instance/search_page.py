"""One search over everything: the first commits, pull requests and repositories, and where the others are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import UsageError
from trackeep.instance import stamps
from trackeep.instance.blocks import Blocks, Failed, blocks_of
from trackeep.instance.frame import reader_of, show
from trackeep.instance.marks import marked
from trackeep.metrics.windows import day_of
from trackeep.store import reports_commits, reports_pulls, reports_sync, search
from trackeep.store.reports_access import Reader
from trackeep.store.reports_commit_details import Details, Key, details
from trackeep.store.reports_commits import CommitPage, Wanted
from trackeep.store.reports_pulls import PullPage
from trackeep.store.search_grammar import Query, parse
from trackeep.store.search_keys import COMMITS, PULLS

SHOWN = 8
SOURCES = {"commits": (stamps.COMMITS,), "pulls": (stamps.PULLS,)}
# Of these a repository knows something.
_OF_PLACES = {"repo", "owner"}


@dataclass(frozen=True)
class Commits:
    """The first commits, with what is told beside each."""

    page: CommitPage = field(default_factory=lambda: CommitPage((), 0, 0, None))
    details: Mapping[Key, Details] = field(default_factory=dict)


@dataclass
class Found:
    """The first of each kind; `query` is what is asked of commits, `asked` of pull requests, or empty."""

    query: Query = field(default_factory=Query)
    asked: Query = field(default_factory=Query)
    commits: Commits | Failed = field(default_factory=Commits)
    pulls: PullPage | Failed = field(default_factory=lambda: PullPage((), 0, None))
    # And how many there are.
    places: tuple[tuple[search.Place, ...], int] | Failed = ((), 0)

    @property
    def is_empty(self) -> bool:
        """Whether each kind was searched, and none had anything."""
        of_commits, of_pulls, of_places = self.commits, self.pulls, self.places
        return not (
            (isinstance(of_commits, Failed) or of_commits.page.rows)
            or (isinstance(of_pulls, Failed) or of_pulls.rows)
            or (isinstance(of_places, Failed) or of_places[0])
        )


async def page(request: Request) -> Response:
    """GET /search"""
    reader = reader_of(request)
    words = request.query_params.get("q", "").strip()
    found, refused = Found(), None
    async with blocks_of(request) as block:
        try:
            found = await _search(block, reader, words) if words else found
        except UsageError as error:
            refused = error
        stored = await reports_commits.stored(block.conn, reader)
        freshness = await reports_sync.freshness(block.conn, reader)
        age = await stamps.read(block.conn, reader, freshness, SOURCES)
    answer = show(
        request,
        "search.html",
        "search",
        **vars(found),
        is_empty=found.is_empty,
        # What the rows of commits look into.
        details={} if isinstance(found.commits, Failed) else found.commits.details,
        words=words,
        refused=refused,
        marked=marked,
        keys=COMMITS.keys,
        stored=stored,
        freshness=freshness,
        stamps=age,
        most_pulls=reports_pulls.COUNTED_UP_TO,
    )
    answer.status_code = refused.status if refused else 200
    return answer


async def _search(block: Blocks, reader: Reader, words: str) -> Found:
    """Raises UsageError where neither commits nor pull requests can be asked this."""
    found = Found(*understood(words, day_of(reader.now, reader.zone)))
    if found.asked:
        wanted = reports_pulls.Wanted(words=words, query=found.asked)
        found.pulls = await block.read(reports_pulls.search, reader, wanted, limit=SHOWN)
    if found.query:
        found.commits = await block.read(_commits, reader, words)
        if is_about_places(found.query):
            found.places = await block.read(search.repositories, reader, found.query, limit=SHOWN)
    return found


async def _commits(conn: AsyncConnection, reader: Reader, words: str) -> Commits:
    page = await reports_commits.search(conn, reader, Wanted(words=words), limit=SHOWN)
    keys = [(row.repository_id, row.sha) for row in page.rows]
    return Commits(page, await details(conn, reader, keys))


def understood(words: str, today: date) -> tuple[Query, Query]:
    """What is asked of commits and of pull requests; empty where their keys do not have it.

    Raises UsageError where neither have.
    """
    found, refused = [], []
    for grammar in (COMMITS, PULLS):
        try:
            found.append(parse(words, grammar, today))
        except UsageError as error:
            refused.append(error)
            found.append(Query())
    if len(refused) == len(found):
        raise refused[0]
    return found[0], found[1]


def is_about_places(query: Query) -> bool:
    """Whether repositories have all that is asked for: words, and where they are."""
    return {one.key for one in query.filters} <= _OF_PLACES
