"""Reads what people paste when they mean a repository: owner/name, its address, or what git clones; pure."""

from __future__ import annotations

import re
from urllib.parse import urlencode, urlsplit

from trackeep.errors import UsageError

_PART = r"[A-Za-z0-9._-]{1,100}"
_FULL_NAME = re.compile(rf"({_PART})/({_PART})")
LONGEST = 500


def full_name_in(text: str, web_url: str) -> str:
    """Owner/name of what was pasted; `web_url` is where GitHub's pages are.

    Raises UsageError for anything else, also for an address of another host.
    """
    asked = text.strip()[:LONGEST]
    host = urlsplit(web_url).netloc
    path = _path(asked, host)
    found = _FULL_NAME.match(path)
    # A page of the repository has more behind the name; a plain name must be that and nothing else.
    is_whole = found is not None and (path != asked or found.end() == len(path))
    rest = path[found.end() :] if found else ""
    if found is None or not is_whole or (rest and rest[0] not in "/?#"):
        raise _refused(asked, host)
    owner, name = found[1], found[2].removesuffix(".git")
    if not name or not owner.strip(".") or not name.strip("."):
        raise _refused(asked, host)
    return f"{owner}/{name}"


def search_link(web_url: str, words: str = "") -> str:
    """GitHub's own search for repositories."""
    return f"{web_url}/search?{urlencode({'type': 'repositories', 'q': words})}"


def _path(asked: str, host: str) -> str:
    """What stands behind the host, without slashes around it; the text itself when it names no host."""
    lower = asked.lower()
    for start in (f"git@{host}:", f"ssh://git@{host}/", f"https://{host}/", f"http://{host}/", f"{host}/"):
        if lower.startswith(start.lower()):
            return asked[len(start) :].strip("/")
    return asked


def _refused(asked: str, host: str) -> UsageError:
    shown = f"“{asked[:80]}” is" if asked else "Nothing is"
    return UsageError(
        f"{shown} no repository of {host}.", f"Write it as owner/name, or paste its address at {host}."
    )
