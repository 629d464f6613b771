"""Exports on their way: made whole first and sent then, so that no slow reader holds the database."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import DatabaseError
from trackeep.instance.at_once import Ending
from trackeep.instance.frame import reader_of
from trackeep.instance.site import Site, site_of
from trackeep.store import export_files
from trackeep.store.reports_access import Reader

PIECE_BYTES = 256 * 1024


async def export_of(request: Request, kind: str, file_name: str, media_type: str) -> Response:
    """All that the reader may read, as a file of `kind` (a key of `export_files.FORMATS`).

    Raises TooManyRequests for whoever asks too often, or leaves too many of them unread.
    """
    site, reader = site_of(request), reader_of(request)
    account = f"account {reader.account_id}"
    site.exports_begun.check(account, site.clock())
    site.exports_on_the_way.begin(reader.account_id)
    site.exports_begun.note(account, site.clock())
    try:
        async with site.exports_at_once:
            file = await _made(site, reader, kind)
    except BaseException:
        site.exports_on_the_way.end(reader.account_id)
        raise
    headers = {
        "content-disposition": f'attachment; filename="{file_name}"',
        "content-length": str(os.fstat(file.fileno()).st_size),
        "cache-control": "no-store",
    }
    sending = Ending(_pieces(file), media_type=media_type, headers=headers)
    return sending.counted(site.exports_on_the_way, reader.account_id, file=file)


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
