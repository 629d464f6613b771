"""Asks by GraphQL, and by REST where GraphQL is refused, which is remembered for a day."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from trackeep.errors import GitHubGraphQLRefused
from trackeep.store.schedule import Cursor
from trackeep.sync.work import ACCOUNT, Work

T = TypeVar("T")
STREAM = "graphql"
TRIED_AGAIN_AFTER_S = 86_400

log = structlog.get_logger()


async def either(
    work: Work, by_graphql: Callable[[], Awaitable[T]], by_rest: Callable[[], Awaitable[T]]
) -> T:
    """What `by_graphql` gives, or `by_rest` when this token is refused any GraphQL.

    Only a refusal counts: limits and failures of GitHub are raised as they are. Refused half-way,
    `by_rest` finds what `by_graphql` has stored and goes on from there.
    """
    if not is_refused(work):
        try:
            given = await by_graphql()
        except GitHubGraphQLRefused as error:
            await _remember(work, error)
        else:
            await _forget(work)
            return given
    return await by_rest()


def is_refused(work: Work) -> bool:
    """True while it is known that this very token may not ask by GraphQL.

    It is tried again once a day, and in every pass that a person asked for.
    """
    position = work.cursor(ACCOUNT, STREAM).position
    if position.get("refused") != work.github.token_fingerprint:
        return False
    if work.wishes.urgent:
        return work.is_graphql_refused
    return work.now - int(position["at"]) < TRIED_AGAIN_AFTER_S


async def _remember(work: Work, error: GitHubGraphQLRefused) -> None:
    position = {"refused": work.github.token_fingerprint, "at": work.now, "why": error.sentence}
    async with work.db.write() as conn:
        await work.advance(conn, ACCOUNT, STREAM, Cursor(position))
    work.is_graphql_refused = True
    log.warning("GraphQL refused, REST is asked instead", account=work.account_id, problem=error.sentence)


async def _forget(work: Work) -> None:
    if work.cursor(ACCOUNT, STREAM).position:
        async with work.db.write() as conn:
            await work.advance(conn, ACCOUNT, STREAM, Cursor(complete=True))
