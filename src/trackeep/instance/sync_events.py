"""Progress as it happens: server-sent events, one whenever the state has changed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response

from trackeep.instance.at_once import Ending
from trackeep.instance.backlog import backlog
from trackeep.instance.frame import reader_of
from trackeep.instance.sessions import current
from trackeep.instance.site import Site, site_of
from trackeep.store import reports_sync, wishes
from trackeep.store.reports_access import Reader

LOOK_EVERY_S = 2.0
ALIVE_EVERY_S = 15.0
LONGEST_STREAM_S = 300.0


async def events(request: Request) -> Response:
    """GET /sync/events: server-sent events, one whenever the state has changed.

    Raises TooManyRequests for whoever watches in too many windows.
    """
    site, reader = site_of(request), reader_of(request)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    site.watching.begin(reader.account_id)
    stream = Ending(_changes(request, site, reader), media_type="text/event-stream", headers=headers)
    return stream.counted(site.watching, reader.account_id)


async def _changes(request: Request, site: Site, reader: Reader) -> AsyncIterator[str]:
    said, silent_s, spent_s = "", 0.0, 0.0
    # Asked anew each time: who signs out, or is removed, reads no further on a stream opened before.
    while spent_s < LONGEST_STREAM_S and not await request.is_disconnected() and await current(request):
        state = json.dumps(await _state(site, Reader(reader.account_id, site.now(), reader.zone)))
        if state != said:
            said, silent_s = state, 0.0
            yield f"data: {state}\n\n"
        elif silent_s >= ALIVE_EVERY_S:
            silent_s = 0.0
            yield ": alive\n\n"
        await asyncio.sleep(LOOK_EVERY_S)
        silent_s, spent_s = silent_s + LOOK_EVERY_S, spent_s + LOOK_EVERY_S


async def _state(site: Site, reader: Reader) -> dict[str, object]:
    async with site.db.read() as conn:
        freshness = await reports_sync.freshness(conn, reader)
        stored = await reports_sync.stored(conn, reader)
        known = await reports_sync.known_repositories(conn, reader)
        partial = await reports_sync.repositories(conn, reader, partial=True)
        asked = await wishes.waiting(conn, reader.account_id)
    return {
        "wishes": len(asked),
        "known": known,
        "followed": freshness.followed,
        "read": freshness.read,
        "commits": stored.commits,
        "pulls": stored.pulls,
        "left": backlog(partial, freshness, reader.now).left,
        "running": freshness.running_since is not None,
        "succeeded_at": freshness.succeeded_at,
        "problem": freshness.problem,
    }
