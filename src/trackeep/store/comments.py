"""Comments on the lines of pull requests, and how many of them belong to each review."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.database import chunked, upsert
from trackeep.model import ReviewComment
from trackeep.store.tables_fetched import pull_request, review, review_comment

# Two accounts may store the same repository's comments; one that just fetched may store a little later.
OVERLAP_S = 300


async def save_comments(
    conn: AsyncConnection, repository_id: int, comments: Sequence[ReviewComment], seen_at: int
) -> None:
    """Save comments of one repository and count them in their reviews; their authors are saved before."""
    await _take_turns(conn, repository_id, {each.number for each in comments})
    rows = [
        {
            "repository_id": repository_id,
            "id": each.id,
            "number": each.number,
            "review_id": each.review_id,
            "author_id": each.author.id if each.author else None,
            "created_at": each.created_at,
            "updated_at": each.updated_at,
            "seen_at": seen_at,
        }
        for each in sorted(comments, key=lambda each: each.id)
    ]
    await upsert(conn, review_comment, rows, key=["repository_id", "id"])
    await _recount(conn, repository_id, {each.number for each in comments})


async def forget_unseen(conn: AsyncConnection, repository_id: int, began_at: int) -> int:
    """Delete comments that a list read in full from `began_at` on did not hold; returns how many."""
    c = review_comment.c
    unseen = (c.repository_id == repository_id) & (c.seen_at < began_at - OVERLAP_S)
    numbers = set(await conn.scalars(select(c.number).where(unseen)))
    await _take_turns(conn, repository_id, numbers)
    gone = await conn.execute(delete(review_comment).where(unseen))
    await _recount(conn, repository_id, numbers)
    return gone.rowcount


async def reviewed(conn: AsyncConnection, ids: Collection[int]) -> set[int]:
    """Those of these repositories that have a review; where there is none, there is no such comment."""
    rows = select(review.c.repository_id).distinct().where(review.c.repository_id.in_(sorted(ids)))
    return set(await conn.scalars(rows))


async def counts(conn: AsyncConnection, repository_id: int, numbers: Collection[int]) -> dict[int, int]:
    """How many comments each review of these pull requests has; reviews without any are missing."""
    c = review_comment.c
    found: dict[int, int] = {}
    for some in chunked(sorted(numbers)):
        these = (c.repository_id == repository_id) & c.number.in_(some) & c.review_id.is_not(None)
        rows = select(c.review_id, func.count()).where(these).group_by(c.review_id)
        found |= {row[0]: row[1] for row in await conn.execute(rows)}
    return found


async def _recount(conn: AsyncConnection, repository_id: int, numbers: Collection[int]) -> None:
    """Bring the counts in all reviews of these pull requests in line with the comments."""
    right = await counts(conn, repository_id, numbers)
    wrong = []
    for some in chunked(sorted(numbers)):
        these = (review.c.repository_id == repository_id) & review.c.number.in_(some)
        rows = await conn.execute(select(review.c.id, review.c.comments).where(these))
        wrong += [row.id for row in rows if row.comments != right.get(row.id, 0)]
    if wrong:
        this = (review.c.repository_id == repository_id) & (review.c.id == bindparam("of"))
        await conn.execute(
            update(review).where(this).values(comments=bindparam("right")),
            [{"of": each, "right": right.get(each, 0)} for each in sorted(wrong)],
        )


async def _take_turns(conn: AsyncConnection, repository_id: int, numbers: Collection[int]) -> None:
    """Wait for whoever saves the same pull requests: they replace reviews, with the counts stored here."""
    pull = pull_request.c
    for some in chunked(sorted(numbers)):
        these = (pull.repository_id == repository_id) & pull.number.in_(some)
        await conn.execute(select(pull.number).where(these).order_by(pull.number).with_for_update())
