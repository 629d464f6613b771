"""Asks how many lines each commit added and deleted, which git does not tell, after everything else.

Nobody waits for these figures, so they never get in the way of what somebody waits for:

* The pass that brings commits does not ask for their lines: a later pass does, five minutes after the first
  commit whose lines are missing has arrived. A small change, and a look that finds nothing new, cost as
  much as they would without line counts; a burst of pushes is counted in one go.
* One point counts fifty commits, and a pass spends at most twenty of them and fifteen seconds; as long as
  some are missing every following pass goes on.
* The person's own commits come first, then those of the last 90 days, which screens show. All others wait
  until more than half of the hour's points are left, or of its requests where GraphQL is refused.
* Where GraphQL is refused a pass counts forty commits, by a request each.
* Once a day it is looked whether some are missing, such as commits that came with somebody else's sync.
"""

from __future__ import annotations

from collections.abc import Sequence

from trackeep.github import graphql, rest
from trackeep.github.graphql import CountsPage, WantedCommit
from trackeep.github.graphql_asking import TooMuch
from trackeep.store import line_counts as stored
from trackeep.store.line_counts import Uncounted
from trackeep.store.schedule import Cursor
from trackeep.sync.fallback import either, is_refused
from trackeep.sync.work import ACCOUNT, Work

STREAM = "line_counts"
SETTLED_AFTER_S = 300
LOOK_EVERY_S = 86_400
WINDOW_S = 90 * 86_400
QUESTIONS_A_PASS = 20
# Commits a question where GraphQL is refused: each is a request of those that bring everything else.
BY_REST = 2
LONGEST_S = 15


async def count(work: Work) -> None:
    """Ask for the lines of some commits that lack them; what fails here waits and fails nothing else.

    Raises GitHubTokenDead, and whatever ends a pass that is told to stop.
    """
    at = work.cursor(ACCOUNT, STREAM)
    if work.found.commits and (at.complete or not at.position):
        await _expect(work, at)
    if work.cursor(ACCOUNT, STREAM).due_at > work.now:
        return
    async with work.unhurried(STREAM):
        await _count_some(work)


async def _expect(work: Work, at: Cursor) -> None:
    """Commits have come; until they are counted, later ones do not put it off further."""
    new = Cursor({"expected_at": work.now}, due_at=work.now + SETTLED_AFTER_S, items=at.items)
    async with work.db.write() as conn:
        await work.advance(conn, ACCOUNT, STREAM, new)


async def _count_some(work: Work) -> None:
    ends_at = work.github.clock() + LONGEST_S
    wanted, is_all = await _wanted(work)
    for _ in range(QUESTIONS_A_PASS):
        if not wanted or work.github.clock() >= ends_at or work.wishes.is_time_up():
            break
        page = await _ask(work, wanted)
        await _save(work, wanted[: len(page.asked)], page)
        wanted = wanted[len(page.asked) :]
    if is_all and not wanted:
        items = work.cursor(ACCOUNT, STREAM).items
        new = Cursor(complete=True, due_at=work.now + LOOK_EVERY_S, items=items)
        async with work.db.write() as conn:
            await work.advance(conn, ACCOUNT, STREAM, new)


async def _wanted(work: Work) -> tuple[list[Uncounted], bool]:
    """What this pass may ask for, most wanted first, and whether that is all there is."""
    most = QUESTIONS_A_PASS * graphql.COUNTS_PAGE
    async with work.db.read() as conn:
        found = dict.fromkeys(await stored.own(conn, work.account_id, limit=most))
        if len(found) < most:
            since = work.now - WINDOW_S
            found |= dict.fromkeys(await stored.recent(conn, work.account_id, since, limit=most))
        reaches_all = len(found) < most and work.github.has_plenty(by_rest=is_refused(work))
        if reaches_all:
            found |= dict.fromkeys(await stored.remaining(conn, work.account_id, work.now, limit=most))
    return list(found)[:most], reaches_all and len(found) < most


async def _ask(work: Work, wanted: Sequence[Uncounted]) -> CountsPage:
    return await either(
        work,
        lambda: _by_graphql(work, wanted),
        lambda: rest.line_counts(work.github, [_key(each) for each in wanted[:BY_REST]]),
    )


async def _by_graphql(work: Work, wanted: Sequence[Uncounted]) -> CountsPage:
    try:
        return await graphql.line_counts(work.github, [_key(each) for each in wanted])
    except TooMuch:
        # GitHub gave up on the first one alone, which must not hold up the others for ever.
        async with work.db.write() as conn:
            await stored.save(conn, {}, {wanted[0]: work.now + stored.UNSEEN_FOR_S})
        raise


async def _save(work: Work, done: Sequence[Uncounted], page: CountsPage) -> None:
    """Store the counts, and until when GitHub is not asked for what it did not know."""
    counts = {each: page.counts[_key(each)] for each in done if _key(each) in page.counts}
    put_off = {
        each: work.now + (stored.UNKNOWN_FOR_S if each.node_id in page.shown else stored.UNSEEN_FOR_S)
        for each in done
        if each not in counts
    }
    at = work.cursor(ACCOUNT, STREAM)
    new = Cursor(at.position, items=at.items + len(counts))
    async with work.db.write() as conn:
        await stored.save(conn, counts, put_off)
        await work.advance(conn, ACCOUNT, STREAM, new)
    work.notify()


def _key(each: Uncounted) -> WantedCommit:
    return WantedCommit(each.node_id, each.sha, f"{each.owner}/{each.name}")
