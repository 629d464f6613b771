"""The look of the service's pages: every page is one file, its style allowed by hash alone; pure."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping

from markupsafe import Markup

# The chapters of the shared style sheet that one-card pages use.
CHAPTERS = ("tokens", "base", "frame", "controls", "card, grid", "one-card pages", "phone", "modes")


def style(app_css: str, own_css: str) -> str:
    """The style sheet of the service: the shared chapters it needs, then its own."""
    chapters = re.split(r"(?m)^(?=/\* ---- )", app_css)
    needed = [part for part in chapters if part.startswith(tuple(f"/* ---- {name}" for name in CHAPTERS))]
    # ASCII throughout: a page that is all ASCII is put together and encoded in a third of the time.
    return re.sub(r"[^\x00-\x7f]", lambda found: f"\\{ord(found[0]):x} ", "".join([*needed, own_css]))


def content_security_policy(css: str) -> str:
    """Nothing may load or run; the one inline style is named by its hash; forms go to us alone."""
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    )


def icons(symbols_svg: str) -> Mapping[str, Markup]:
    """Every symbol of icons.svg as an inline drawing, because the policy lets nothing be fetched."""
    found = re.findall(r'<symbol id="([a-z-]+)" viewBox="0 0 16 16">(.*?)</symbol>', symbols_svg, re.S)
    start = '<svg class="i" viewBox="0 0 16 16" aria-hidden="true">'
    return {name: Markup(f"{start}{drawing}</svg>") for name, drawing in found}
