"""The language of the search boxes: words, "phrases", key:value, and a minus before what must not be; pure.

A grammar is a table of keys, so that commits and pull requests have one each. Values of one key are
alternatives (`repo:atlas repo:heron`), different keys must all hold; of days and of `is:` each must hold.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from trackeep.errors import UsageError
from trackeep.metrics.windows import midnight

LONGEST = 500
MOST_PARTS = 32
_FIRST, _LAST = date(1970, 1, 1), date(9998, 12, 31)
# A minus, then a key with what follows it, or not; either may have its quotes open until the end.
_PART = re.compile(r'(-?)(?:([A-Za-z]+):)?(?:"([^"]*)(?:"|$)(\*?)|(\S*))')
_AGO = re.compile(r"(\d{1,5})([dwmy])")
_DAYS_OF = {"d": 1, "w": 7, "m": 30, "y": 365}
_HINT = "Put it in quotes to look for it as text."
DAY_EXAMPLES = "Write a day as 2026-11-23, a month as 2026-11, or how long ago as 7d, 4w, 3m or 1y."


@dataclass(frozen=True)
class Key:
    """One key of a grammar. A `choice` has the values that it may take; a `day` is any span of days."""

    name: str
    example: str
    kind: Literal["text", "choice", "day"] = "text"
    choices: tuple[str, ...] = ()


DAYS = tuple(Key(name, "7d", "day") for name in ("since", "until", "before", "after"))
COMMITS = (
    Key("repo", "owner/name"),
    Key("owner", "octocat"),
    Key("author", "me"),
    Key("committer", "me"),
    Key("is", "mine", "choice", ("merge", "mine", "verified")),
    Key("branch", "main"),
    Key("path", "src"),
    *DAYS,
)


@dataclass(frozen=True)
class Term:
    """Words that stand beside each other; `is_prefix`: the last of them may go on."""

    text: str
    negated: bool = False
    is_prefix: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """In lower case, without what is neither letter nor digit."""
        return words_in(self.text)


@dataclass(frozen=True)
class Filter:
    """`key:value`; of a day, `days` are its first and the day after its last."""

    key: str
    value: str
    negated: bool = False
    days: tuple[date, date] | None = None


@dataclass(frozen=True)
class Query:
    """What somebody asked for; str() writes it as it would be typed."""

    terms: tuple[Term, ...] = ()
    filters: tuple[Filter, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.terms or self.filters)

    def __str__(self) -> str:
        return " ".join([*map(_written_term, self.terms), *map(_written_filter, self.filters)])

    def values(self, key: str, *, negated: bool = False) -> tuple[str, ...]:
        """The values of `key` that were asked for, or ruled out."""
        return tuple(one.value for one in self.filters if (one.key, one.negated) == (key, negated))

    def bounds(self, zone: ZoneInfo) -> tuple[int | None, int | None]:
        """The instants that since:, after:, until: and before: leave: from the first, before the second."""
        starts, ends = [], []
        for one in self.filters:
            first, following = one.days or (_FIRST, _LAST)
            if one.key in ("since", "after"):
                starts.append(midnight(first if one.key == "since" else following, zone))
            elif one.key in ("until", "before"):
                ends.append(midnight(following if one.key == "until" else first, zone))
        return max(starts, default=None), min(ends, default=None)

    def without(self, one: Filter) -> Query:
        """The same without that filter."""
        return Query(self.terms, tuple(each for each in self.filters if each != one))

    def toggled(self, key: str, value: str) -> Query:
        """Without that filter where it is there, else with it."""
        kept = tuple(one for one in self.filters if (one.key, one.value, one.negated) != (key, value, False))
        added = () if len(kept) < len(self.filters) else (Filter(key, value),)
        return Query(self.terms, (*kept, *added))


def words_in(text: str) -> tuple[str, ...]:
    """The words of a text as the full text has them."""
    return tuple(re.findall(r"[^\W_]+", text.lower()))


def parse(text: str, keys: Sequence[Key], today: date) -> Query:
    """What `text` asks for. Raises UsageError, one sentence, for what cannot be meant."""
    # Neither database takes these; in a text that somebody typed they are slips.
    text = re.sub(r"[\x00\ud800-\udfff]", " ", text).strip()
    if len(text) > LONGEST:
        raise UsageError(f"A search has at most {LONGEST} characters.", "Leave some words out.")
    table = {key.name: key for key in keys}
    terms: list[Term] = []
    filters: list[Filter] = []
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        part = _PART.match(text, place)
        assert part is not None
        place = part.end()
        found = _read(part, table, today)
        if isinstance(found, Filter):
            filters.append(found)
        # A dash between words asks for nothing.
        elif found.words:
            terms.append(found)
        if len(terms) + len(filters) > MOST_PARTS:
            raise UsageError(f"A search has at most {MOST_PARTS} parts.", "Leave some words out.")
    if text and not terms and not filters:
        raise UsageError(f"“{text[:40]}” has no letters or digits to look for.", "Write a word.")
    return Query(tuple(terms), tuple(filters))


def _read(part: re.Match[str], table: dict[str, Key], today: date) -> Term | Filter:
    minus, name, quoted, star, bare = part.groups()
    value = (bare if quoted is None else quoted).replace('"', " ")
    key = table.get((name or "").lower())
    if key is not None:
        return _filter(key, value.strip(), bool(minus), today)
    # `std::sort`, `https://…` and the `fix:` of a message are no keys.
    if name and value and not value.startswith((":", "/")):
        known = ", ".join(f"{one}:" for one in table)
        raise UsageError(f"There is no key “{name}:” here.", f"There are {known}. {_HINT}")
    whole = part.group().removeprefix("-")
    # Inside of a word a quote is a mistake; none is left to be written again.
    kept = " ".join(whole.rstrip("*").replace('"', " ").split())
    return Term(kept, bool(minus), is_prefix=bool(star) if quoted is not None else whole.endswith("*"))


def _filter(key: Key, value: str, negated: bool, today: date) -> Filter:
    if not value:
        raise UsageError(f"“{key.name}:” needs a value.", f"Write it as {key.name}:{key.example}.")
    if key.kind == "choice":
        value = value.lower()
        if value not in key.choices:
            known = ", ".join(f"{key.name}:{one}" for one in key.choices)
            raise UsageError(f"“{key.name}:{value[:40]}” is not known.", f"There are {known}.")
        return Filter(key.name, value, negated)
    if key.kind == "text":
        return Filter(key.name, value, negated)
    if negated:
        raise UsageError(f"“{key.name}:” takes no minus.", "since: and before: are each other's opposite.")
    return Filter(key.name, value, days=_days(key.name, value, today))


def _days(name: str, value: str, today: date) -> tuple[date, date]:
    """The first day of what is written, and the day after its last."""
    found = _span(value.lower(), today)
    if found is None or not found[0] >= _FIRST or not found[1] <= _LAST:
        raise UsageError(f"“{name}:{value[:40]}” is no day.", DAY_EXAMPLES)
    return found


def _span(value: str, today: date) -> tuple[date, date] | None:
    if value in ("today", "yesterday"):
        value = "0d" if value == "today" else "1d"
    ago = _AGO.fullmatch(value)
    try:
        if ago:
            day = today - timedelta(days=int(ago[1]) * _DAYS_OF[ago[2]])
            return day, day + timedelta(days=1)
        if re.fullmatch(r"\d{4}", value):
            return date(int(value), 1, 1), date(int(value) + 1, 1, 1)
        if re.fullmatch(r"\d{4}-\d{2}", value):
            year, month = int(value[:4]), int(value[5:])
            return date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            day = date.fromisoformat(value)
            return day, day + timedelta(days=1)
    except (ValueError, OverflowError):
        return None
    return None


def _written_term(term: Term) -> str:
    minus, star = "-" if term.negated else "", "*" if term.is_prefix else ""
    is_plain = re.fullmatch(r"[^\W_][^\s:*]*", term.text)
    return f"{minus}{term.text}{star}" if is_plain else f'{minus}"{term.text}"{star}'


def _written_filter(one: Filter) -> str:
    value = f'"{one.value}"' if re.search(r"\s", one.value) else one.value
    return f"{'-' if one.negated else ''}{one.key}:{value}"
