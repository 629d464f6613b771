"""Who carries a repository, and how fast its code changes: two tabs drawn over a period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from trackeep.instance import charts, charts_lines, words
from trackeep.instance.charts import Caption
from trackeep.instance.charts_lines import Span
from trackeep.instance.frame import comparison_in, days_of, reader_of, style_of
from trackeep.instance.repository import PERIOD, age_of, author_link, find, of_period, show_repository
from trackeep.instance.site import site_of
from trackeep.metrics.people import absence_factor
from trackeep.metrics.windows import Steps, steps
from trackeep.store import reports_contributors, reports_pulse, reports_repository
from trackeep.store.reports_pulse import Lines
from trackeep.store.reports_repository import Author, AuthorKey

MOST_PEOPLE = 100
PEOPLE_ON_A_PAGE = 24


@dataclass(frozen=True)
class Contributor:
    """Somebody's commits of the period with their small chart."""

    author: Author
    chart: Markup


async def contributors(request: Request) -> Response:
    """GET /r/{owner}/{name}/contributors: people, with `bots=1` machines too, from `from=` on."""
    reader = reader_of(request)
    comparison = comparison_in(request, reader, PERIOD)
    with_bots = request.query_params.get("bots") == "1"
    async with site_of(request).db.read() as conn:
        found = await find(conn, request, reader)
        age = await age_of(conn, request, found, "contributors")
        days = await reports_pulse.days_of_window(conn, reader, found.id, comparison.current)
        drawn = steps(*days)
        everybody = await reports_repository.authors(conn, reader, found.id, comparison.current)
        named = await reports_contributors.co_authors(conn, reader, found.id, comparison.current)
        by_step = await reports_repository.author_steps(conn, reader, found.id, comparison.current, drawn)
    people = [author for author in everybody if with_bots or not author.is_bot]
    listed = people[:MOST_PEOPLE]
    start = min(start_of(request), max(0, len(listed) - 1) // PEOPLE_ON_A_PAGE * PEOPLE_ON_A_PAGE)
    shown = listed[start : start + PEOPLE_ON_A_PAGE]
    later = start + PEOPLE_ON_A_PAGE
    return show_repository(
        request,
        "repository_contributors.html",
        found,
        tab="contributors",
        stamps=age,
        **of_period(request, comparison, reader),
        with_bots=with_bots,
        bots=[author for author in everybody if author.is_bot],
        people=people,
        co_authors=named,
        commits=sum(author.commits for author in people),
        carried_by=absence_factor(author.commits for author in people),
        step=drawn.word,
        contributors=_drawn(shown, listed, by_step, drawn),
        start=start,
        most=MOST_PEOPLE,
        earlier=str(max(0, start - PEOPLE_ON_A_PAGE)) if start else None,
        later=str(later) if later < len(listed) else None,
        author_link=author_link(found, days_of(comparison.current, reader.zone)),
    )


async def frequency(request: Request) -> Response:
    """GET /r/{owner}/{name}/frequency"""
    reader = reader_of(request)
    comparison = comparison_in(request, reader, "12m")
    async with site_of(request).db.read() as conn:
        found = await find(conn, request, reader)
        age = await age_of(conn, request, found, "frequency")
        days = await reports_pulse.days_of_window(conn, reader, found.id, comparison.current)
        drawn = steps(*days)
        lines = await reports_pulse.lines(conn, reader, found.id, comparison.current, drawn)
    total = total_of(lines)
    return show_repository(
        request,
        "repository_frequency.html",
        found,
        tab="frequency",
        stamps=age,
        **of_period(request, comparison, reader),
        step=drawn.word,
        total=total,
        busiest=max(
            zip(drawn.starts, lines, strict=True), key=lambda pair: pair[1].additions + pair[1].deletions
        ),
        has_unknown=any(one.commits and not one.measured for one in lines),
        chart=_diverging(lines, drawn, total, style_of(request)),
    )


def start_of(request: Request) -> int:
    """The row `?from=` a page begins with; whatever is no number is the first one."""
    text = request.query_params.get("from", "0")
    return int(text) if text.isdecimal() and len(text) < 7 else 0


def total_of(lines: Sequence[Lines]) -> Lines:
    """What the steps add up to."""
    return Lines(
        sum(one.additions for one in lines),
        sum(one.deletions for one in lines),
        sum(one.commits for one in lines),
        sum(one.measured for one in lines),
    )


def _drawn(
    shown: Sequence[Author], listed: Sequence[Author], by_step: Mapping[AuthorKey, list[int]], drawn: Steps
) -> list[Contributor]:
    """The people of this page; one scale for everybody on all pages."""
    empty = [0] * len(drawn.starts)
    top = max((max(by_step.get(author.key, empty)) for author in listed), default=0) or 1
    found = []
    for place, author in enumerate(shown):
        counts = by_step.get(author.key, empty)
        text = f"{words.counted(author.commits, 'commit')}, at most {max(counts):,} in one {drawn.word}."
        caption = Caption(f"p{place}", f"{author.login or author.name}, commits per {drawn.word}", text)
        found.append(
            Contributor(author, charts.area(counts * 2 if len(counts) == 1 else counts, top, caption))
        )
    return found


def _diverging(lines: Sequence[Lines], drawn: Steps, total: Lines, style: str) -> Markup:
    spans = [
        Span(words.short_day(start, style), one.additions, one.deletions, one.measured > 0 or not one.commits)
        for start, one in zip(drawn.starts, lines, strict=True)
    ]
    if drawn.days > 7:
        spans = [
            Span(f"{start:%b %Y}", span.up, span.down, span.is_known)
            for start, span in zip(drawn.starts, spans, strict=True)
        ]
    text = (
        f"Lines added and removed per {drawn.word} from {words.day(drawn.starts[0], style)}: "
        f"{total.additions:,} added, {total.deletions:,} removed by {total.measured:,} measured commits."
    )
    return charts_lines.diverging(spans, Caption("cf", "Code frequency", text))
