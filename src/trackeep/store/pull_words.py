"""What somebody types to search pull requests: key:value, words, "phrases", and a minus before each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from trackeep.errors import UsageError

LONGEST, MOST_TERMS = 400, 24
# What each key takes, as the page explains it.
KEYS: Mapping[str, str] = {
    "is": "open, closed, merged, draft, stale or bot",
    "author": "a login, or me",
    "involves": "a login, or me: wrote, reviewed or is asked",
    "reviewer": "a login, or me: reviewed or is asked",
    "reviewed-by": "a login, or me",
    "review": "approved, changes or none",
    "repo": "owner/name, or a name",
    "owner": "a login or an organisation",
    "label": "a label; in quotes if it has spaces",
    "base": "the branch it goes to",
    "head": "the branch it comes from",
    "size": "XS, S, M, L, XL or XXL",
    "stale": "yes, no, or days such as 30d without an event",
    "created": "days",
    "merged": "days",
    "closed": "days",
    "updated": "days",
    "reviewed": "days of a review",
    "since": "a day: from then on, by the order of the list",
    "until": "a day: up to and including it",
    "sort": "updated, created, merged or closed; with -asc oldest first",
}
SORTS = ("updated", "created", "merged", "closed")
CHOICES: Mapping[str, tuple[str, ...]] = {
    "is": ("open", "closed", "merged", "draft", "stale", "bot"),
    "review": ("approved", "changes", "none"),
    "size": ("xs", "s", "m", "l", "xl", "xxl"),
    "sort": tuple(f"{name}{way}" for name in SORTS for way in ("", "-asc")),
}
DAYS = ("created", "merged", "closed", "updated", "reviewed", "since", "until")
_TOKEN = re.compile(r'(-?)(?:([A-Za-z][A-Za-z-]*):)?(?:"([^"]*)"|([^\s"]\S*))?')
_AGO = re.compile(r"(\d{1,4})([dwmy])")
_FIRST = date(2, 1, 1)
_DAYS_IN = {"d": 1, "w": 7, "m": 30, "y": 365}


@dataclass(frozen=True, slots=True)
class Term:
    """One condition; `key` is "" for a word or a phrase of the title."""

    key: str
    value: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Days:
    """From the first day to the last, both included; None is open."""

    first: date | None
    last: date | None


def parse(text: str) -> tuple[Term, ...]:
    """The conditions that `text` asks for, all of which hold; raises UsageError where one means nothing."""
    if len(text) > LONGEST or "\0" in text:
        raise UsageError("This search is too long.", f"Write at most {LONGEST} characters.")
    terms = []
    for minus, key, phrase, word in _TOKEN.findall(text):
        value, key = (phrase or word).strip(), key.lower()
        # A word that only ends in a colon, or a lone minus, is a word.
        if not value and key:
            key, value = "", f"{key}:"
        if value:
            terms.append(_checked(Term(key, value, bool(minus))))
    if len(terms) > MOST_TERMS:
        raise UsageError("This search has too many parts.", f"Write at most {MOST_TERMS}.")
    return tuple(terms)


def days(text: str, today: date) -> Days:
    """`2026-11-01`, `2026-11-01..2026-11-23`, either end open, or `30d`: the last 30 days with today.

    Raises UsageError for anything else.
    """
    first, dots, last = text.partition("..")
    if not dots:
        if ago := _AGO.fullmatch(text):
            begins = today.toordinal() - int(ago[1]) * _DAYS_IN[ago[2]] + 1
            # Thousands of years end before they reach their beginning.
            return Days(date.fromordinal(max(_FIRST.toordinal(), begins)), today)
        only = _day(text)
        return Days(only, only)
    return Days(_day(first) if first else None, _day(last) if last else None)


def bound(term: Term, today: date) -> Days:
    """The days of `since:` and `until:`, which name one end; with two dots they name both."""
    found = days(term.value.lower(), today)
    if ".." in term.value:
        return found
    return Days(found.first, None) if term.key == "since" else Days(None, found.first)


def order(terms: tuple[Term, ...]) -> tuple[str, bool] | None:
    """By which time the list is sorted, and whether the oldest comes first; None where it is not said."""
    chosen = [term.value.lower() for term in terms if term.key == "sort"]
    if not chosen:
        return None
    name, _, way = chosen[-1].partition("-")
    return name, way == "asc"


def _checked(term: Term) -> Term:
    if term.key and term.key not in KEYS:
        raise UsageError(
            f"“{term.key}:” is no filter of pull requests.",
            f"To look for the text itself, put it in quotes. Filters are {', '.join(KEYS)}.",
        )
    choices = CHOICES.get(term.key)
    if choices is not None and term.value.lower() not in choices:
        raise UsageError(f"“{term.key}:{term.value[:40]}” means nothing.", f"Write {KEYS[term.key]}.")
    if term.key in DAYS:
        days(term.value, date(2026, 1, 1))
    if term.key == "stale":
        stale_days(term.value, 1)
    return term


def stale_days(value: str, usual: int) -> tuple[int, bool]:
    """`yes`, `no` or `30d`: after how many days without an event, and whether that is wanted or not."""
    if value.lower() in ("yes", "no"):
        return usual, value.lower() == "yes"
    if (ago := _AGO.fullmatch(value.lower())) is None:
        raise UsageError(f"“stale:{value[:40]}” means nothing.", f"Write {KEYS['stale']}.")
    return int(ago[1]) * _DAYS_IN[ago[2]], True


def _day(text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.min
    # The first and the last year have no day before or after them to compute with.
    if not date.min.year < found.year < date.max.year:
        raise UsageError(f"“{text[:40]}” is not a day.", "Write it as 2026-11-23, or 30d for 30 days.")
    return found
