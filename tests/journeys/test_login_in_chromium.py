"""Signing in with a real browser, with script and without, once the app is allowed at GitHub already."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

import pytest
from browser import Visit
from playwright.sync_api import Browser, BrowserContext, Response, expect
from programs import Program

SECRET = re.compile(r"gh[a-z]_[A-Za-z0-9]{20,}")


@pytest.fixture
def owned(browser: Browser, instance: Program) -> Program:
    """An instance that alice owns; she has allowed the app at GitHub."""
    lines = [json.loads(line) for line in instance.stderr_text().splitlines() if line.startswith("{")]
    code = next(str(line["setup_code"]) for line in lines if "setup_code" in line)
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{instance.url}/setup")
    page.locator("input[name=code]").fill(code)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Continue with GitHub").click()
    page.get_by_role("button", name="Continue to GitHub").click()
    page.get_by_role("button", name=re.compile("alice")).click()
    page.wait_for_load_state()
    if page.get_by_role("button", name="Authorize").count():
        page.get_by_role("button", name="Authorize").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Choose what to follow")
    context.close()
    return instance


def is_signed_in(context: BrowserContext, instance: Program) -> bool:
    return "/signin" not in context.request.get(f"{instance.url}/settings").url


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_from_the_sign_in_page_and_back(
    browser: Browser, owned: Program, broker: Program, sandbox: Program, script: bool
) -> None:
    """Consent, GitHub (which asks nothing any more), the instance; nothing is blocked and no secret shows.

    The second time, the click on the instance's own page goes straight on: its Referer and its mark of a
    person's click are what the service sees, as browsers really send them.
    """
    context = browser.new_context(java_script_enabled=script)
    visit, chain = Visit.of(context), list[Response]()
    visit.page.on("response", lambda answer: chain.append(answer))
    page = visit.page
    page.goto(f"{owned.url}/signin")
    page.get_by_role("link", name="Continue with GitHub").click()
    assert page.inner_text("h1") == "Send your GitHub login to this address?"
    box = page.get_by_role("checkbox", name="Remember this instance")
    assert box.is_checked()
    page.get_by_role("button", name="Continue to GitHub").click()
    page.get_by_role("button", name=re.compile("alice")).click()
    page.wait_for_url(lambda url: url.startswith(owned.url) and "/auth/" not in url)
    assert is_signed_in(context, owned)
    assert not any(SECRET.search(answer.url) for answer in chain)
    assert [answer.status for answer in chain if "/auth/callback" in answer.url] == [303]
    assert not [cookie for cookie in context.cookies() if "txn" in str(cookie.get("name"))]
    assert visit.complaints == []

    kept = [cookie for cookie in context.cookies() if "session" not in str(cookie.get("name"))]
    context.clear_cookies()
    context.add_cookies(kept)  # type: ignore[arg-type]  # what the browser itself gave a line before
    chain.clear()
    page.goto(f"{owned.url}/signin")
    page.get_by_role("link", name="Continue with GitHub").click()
    page.wait_for_url(lambda url: url.startswith(owned.url) and "/auth/" not in url)
    assert is_signed_in(context, owned)
    hops = [(answer.status, urlsplit(answer.url).path) for answer in chain]
    assert (303, "/auth/github") in hops
    assert "/auth/github/callback" in dict((path, status) for status, path in hops)
    assert not any(path == "/auth/github" and status == 200 for status, path in hops)
    assert visit.complaints == []
    context.close()
