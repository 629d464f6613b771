"""The service's pages in a real browser: readable for everybody, on every screen, with nothing blocked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser import Visit, chromium, picture
from playwright.sync_api import Browser
from programs import Program
from visitor import Start

PAGES = {
    "start page": "/",
    "consent on this computer": Start(name="Alice's tracker").url(""),
    "consent on a local network": Start("http://trackeep.home.arpa:8080").url(""),
    "consent for an international name": Start("https://xn--mnchen-3ya.example/trackeep").url(""),
    "refused address": "/auth/github?redirect_uri=http://home.example",
    "login from elsewhere": "/auth/github/callback?state=x",
}
WINDOWS = [(1280, "light"), (390, "dark"), (320, "light")]


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
def test_every_page_is_readable_for_everybody(
    chrome: Browser, broker: Program, width: int, scheme: str
) -> None:
    """axe finds nothing, no page scrolls sideways, and the policy blocks nothing of our own."""
    context = chrome.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
    )
    visit = Visit.of(context)
    for name, path in PAGES.items():
        visit.page.goto(broker.url + path)
        assert visit.violations() == [], name
        assert not visit.is_wider_than_its_window(), name
        picture(visit.page, f"broker-{name.replace(' ', '-')}-{width}", full=True)
    context.close()
    # The browser itself reports that a page came with status 400; nothing else may be said.
    assert [said for said in visit.complaints if "status of 400" not in said] == []
