"""The conditions of a search as conditions on rows of `pull_request`; access is joined by whoever asks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, not_, or_, select

from trackeep.metrics.pulls import DAY_S, SIZES
from trackeep.metrics.windows import midnight
from trackeep.store.reports_access import Reader, is_machine, my_ids, my_teams
from trackeep.store.search_days import length
from trackeep.store.search_grammar import Filter, Query
from trackeep.store.search_keys import SORTS
from trackeep.store.tables import person, repository
from trackeep.store.tables_fetched import pull_request, review, review_request

Condition = ColumnElement[bool]
_PULL = pull_request.c
_COLUMNS = {name: _PULL[f"{name}_at"] for name in SORTS}
_REVIEW_OF_IT = and_(review.c.repository_id == _PULL.repository_id, review.c.number == _PULL.number)
_ASKED_FOR_IT = and_(
    review_request.c.repository_id == _PULL.repository_id, review_request.c.number == _PULL.number
)


def matching(reader: Reader, query: Query, at: Any) -> list[Condition]:
    """What a row of `pull_request` must meet, joined with its `repository` and the `person` who wrote it.

    `at` is the column by which the list is ordered, which since: and until: bound.
    """
    title = func.lower(_PULL.title)
    found = [
        _signed(title.contains(term.text.lower(), autoescape=True), term.negated) for term in query.terms
    ]
    for key, condition in _CONDITIONS.items():
        of_it = [one for one in query.filters if one.key == key]
        wanted = [condition(reader, one) for one in of_it if not one.negated]
        found += [or_(*wanted)] if wanted and key in _OF_WHICH_IT_HAS_ONE else wanted
        found += [_signed(condition(reader, one), True) for one in of_it if one.negated]
    since, until = query.bounds(reader.zone)
    if since is not None or until is not None:
        found.append(_between(at, since, until))
    return [*found, *_reviewed(reader, query)]


def order(query: Query) -> tuple[Any, bool] | None:
    """By which column the list is sorted, and whether the oldest comes first; None where it is not said."""
    chosen = query.values("sort")
    if not chosen:
        return None
    name, _, way = chosen[-1].partition("-")
    return _COLUMNS[name], way == "asc"


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


def _signed(condition: Condition, negated: bool) -> Condition:
    # What is not known does not meet a condition, and so meets its opposite.
    return not_(func.coalesce(condition, false())) if negated else condition


def _is(reader: Reader, one: Filter) -> Condition:
    if one.value == "draft":
        return and_(_PULL.draft, _PULL.state == "open")
    if one.value == "stale":
        return _is_older_than(reader, reader.stale_days)
    if one.value == "bot":
        return is_machine(reader)
    return _PULL.state == one.value


def _stale(reader: Reader, one: Filter) -> Condition:
    if one.value == "no":
        return and_(_PULL.state == "open", _PULL.updated_at >= reader.now - reader.stale_days * DAY_S)
    return _is_older_than(reader, reader.stale_days if one.value == "yes" else length(one.value) or 0)


def _is_older_than(reader: Reader, days: int) -> Condition:
    return and_(_PULL.state == "open", _PULL.updated_at < reader.now - days * DAY_S)


def _who(reader: Reader, login: str) -> Any:
    if login.lower() == "me":
        return my_ids(reader.account_id)
    return select(person.c.id).where(func.lower(person.c.login) == login.lower().removeprefix("@"))


def _author(reader: Reader, one: Filter) -> Condition:
    return _PULL.author_id.in_(_who(reader, one.value))


def _reviewer(reader: Reader, one: Filter) -> Condition:
    who = _who(reader, one.value)
    gave = exists().where(_REVIEW_OF_IT, review.c.author_id.in_(who), _is_of_another())
    return or_(
        gave, exists().where(_ASKED_FOR_IT, asked_of(reader, who, with_teams=one.value.lower() == "me"))
    )


def _involves(reader: Reader, one: Filter) -> Condition:
    return or_(_author(reader, one), _reviewer(reader, one))


def _is_of_another() -> Condition:
    return func.coalesce(review.c.author_id, 0) != func.coalesce(_PULL.author_id, -1)


def _review(reader: Reader, one: Filter) -> Condition:
    if one.value == "none":
        return ~counting_review(reader).exists()
    return _PULL.review_decision == {"approved": "APPROVED", "changes": "CHANGES_REQUESTED"}[one.value]


def _reviewed(reader: Reader, query: Query) -> list[Condition]:
    """`reviewed-by:` and `reviewed:` are about one and the same review."""
    met = []
    for one in query.filters:
        if one.key == "reviewed-by":
            met.append(_signed(review.c.author_id.in_(_who(reader, one.value)), one.negated))
        elif one.key == "reviewed":
            met.append(_signed(_on_days(review.c.submitted_at)(reader, one), one.negated))
    if not met:
        return []
    return [exists().where(_REVIEW_OF_IT, _is_of_another(), review.c.submitted_at.is_not(None), *met)]


def _repository(reader: Reader, one: Filter) -> Condition:
    owner, slash, name = one.value.lower().partition("/")
    if not slash:
        return func.lower(repository.c.name) == owner
    return and_(func.lower(repository.c.owner) == owner, func.lower(repository.c.name) == name)


def _label(reader: Reader, one: Filter) -> Condition:
    written = f'"name": {json.dumps(one.value.lower(), ensure_ascii=False)}'
    return func.lower(_PULL.labels).contains(written, autoescape=True)


def _size(reader: Reader, one: Filter) -> Condition:
    names = [name.lower() for name, _ in SIZES]
    lines = _PULL.additions + _PULL.deletions
    if one.value not in names:
        return lines >= SIZES[-1][1]
    place = names.index(one.value)
    return and_(lines < SIZES[place][1], lines >= (SIZES[place - 1][1] if place else 0))


def _on_days(column: Any) -> Callable[[Reader, Filter], Condition]:
    def condition(reader: Reader, one: Filter) -> Condition:
        first, following = (None if day is None else midnight(day, reader.zone) for day in one.days)
        return _between(column, first, following)

    return condition


def _between(column: Any, since: int | None, until: int | None) -> Condition:
    bounds = [column.is_not(None)]
    if since is not None:
        bounds.append(column >= since)
    if until is not None:
        bounds.append(column < until)
    return and_(*bounds)


# Of several values of these one suffices; `sort`, the edges of time and reviews are of the list.
_OF_WHICH_IT_HAS_ONE = ("author", "repo", "owner", "review", "base", "head", "size")
_CONDITIONS: dict[str, Callable[[Reader, Filter], Condition]] = {
    "is": _is,
    "author": _author,
    "involves": _involves,
    "reviewer": _reviewer,
    "review": _review,
    "repo": _repository,
    "owner": lambda _, one: func.lower(repository.c.owner) == one.value.lower(),
    "label": _label,
    "base": lambda _, one: _PULL.base_ref == one.value,
    "head": lambda _, one: _PULL.head_ref == one.value,
    "size": _size,
    "stale": _stale,
    **{name: _on_days(column) for name, column in _COLUMNS.items()},
}
