"""Pull requests in a real browser: without script, on a phone, and by a click on a bar."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect
from running_instance import Running, open_page

from trackeep.store import tables_fetched as fetched

PHONE, NARROW = 390, 320


def test_a_search_is_kept_without_script(browser: Browser, running: Running) -> None:
    """Filter, save, rename and remove: forms and links alone."""
    page = open_page(browser, running, "/pulls", java_script_enabled=False).page
    page.get_by_label("Filter pull requests").fill("is:open -is:draft")
    page.get_by_role("button", name="Filter").click()
    page.get_by_text("Save search").click()
    page.get_by_label("Name of this search").fill("Ready ones")
    page.get_by_role("button", name="Save", exact=True).click()
    tab = page.get_by_role("navigation", name="Views").get_by_role("link", name="Ready ones")
    expect(tab).to_have_attribute("aria-current", "page")
    page.get_by_text("Kept as “Ready ones”").click()
    page.get_by_label("Name of this search").fill("Open ones")
    page.get_by_role("button", name="Rename").click()
    page.get_by_text("Kept as “Open ones”").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Pull requests")
    expect(page.get_by_role("link", name="Open ones")).to_have_count(0)


def test_a_bar_leads_to_its_list(browser: Browser, running: Running) -> None:
    """The sizes can be clicked and reached by keyboard, and each says what it counts."""
    running.do(fetched.pull_request, additions=20, deletions=4)
    visit = open_page(browser, running, "/pulls/insights")
    page = visit.page
    bar = page.get_by_role("link", name="3 of size S, 10–29")
    bar.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("3 pull requests")).to_be_visible()
    expect(page.get_by_label("Filter pull requests")).to_have_value(
        "merged:2026-08-26..2026-11-23 size:S -is:bot"
    )
    assert visit.complaints == []


@pytest.mark.parametrize(
    "path",
    ["/pulls", "/pulls?q=is:open", "/pulls?section=review", "/pulls/insights", "/pulls/insights/cycle"],
)
def test_a_phone_shows_all_of_it(browser: Browser, running: Running, path: str) -> None:
    """Nothing scrolls sideways, nothing is wrong for axe, and long words break."""
    title = "Retry" + "x" * 200
    running.do(fetched.pull_request, title=title, unresolved_threads=12, checks="SUCCESS", detailed_at=1)
    for width in (PHONE, NARROW):
        visit = open_page(browser, running, path, viewport={"width": width, "height": 800})
        assert not visit.is_wider_than_its_window(), width
        assert visit.violations() == []
        assert visit.complaints == []
