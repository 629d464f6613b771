"""Attack 8 in a real browser: the consent page, forged and honest, in Chromium."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page
from programs import Program
from visitor import Start


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh browser: no cookies, nothing visited."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


class MallorysSite:
    """A page of mallory's on another port, served over real HTTP."""

    def __init__(self) -> None:
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(site.html.encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.html = ""
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()


@pytest.fixture
def mallorys() -> Iterator[MallorysSite]:
    site = MallorysSite()
    yield site
    site.server.shutdown()
    site.thread.join()
    site.server.server_close()


def test_an_honest_person_gets_to_github(page: Page, broker: Program, sandbox: Program) -> None:
    """Cancel has the focus; Continue goes on to GitHub without any script, and nothing is blocked."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(Start().url(broker.url))
    assert page.evaluate("document.activeElement.textContent") == "Cancel"
    page.get_by_role("button", name="Continue to GitHub").click()
    page.wait_for_url(f"{sandbox.url}/**")
    assert complaints == []


@pytest.mark.parametrize("height", [900, 480])
def test_the_page_opens_at_its_beginning(page: Page, broker: Program, height: int) -> None:
    """The address stands in view although Cancel has the focus; whoever comes back to Cancel sees that."""
    page.set_viewport_size({"width": 1_280, "height": height})
    page.goto(Start("http://192.168.1.5:8080").url(broker.url))
    assert page.evaluate("document.activeElement.textContent") == "Cancel"
    page.evaluate("Promise.all(document.getAnimations().map(each => each.finished)).then(() => 0)")
    assert page.evaluate("scrollY") == 0
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.getBoundingClientRect().bottom") <= height


def test_a_form_on_mallorys_page_begins_nothing(
    page: Page, broker: Program, sandbox: Program, mallorys: MallorysSite
) -> None:
    """Her page sends the form by itself, with a token she fetched: the victim's browser gets no login."""
    page.goto(Start("https://mallory.example").url(broker.url))
    token = page.locator("input[name=token]").get_attribute("value")
    # The same browser even holds the right cookie: the form still comes from her page.
    mallorys.html = (
        f'<form method="post" action="{broker.url}/auth/github"><input name="token" value="{token}"></form>'
        "<script>document.forms[0].submit()</script>"
    )
    page.goto(mallorys.url)
    page.wait_for_url(f"{broker.url}/**")
    assert "This form was sent from another page" in page.inner_text("h1")
    assert not [c for c in page.context.cookies() if "txn-" in str(c.get("name"))]


def test_a_framed_page_stays_empty(page: Page, broker: Program, mallorys: MallorysSite) -> None:
    """Nobody can lay the button under something else: the page shows itself in no frame."""
    mallorys.html = f'<iframe src="{Start().url(broker.url)}"></iframe>'
    page.goto(mallorys.url)
    frame = page.frames[1]
    frame.wait_for_load_state()
    assert frame.locator("button").count() == 0


def test_a_click_that_was_begun_elsewhere_does_not_land_on_continue(page: Page, broker: Program) -> None:
    """For its first 700 ms the button takes no clicks; a person who reads first notices nothing."""
    page.goto(Start().url(broker.url), wait_until="commit")
    button = page.locator("button.late")
    # Begun anew and paused at once: on a busy machine the 700 ms may have passed before anybody looks.
    button.evaluate("button => { button.style.animationName = 'none'; button.getAnimations() }")
    button.evaluate("button => { button.style.animationName = ''; button.getAnimations()[0].pause() }")
    for ms, takes_clicks in ((0, "none"), (690, "none"), (700, "auto")):
        button.evaluate("(button, ms) => { button.getAnimations()[0].currentTime = ms }", ms)
        assert button.evaluate("button => getComputedStyle(button).pointerEvents") == takes_clicks


def test_going_back_shows_the_page_again(page: Page, broker: Program, sandbox: Program) -> None:
    """After Back from GitHub the question is there again, and its form works."""
    page.goto(Start("https://home.example").url(broker.url))
    page.get_by_role("button", name="Continue to GitHub").click()
    page.wait_for_url(f"{sandbox.url}/**")
    page.go_back()
    assert page.inner_text("h1") == "Send your GitHub login to this address?"
    page.get_by_role("button", name="Continue to GitHub").click()
    page.wait_for_url(f"{sandbox.url}/**")


def test_a_hostile_name_and_address_are_shown_as_text(page: Page, broker: Program) -> None:
    """Markup in the name stays text, and no script of anybody runs."""
    page.goto(Start(name="<img src=x onerror=alert(1)>").url(broker.url))
    assert "“<img src=x onerror=alert(1)>”" in page.inner_text("main")
    assert page.locator("main img").count() == 0
    policy = page.request.get(page.url).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
