"""Attack 9: a page of the service in mallory's frame, or mallory's markup in a page of the service."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page
from programs import Program
from visitor import Start

EVIL_NAMES = (
    "<script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "</title><svg onload=document.title='owned'>",
    "{{ 7 * 7 }} ${7*7} &lt;b&gt;",
)
SETS = ("<", ">", '"', "'", "&")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh browser: no cookies, nothing visited."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def mallorys() -> Iterator[list[str]]:
    """A site of mallory's: the first string is its address, the second what it shows."""
    site = ["", ""]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(site[1].encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    site[0] = f"http://127.0.0.1:{server.server_port}/"
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


def registered(broker: Program, name: str) -> str:
    """The address at which a program of that name begins a login."""
    metadata = {"redirect_uris": ["https://program.example/cb"], "client_name": name}
    request = urllib.request.Request(
        f"{broker.url}/register", json.dumps(metadata).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        known = json.load(answer)
    asked = {"client_id": known["client_id"], "redirect_uri": "https://program.example/cb", "nonce": "n"}
    return f"{broker.url}/authorize?{urlencode({**asked, 'response_type': 'code', 'scope': 'openid'})}"


def assert_harmless(page: Page) -> None:
    """Nothing of mallory's became a script, an element or a title."""
    assert "owned" not in page.title()
    assert page.locator("main script, main img, main svg[onload], main b > script").count() == 0
    assert page.evaluate("[...document.querySelectorAll('*')].every(it => !it.onload && !it.onerror)")


@pytest.mark.parametrize("element", ["iframe", "object", "embed", "fencedframe"])
def test_no_page_shows_itself_inside_another(
    page: Page, broker: Program, mallorys: list[str], element: str
) -> None:
    """Consent by either door, the form for programs and errors: an empty frame, whatever kind of frame."""
    addresses = (
        Start().url(broker.url),
        registered(broker, "Program"),
        f"{broker.url}/apps/new",
        f"{broker.url}/auth/github",
        f"{broker.url}/",
    )
    source = "data" if element == "object" else "src"
    mallorys[1] = "".join(
        f'<{element} {source}="{address.replace("&", "&amp;")}"></{element}>' for address in addresses
    )
    page.goto(mallorys[0])
    page.wait_for_load_state("networkidle")
    # A refused <object> falls back to its content, so that its frame is gone altogether.
    for frame in page.frames[1:]:
        assert frame.is_detached() or frame.locator("form, .card").count() == 0
    assert not [c for c in page.context.cookies() if "txn" in str(c.get("name"))]


def test_both_headers_forbid_framing_everywhere(page: Page, broker: Program) -> None:
    """Every page carries the policy and the older header, errors and documents too."""
    for path in ("/", "/apps/new", "/auth/github", "/nothing", "/.well-known/jwks.json", "/token"):
        headers = page.request.get(broker.url + path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_a_name_stays_text(page: Page, broker: Program, name: str) -> None:
    """By the start link and by registration, on the consent page."""
    for url in (Start(name=name).url(broker.url), registered(broker, name)):
        page.goto(url)
        shown = page.get_by_text("It calls itself").inner_text()
        assert name.strip(chr(34))[:12] in shown
        assert "49" not in shown
        assert_harmless(page)


@pytest.mark.parametrize("state", EVIL_NAMES)
def test_a_state_stays_a_value(page: Page, broker: Program, state: str) -> None:
    """It stands in the Cancel link alone, encoded; nothing of it leaves the attribute."""
    page.goto(Start(state=state).url(broker.url))
    assert_harmless(page)
    cancel = page.get_by_role("link", name="Cancel").get_attribute("href") or ""
    assert not any(sign in cancel for sign in SETS[:4])
    assert cancel.startswith("http://localhost:8080/auth/callback?error=access_denied&state=")


@pytest.mark.parametrize(
    "address",
    [f"https://home.example/{sign}" for sign in SETS] + ["https://<script>.example", "javascript:alert(1)"],
)
def test_markup_in_an_address_is_refused_or_shown_as_text(page: Page, broker: Program, address: str) -> None:
    """By the start link such an address is no address; a registered one is shown as it is."""
    page.goto(f"{broker.url}/auth/github?{urlencode({'redirect_uri': address})}")
    assert page.get_by_text("invalid_redirect_uri").count() == 1
    assert_harmless(page)
    # Not even an error repeats it, as text or as a link.
    assert address not in page.inner_text("main")
    assert page.locator(f'main a[href^="{address[:5]}"]').count() == 0


@pytest.mark.parametrize("typed", EVIL_NAMES)
def test_what_is_typed_into_the_form_for_programs_stays_text(page: Page, broker: Program, typed: str) -> None:
    """Shown again beside the mistake, and as the name of the program that was made."""
    page.goto(f"{broker.url}/apps/new")
    page.get_by_label("Callback address").fill(typed)
    page.get_by_label("Name").fill(typed)
    page.get_by_role("button").click()
    page.wait_for_load_state()
    assert page.get_by_label("Callback address").input_value() == typed
    assert_harmless(page)
    page.get_by_label("Callback address").fill("https://program.example/cb")
    page.get_by_role("button").click()
    page.wait_for_load_state()
    assert typed.strip(chr(34))[:12] in page.inner_text("h1")
    assert_harmless(page)


def test_a_script_that_got_in_would_not_run(page: Page, broker: Program) -> None:
    """The second line of defence: the policy lets no script run and nothing be sent or fetched."""
    page.goto(Start().url(broker.url))
    page.evaluate(
        """() => {
            const script = document.createElement('script'); script.textContent = "document.title = 'owned'";
            const image = document.createElement('img'); image.src = 'https://mallory.example/x';
            document.body.append(script, image);
        }"""
    )
    assert page.title() != "owned"
    assert page.evaluate("fetch('/healthz').then(() => 'sent', () => 'blocked')") == "blocked"
