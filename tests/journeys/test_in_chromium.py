"""A person's way from the demo's address to the dashboard, in a real browser, also at a sub-path."""

from __future__ import annotations

import gzip
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from browser import Visit, chromium, picture
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, ViewportSize, expect
from programs import Program, github_environment, start

DESK, PHONE, NARROW = (ViewportSize(width=w, height=h) for w, h in ((1440, 900), (390, 844), (320, 640)))
SCREENS = {
    "dashboard": "/",
    "repositories": "/repos",
    "choose": "/repos/choose",
    "repository": "/r/fernhill/atlas",
    "repository-pulls": "/r/fernhill/atlas/pulls",
    "repository-commits": "/r/fernhill/atlas/commits",
    "repository-branches": "/r/fernhill/atlas/branches",
    "pulls": "/pulls",
    "commits": "/commits",
    "activity": "/activity",
    "calendar": "/calendar",
    "sync": "/sync",
    "sync-repository": "/sync/r/fernhill/atlas",
    "sync-runs": "/sync/runs",
    "settings": "/settings",
}

# Which of them the documentation shows, and under which name.
PICTURES = {
    ("dashboard", "light", 1440): "dashboard",
    ("dashboard", "dark", 390): "dashboard-phone-dark",
    ("pulls", "light", 1440): "pulls",
    ("repository", "dark", 1440): "repository-dark",
}


@dataclass
class SignedIn:
    """An instance that alice owns and that has synced; `state` holds her browser's cookies."""

    url: str
    state: StorageState


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def demo() -> Iterator[Program]:
    """`trackeep demo`, as the README starts it, on free ports."""
    ports = ("--port", "0", "--broker-port", "0", "--sandbox-port", "0")
    program = start("demo", *ports, "--size", "small")
    yield program
    program.stop()


@pytest.fixture(scope="module")
def alice(browser: Browser, demo: Program) -> SignedIn:
    """Alice, who went the whole way from the demo's address to a filled dashboard."""
    context = browser.new_context(viewport=DESK, color_scheme="light")
    visit = Visit.of(context)
    go_from_setup_to_dashboard(visit, demo.url)
    visit.page.goto(demo.url.split("/setup")[0] + "/")
    expect(visit.page.get_by_role("heading", name="Almost there")).to_be_visible()
    visit.page.locator("[data-zone-yes]").click()
    expect(visit.page.get_by_role("heading", name="Almost there")).to_have_count(0)
    assert visit.complaints == []
    signed_in = SignedIn(demo.url.split("/setup")[0], context.storage_state())
    context.close()
    return signed_in


def go_from_setup_to_dashboard(visit: Visit, setup_url: str) -> None:
    """Every page a new owner meets, in order, each checked by axe."""
    page = visit.page
    page.goto(setup_url)
    _fine(visit, "setup")
    page.get_by_role("button", name="Continue").click()
    expect(page).to_have_title("Sign in · Trackeep")
    _fine(visit, "signin")
    page.get_by_role("link", name="Continue with GitHub").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Send your GitHub login to this address?")
    _fine(visit, "consent")
    expect(page.get_by_role("link", name="Cancel")).to_be_focused()
    page.get_by_role("button", name="Continue to GitHub").click()
    page.get_by_role("button", name=re.compile("alice")).click()
    authorize = page.get_by_role("button", name="Authorize")
    arrived = page.get_by_role("heading", level=1, name="Choose what to follow")
    # GitHub asks once for each app; another journey may have said yes already.
    expect(authorize.or_(arrived)).to_be_visible()
    if authorize.is_visible():
        authorize.click()
    expect(arrived).to_be_visible()
    # The worker asks GitHub for the list; the page notices by itself when it has come.
    expect(page.get_by_role("button", name="Follow these repositories")).to_be_visible(timeout=60_000)
    page.wait_for_load_state()
    _fine(visit, "choose-first")
    page.get_by_role("button", name="Follow these repositories").click()
    page.wait_for_load_state()
    wait_for_sync(page, setup_url.split("/setup")[0])


def wait_for_sync(page: Page, url: str) -> None:
    """Until every followed repository has been read to its end; the page keeps itself up to date."""
    page.goto(url + "/sync")
    expect(page.get_by_role("heading", name="Reading the past")).to_have_count(0, timeout=120_000)
    expect(page.get_by_text("Last success").first).to_be_visible(timeout=120_000)
    page.wait_for_load_state()


def test_a_new_owner_comes_from_one_address_to_a_filled_dashboard(alice: SignedIn, browser: Browser) -> None:
    """Set-up code, consent, GitHub, choice, first sync: then the dashboard shows work, nothing complains."""
    with signed_in(browser, alice) as context:
        visit = Visit.of(context)
        visit.page.goto(alice.url + "/")
        expect(visit.page.get_by_role("heading", level=1)).to_have_text("Dashboard")
        tiles = visit.page.locator(".kpi .val")
        assert tiles.count() == 5
        assert int(tiles.first.inner_text().split()[0].replace(",", "")) > 0
        assert visit.page.locator(".hm rect").count() >= 365
        assert visit.complaints == []


@pytest.mark.parametrize("name", SCREENS)
def test_every_screen_is_accessible_and_silent(name: str, alice: SignedIn, browser: Browser) -> None:
    """Light and dark, desk and phone: axe finds nothing, the console is silent, nothing scrolls sideways."""
    for scheme, size in (
        ("light", DESK),
        ("dark", DESK),
        ("light", PHONE),
        ("dark", PHONE),
        ("light", NARROW),
    ):
        with signed_in(browser, alice, scheme=scheme, size=size) as context:
            visit = Visit.of(context)
            answer = visit.page.goto(alice.url + SCREENS[name])
            assert answer is not None
            assert answer.status == 200
            if (name, scheme, size["width"]) in PICTURES:
                picture(visit.page, PICTURES[name, scheme, size["width"]], full=size is DESK)
            assert visit.violations() == [], f"{name} {scheme} {size}"
            assert not visit.is_wider_than_its_window(), f"{name} {size}"
            assert visit.complaints == []


@pytest.mark.parametrize("name", ["dashboard", "repository", "sync"])
def test_forced_colours_hide_nothing_from_axe(name: str, alice: SignedIn, browser: Browser) -> None:
    """With the system's own colours the key pages stay free of violations."""
    with signed_in(browser, alice, forced_colors="active") as context:
        visit = Visit.of(context)
        visit.page.goto(alice.url + SCREENS[name])
        assert visit.violations() == []


@pytest.mark.parametrize("name", SCREENS)
def test_a_page_is_light(name: str, alice: SignedIn, browser: Browser) -> None:
    """At most 8 requests, 1,500 nodes and 60 KB compressed, and the script at most 10 KB of them."""
    with signed_in(browser, alice) as context:
        page, sizes = context.new_page(), {}
        page.on("response", lambda answer: sizes.setdefault(answer.url, answer))
        page.goto(alice.url + SCREENS[name], wait_until="load")
        compressed = {
            url: _gzipped(answer.body()) for url, answer in list(sizes.items()) if answer.status == 200
        }
        assert len(compressed) <= 8, list(compressed)
        assert sum(compressed.values()) <= 60 * 1024
        assert sum(size for url, size in compressed.items() if ".js" in url) <= 10 * 1024
        assert page.evaluate("document.querySelectorAll('*').length") <= 1_500


def test_without_script_nothing_is_lost(alice: SignedIn, browser: Browser) -> None:
    """With script off the dashboard shows the same numbers, links lead on, and signing out works."""
    with signed_in(browser, alice) as context:
        page = context.new_page()
        page.goto(alice.url + "/")
        with_script = page.locator(".kpi .val").all_inner_texts()
    with signed_in(browser, alice, script=False) as context:
        page = context.new_page()
        page.goto(alice.url + "/")
        assert page.locator(".kpi .val").all_inner_texts() == with_script
        page.locator(".kpi h2 a").first.click()
        assert page.locator("h1").inner_text() != "Dashboard"


def test_every_link_of_the_dashboard_leads_somewhere(alice: SignedIn, browser: Browser) -> None:
    """Each link on the key pages answers 200."""
    with signed_in(browser, alice) as context:
        page = context.new_page()
        links: set[str] = set()
        for name in ("dashboard", "repositories", "repository", "pulls", "sync"):
            page.goto(alice.url + SCREENS[name])
            links |= set(page.eval_on_selector_all("a[href]", "all => all.map(a => a.href.split('#')[0])"))
        ours = {link for link in links if link.startswith(alice.url)}
        assert len(ours) > 40
        broken = [link for link in sorted(ours) if context.request.get(link).status != 200]
        assert broken == []


def test_the_keyboard_is_enough(alice: SignedIn, browser: Browser) -> None:
    """Tab first reaches the skip link, `/` the search, `g` then `r` the repositories, `?` the help."""
    with signed_in(browser, alice) as context:
        page = context.new_page()
        page.goto(alice.url + "/")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.type") == "search"
        page.keyboard.press("Escape")
        page.keyboard.press("g")
        page.keyboard.press("r")
        expect(page).to_have_url(alice.url + "/repos")


def test_signing_out_ends_the_session(alice: SignedIn, browser: Browser) -> None:
    """After signing out in one browser its cookie opens nothing any more."""
    context = browser.new_context(viewport=DESK)
    page = context.new_page()
    page.goto(alice.url + "/signin")
    page.get_by_role("link", name="Continue with GitHub").click()
    page.get_by_role("button", name="Continue to GitHub").click()
    page.get_by_role("button", name=re.compile("alice")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")
    kept = context.cookies()
    page.goto(alice.url + "/settings")
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page).to_have_title("Sign in · Trackeep")
    context.add_cookies(kept)  # type: ignore[arg-type]  # the cookies are the browser's own
    page.goto(alice.url + "/")
    expect(page).to_have_title("Sign in · Trackeep")
    context.close()


def test_the_whole_way_at_a_sub_path(
    sandbox: Program, broker: Program, browser: Browser, tmp_path: Path
) -> None:
    """The same journey with a base URL that has a path: every link, form and file stays below it."""
    port = _free_port()
    program = start(
        "serve",
        *("--demo", "--port", str(port), "--base-url", f"http://localhost:{port}/t"),
        env={
            **github_environment(sandbox.url),
            "TRACKEEP_BROKER_URL": broker.url,
            "TRACKEEP_DATA_DIR": str(tmp_path),
        },
    )
    try:
        context = browser.new_context(viewport=DESK)
        visit = Visit.of(context)
        outside: list[str] = []
        own = f"http://localhost:{port}"
        visit.page.on("request", lambda r: outside.append(r.url) if _is_outside(r.url, own) else None)
        go_from_setup_to_dashboard(visit, program.url)
        visit.page.goto(f"{own}/t/")
        expect(visit.page.get_by_role("heading", level=1)).to_have_text("Dashboard")
        assert visit.violations() == []
        assert (outside, visit.complaints) == ([], [])
        context.close()
    finally:
        program.stop()


def test_the_demo_leaves_nothing_behind(demo: Program) -> None:
    """Ending the demo ends its three programs; asked on a second demo of its own."""
    ports = ("--port", "0", "--broker-port", "0", "--sandbox-port", "0")
    second = start("demo", *ports, "--size", "small")
    children = _children(second.pid)
    assert len(children) == 3
    assert second.stop() == 0
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


class signed_in:
    """A context with alice's cookies, in the given scheme and size."""

    def __init__(
        self,
        browser: Browser,
        who: SignedIn,
        *,
        scheme: str = "light",
        size: ViewportSize = DESK,
        script: bool = True,
        forced_colors: str = "none",
    ) -> None:
        self._context = browser.new_context(
            storage_state=who.state,
            viewport=size,
            color_scheme=scheme,  # type: ignore[arg-type]  # one of Playwright's two words
            java_script_enabled=script,
            forced_colors=forced_colors,  # type: ignore[arg-type]  # likewise
        )

    def __enter__(self) -> BrowserContext:
        return self._context

    def __exit__(self, *_: object) -> None:
        self._context.close()


def _fine(visit: Visit, what: str) -> None:
    if what == "consent":
        picture(visit.page, what)
    assert visit.violations() == [], what


def _is_outside(url: str, own: str) -> bool:
    return url.startswith(own) and not url.startswith((f"{own}/t/", f"{own}/t?")) and url != f"{own}/t"


def _gzipped(body: bytes) -> int:
    return len(gzip.compress(body, 9))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
