"""Takes pictures of every screen in both themes for docs/screens.md: `python3 run.py pictures`.

A small sandbox, one sync, alice signed in; each page at 1440 pixels, and the dashboard on a phone. The page
of the OAuth service is taken by the journey that passes it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from browser import PICTURES, chromium, signed_in
from filled_instance import Filled, filled_and_served
from gates.pages import PARTS, TEMPLATES, filled_in, parts_of
from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[1]
WIDTH, PHONE, TALLEST = 1440, 390, 1600
JOURNEY = "tests/journeys/test_in_chromium.py::test_a_new_owner_comes_from_one_address_to_a_filled_dashboard"
BEGINNING = """\
# What it looks like

Invented data, taken by `python3 run.py pictures`. Each screen also in the dark, and the first one on a phone.
"""
CONSENT = """\
## Signing in: nothing is sent anywhere without asking

![The OAuth service's page: the address in large type, and in words what it will be able to do][consent]

[consent]: pictures/consent.png
"""


@dataclass(frozen=True)
class Shown:
    """One screen: the name of its picture and the title that its page has."""

    name: str
    title: str


def main() -> int:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="trackeep-pictures-") as kept,
        filled_and_served(Path(kept)) as who,
        chromium() as browser,
    ):
        shown = list(take_all(browser, who))
    (ROOT / "docs" / "screens.md").write_text("\n".join([BEGINNING, *map(section, shown), CONSENT]))
    env = {**os.environ, "TRACKEEP_PICTURES": "1"}
    return subprocess.run([sys.executable, "-m", "pytest", "-q", JOURNEY], cwd=ROOT, env=env).returncode


def take_all(browser: Browser, who: Filled) -> Iterator[Shown]:
    """Every page of the table of addresses, by the names of their pictures."""
    # Else the dashboard begins with the question for it.
    assert who.send("/settings/time-zone", {"time_zone": "Europe/Prague"}) == 303
    for template in TEMPLATES:
        if set(parts_of(template)) <= set(PARTS):
            name = name_of(template)
            with signed_in(browser, who.url, who.cookies, width=WIDTH) as context:
                page = context.new_page()
                page.goto(who.url + filled_in(template))
                take(page, name)
                page.emulate_media(color_scheme="dark")
                take(page, f"{name}-dark")
                yield Shown(name, page.title().removesuffix(" · Trackeep"))
    with signed_in(browser, who.url, who.cookies, width=PHONE) as context:
        page = context.new_page()
        page.emulate_media(color_scheme="dark")
        page.goto(f"{who.url}/")
        take(page, "dashboard-phone-dark")


def name_of(template: str) -> str:
    """`/r/{owner}/{name}/pulls` is `repository-pulls`, and the start page is the dashboard."""
    path = template.replace("/r/{owner}/{name}", "/repository").replace("{chart}", "figures")
    return re.sub(r"[^a-z]+", "-", re.sub(r"\{\w+(?::\w+)?\}", "", path)).strip("-") or "dashboard"


def take(page: Page, name: str) -> None:
    width = page.viewport_size["width"] if page.viewport_size else WIDTH
    if width == PHONE:
        # What a hand holds: on the whole page the bar at the bottom would stand in its middle.
        page.screenshot(path=PICTURES / f"{name}.png", scale="css")
        return
    height = min(TALLEST, page.evaluate("document.documentElement.scrollHeight"))
    clip = {"x": 0, "y": 0, "width": width, "height": height}
    page.screenshot(path=PICTURES / f"{name}.png", clip=clip, full_page=True, scale="css")  # type: ignore[arg-type]


def section(shown: Shown) -> str:
    dark = f"[In the dark](pictures/{shown.name}-dark.png)"
    more = " · [on a phone](pictures/dashboard-phone-dark.png)" if shown.name == "dashboard" else ""
    return f"## {shown.title}\n\n![{shown.title}](pictures/{shown.name}.png)\n\n{dark}{more}\n"


if __name__ == "__main__":
    sys.exit(main())
