"""What every signed-in page is made with: who reads, from when, in which zone, and the page's own address."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2 import pass_context
from jinja2.runtime import Context
from starlette.requests import Request
from starlette.responses import Response

from trackeep import __version__, templates
from trackeep.errors import UsageError
from trackeep.instance import words
from trackeep.instance.blocks import has_failed
from trackeep.instance.explanations import EXPLANATIONS
from trackeep.instance.sessions import Viewer
from trackeep.instance.site import Site, site_of
from trackeep.metrics.pulls import size
from trackeep.metrics.windows import CUSTOM, PERIODS, Comparison, Window, between, compare, day_of, midnight
from trackeep.store.reports_access import Reader
from trackeep.store.reports_sync import Freshness

PERIOD = "30d"
LONGEST_PERIOD_DAYS = 100 * 366
# Times are seconds since 1970, and a window that begins with 0 is all time.
FIRST_YEAR = 1971
# They say where a page begins, or what was just done, and belong to no other page.
_OF_THE_PAGE = ("after", "before", "cursor", "done")
PERIOD_WORDS = {
    "7d": "the last 7 days",
    "30d": "the last 30 days",
    "90d": "the last 90 days",
    "12m": "the last 12 months",
    "all": "all time",
    CUSTOM: "the chosen days",
}


def prepare(pages: templates.Pages) -> None:
    """Teach the templates how we write numbers, durations and faces."""
    pages.filters.update(
        number=words.number,
        counted=words.counted,
        up_to=words.up_to,
        duration=words.duration,
        initials=words.initials,
        face_colour=words.face_colour,
        bytes=words.size,
        pair=lambda value: (value, value),
        weekday=_in_style(words.weekday),
        short_day=_in_style(words.short_day),
        long_day=_in_style(words.day),
        label=_in_style(words.label),
    )
    pages.globals.update(version=__version__, period_words=PERIOD_WORDS, address=address)
    pages.globals.update(pull_size=size, live_state=live_state, explanations=EXPLANATIONS)
    pages.globals.update(has_failed=has_failed)


def _in_style(write: Callable[[Any, str], str]) -> Callable[[Context, Any], str]:
    """A filter that writes a date as the reader chose to see them."""

    @pass_context
    def filtered(context: Context, value: Any) -> str:
        when = context.get("when")
        return write(value, when.style if isinstance(when, When) else "")

    return filtered


def show(request: Request, template: str, nav: str, **values: Any) -> Response:
    """A page inside the frame; `nav` names its entry in the header."""
    site, viewer = site_of(request), viewer_of(request)
    when = When(site.now(), zone_of(viewer), viewer.date_style)
    here = Here(request, site.pages)
    web_url = site.settings.github.web
    return site.pages.page(
        template,
        viewer=viewer,
        nav=nav,
        when=when,
        here=here,
        # Branches may have any character in their names.
        github=lambda path: f"{web_url}/{quote(path)}",
        reconnect=_reconnect(site, here),
        **values,
    )


def _reconnect(site: Site, here: Here) -> str:
    """The link that connects to GitHub again and comes back here."""
    if not site.settings.has_github_login:
        return site.pages.url("/settings/github")
    return site.pages.url("/auth/login?" + urlencode({"next": here.local()}))


def live_state(freshness: Freshness) -> str:
    """What a page was made from, for the script: when the server says otherwise, the page is old."""
    names = ("succeeded_at", "problem", "followed")
    return json.dumps({name: getattr(freshness, name) for name in names})


def viewer_of(request: Request) -> Viewer:
    viewer = request.state.viewer
    assert isinstance(viewer, Viewer)
    return viewer


def reader_of(request: Request) -> Reader:
    """Whose rows this page may read."""
    viewer = viewer_of(request)
    now, zone = site_of(request).now(), zone_of(viewer)
    return Reader(viewer.account_id, now, zone, viewer.week_start, viewer.stale_days)


def style_of(request: Request) -> str:
    """How the person who asks wants to see days; see `words.day`."""
    return viewer_of(request).date_style


def zone_of(viewer: Viewer) -> ZoneInfo:
    """The person's zone, UTC until they have chosen one."""
    try:
        return ZoneInfo(viewer.time_zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


# ---- what the query string says -----------------------------------------------------------------


def period_of(request: Request, usual: str = PERIOD) -> str:
    period = request.query_params.get("period", usual)
    return period if period in PERIODS else usual


def comparison_in(request: Request, reader: Reader, usual: str = PERIOD) -> Comparison:
    """The period that `?period=` names, or the days `?period=custom&since=&until=`, and the one before it.

    Without `until` the days end today; raises UsageError for days that are no period.
    """
    if request.query_params.get("period") != CUSTOM:
        return compare(period_of(request, usual), reader.now, reader.zone)
    today = day_of(reader.now, reader.zone)
    since, until = day_in(request, "since"), day_in(request, "until") or today
    if since is None:
        raise UsageError("A period of your own needs its first day.", "Write it as 2026-11-23.")
    if until < since:
        raise UsageError("The last day is before the first one.", "Exchange the two days.")
    if since.year < FIRST_YEAR:
        raise UsageError(f"{since} is too long ago.", f"Choose a first day from {FIRST_YEAR} on.")
    if since > today:
        raise UsageError(f"{since} has not come yet.", "Choose a first day up to today.")
    if (until - since).days >= LONGEST_PERIOD_DAYS:
        raise UsageError("That is too long for a period.", "Choose at most 100 years.")
    return between(since, until, reader.now, reader.zone)


def asked_again(comparison: Comparison, zone: ZoneInfo) -> dict[str, str]:
    """The query that asks for the same period, for links to other views of it."""
    days = days_of(comparison.current, zone) if comparison.period == CUSTOM else {}
    return {"period": comparison.period, **days}


def span_words(comparison: Comparison, reader: Reader, style: str) -> str:
    """A period as the end of a sentence: in "the last 30 days", in "the 9 days from ... to ..."."""
    if comparison.period != CUSTOM:
        return PERIOD_WORDS[comparison.period]
    first, last = (
        words.day(day_of(at, reader.zone), style)
        for at in (comparison.current.start, comparison.current.end - 1)
    )
    return f"the day of {first}" if first == last else f"the {comparison.days} days from {first} to {last}"


def day_in(request: Request, name: str) -> date | None:
    """The day `?name=2026-11-23`; raises UsageError when it is no day."""
    text = request.query_params.get(name, "")
    refused = UsageError(f"“{text[:40]}” is not a day.", "Write it as 2026-11-23.")
    try:
        day = date.fromisoformat(text) if text else None
    except ValueError:
        raise refused from None
    # The first and the last year have no day before or after them to compute with.
    if day is not None and not date.min.year < day.year < date.max.year:
        raise refused
    return day


def bounds_in(request: Request, zone: ZoneInfo) -> tuple[int | None, int | None]:
    """`?since=` and `?until=` as instants; both days belong to the result."""
    return bounds_of(day_in(request, "since"), day_in(request, "until"), zone)


def bounds_of(since: date | None, until: date | None, zone: ZoneInfo) -> tuple[int | None, int | None]:
    """Two days as the instants between which they lie, both included."""
    start = midnight(since, zone) if since else None
    return start, _end_of(until, zone) if until else None


def _end_of(day: date, zone: ZoneInfo) -> int:
    return midnight(date.fromordinal(day.toordinal() + 1), zone)


def repository_in(request: Request) -> tuple[str, str] | None:
    """Owner and name of `?repo=owner/name`; raises UsageError for anything else."""
    text = request.query_params.get("repo", "")
    return owner_and_name(text) if text else None


def owner_and_name(text: str) -> tuple[str, str]:
    """Both parts of `owner/name`; raises UsageError for anything else."""
    owner, slash, name = text.partition("/")
    if not (owner and slash and name) or "/" in name:
        raise UsageError(f"“{text[:80]}” is not a repository.", "Write it as owner/name.")
    return owner, name


def key_in(request: Request, parts: int) -> tuple[str, ...] | None:
    """Where the next page begins, `?after=a.b`; raises UsageError when it was not ours."""
    text = request.query_params.get("after", "")
    if not text:
        return None
    key = tuple(text.split("."))
    numbers = key[: parts if parts != 2 else 1]
    if len(key) != parts or not all(part.isdecimal() and len(part) < 19 for part in numbers):
        raise UsageError("This page number is not one of ours.", "Go back to the start of the list.")
    return key


def days_of(window: Window, zone: ZoneInfo) -> dict[str, str]:
    """A window of whole days as `since` and `until` of a list; nothing for all time."""
    if not window.start:
        return {"until": day_of(window.end - 1, zone).isoformat()}
    return {
        "since": day_of(window.start, zone).isoformat(),
        "until": day_of(window.end - 1, zone).isoformat(),
    }


def address(path: str, /, **query: str | None) -> str:
    """A path with those parts of the query that are set."""
    given = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(given, safe='/:')}" if given else path


# ---- what templates speak to --------------------------------------------------------------------


@dataclass(frozen=True)
class When:
    """Moments in the reader's words, zone and date style."""

    now: int
    zone: ZoneInfo
    style: str = ""

    def age(self, at: float | None) -> str:
        return words.age(self.now, at)

    def ago(self, at: float | None) -> str:
        return words.ago(self.now, at)

    def until(self, at: float | None) -> str:
        return words.until(self.now, at)

    def clock(self, at: float) -> str:
        return words.clock(at, self.zone)

    def moment(self, at: float) -> str:
        return words.moment(at, self.zone, self.style)

    def day(self, at: float) -> date:
        return day_of(at, self.zone)


class Here:
    """The address of the page itself, with parts of its query changed; paging starts again."""

    def __init__(self, request: Request, pages: templates.Pages) -> None:
        self._pages = pages
        self._path = request.scope["path"]
        self._query = {k: v for k, v in request.query_params.items() if k not in _OF_THE_PAGE}

    def local(self, **changes: str | None) -> str:
        """Below the base path, as `?next=` and redirects want it."""
        return address(self._path, **{**self._query, **changes})

    def rest(self, *without: str) -> dict[str, str]:
        """What the query has beside `without`, for a form that must keep it."""
        return {name: value for name, value in self._query.items() if name not in without}

    def asked(self, name: str) -> str:
        """What the query has as `name`."""
        return self._query.get(name, "")

    def __call__(self, **changes: str | None) -> str:
        return self._pages.url(self.local(**changes))
