"""The language of the search boxes: words, "phrases", key:value, and a minus before what must not be; pure.

What differs between kinds of things is a table of keys (search_keys.py). Values of one key are alternatives
where a thing has one of it (`repo:atlas repo:heron`), everything else must hold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Literal
from zoneinfo import ZoneInfo

from trackeep.errors import UsageError
from trackeep.metrics.windows import midnight
from trackeep.store import search_days
from trackeep.store.search_days import EDGES, HOW_TO_WRITE, Span

LONGEST = 500
MOST_PARTS = 32
# A minus, then a key with what follows it, or not; either may have its quotes open until the end.
_PART = re.compile(r'(-?)(?:([A-Za-z]+(?:-[A-Za-z]+)*):)?(?:"([^"]*)(?:"|$)(\*?)|(\S*))')
_HINT = "Put it in quotes to look for it as text."
_NO_MINUS = ("edge", "order")


@dataclass(frozen=True)
class Key:
    """One key: an example of its value, and what it takes in words (shown where searches are explained).

    The kinds: a `choice` and an `order` have the values that they may take, an `edge` is one end of a span of
    days, `days` are a span, an `age` is yes, no or so many days.
    """

    name: str
    example: str
    takes: str = ""
    kind: Literal["text", "choice", "order", "edge", "days", "age"] = "text"
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grammar:
    """How `things`, such as "commits", are searched."""

    things: str
    keys: tuple[Key, ...]


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
    """`key:value`; where the key is about days, `days` are those that it lets through."""

    key: str
    value: str
    negated: bool = False
    days: Span = (None, None)


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
        """The instants that since:, until:, after: and before: leave: from the first, before the second."""
        spans = [one.days for one in self.filters if one.key in EDGES]
        starts = [midnight(first, zone) for first, _ in spans if first is not None]
        ends = [midnight(following, zone) for _, following in spans if following is not None]
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


def parse(text: str, grammar: Grammar, today: date) -> Query:
    """What `text` asks for. Raises UsageError, one sentence, for what cannot be meant."""
    # Neither database takes these; in a text that somebody typed they are slips.
    text = re.sub(r"[\x00\ud800-\udfff]", " ", text).strip()
    if len(text) > LONGEST:
        raise UsageError(f"A search has at most {LONGEST} characters.", "Leave some words out.")
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
        found = _read(part, grammar, today)
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


def _read(part: re.Match[str], grammar: Grammar, today: date) -> Term | Filter:
    minus, name, quoted, star, bare = part.groups()
    value = (bare if quoted is None else quoted).replace('"', " ")
    key = next((one for one in grammar.keys if one.name == (name or "").lower()), None)
    if key is not None:
        return _filter(key, value.strip(), bool(minus), today)
    # `std::sort`, `https://…` and the `fix:` of a message are no keys.
    if name and value and not value.startswith((":", "/")):
        known = ", ".join(f"{one.name}:" for one in grammar.keys)
        raise UsageError(f"“{name}:” is no filter of {grammar.things}.", f"There are {known}. {_HINT}")
    whole = part.group().removeprefix("-")
    # Inside of a word a quote is a mistake; none is left to be written again.
    kept = " ".join(whole.rstrip("*").replace('"', " ").split())
    return Term(kept, bool(minus), is_prefix=bool(star) if quoted is not None else whole.endswith("*"))


def _filter(key: Key, value: str, negated: bool, today: date) -> Filter:
    if not value:
        raise UsageError(f"“{key.name}:” needs a value.", f"Write it as {key.name}:{key.example}.")
    if negated and key.kind in _NO_MINUS:
        raise UsageError(f"“{key.name}:” takes no minus.", "Leave the minus out.")
    if key.kind == "text":
        return Filter(key.name, value, negated)
    value = value.lower()
    days: Span | None = (None, None)
    if key.kind == "edge":
        days = search_days.from_edge(key.name, value, today)
    elif key.kind == "days":
        days = search_days.within(value, today)
    if days is None:
        raise UsageError(f"“{key.name}:{value[:40]}” is no day.", HOW_TO_WRITE)
    is_age = value in ("yes", "no") or search_days.length(value) is not None
    if (key.choices and value not in key.choices) or (key.kind == "age" and not is_age):
        raise UsageError(f"“{key.name}:{value[:40]}” means nothing.", f"Write {key.takes}.")
    return Filter(key.name, value, negated, days)


def _written_term(term: Term) -> str:
    minus, star = "-" if term.negated else "", "*" if term.is_prefix else ""
    is_plain = re.fullmatch(r"[^\W_][^\s:*]*", term.text)
    return f"{minus}{term.text}{star}" if is_plain else f'{minus}"{term.text}"{star}'


def _written_filter(one: Filter) -> str:
    value = f'"{one.value}"' if re.search(r"\s", one.value) else one.value
    return f"{'-' if one.negated else ''}{one.key}:{value}"
