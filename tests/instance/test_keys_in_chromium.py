"""Keys, popovers, periods and copying in a real browser, on the pages of this instance's small world."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from running_instance import PATHS, Running, leave, open_page
from small_world import ATLAS, NOW
from sqlalchemy import insert

from trackeep.store import tables_fetched as fetched

HOME = "/r/fernhill/atlas"
GONE = [
    {"repository_id": ATLAS, "name": f"refs/heads/b{n}", "kind": "deleted", "seen_at": NOW - 60 - n}
    for n in range(5)
]


@pytest.fixture(scope="module", params=PATHS)
def running(
    request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    started = Running(tmp_path_factory.mktemp("keys"), request.param)
    started.run(insert(fetched.ref_change).values(GONE))
    yield started
    leave(browser)
    started.stop()


def test_every_place_has_its_key(browser: Browser, running: Running) -> None:
    """`g` and a letter lead to each part; a letter alone, or one typed into a field, leads nowhere."""
    page = open_page(browser, running, "/").page
    url = running.instance.url
    for key, path in (
        *(("r", "repos"), ("p", "pulls"), ("c", "commits"), ("b", "branches")),
        *(("a", "activity"), ("s", "sync"), ("d", "")),
    ):
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page).to_have_url(f"{url}/{path}")
        page.wait_for_load_state()
    page.keyboard.press("r")
    page.keyboard.press("/")
    page.keyboard.type("gr?")
    assert page.input_value("#q") == "gr?"
    expect(page).to_have_url(f"{url}/")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("heading", level=1)).to_have_text("Keyboard shortcuts")


def test_rows_of_a_table_by_key(browser: Browser, running: Running) -> None:
    """j and k go through the branches; a tick and Enter show the command without a mouse."""
    visit = open_page(browser, running, f"{HOME}/branches")
    page = visit.page
    page.keyboard.press("j")
    expect(page.locator("tr.on .t")).to_have_text("topic")
    page.keyboard.press("j")
    expect(page.locator("tr.on .t")).to_have_text("main")
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.textContent") == "topic"
    page.get_by_role("checkbox", name="Pick topic").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.locator("textarea")).to_have_value("# fernhill/atlas\ngit push origin --delete topic")
    assert visit.violations() == []
    assert visit.complaints == []


def test_the_command_is_copied(browser: Browser, running: Running) -> None:
    """One click puts the command on the clipboard; without script the button is not there and the text is."""
    visit = open_page(browser, running, f"{HOME}/branches?pick=fernhill/atlas:topic")
    page = visit.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert "git push origin --delete topic" in page.evaluate("navigator.clipboard.readText()")
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies(page.context.cookies())  # type: ignore[arg-type]  # what it gives, it takes
    still = context.new_page()
    still.goto(page.url)
    expect(still.get_by_role("button", name="Copy", exact=True)).to_be_hidden()
    expect(still.locator("textarea")).to_be_visible()


def test_many_alike_open_by_key(browser: Browser, running: Running) -> None:
    """Five deleted branches are one row; j finds it and Enter opens it."""
    visit = open_page(browser, running, "/activity?kind=branch")
    page = visit.page
    page.keyboard.press("j")
    expect(page.get_by_text("Branch b3 was deleted in atlas")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Branch b3 was deleted in atlas")).to_be_visible()
    assert visit.violations() == []


def test_a_figure_explains_itself(browser: Browser, running: Running) -> None:
    """The button works by key, one explanation is open at a time, Escape closes it, axe is content."""
    visit = open_page(browser, running, "/")
    page = visit.page
    words = page.get_by_text("Counted commits by sha")
    button = page.locator('summary[aria-label="How is this computed: Commits"]')
    expect(words).to_be_hidden()
    button.focus()
    page.keyboard.press("Enter")
    expect(words).to_be_visible()
    assert visit.violations() == []
    page.keyboard.press("Escape")
    expect(words).to_be_hidden()
    button.click()
    page.locator('summary[aria-label="How is this computed: Current streak"]').click()
    expect(words).to_be_hidden()
    assert visit.complaints == []


@pytest.mark.parametrize("path", ["/", HOME, "/branches"])
def test_explanations_fit_on_a_phone(browser: Browser, running: Running, path: str) -> None:
    """Opened one after the other at 320 pixels, none leaves the window or makes the page scroll sideways."""
    visit = open_page(browser, running, path)
    page = visit.page
    page.set_viewport_size({"width": 320, "height": 640})
    found = page.locator("details.how")
    assert found.count() > 0
    for number in range(found.count()):
        found.nth(number).evaluate("one => { one.open = true; }")
        box = found.nth(number).locator("p").bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 320
        assert not visit.is_wider_than_its_window()
        found.nth(number).evaluate("one => { one.open = false; }")


def test_days_of_ones_own_by_form(browser: Browser, running: Running) -> None:
    """Two dates and a button, and the page is about those days; the back button goes back."""
    visit = open_page(browser, running, f"{HOME}/contributors?bots=1")
    page = visit.page
    page.locator(".periods summary").click()
    assert visit.violations() == []
    page.get_by_label("First day").fill("2026-11-20")
    page.get_by_label("Last day").fill("2026-11-21")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".periods summary")).to_have_text("2026-11-20 to 2026-11-21")
    expect(
        page.get_by_text("2 commits to main in the 2 days from 20 November 2026 to 21 November 2026")
    ).to_be_visible()
    assert "bots=1" in page.url
    page.go_back()
    expect(page.locator('[aria-label="Period"] [aria-current]')).to_have_text("90d")
    assert visit.complaints == []
