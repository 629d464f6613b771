"""Finds out whose the addresses in commits are, after everything else and a hundred for a point."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from trackeep.github import graphql, rest
from trackeep.github.graphql import Signers, WantedCommit
from trackeep.github.transport import GitHub
from trackeep.model import Person
from trackeep.store import identities
from trackeep.store.identities import Sample
from trackeep.store.schedule import Cursor
from trackeep.sync.fallback import either
from trackeep.sync.work import ACCOUNT, Work

STREAM = "identities"
# The next pass goes on; a thousand repositories with all their people must not hold up the poll.
QUESTIONS_A_PASS = 10
# A request each, instead of a point for a hundred.
BY_REST = 20
Question = Callable[[GitHub, Sequence[WantedCommit]], Awaitable[dict[WantedCommit, Signers]]]


async def resolve(work: Work) -> None:
    """Ask GitHub for the accounts behind unknown addresses; what fails here waits and fails nothing else.

    Raises GitHubTokenDead, and whatever ends a pass that is told to stop.
    """
    if work.cursor(ACCOUNT, STREAM).due_at > work.now and not work.wishes.urgent:
        return
    async with work.unhurried(STREAM):
        for _ in range(QUESTIONS_A_PASS):
            if not work.has_time() or not await _ask_some(work):
                break


async def _ask_some(work: Work) -> bool:
    """One question and its answers; False when there is nothing to ask."""
    return await either(
        work,
        lambda: _ask(work, graphql.signers, graphql.SIGNERS_PAGE),
        lambda: _ask(work, rest.signers, BY_REST),
    )


async def _ask(work: Work, question: Question, most: int) -> bool:
    async with work.db.read() as conn:
        found = await identities.samples(conn, work.account_id, work.now, limit=most)
    if not found:
        return False
    wanted = {each: WantedCommit(each.node_id, each.sha, each.full_name) for each in found}
    signers = await question(work.github, list(wanted.values()))
    seen = [(each, signers[key]) for each, key in wanted.items() if key in signers]
    host = work.github.addresses.noreply_host
    async with work.db.write() as conn:
        await identities.save_answers(conn, _answers(seen), work.now, noreply_host=host)
        unseen = [each for each, key in wanted.items() if key not in signers]
        await identities.put_off_unseen(conn, unseen, work.now)
        if work.cursor(ACCOUNT, STREAM).failures:
            await work.advance(conn, ACCOUNT, STREAM, Cursor(complete=True))
    work.notify()
    return True


def _answers(seen: Sequence[tuple[Sample, Signers]]) -> dict[str, Person | None]:
    """Address to account; an account that any commit tells of counts."""
    answers: dict[str, Person | None] = {}
    for sample, signers in seen:
        for email, who in (
            (sample.author_email, signers.author),
            (sample.committer_email, signers.committer),
        ):
            answers[email] = answers.get(email) or who
    return answers
