"""What the script adds, in a real browser: theme, calendar, time zone, rows by key, progress."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from browser import Visit
from playwright.sync_api import Browser, expect
from running_instance import Running, open_page
from small_world import NOW

from trackeep.store import tables, tables_choices, tables_sync


def test_the_theme_changes_without_a_new_page(browser: Browser, running: Running) -> None:
    """The button goes light, dark, system; the next page is in the theme that was left."""
    visit = open_page(browser, running, "/repos")
    page = visit.page
    button = page.get_by_role("button", name="Theme")
    for theme in ("light", "dark"):
        with page.expect_response("**/settings/theme"):
            button.click()
        assert page.evaluate("document.documentElement.dataset.theme") == theme
    page.goto(running.instance.url + "/")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(7, 11, 16)"
    assert visit.complaints == []


def test_the_calendar_by_keyboard(browser: Browser, running: Running) -> None:
    """One tab stop; arrows go by day and week and say what they find; Enter opens the day."""
    visit = open_page(browser, running, "/")
    page = visit.page
    page.locator(".heat .hm").focus()
    page.keyboard.press("End")
    tip = page.locator(".tip")
    expect(tip).to_have_text("No contributions on 23 November 2026")
    page.keyboard.press("ArrowUp")
    expect(tip).to_have_text("2 contributions on 22 November 2026")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    expect(tip).to_have_text("2 contributions on 20 November 2026")
    assert visit.violations() == []
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your 20 November 2026")
    assert visit.complaints == []


def test_the_browsers_time_zone_is_offered(browser: Browser, running: Running) -> None:
    """Somebody who has not chosen is asked about the zone the browser knows, and one click keeps it."""
    running.do(tables.account, time_zone="")
    page = open_page(browser, running, "/").page
    expect(page.get_by_text("Is Asia/Tokyo your time zone?")).to_be_visible()
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_text("Times in Asia/Tokyo")).to_be_visible()
    expect(page.get_by_text("Almost there")).to_have_count(0)


def test_rows_by_key(browser: Browser, running: Running) -> None:
    """j goes down the list and puts the focus on the row's link, k goes up."""
    page = open_page(browser, running, "/pulls").page
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("[data-rows] > li.on .t")).to_have_text("Pull 5")
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.textContent") == "Pull 4"


def test_all_and_none(browser: Browser, running: Running) -> None:
    """Two buttons tick every repository and none; without script they are not there."""
    visit = open_page(browser, running, "/repos/choose")
    page = visit.page
    ticked = page.locator("[data-pick-count]")
    page.get_by_role("button", name="Untick all").click()
    expect(ticked).to_have_text("0 ticked")
    page.get_by_role("button", name="Tick all", exact=True).click()
    expect(ticked).to_have_text("2 ticked")
    expect(page.locator("input[name=repo]:checked")).to_have_count(2)
    assert visit.violations() == []
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies(page.context.cookies())  # type: ignore[arg-type]  # what it gives, it takes
    still = context.new_page()
    still.goto(page.url)
    expect(still.locator("[data-pick-all]")).to_have_count(2)
    expect(still.locator("[data-pick-all]").first).to_be_hidden()


def test_a_page_notices_the_first_sync(browser: Browser, running: Running) -> None:
    """While the first sync runs the numbers grow by themselves, and its end shows the dashboard."""
    running.do(tables_sync.run, finished_at=None)
    visit = open_page(browser, running, "/")
    page = visit.page
    expect(page.get_by_role("heading", name="Your calendar is filling")).to_be_visible()
    expect(page.locator(".kpi .skel.big")).to_have_count(5)
    running.do(tables_sync.cursor, complete=True)
    expect(page.locator('.fresh [data-live="read"]')).to_have_text("2")
    running.do(tables_sync.run, finished_at=NOW, outcome="done")
    expect(page.get_by_role("heading", name="14 contributions in the last year")).to_be_visible()
    assert visit.complaints == []


def test_repositories_are_ticked_all_at_once(browser: Browser, running: Running) -> None:
    """The box above the list ticks every row, shows when only some are, and says how many."""
    visit = open_page(browser, running, "/repos")
    page = visit.page
    every = page.get_by_role("checkbox", name="Select all on this page")
    one = page.get_by_role("checkbox", name="Select fernhill/atlas")
    ticked = page.locator("[data-pick-count]")
    every.check()
    expect(page.locator("input[name=repo]:checked")).to_have_count(2)
    expect(ticked).to_have_text("2 ticked")
    one.uncheck()
    expect(ticked).to_have_text("1 ticked")
    assert every.evaluate("box => box.indeterminate") is True
    one.check()
    assert every.is_checked() and every.evaluate("box => box.indeterminate") is False
    every.uncheck()
    expect(ticked).to_have_text("0 ticked")
    assert visit.violations() == []
    one.check()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status")).to_contain_text("1 repository paused")
    assert visit.complaints == []


def test_repositories_without_script(browser: Browser, running: Running) -> None:
    """No box for all, but each button works; Enter in the tag's field tags and does nothing else."""
    page = open_page(browser, running, "/repos", java_script_enabled=False).page
    expect(page.get_by_role("checkbox", name="Select all on this page")).to_be_hidden()
    page.get_by_role("checkbox", name="Select alice/heron").check()
    page.get_by_label("Tag", exact=True).fill("mine")
    page.get_by_label("Tag", exact=True).press("Enter")
    expect(page.get_by_role("status")).to_have_text("1 repository tagged.")
    expect(page.get_by_role("row", name="heron").get_by_role("link", name="mine")).to_be_visible()
    page.get_by_role("checkbox", name="Select alice/heron").check()
    page.get_by_role("button", name="Delete data").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Delete the stored data of 1 repository?")


def test_repositories_are_cards_on_a_phone(browser: Browser, running: Running) -> None:
    """Each row is a card with its box within reach; what can be done comes with a tick, and stays in view."""
    narrow = {"width": 320, "height": 640}
    visit = open_page(browser, running, "/repos", viewport=narrow, has_touch=True, is_mobile=True)
    page = visit.page
    row = page.get_by_role("row", name="atlas")
    label = "cell => getComputedStyle(cell, '::before').content"
    assert row.locator("td[data-l=Commits]").evaluate(label) == '"Commits"'
    box = row.locator("td.box .tick").bounding_box()
    assert box is not None and box["width"] >= 44 and box["height"] >= 44
    assert box["x"] + box["width"] <= 320
    expect(page.get_by_text("Tick repositories to tag")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()
    row.get_by_role("checkbox").check()
    expect(page.locator("[data-pick-count]")).to_have_text("1 ticked")
    page.mouse.wheel(0, 240)
    expect(page.get_by_role("button", name="Pause")).to_be_in_viewport()
    assert not visit.is_wider_than_its_window()
    assert visit.violations() == []


def test_two_tabs_notice_an_answer(browser: Browser, running: Running) -> None:
    """A repository that was asked for by name: both open pages show GitHub's answer by themselves."""
    first = open_page(browser, running, "/repos")
    first.page.get_by_label("Repository, as owner/name").fill("openmarsh/sedge")
    first.page.get_by_role("button", name="Add", exact=True).click()
    expect(first.page.get_by_text("GitHub is asked, with your own token")).to_be_visible()
    second = Visit.of(first.page.context)
    second.page.goto(running.instance.url + "/repos")
    running.do(tables_choices.wish, state="refused", problem="GitHub shows no such repository to you.")
    for visit in (first, second):
        expect(visit.page.get_by_text("GitHub shows no such repository to you.")).to_be_visible()
        assert visit.complaints == []


def test_an_open_page_survives_a_restart(browser: Browser, running: Running, tmp_path: Path) -> None:
    """The program stops and starts again: what happens then still reaches a page that stayed open."""
    page = open_page(browser, running, "/sync").page
    expect(page.get_by_text("Last success 4 min ago")).to_be_visible()
    port = urlsplit(running.instance.url).port
    assert port is not None
    running.stop()
    again = Running(tmp_path, running.path, port)
    try:
        again.do(tables_sync.run, finished_at=NOW - 3)
        expect(page.get_by_text("Last success just now")).to_be_visible()
    finally:
        again.stop()
