"""Repositories as people type them."""

from __future__ import annotations

import re

from trackeep.errors import NotFound


def place_of(name: str | None) -> tuple[str, str] | None:
    """Owner and name of `owner/name`, None for None; raises NotFound for what is no repository's name."""
    return None if name is None else owner_and_name(name)


def owner_and_name(name: str) -> tuple[str, str]:
    """Owner and name of `owner/name`; raises NotFound for what is no repository's name."""
    written = re.fullmatch(r"([^/\s]+)/([^/\s]+)", name.strip())
    if written is None:
        raise NotFound(f"{name} is not a repository's name.", "Write it as owner/name.")
    return written[1], written[2]
