"""The service's pages in a real browser: readable for everybody, on every screen, with nothing blocked."""

from __future__ import annotations

from typing import Literal

import pytest
from browser import Visit, picture
from playwright.sync_api import Browser
from programs import Program
from visitor import Start

Scheme = Literal["light", "dark"]
Colors = Literal["none", "active"]
PAGES = {
    "start page": "/",
    "consent on this computer": Start(name="Alice's tracker").url(""),
    "consent on a local network": Start("http://trackeep.home.arpa:8080").url(""),
    "consent for an international name": Start("https://xn--mnchen-3ya.example/trackeep").url(""),
    "consent for a lookalike": Start("https://xn--gthub-n4a.com").url(""),
    "form for programs": "/apps/new",
    "refused address": "/auth/github?redirect_uri=http://home.example",
    "login from elsewhere": "/auth/github/callback?state=x",
    "denied at GitHub": "/auth/github/callback?state=x&error=access_denied",
    "no such page": "/nothing",
}
WINDOWS: list[tuple[int, Scheme, Colors]] = [
    (1440, "light", "none"),
    (1440, "dark", "none"),
    (390, "dark", "none"),
    (320, "light", "none"),
    (1440, "light", "active"),
    (390, "dark", "active"),
]


@pytest.mark.parametrize(("width", "scheme", "colors"), WINDOWS)
def test_every_page_is_readable_for_everybody(
    browser: Browser, broker: Program, width: int, scheme: Scheme, colors: Colors
) -> None:
    """axe finds nothing, no page scrolls sideways, and the policy blocks nothing of our own."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, forced_colors=colors
    )
    visit = Visit.of(context)
    for name, path in PAGES.items():
        visit.page.goto(broker.url + path)
        assert_readable(visit, name)
        if colors == "none":
            picture(visit.page, f"broker-{name.replace(' ', '-')}-{width}-{scheme}", full=True)
    visit.page.goto(f"{broker.url}/apps/new")
    for address in ("http://home.example/cb", "https://home.example/cb"):
        visit.page.get_by_label("Callback address").fill(address)
        visit.page.get_by_role("button").click()
        visit.page.wait_for_load_state()
        for summary in visit.page.locator("details summary").all():
            summary.click()
        assert_readable(visit, address)
    context.close()
    # The browser itself reports that a page came with status 400 or 404; nothing else may be said.
    assert [said for said in visit.complaints if "status of 40" not in said] == []


def assert_readable(visit: Visit, name: str) -> None:
    assert visit.violations() == [], name
    assert not visit.is_wider_than_its_window(), name
