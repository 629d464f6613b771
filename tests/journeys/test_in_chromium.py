"""A person's way from the demo's address to the dashboard, in a real browser, also at a sub-path."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from browser import Visit, picture
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, ViewportSize, expect
from programs import Program, github_environment, start

DESK = ViewportSize(width=1440, height=900)
KEY_PAGES = ("/", "/repos", "/r/fernhill/atlas", "/pulls", "/sync")


@dataclass
class SignedIn:
    """An instance that alice owns and that has synced; `state` holds her browser's cookies."""

    url: str
    state: StorageState


@pytest.fixture(scope="module")
def demo() -> Iterator[Program]:
    """`trackeep demo`, as the README starts it, on free ports."""
    ports = ("--port", "0", "--broker-port", "0", "--sandbox-port", "0")
    program = start("demo", *ports, "--size", "small")
    yield program
    program.stop()


@pytest.fixture(scope="module")
def below(sandbox: Program, broker: Program, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """An instance whose base URL has a path."""
    port = _free_port()
    program = start(
        "serve",
        *("--demo", "--port", str(port), "--base-url", f"http://localhost:{port}/t"),
        env={
            **github_environment(sandbox.url),
            "TRACKEEP_BROKER_URL": broker.url,
            "TRACKEEP_DATA_DIR": str(tmp_path_factory.mktemp("below")),
        },
    )
    yield program
    program.stop()


@pytest.fixture(scope="module", params=["demo", "below"])
def alice(request: pytest.FixtureRequest, browser: Browser) -> SignedIn:
    """Alice, who went the whole way to a filled dashboard; every link, form and file was where it should."""
    setup_url = request.getfixturevalue(request.param).url
    home = setup_url.split("/setup")[0]
    context = browser.new_context(viewport=DESK, color_scheme="light")
    visit, asked = Visit.of(context), list[str]()
    visit.page.on("request", lambda request: asked.append(request.url))
    go_from_setup_to_dashboard(visit, setup_url)
    visit.page.goto(f"{home}/")
    expect(visit.page.get_by_role("heading", name="Almost there")).to_be_visible()
    visit.page.locator("[data-zone-yes]").click()
    expect(visit.page.get_by_role("heading", name="Almost there")).to_have_count(0)
    host, inside = "/".join(home.split("/")[:3]), re.compile(re.escape(home) + "([/?]|$)")
    outside = [url for url in asked if url.startswith(f"{host}/") and not inside.match(url)]
    assert (outside, visit.complaints) == ([], [])
    signed_in = SignedIn(home, context.storage_state())
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
        assert (visit.violations(), visit.complaints) == ([], [])


def test_every_link_of_the_dashboard_leads_somewhere(alice: SignedIn, browser: Browser) -> None:
    """Each link on the key pages answers 200."""
    with signed_in(browser, alice) as context:
        page = context.new_page()
        links: set[str] = set()
        for path in KEY_PAGES:
            page.goto(alice.url + path)
            links |= set(page.eval_on_selector_all("a[href]", "all => all.map(a => a.href.split('#')[0])"))
        ours = {link for link in links if link.startswith(alice.url)}
        assert len(ours) > 40
        broken = [link for link in sorted(ours) if context.request.get(link).status != 200]
        assert broken == []


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


def test_the_demo_leaves_nothing_behind(demo: Program) -> None:
    """Ending the demo ends its three programs; asked on a second demo of its own."""
    ports = ("--port", "0", "--broker-port", "0", "--sandbox-port", "0")
    second = start("demo", *ports, "--size", "small")
    children = _children(second.pid)
    assert len(children) == 3
    assert second.stop() == 0
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


@contextmanager
def signed_in(browser: Browser, who: SignedIn) -> Iterator[BrowserContext]:
    """A context with alice's cookies."""
    context = browser.new_context(storage_state=who.state, viewport=DESK, color_scheme="light")
    yield context
    context.close()


def _fine(visit: Visit, what: str) -> None:
    if what == "consent":
        picture(visit.page, what)
    assert visit.violations() == [], what


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
