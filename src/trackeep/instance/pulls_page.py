"""Pull requests: the queue of what to do next, lists by search, and the searches that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import UsageError
from trackeep.instance import stamps
from trackeep.instance.frame import address, reader_of, show, viewer_of
from trackeep.instance.lists import PULL_LISTS, next_page, pulls_wanted
from trackeep.instance.site import site_of
from trackeep.metrics.pulls import SECTIONS
from trackeep.metrics.windows import day_of
from trackeep.store import kept_searches, reports_pulls, reports_sync
from trackeep.store.reports_access import Reader
from trackeep.store.reports_pulls import PullPage, PullRow
from trackeep.store.reports_sync import Freshness
from trackeep.store.search_grammar import Query, parse
from trackeep.store.search_keys import PULLS

SECTION_WORDS = {
    "review": ("Needs your review", "asked of you or your team"),
    "returned": ("Returned to you", "your turn"),
    "ready": ("Ready to merge", "nothing stops them"),
    "waiting": ("Waiting for reviewers", "nothing to do for you"),
    "draft": ("Drafts", "yours"),
    "merged": ("Recently merged", "last 7 days"),
}
# A page has at most 1,500 nodes, and a row up to 27 of them.
SECTION_SHOWN = 7
MOST_IN_SECTION = 40
ROWS = 40
SOURCES = {"pulls": (stamps.PULLS,)}
# While nobody looks the worker asks five times more rarely; three of those may fail before a list is old.
LATE_AFTER_POLLS = 15


@dataclass(frozen=True)
class Section:
    """One section of the queue: the rows shown of `count`."""

    key: str
    title: str
    note: str
    count: int
    rows: tuple[PullRow, ...]


async def pulls(request: Request) -> Response:
    """GET /pulls: the queue, or with `list=` or `q=` a plain list."""
    reader = reader_of(request)
    if "list" in request.query_params or request.query_params.get("q"):
        return await _list(request, reader)
    async with site_of(request).db.read() as conn:
        queue = await reports_pulls.queue(conn, reader)
        freshness = await reports_sync.freshness(conn, reader)
        age = await stamps.read(conn, reader, freshness, SOURCES)
        kept = await kept_searches.kept(conn, reader.account_id, kept_searches.PULLS)
    only = request.query_params.get("section", "")
    mine = [pull for pull in queue if pull.needs_me]
    return show(
        request,
        "queue.html",
        "pulls",
        sections=sections(queue, only if only in SECTIONS else ""),
        only=SECTION_WORDS.get(only, ("", ""))[0],
        need_me=len(mine),
        oldest=min((pull.waits_since for pull in mine), default=None),
        next_oldest=next_oldest(queue),
        looked_at=looked_at(queue),
        late=is_late(freshness, reader.now, site_of(request).settings.poll_seconds),
        freshness=freshness,
        stamps=age,
        lists=PULL_LISTS,
        kept=kept,
    )


def sections(queue: Sequence[PullRow], only: str) -> list[Section]:
    """The sections that have something, in their order; one alone is shown longer."""
    found = []
    for key in (only,) if only else SECTIONS:
        rows = tuple(pull for pull in queue if pull.section == key)
        shown = rows[: MOST_IN_SECTION if only else SECTION_SHOWN]
        if rows:
            found.append(Section(key, *SECTION_WORDS[key], len(rows), shown))
    return found


def next_oldest(queue: Sequence[PullRow]) -> PullRow | None:
    """Of mine that wait for others, the one that has waited longest."""
    waiting = [pull for pull in queue if pull.section == "waiting"]
    return min(waiting, key=lambda pull: pull.waits_since, default=None)


def looked_at(queue: Sequence[PullRow]) -> int | None:
    """How old the oldest checks and conflicts shown are: they change without a word from GitHub."""
    known = [pull.detailed_at for pull in queue if pull.state == "open" and pull.detailed_at is not None]
    return min(known, default=None)


def is_late(freshness: Freshness, now: int, poll_s: int) -> bool:
    """The copy is older than asking so often allows."""
    return freshness.succeeded_at is not None and now - freshness.succeeded_at > LATE_AFTER_POLLS * poll_s


async def _list(request: Request, reader: Reader) -> Response:
    wrong: UsageError | None = None
    wanted = pulls_wanted(request, reader)
    try:
        wanted = replace(wanted, query=_query(wanted.words, reader))
    except UsageError as error:
        wrong = error
    async with site_of(request).db.read() as conn:
        found = (
            PullPage((), 0, None) if wrong else await reports_pulls.search(conn, reader, wanted, limit=ROWS)
        )
        freshness = await reports_sync.freshness(conn, reader)
        age = await stamps.read(conn, reader, freshness, SOURCES)
        kept = await kept_searches.kept(conn, reader.account_id, kept_searches.PULLS)
    return show(
        request,
        "pulls.html",
        "pulls",
        found=found,
        wanted=wanted,
        wrong=wrong,
        status=400 if wrong else 200,
        late=is_late(freshness, reader.now, site_of(request).settings.poll_seconds),
        freshness=freshness,
        stamps=age,
        lists=PULL_LISTS,
        kept=kept,
        current=next((one for one in kept if one.query == wanted.words), None),
        keys=PULLS.keys,
        most=reports_pulls.COUNTED_UP_TO,
        next=next_page(request, found.after),
    )


def _query(words: str, reader: Reader) -> Query:
    return parse(words, PULLS, day_of(reader.now, reader.zone))


async def keep_search(request: Request) -> Response:
    """POST /pulls/searches: `name` and `q` are kept, and stand above the lists from then on."""
    form, site, viewer = await request.form(), site_of(request), viewer_of(request)
    query = str(form.get("q", "")).strip()
    if not _query(query, reader_of(request)):
        raise UsageError("There is no search to keep.", "Write one, look at what it finds, and keep it then.")
    async with site.db.write() as conn:
        named = (str(form.get("name", "")), query)
        await kept_searches.keep(conn, viewer.account_id, kept_searches.PULLS, named, site.now())
    return site.go(address("/pulls", q=query))


async def change_search(request: Request) -> Response:
    """POST /pulls/searches/change: the search `id` gets another `name`, or with `remove` goes."""
    form, site, viewer = await request.form(), site_of(request), viewer_of(request)
    number, name = str(form.get("id", "")), str(form.get("name", ""))
    if not number.isdecimal() or len(number) > 18:
        raise UsageError("That is no search of ours.", "Use the form of the page.")
    async with site.db.write() as conn:
        if form.get("remove"):
            await kept_searches.forget(conn, viewer.account_id, kept_searches.PULLS, int(number))
            return site.go("/pulls")
        found = await kept_searches.rename(conn, viewer.account_id, kept_searches.PULLS, int(number), name)
    return site.go(address("/pulls", q=found.query))
