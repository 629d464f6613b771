"""Which pages there are to look at: every address of the table that shows one, filled in."""

from __future__ import annotations

import re

from trackeep.instance.app import ROUTES

# What stands for a part of an address that varies; the sandbox has these.
PARTS = {"owner": "fernhill", "name": "atlas", "chart": "weeks", "number": "1"}
# What answers GET with something else than a page of somebody who is signed in.
NO_PAGES = {
    *("/setup", "/signin", "/auth/login", "/auth/callback", "/auth/github/callback", "/auth/other"),
    *("/sync/events", "/.well-known/oauth-client", "/healthz", "/readyz", "/metrics", "/api/openapi.json"),
    # Asks about repositories that were ticked before; without any there is nothing to ask.
    "/repos/delete",
}
FILES = re.compile(r"\.(csv|json|jsonl|zip|atom|xml|ics|svg|db|md|txt)$")
# Looked at in every combination of colours and width.
KEY_PAGES = ("/", "/r/fernhill/atlas", "/pulls")
TEMPLATES = sorted(
    {
        route.path
        for route in ROUTES
        if "GET" in (route.methods or ()) and route.path not in NO_PAGES and not FILES.search(route.path)
    }
)


def unknown_parts() -> set[str]:
    """Parts of addresses that nothing stands for yet."""
    return {part for path in TEMPLATES for part in parts_of(path)} - set(PARTS)


def parts_of(path: str) -> list[str]:
    return re.findall(r"\{(\w+)(?::\w+)?\}", path)


def filled_in(path: str) -> str:
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: PARTS[found[1]], path)


PAGES = [filled_in(path) for path in TEMPLATES if not set(parts_of(path)) - set(PARTS)]
