"""Sessions in a real browser: over https, in a local network, beside other instances and bad neighbours."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from browser import FLAGS, SYSTEM
from filled_instance import TOKEN
from https_server import Authority
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from programs import Program, github_environment, start

HOST = "trackeep.house"
SIGN_OUT = """<!doctype html><title>Neighbour</title><form method="post" action="{0}/auth/logout">
<button name="everywhere" value="1">Win a prize</button></form>"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium that knows a name in the house, and takes this test's certificates."""
    with sync_playwright() as playwright:
        path = str(SYSTEM) if SYSTEM.exists() else None
        flags = (f"--host-resolver-rules=MAP {HOST} 127.0.0.1", "--ignore-certificate-errors")
        found = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *flags])
        yield found
        found.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    found = browser.new_context()
    yield found
    found.close()


@contextmanager
def instance(sandbox: Program, folder: Path, *, base_url: str = "", port: int = 0) -> Iterator[Program]:
    """An instance without an owner; `url` is the set-up link with its code."""
    env = {**github_environment(sandbox.url), "TRACKEEP_DATA_DIR": str(folder)}
    where = ("--base-url", base_url) if base_url else ()
    program = start("serve", "--demo", "--no-worker", "--port", str(port), *where, env=env)
    try:
        yield program
    finally:
        program.stop()


def base_of(program: Program) -> str:
    return program.url.partition("/setup")[0]


def enter(page: Page, program: Program) -> None:
    """Set-up code and token, as the first owner."""
    page.goto(program.url)
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("GitHub token").fill(TOKEN)
    page.get_by_role("button", name="Sign in with this token").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert is_signed_in(page, program)


def is_signed_in(page: Page, program: Program) -> bool:
    page.goto(f"{base_of(program)}/settings")
    return page.title().startswith("Settings")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def https(port: int) -> Iterator[int]:
    """What a proxy does: the port of an https server that hands everything on to `port`."""
    began: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = Future()

    async def hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        # The browser closes as it likes, and the test ends as it likes.
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))
        for each in (inner_writer, writer):
            each.transport.abort()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def run() -> None:
        stop = asyncio.Event()
        server = await asyncio.start_server(hand_on, "127.0.0.1", 0, ssl=Authority().server_tls(HOST))
        began.set_result((asyncio.get_running_loop(), stop, server.sockets[0].getsockname()[1]))
        await stop.wait()
        server.close()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    loop, stop, own_port = began.result(30)
    try:
        yield own_port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)


@pytest.mark.parametrize(("path", "prefix"), [("", "__Host-"), ("/t", "__Secure-")])
def test_over_https_the_browser_guards_the_session(
    sandbox: Program, context: BrowserContext, tmp_path: Path, path: str, prefix: str
) -> None:
    """It takes the cookie with its prefix, keeps it from scripts, and signing in and out works."""
    inner = free_port()
    with https(inner) as outer, ExitStack() as stack:
        base_url = f"https://{HOST}:{outer}{path}"
        program = stack.enter_context(instance(sandbox, tmp_path, base_url=base_url, port=inner))
        page = context.new_page()
        enter(page, program)
        (cookie,) = [one for one in context.cookies() if "session" in one["name"]]
        assert cookie["name"] == f"{prefix}session"
        assert (cookie["path"], cookie["secure"], cookie["httpOnly"]) == (path or "/", True, True)
        assert cookie["sameSite"] == "Lax"
        assert "session" not in page.evaluate("document.cookie")
        page.get_by_role("button", name="Sign out", exact=True).click()
        expect(page).to_have_title("Sign in · Trackeep")
        assert not [one for one in context.cookies() if "session" in one["name"]]
        context.close()


def test_in_a_local_network_without_https(sandbox: Program, context: BrowserContext, tmp_path: Path) -> None:
    """A name in the house over http: a plain cookie with the mark of the address, which the browser keeps."""
    port = free_port()
    base_url = f"http://{HOST}:{port}"
    with instance(sandbox, tmp_path, base_url=base_url, port=port) as program:
        page = context.new_page()
        enter(page, program)
        (cookie,) = [one for one in context.cookies() if "session" in one["name"]]
        mark = cookie["name"].removeprefix("session-")
        assert len(mark) == 8 and int(mark, 16) >= 0
        assert (cookie["domain"], cookie["secure"], cookie["httpOnly"]) == (HOST, False, True)


def test_two_instances_of_one_host_stay_apart(
    sandbox: Program, context: BrowserContext, tmp_path: Path
) -> None:
    """Cookies ignore ports: signed in at both, signing out of one leaves the other as it was."""
    with ExitStack() as stack:
        one, two = (stack.enter_context(instance(sandbox, tmp_path / name)) for name in ("one", "two"))
        page = context.new_page()
        enter(page, one)
        assert not is_signed_in(page, two)
        enter(page, two)
        assert is_signed_in(page, one)
        page.get_by_role("button", name="Sign out", exact=True).click()
        expect(page).to_have_title("Sign in · Trackeep")
        assert not is_signed_in(page, one)
        assert is_signed_in(page, two)


def test_a_neighbour_cannot_act(sandbox: Program, context: BrowserContext, tmp_path: Path) -> None:
    """A page on another port is of the same site, so cookies go along: the form is refused all the same."""
    with instance(sandbox, tmp_path) as program, neighbour(base_of(program)) as address:
        page = context.new_page()
        enter(page, program)
        page.goto(address)
        with page.expect_response("**/auth/logout") as sent:
            page.get_by_role("button", name="Win a prize").click()
        assert sent.value.request.all_headers()["sec-fetch-site"] == "same-site"
        assert "cookie" in sent.value.request.all_headers()
        assert sent.value.status == 403
        expect(page.get_by_text("did not come from a page of this Trackeep")).to_be_visible()
        assert is_signed_in(page, program)


@contextmanager
def neighbour(url: str) -> Iterator[str]:
    """A page on the same host that wants to sign its visitor out of the instance at `url`."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = SIGN_OUT.format(url).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()
