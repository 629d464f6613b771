"""Attack 37: a double click, or a key, that mallory's page prepares for the button of the consent page."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, CDPSession, Page, Request
from programs import Program
from visitor import Start

# Her page looks like a game; as soon as the first click goes down, the consent page slips under the second.
PREPARED = """<!doctype html><title>Double click to win</title><h1>Double click to win</h1>
<script>
const go = () => { location.href = "ADDRESS" };
addEventListener("mousedown", go, {once: true}); addEventListener("keydown", go, {once: true});
</script>"""
# The page's clock runs at a fiftieth: its first 700 ms last for 35 s, however busy this computer is.
SLOWED = 0.02


@dataclass
class Lured:
    """The victim's browser, and every form that it sent to the service."""

    page: Page
    clock: CDPSession
    sent: list[str]
    button: tuple[float, float]

    def is_asked(self) -> bool:
        return "login to this address?" in self.page.inner_text("h1")

    def has_begun(self) -> bool:
        return any("txn" in str(cookie.get("name")) for cookie in self.page.context.cookies())

    def run_clock(self) -> None:
        self.clock.send("Animation.setPlaybackRate", {"playbackRate": 1})
        # Not `wait_for_function`, which the page's policy rightly refuses.
        self.page.evaluate("Promise.all(document.getAnimations().map(animation => animation.finished))")


@pytest.fixture
def lured(browser: Browser, broker: Program) -> Iterator[Lured]:
    """Alice on mallory's page, which knows where on her screen Continue is going to be."""
    context = browser.new_context(viewport={"width": 1000, "height": 900})
    page, consent = context.new_page(), Start("https://mallory.example").url(broker.url)
    page.goto(consent)
    box = page.get_by_role("button", name="Continue to GitHub").bounding_box()
    assert box is not None
    sent: list[str] = []

    def note(request: Request) -> None:
        if request.method == "POST":
            sent.append(request.url)

    page.on("request", note)
    content = PREPARED.replace("ADDRESS", consent).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    clock = context.new_cdp_session(page)
    clock.send("Animation.enable")
    clock.send("Animation.setPlaybackRate", {"playbackRate": SLOWED})
    page.goto(f"http://127.0.0.1:{server.server_port}/")
    yield Lured(page, clock, sent, (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2))
    context.close()
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_second_click_lands_on_nothing(lured: Lured) -> None:
    """The consent page comes between the two clicks, Continue right under the mouse: nothing happens."""
    mouse = lured.page.mouse
    mouse.move(*lured.button)
    mouse.down()
    lured.page.wait_for_selector("button.late")
    mouse.up()
    for _ in range(5):
        mouse.click(*lured.button, click_count=2)
    assert lured.is_asked()
    assert (lured.sent, lured.has_begun()) == ([], False)
    lured.run_clock()
    assert (lured.sent, lured.has_begun()) == ([], False)


def test_whoever_has_had_time_to_read_can_go_on(lured: Lured) -> None:
    """The same click, a moment later, is the person's own."""
    lured.page.mouse.click(*lured.button)
    lured.page.wait_for_selector("button.late")
    lured.run_clock()
    lured.page.mouse.click(*lured.button)
    lured.page.wait_for_url(lambda url: "/login" in url)
    assert (len(lured.sent), lured.has_begun()) == (1, True)


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_a_key_held_down_presses_nothing(lured: Lured, key: str) -> None:
    """Cancel has the focus, so a held key can at most say no: no form is sent, no login begins."""
    keyboard = lured.page.keyboard
    lured.page.route("https://mallory.example/**", lambda route: route.fulfill(body="cancelled"))
    keyboard.down(key)
    lured.page.wait_for_selector("button.late, body:text('cancelled')")
    # Without a release in between, each further press is a repetition, as of a key that is held.
    for _ in range(20):
        keyboard.down(key)
    keyboard.up(key)
    assert (lured.sent, lured.has_begun()) == ([], False)


@pytest.mark.parametrize(
    "keys", [("Tab", "Enter"), ("Tab", "Space"), ("Shift+Tab", "Enter"), ("Tab", "Tab", "Enter")]
)
def test_keys_typed_in_a_row_do_not_reach_the_button(lured: Lured, keys: tuple[str, ...]) -> None:
    """Neither the button nor the box takes the focus at first, so no sequence of keys sends the form."""
    lured.page.route("https://mallory.example/**", lambda route: route.fulfill(body="cancelled"))
    lured.page.keyboard.press("a")
    lured.page.wait_for_selector("button.late")
    for key in keys:
        lured.page.keyboard.press(key)
    assert (lured.sent, lured.has_begun()) == ([], False)
    if lured.page.locator("button.late").count():
        assert not lured.page.evaluate("document.activeElement.matches('button, input')")


def test_a_finger_that_taps_twice_presses_nothing(browser: Browser, broker: Program) -> None:
    """A touch screen is no way around it."""
    context = browser.new_context(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844})
    page = context.new_page()
    clock = context.new_cdp_session(page)
    clock.send("Animation.enable")
    clock.send("Animation.setPlaybackRate", {"playbackRate": SLOWED})
    page.goto(Start("https://mallory.example").url(broker.url))
    box = page.locator("button.late").bounding_box()
    assert box is not None
    for _ in range(4):
        page.touchscreen.tap(box["x"] + 20, box["y"] + 10)
    assert "login to this address?" in page.inner_text("h1")
    assert not [cookie for cookie in context.cookies() if "txn" in str(cookie.get("name"))]
    context.close()
