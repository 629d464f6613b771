"""Settings, export: everything one may read as a file to keep, and for the owner the instance's backups."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from trackeep.errors import DatabaseError, UsageError
from trackeep.instance.frame import reader_of, viewer_of
from trackeep.instance.settings_sections import show_section
from trackeep.instance.site import Site, site_of
from trackeep.store import backups, export_files
from trackeep.store.reports_access import Reader

PIECE_BYTES = 256 * 1024

log = structlog.get_logger()


@dataclass(frozen=True)
class Format:
    """One kind of file: a key of `export_files.FORMATS`, what it is called, what it is good for."""

    key: str
    label: str
    use: str
    file: str
    media_type: str


FORMATS = (
    Format(
        "sqlite",
        "SQLite",
        "One file with a table for each kind of row. Opens in Datasette, DBeaver or sqlite3.",
        "trackeep.sqlite3",
        "application/vnd.sqlite3",
    ),
    Format(
        "jsonl",
        "JSON lines",
        "A zip with one .jsonl file a table, one row a line: for scripts, exact to the letter.",
        "trackeep-jsonl.zip",
        "application/zip",
    ),
    Format(
        "csv",
        "CSV",
        "A zip with one .csv file a table, for a spreadsheet; formulas get a ’ in front.",
        "trackeep-csv.zip",
        "application/zip",
    ),
)


async def page(request: Request) -> Response:
    """GET /settings/export"""
    site, is_owner = site_of(request), viewer_of(request).role == "owner"
    folder = site.settings.backups_dir
    return show_section(
        request,
        "settings_export.html",
        "export",
        formats=FORMATS,
        # They hold everybody's rows: their names and sizes are nobody's business but the owner's.
        backups=await asyncio.to_thread(backups.listed, folder) if is_owner else [],
        folder=folder,
        hours=site.settings.backup_hours,
        keep=site.settings.backup_keep,
        is_made=request.query_params.get("done") == "backup",
    )


async def download(request: Request) -> Response:
    """POST /settings/export: the file in the `format` asked for, made first and sent then.

    So an answer that begins is whole, and no slow reader holds a transaction of the database open.
    """
    site, wanted = site_of(request), str((await request.form()).get("format", ""))
    kind = next((each for each in FORMATS if each.key == wanted), None)
    if kind is None:
        raise UsageError("It is not said in which format.", "Use the buttons of the page.")
    account = f"account {viewer_of(request).account_id}"
    site.exports_begun.check(account, site.clock())
    site.exports_begun.note(account, site.clock())
    async with site.exports_at_once:
        file = await _made(site, reader_of(request), kind)
    return StreamingResponse(
        _pieces(file),
        media_type=kind.media_type,
        headers={
            "content-disposition": f'attachment; filename="{kind.file}"',
            "content-length": str(os.fstat(file.fileno()).st_size),
            "cache-control": "no-store",
        },
    )


async def make_backup(request: Request) -> Response:
    """POST /settings/export/backup: the owner wants one now."""
    site = site_of(request)
    folder, url = site.settings.backups_dir, site.settings.database_url
    await asyncio.to_thread(_back_up, url, folder, site.now())
    log.info("backup made", by=viewer_of(request).account_id)
    return site.go("/settings/export?done=backup")


async def _made(site: Site, reader: Reader, kind: Format) -> IO[bytes]:
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
            await export_files.write(conn, reader, kind.key, path)
        return await asyncio.to_thread(path.open, "rb")
    finally:
        path.unlink()


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece


def _back_up(url: str, folder: Path, now: int) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    backups.make(url, backups.place(url, folder, now), {})
