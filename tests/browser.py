"""A real Chromium for the journeys: how it is started, and what every page must not do."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

SYSTEM = Path("/usr/bin/chromium")
# Background networking off: the browser would look for its maker's hosts at every start.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
AXE = Path(__file__).parent / "vendor" / "axe-core-4.14.1" / "axe.min.js"
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# A busy machine is no failure: what a page must come to show is waited for.
expect.set_options(timeout=60_000)
PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium where there is one, else Playwright's own."""
    with sync_playwright() as playwright:
        path = str(SYSTEM) if SYSTEM.exists() else None
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@dataclass
class Visit:
    """One page with everything that its console and its policy complained about."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, context: BrowserContext) -> Visit:
        visit = cls(context.new_page())
        visit.page.on("console", visit._on_console)
        visit.page.on("pageerror", lambda error: visit.complaints.append(f"error: {error}"))
        return visit

    def _on_console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text} ({self.page.url})")

    def in_colours(self, colours: str) -> None:
        """`light`, `dark`, or `forced`: the colours of the system, as some people need them."""
        is_forced = colours == "forced"
        self.page.emulate_media(
            color_scheme="dark" if colours == "dark" else "light",
            forced_colors="active" if is_forced else "none",
        )

    def violations(self) -> list[str]:
        """What axe finds wrong with the page as it is now; empty when nothing is."""
        # Evaluated, not added as a script: the page's own policy forbids foreign scripts.
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text())
        asked = {"runOnly": AXE_RULES, "resultTypes": ["violations"]}
        found = self.page.evaluate("asked => axe.run(document, asked)", asked)
        return [
            f"{violation['id']}: {node['target']} {node.get('failureSummary', '')}"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]

    def is_wider_than_its_window(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))

    def widest(self) -> list[str]:
        """What stands out on the right, for the message of a test."""
        found: list[str] = self.page.evaluate(
            """[...document.querySelectorAll("main *")]
            .filter((one) => one.getBoundingClientRect().right > window.innerWidth + 1)
            .slice(0, 5).map((one) => one.outerHTML.slice(0, 120))"""
        )
        return found


@contextmanager
def signed_in(
    browser: Browser, url: str, cookies: Mapping[str, str], *, width: int = 1440, script: bool = True
) -> Iterator[BrowserContext]:
    """A browser of its own with these cookies for `url`."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="light",
        # Colours on their way to others would be judged as they are at that moment.
        reduced_motion="reduce",
        java_script_enabled=script,
    )
    context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies.items()])
    try:
        yield context
    finally:
        context.close()


def picture(page: Page, name: str, *, full: bool = False) -> None:
    """Take docs/pictures/NAME.png, when TRACKEEP_PICTURES=1 asks for new ones."""
    if os.environ.get("TRACKEEP_PICTURES") == "1":
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURES / f"{name}.png", full_page=full)
