"""How old what a block shows is, where that is not what the line below the page's title says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from trackeep.instance import words
from trackeep.metrics.windows import day_of
from trackeep.store import reports_sync, schedule
from trackeep.store.reports_access import Reader
from trackeep.store.reports_sync import Freshness, RepositorySync, Stream

# By so much a block may be older than the page's line says before it says so itself.
LATE_S = 3_600
NOT_TO_THE_END = "not read to the end yet"
# The kinds of data, by the streams that bring them, that each block of a page is made from.
Sources = Mapping[str, Sequence[str]]
COMMITS, PULLS, ISSUES = EVERYTHING = schedule.STREAMS
RELEASES = schedule.DAILY
_UNREAD = -1


@dataclass(frozen=True)
class Stamps:
    """What is to be said about age: by all blocks alike in the page's line, else by each in its head.

    `is_old` is False where nothing is late, and a first reading only goes on.
    """

    line: str = ""
    blocks: Mapping[str, str] = field(default_factory=dict)
    is_old: bool = False

    def __getitem__(self, block: str) -> str:
        return self.blocks.get(block, "")


NO_STAMPS = Stamps()


async def read(conn: AsyncConnection, reader: Reader, freshness: Freshness, sources: Sources) -> Stamps:
    """The stamps of a page about everything that is followed; one query."""
    partial = await reports_sync.repositories(conn, reader, partial=True)
    return of_many(partial, freshness, sources, reader.now)


def of_many(rows: Sequence[RepositorySync], freshness: Freshness, sources: Sources, now: int) -> Stamps:
    """From the repositories that are not as the last look at GitHub was; nothing during the first sync."""
    if freshness.succeeded_at is None or not freshness.followed:
        return NO_STAMPS
    tracked = [row for row in rows if row.follow_state == schedule.TRACKED]
    before = freshness.succeeded_at - LATE_S
    ages = {block: [_age(row, kinds, before) for row in tracked] for block, kinds in sources.items()}
    said = {block: _counted(times, freshness.followed, now) for block, times in ages.items()}
    is_old = any(at is not None and at != _UNREAD for times in ages.values() for at in times)
    return replace(_told(said), is_old=is_old)


def of_one(
    row: RepositorySync, synced_at: int | None, sources: Sources, reader: Reader, style: str = ""
) -> Stamps:
    """From one repository whose page says that it was synced at `synced_at`; nothing before it is."""
    if synced_at is None or row.follow_state != schedule.TRACKED:
        return NO_STAMPS

    def said(kinds: Sequence[str]) -> str:
        at = _age(row, kinds, synced_at - LATE_S)
        if at is None or at == _UNREAD:
            return "" if at is None else NOT_TO_THE_END
        is_today = day_of(at, reader.zone) == day_of(reader.now, reader.zone)
        return f"as of {words.clock(at, reader.zone) if is_today else words.moment(at, reader.zone, style)}"

    return _told({block: said(kinds) for block, kinds in sources.items()})


def _age(row: RepositorySync, kinds: Sequence[str], before: int) -> int | None:
    """Since when the oldest of these kinds was not read, if before that; _UNREAD, or None for fresh ones."""
    streams = {stream.name: stream for stream in row.streams}
    every = [streams.get(kind) for kind in kinds]
    times = [_fresh_at(row, stream) for stream in every if stream is not None]
    known = [at for at in times if at is not None]
    if len(known) < len(every):
        return _UNREAD
    if min(known) < before:
        return min(known)
    return None if all(stream is not None and stream.complete for stream in every) else _UNREAD


def _fresh_at(row: RepositorySync, stream: Stream) -> int | None:
    """A look names what has changed, but not whether there is a release."""
    return row.fresh_at(stream) if stream.name in schedule.STREAMS else stream.succeeded_at


def _counted(ages: Sequence[int | None], followed: int, now: int) -> str:
    late = [at for at in ages if at is not None and at != _UNREAD]
    unread = sum(at == _UNREAD for at in ages)
    of_all = f"of {words.counted(followed, 'repository', 'repositories')}"
    parts = [f"{len(late):,} {of_all} older than {words.age(now, max(late))}"] if late else []
    if unread:
        parts.append(f"{unread:,} {'' if late else of_all + ' '}{NOT_TO_THE_END}")
    return ", ".join(parts)


def _told(said: Mapping[str, str]) -> Stamps:
    """What every block would say is said once."""
    alike = set(said.values())
    return Stamps(line=alike.pop()) if len(alike) == 1 else Stamps(blocks=said)
