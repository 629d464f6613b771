"""The conditions of a search as conditions on rows of `pull_request`; access is joined by whoever asks."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, not_, or_, select

from trackeep.metrics.pulls import DAY_S, SIZES
from trackeep.metrics.windows import day_of, midnight
from trackeep.store.pull_words import Days, Term, bound, days, order, stale_days
from trackeep.store.reports_access import Reader, is_machine, my_ids, my_teams
from trackeep.store.tables import person, repository
from trackeep.store.tables_fetched import pull_request, review, review_request

Condition = ColumnElement[bool]
_PULL = pull_request.c
_COLUMNS = {"created": _PULL.created_at, "merged": _PULL.merged_at, "closed": _PULL.closed_at}
_REVIEW_OF_IT = and_(review.c.repository_id == _PULL.repository_id, review.c.number == _PULL.number)
_ASKED_FOR_IT = and_(
    review_request.c.repository_id == _PULL.repository_id, review_request.c.number == _PULL.number
)


def matching(reader: Reader, terms: tuple[Term, ...]) -> list[Condition]:
    """What a row of `pull_request` must meet, joined with its `repository` and the `person` who wrote it."""
    found = [_signed(term, _condition(reader, term)) for term in terms if term.key not in _OF_THE_LIST]
    at = time_column(order(terms))
    for term in terms:
        if term.key in ("since", "until"):
            found.append(_signed(term, _within(at, reader, bound(term, _today(reader)))))
    return [*found, *_reviewed(reader, terms)]


def time_column(sort: tuple[str, bool] | None) -> Any:
    """The column by which a list is ordered."""
    return _COLUMNS.get(sort[0] if sort else "", _PULL.updated_at)


def counting_review(reader: Reader) -> Select[Any]:
    """Reviews of the pull request at hand by somebody who is neither its author nor a bot."""
    by_another = func.coalesce(review.c.author_id, 0) != func.coalesce(_PULL.author_id, -1)
    return (
        select(review.c.submitted_at)
        .select_from(review.outerjoin(person, person.c.id == review.c.author_id))
        .where(_REVIEW_OF_IT, by_another, or_(person.c.id.is_(None), ~is_machine(reader)))
        .where(review.c.submitted_at.is_not(None))
        .correlate(pull_request)
    )


def asked_of(reader: Reader, who: Any, *, with_teams: bool) -> Condition:
    """A row of `review_request` that asks one of the accounts `who`, or a team the reader is in."""
    person_asked = review_request.c.reviewer_id.in_(who)
    if not with_teams:
        return person_asked
    team = func.lower(review_request.c.team).in_(my_teams(reader.account_id))
    return or_(person_asked, and_(review_request.c.reviewer_id == 0, team))


_OF_THE_LIST = ("sort", "since", "until", "reviewed", "reviewed-by")


def _condition(reader: Reader, term: Term) -> Condition:
    if not term.key:
        return func.lower(_PULL.title).contains(term.value.lower(), autoescape=True)
    return _CONDITIONS[term.key](reader, term.value)


def _signed(term: Term, condition: Condition) -> Condition:
    # What is not known does not meet a condition, and so meets its opposite.
    return not_(func.coalesce(condition, false())) if term.negated else condition


def _is(reader: Reader, value: str) -> Condition:
    what = value.lower()
    if what == "draft":
        return and_(_PULL.draft, _PULL.state == "open")
    if what == "stale":
        return _stale(reader, "yes")
    if what == "bot":
        return is_machine(reader)
    return _PULL.state == what


def _stale(reader: Reader, value: str) -> Condition:
    after, wanted = stale_days(value, reader.stale_days)
    is_old = _PULL.updated_at < reader.now - after * DAY_S
    return and_(_PULL.state == "open", is_old if wanted else ~is_old)


def _who(reader: Reader, login: str) -> Any:
    if login.lower() == "me":
        return my_ids(reader.account_id)
    return select(person.c.id).where(func.lower(person.c.login) == login.lower().removeprefix("@"))


def _author(reader: Reader, value: str) -> Condition:
    return _PULL.author_id.in_(_who(reader, value))


def _reviewer(reader: Reader, value: str) -> Condition:
    who = _who(reader, value)
    gave = exists().where(_REVIEW_OF_IT, review.c.author_id.in_(who), _is_of_another())
    return or_(gave, exists().where(_ASKED_FOR_IT, asked_of(reader, who, with_teams=value.lower() == "me")))


def _involves(reader: Reader, value: str) -> Condition:
    return or_(_author(reader, value), _reviewer(reader, value))


def _is_of_another() -> Condition:
    return func.coalesce(review.c.author_id, 0) != func.coalesce(_PULL.author_id, -1)


def _review(reader: Reader, value: str) -> Condition:
    if value.lower() == "none":
        return ~counting_review(reader).exists()
    return _PULL.review_decision == {"approved": "APPROVED", "changes": "CHANGES_REQUESTED"}[value.lower()]


def _reviewed(reader: Reader, terms: tuple[Term, ...]) -> list[Condition]:
    """`reviewed-by:` and `reviewed:` are about one and the same review."""
    by = [term for term in terms if term.key == "reviewed-by"]
    within = [term for term in terms if term.key == "reviewed"]
    if not by and not within:
        return []
    met = [_signed(term, review.c.author_id.in_(_who(reader, term.value))) for term in by]
    met += [_signed(term, _between(review.c.submitted_at, reader, term.value)) for term in within]
    return [exists().where(_REVIEW_OF_IT, _is_of_another(), review.c.submitted_at.is_not(None), *met)]


def _repository(reader: Reader, value: str) -> Condition:
    owner, slash, name = value.lower().partition("/")
    if not slash:
        return func.lower(repository.c.name) == owner
    return and_(func.lower(repository.c.owner) == owner, func.lower(repository.c.name) == name)


def _label(reader: Reader, value: str) -> Condition:
    written = f'"name": {json.dumps(value.lower(), ensure_ascii=False)}'
    return func.lower(_PULL.labels).contains(written, autoescape=True)


def _size(reader: Reader, value: str) -> Condition:
    names = [name.lower() for name, _ in SIZES]
    lines = _PULL.additions + _PULL.deletions
    if value.lower() not in names:
        return lines >= SIZES[-1][1]
    place = names.index(value.lower())
    return and_(lines < SIZES[place][1], lines >= (SIZES[place - 1][1] if place else 0))


def _on_days(column: Any) -> Callable[[Reader, str], Condition]:
    return lambda reader, value: _between(column, reader, value)


def _between(column: Any, reader: Reader, value: str) -> Condition:
    return _within(column, reader, days(value.lower(), _today(reader)))


def _today(reader: Reader) -> date:
    return day_of(reader.now, reader.zone)


def _within(column: Any, reader: Reader, found: Days) -> Condition:
    bounds = [column.is_not(None)]
    if found.first is not None:
        bounds.append(column >= midnight(found.first, reader.zone))
    if found.last is not None:
        bounds.append(column < midnight(found.last + timedelta(days=1), reader.zone))
    return and_(*bounds)


_CONDITIONS: dict[str, Callable[[Reader, str], Condition]] = {
    "is": _is,
    "author": _author,
    "involves": _involves,
    "reviewer": _reviewer,
    "review": _review,
    "repo": _repository,
    "owner": lambda reader, value: func.lower(repository.c.owner) == value.lower(),
    "label": _label,
    "base": lambda reader, value: _PULL.base_ref == value,
    "head": lambda reader, value: _PULL.head_ref == value,
    "size": _size,
    "stale": _stale,
    "created": _on_days(_PULL.created_at),
    "merged": _on_days(_PULL.merged_at),
    "closed": _on_days(_PULL.closed_at),
    "updated": _on_days(_PULL.updated_at),
}
