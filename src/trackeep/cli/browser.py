"""Opens a page in the person's browser without telling its address to the computer's other users."""

from __future__ import annotations

import asyncio
import atexit
import html
import shutil
import tempfile
import webbrowser
from functools import partial
from pathlib import Path

# A browser that has to be started first takes a while until it reads its first page.
READ_WITHIN_S = 120.0
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Trackeep</title>
<meta name="referrer" content="no-referrer"><meta http-equiv="refresh" content="0; url={address}"></head>
<body><p><a href="{address}">Open Trackeep</a></p></body></html>
"""


def open_secretly(address: str, folder: Path) -> None:
    """Open an address that has a secret in it; called on a running event loop.

    Everybody on this computer may read what a browser was started with. It is started with a file below
    `folder` instead, which only this user may read and which leads on; Jupyter does the same. The file goes
    after two minutes, or with the program. It lies among the data because a browser in a sandbox of its
    own sees another /tmp.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="open-", dir=folder.absolute()))
    remove = partial(shutil.rmtree, place, ignore_errors=True)
    atexit.register(remove)
    asyncio.get_running_loop().call_later(READ_WITHIN_S, remove)
    page = place / "trackeep.html"
    page.touch(mode=0o600)
    page.write_text(PAGE.format(address=html.escape(address)))
    webbrowser.open(page.as_uri())
