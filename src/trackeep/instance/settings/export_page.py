"""Settings, export: everything one may read as a file to keep, and for the owner the instance's backups."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import structlog
from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import UsageError
from trackeep.instance.frame import viewer_of
from trackeep.instance.settings.export_sending import export_of
from trackeep.instance.settings.sections import show_section
from trackeep.instance.site import site_of
from trackeep.store import backups

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
    """POST /settings/export: the file in the `format` asked for."""
    wanted = str((await request.form()).get("format", ""))
    kind = next((each for each in FORMATS if each.key == wanted), None)
    if kind is None:
        raise UsageError("It is not said in which format.", "Use the buttons of the page.")
    return await export_of(request, kind.key, kind.file, kind.media_type)


async def make_backup(request: Request) -> Response:
    """POST /settings/export/backup: the owner wants one now."""
    site = site_of(request)
    folder, url = site.settings.backups_dir, site.settings.database_url
    await asyncio.to_thread(_back_up, url, folder, site.now())
    log.info("backup made", by=viewer_of(request).account_id)
    return site.go("/settings/export?done=backup")


def _back_up(url: str, folder: Path, now: int) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    backups.make(url, backups.place(url, folder, now), {})
