"""What browsers call themselves, in words; pure."""

from __future__ import annotations

import re

# The first that is found counts: browsers name their ancestors too.
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chromium", "Chromium"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
    ("Lynx", "Lynx"),
    ("w3m", "w3m"),
    ("curl", "curl"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
    ("FreeBSD", "FreeBSD"),
)
ON_THE_MOVE = {"iPhone", "iPad", "Android"}


def browser(user_agent: str) -> str:
    """ "Firefox on Linux", "Chrome on Android", "Unknown browser"."""
    name = next(
        (word for mark, word in BROWSERS if re.search(rf"\b{mark}[/ ]", user_agent)), "Unknown browser"
    )
    system = _system(user_agent)
    return f"{name} on {system}" if system else name


def is_handheld(user_agent: str) -> bool:
    """A telephone or a tablet."""
    return _system(user_agent) in ON_THE_MOVE


def _system(user_agent: str) -> str:
    return next((word for mark, word in SYSTEMS if mark in user_agent), "")
