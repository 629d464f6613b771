"""Who looks at a page, and the sessions that remember it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Viewer:
    """The person who is signed in; `time_zone` is an IANA name or "", `theme` system, light or dark."""

    account_id: int
    login: str
    name: str
    avatar_url: str
    time_zone: str
    theme: str
    role: str
