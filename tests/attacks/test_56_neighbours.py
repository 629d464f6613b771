"""Attack 56: a page of mallory's on the same site, to which bob's cookies go along, asks what he may see."""

from __future__ import annotations

import http.server
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from browser import FLAGS, SYSTEM
from local_instance import Guest, LocalInstance, serve
from playwright.async_api import async_playwright
from small_world import BOB, NOW, enter, fill

pytestmark = pytest.mark.anyio

NOWHERE = "http://localhost:1"
THERE, NOT_THERE = "bob/secret-plan", "bob/no-such-plan"
ADDRESSES = (
    "/r/{}",
    "/r/{}/pulls",
    "/api/v1/repos/{}",
    "/sync/r/{}",
    "/pulls?repo={}",
    "/calendar.csv?repo={}",
)
# What each kind of element asks with (https://fetch.spec.whatwg.org/#concept-request-destination).
PARTS = [
    *(("no-cors", dest) for dest in ("empty", "script", "style", "image", "video", "object", "embed")),
    *(("navigate", dest) for dest in ("iframe", "frame", "object", "embed", "fencedframe")),
    *(("cors", "empty"), ("same-origin", "empty")),
]
TELLS = """url => new Promise(done => {
    const link = Object.assign(document.createElement("link"), {rel: "prefetch", href: url});
    link.onload = () => done("there");
    link.onerror = () => done("nothing");
    document.head.append(link);
})"""


@pytest.fixture
async def instance(tmp_path: Path) -> AsyncIterator[LocalInstance]:
    async with serve(tmp_path, NOWHERE) as found:
        found.clock.ahead_s = NOW - found.site.now()
        await fill(found.site.db)
        yield found


@pytest.fixture
async def bob(instance: LocalInstance) -> AsyncIterator[Guest]:
    async with Guest(instance.url, "") as guest:
        await enter(instance, guest, BOB)
        yield guest


@pytest.fixture
def mallorys() -> Iterator[str]:
    """An empty page of mallory's on another port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>Prizes</title>")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_browser_tells_her_nothing(instance: LocalInstance, bob: Guest, mallorys: str) -> None:
    """What bob can see and what never was look alike to a page that prefetches both in his browser."""
    cookies = [{"name": name, "value": value, "url": instance.url} for name, value in _cookies(bob)]
    async with async_playwright() as playwright:
        path = str(SYSTEM) if SYSTEM.exists() else None
        browser = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        context = await browser.new_context()
        await context.add_cookies(cookies)  # type: ignore[arg-type]  # a name, a value and an address
        page = await context.new_page()
        assert (await page.goto(f"{instance.url}/r/{THERE}")).status == 200  # type: ignore[union-attr]
        await page.goto(mallorys)
        for address in ADDRESSES:
            told = {
                await page.evaluate(TELLS, instance.url + address.format(name)) for name in (THERE, NOT_THERE)
            }
            assert told == {"nothing"}, address
        await browser.close()


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
async def test_no_part_of_a_foreign_page_is_answered(bob: Guest, site: str) -> None:
    """Frames, scripts, pictures, objects, prefetches: refused before it is looked what is there."""
    for mode, dest in PARTS:
        asked = {"sec_fetch_site": site, "sec_fetch_mode": mode, "sec_fetch_dest": dest}
        for address in ADDRESSES:
            answers = [await bob.open(address.format(name), **asked) for name in (THERE, NOT_THERE)]
            assert [one.status for one in answers] == [403, 403], (mode, dest, address)
            assert not any(THERE in one.text for one in answers)


async def test_links_from_elsewhere_open(bob: Guest) -> None:
    """Who follows a link in a mail, a chat or a neighbour's page arrives, and so does what has no browser."""
    for site in ("same-site", "cross-site", "none", "same-origin"):
        assert (await bob.open(f"/r/{THERE}", sec_fetch_site=site)).status == 200
    bare = {"sec_fetch_site": "", "sec_fetch_mode": "", "sec_fetch_dest": "", "sec_fetch_user": ""}
    assert (await bob.open(f"/r/{THERE}", **bare)).status == 200


def _cookies(guest: Guest) -> list[tuple[str, str]]:
    return list(guest.cookies["localhost"].items())
