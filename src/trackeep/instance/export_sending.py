"""Exports on their way: made whole first and sent then, so that no slow reader holds the database."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from trackeep.errors import DatabaseError, TooManyRequests
from trackeep.instance.frame import reader_of
from trackeep.instance.site import Site, site_of
from trackeep.store import export_files
from trackeep.store.reports_access import Reader

PIECE_BYTES = 256 * 1024
# Each holds its size on the disk until its reader has come to the end.
MOST_ON_THE_WAY = 4


async def export_of(request: Request, kind: str, file_name: str, media_type: str) -> Response:
    """All that the reader may read, as a file of `kind` (a key of `export_files.FORMATS`).

    Raises TooManyRequests for whoever asks too often, or leaves too many of them unread.
    """
    site, reader = site_of(request), reader_of(request)
    account = f"account {reader.account_id}"
    site.exports_begun.check(account, site.clock())
    if site.exports_on_the_way[reader.account_id] >= MOST_ON_THE_WAY:
        raise TooManyRequests(
            f"{MOST_ON_THE_WAY} of your exports are on their way.", "Wait until one has arrived."
        )
    site.exports_begun.note(account, site.clock())
    site.exports_on_the_way[reader.account_id] += 1
    try:
        async with site.exports_at_once:
            file = await _made(site, reader, kind)
    except BaseException:
        _arrived(site, reader.account_id)
        raise
    return _Sending(site, reader.account_id, file, (file_name, media_type))


class _Sending(StreamingResponse):
    """The file, which goes however its way ends."""

    def __init__(self, site: Site, account_id: int, file: IO[bytes], named: tuple[str, str]) -> None:
        name, media_type = named
        headers = {
            "content-disposition": f'attachment; filename="{name}"',
            "content-length": str(os.fstat(file.fileno()).st_size),
            "cache-control": "no-store",
        }
        super().__init__(_pieces(file), media_type=media_type, headers=headers)
        self._site, self._account_id, self._file = site, account_id, file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()
            _arrived(self._site, self._account_id)


async def _made(site: Site, reader: Reader, kind: str) -> IO[bytes]:
    """The file, open at its beginning; it has no name any more, so it goes when it is closed."""
    try:
        handle, name = tempfile.mkstemp(prefix=".export-", dir=site.settings.data_dir)
    except OSError as error:
        raise DatabaseError(
            f"No file can be made here: {error.strerror}.", "Make room on the disk."
        ) from error
    os.close(handle)
    path = Path(name)
    try:
        async with site.db.read() as conn:
            await export_files.write(conn, reader, kind, path)
        return await asyncio.to_thread(path.open, "rb")
    finally:
        path.unlink()


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
        yield piece


def _arrived(site: Site, account_id: int) -> None:
    site.exports_on_the_way[account_id] -= 1
    if not site.exports_on_the_way[account_id]:
        del site.exports_on_the_way[account_id]
