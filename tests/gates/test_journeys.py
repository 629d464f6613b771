"""What must work without a mouse and without script, at the root of an address and below a path."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser import Visit, signed_in
from filled_instance import TOKEN, Filled
from playwright.sync_api import Browser, Page, expect


@pytest.fixture
def visit(who: Filled, browser: Browser) -> Iterator[Visit]:
    """alice with a keyboard."""
    with signed_in(browser, who.url, who.cookies) as context:
        yield Visit.of(context)


def focused(page: Page, what: str) -> str:
    return str(page.evaluate(f"document.activeElement.{what} ?? ''"))


def test_tab_goes_where_the_eye_goes(visit: Visit, who: Filled) -> None:
    """First the skip link, then the head of the page from left to right, and every stop can be seen."""
    page = visit.page
    page.goto(f"{who.url}/")
    stops = []
    for _ in range(12):
        page.keyboard.press("Tab")
        stops.append(page.evaluate(WHERE))
    assert stops[0]["text"] == "Skip to content"
    assert stops[1]["text"].startswith("trackeep")
    words = ["Dashboard", "Repositories", "Pull requests", "Commits"]
    assert [stop["text"] for stop in stops[2:6]] == words
    assert [stop["text"] for stop in stops if not stop["seen"]] == []
    head = [stop for stop in stops[1:] if stop["head"]]
    assert [stop["left"] for stop in head] == sorted(stop["left"] for stop in head)


# Whether the focus shows: an outline, a ring of shadow or a border of its own, on something with a size.
WHERE = """() => {
  const one = document.activeElement, box = one.getBoundingClientRect(), style = getComputedStyle(one);
  const ring = style.outlineStyle !== "none" || style.boxShadow !== "none";
  const inside = one.closest("form") ? getComputedStyle(one.closest("form")).boxShadow !== "none" : false;
  return { text: (one.innerText || one.ariaLabel || one.name || "").trim(), left: box.left,
           head: !!one.closest("header"), seen: box.width > 0 && box.height > 0 && (ring || inside) };
}"""


def test_the_skip_link_skips(visit: Visit, who: Filled) -> None:
    """Enter on it, and the next stop is in the page itself."""
    page = visit.page
    page.goto(f"{who.url}/pulls")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("!!document.activeElement.closest('main')")


def test_keys_lead_around(visit: Visit, who: Filled) -> None:
    """`g` and a letter to each place, `?` to the help, `/` to the search, Esc out of it; fields take keys."""
    page = visit.page
    page.goto(f"{who.url}/")
    for letter, path in (
        ("r", "/repos"),
        ("p", "/pulls"),
        ("c", "/commits"),
        ("a", "/activity"),
        ("s", "/sync"),
    ):
        page.keyboard.press("g")
        page.keyboard.press(letter)
        page.wait_for_url(f"{who.url}{path}")
        page.wait_for_load_state()
    page.keyboard.press("?")
    page.wait_for_url(f"{who.url}/shortcuts")
    page.wait_for_load_state()
    page.keyboard.press("/")
    assert focused(page, "type") == "search"
    page.keyboard.type("g r?j")
    expect(page.locator("input[type=search]:focus")).to_have_value("g r?j")
    page.keyboard.press("Escape")
    assert focused(page, "type") != "search"
    page.keyboard.press("g")
    page.keyboard.press("d")
    page.wait_for_url(f"{who.url}/")
    assert visit.complaints == []


def test_esc_closes_what_is_open(visit: Visit, who: Filled) -> None:
    """A menu that was opened by key closes by Esc."""
    page = visit.page
    page.goto(f"{who.url}/")
    menu = page.locator("details.menu").first
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(menu).to_have_attribute("open", "")
    page.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")


@pytest.mark.parametrize("path", ["/pulls", "/commits"])
def test_rows_go_by_j_and_k(visit: Visit, who: Filled, path: str) -> None:
    """j goes down and k goes up, the focus goes along, and Enter opens."""
    page = visit.page
    page.goto(who.url + path)
    page.keyboard.press("j")
    first = focused(page, "href")
    page.keyboard.press("j")
    assert first and focused(page, "href") not in ("", first)
    page.keyboard.press("k")
    assert focused(page, "href") == first


def test_without_script_from_sign_in_to_search(who: Filled, browser: Browser) -> None:
    """Sign in with a token, read the dashboard, search, page on, sign out: every step is a link or a form."""
    with signed_in(browser, who.url, {}, script=False) as context:
        page = context.new_page()
        page.goto(f"{who.url}/")
        page.get_by_label("GitHub token").fill(TOKEN)
        page.get_by_role("button", name="Sign in with this token").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")
        page.get_by_role("searchbox").first.fill("fix")
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_contain_text("fix", ignore_case=True)
        assert page.url.startswith(f"{who.url}/") and "q=fix" in page.url
        assert page.locator("main a[href]").count() > 3
        page.goto(f"{who.url}/settings")
        page.get_by_role("button", name="Sign out", exact=True).click()
        expect(page).to_have_title("Sign in · Trackeep")


def test_a_day_from_page_to_page(who: Filled, browser: Browser) -> None:
    """Each part, the choice, all tabs, a setting, out again: nothing complains and all of it stays here."""
    home = "/r/fernhill/atlas"
    with signed_in(browser, who.url, {}) as context:
        visit, asked = Visit.of(context), list[str]()
        page = visit.page
        page.on("request", lambda request: asked.append(request.url))
        page.goto(who.url)
        page.get_by_label("GitHub token").fill(TOKEN)
        page.get_by_role("button", name="Sign in with this token").click()
        for place in ("Repositories", "Pull requests", "Commits", "Activity", "Sync", "Dashboard"):
            page.get_by_role("banner").get_by_role("link", name=place, exact=True).click()
            expect(page.get_by_role("heading", level=1)).to_contain_text(place, ignore_case=True)
        page.goto(f"{who.url}/repos/choose")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page).not_to_have_url(f"{who.url}/repos/choose")
        page.goto(who.url + home)
        tabs = page.get_by_role("navigation", name="fernhill/atlas").get_by_role("link")
        assert tabs.count() == 7
        for number in range(7):
            tabs.nth(number).click()
            expect(tabs.nth(number)).to_have_attribute("aria-current", "page")
        page.goto(f"{who.url}/settings")
        page.get_by_label("Week starts on").select_option("Monday")
        page.locator("form", has=page.get_by_label("Week starts on")).get_by_role("button").click()
        expect(page.get_by_label("Week starts on").locator("option:checked")).to_have_text("Monday")
        page.get_by_role("button", name="Sign out", exact=True).click()
        expect(page).to_have_title("Sign in · Trackeep")
        assert [url for url in asked if not f"{url}/".startswith(f"{who.url}/")] == []
        assert visit.complaints == []


def test_without_script_the_numbers_are_the_same(who: Filled, browser: Browser) -> None:
    """The script adds comfort and no figure; the table twin of a chart is a page."""
    seen = []
    for script in (True, False):
        with signed_in(browser, who.url, who.cookies, script=script) as context:
            page = context.new_page()
            page.goto(f"{who.url}/")
            seen.append(page.locator(".kpi .val").all_inner_texts())
            page.get_by_role("link", name="View as table").first.click()
            expect(page.locator("main table").first).to_be_visible()
    assert seen[0] == seen[1] != []


def test_nothing_leaves_the_path(alice_below: Filled, browser: Browser) -> None:
    """Below a path every request stays below it, and every cookie belongs to it."""
    origin = alice_below.url.removesuffix("/t")
    with signed_in(browser, alice_below.url, alice_below.cookies) as context:
        visit = Visit.of(context)
        asked: list[str] = []
        visit.page.on("request", lambda request: asked.append(request.url))
        for path in ("/", "/repos", "/pulls", "/r/fernhill/atlas", "/settings"):
            visit.page.goto(alice_below.url + path)
        assert len(asked) > 10
        assert [url for url in asked if not url.startswith(f"{origin}/t/")] == []
        assert visit.complaints == []
