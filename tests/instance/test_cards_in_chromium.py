"""The pages before somebody is signed in, in a real browser on a plain-http network."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import FLAGS, SYSTEM, Visit, picture
from playwright.sync_api import Browser, Playwright, ViewportSize, expect, sync_playwright
from programs import Program, github_environment, start

HOST = "trackeep.lan"
DESK, NARROW = ViewportSize(width=1000, height=900), ViewportSize(width=320, height=700)


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """A Chromium of another computer in the house, where the instance has a name of its own."""
    path = str(SYSTEM) if SYSTEM.exists() else None
    names = f"--host-resolver-rules=MAP {HOST} 127.0.0.1"
    browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, names])
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def instance(
    sandbox: Program, broker: Program, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Program]:
    """An instance on a local network, without an owner."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder: Path = tmp_path_factory.mktemp("lan")
    env = {**github_environment(sandbox.url), "TRACKEEP_BROKER_URL": broker.url}
    env |= {"TRACKEEP_DATA_DIR": str(folder), "TRACKEEP_LOG_FORMAT": "json"}
    program = start(
        "serve", "--no-worker", "--port", str(port), "--base-url", f"http://{HOST}:{port}", env=env
    )
    yield program
    program.stop()


def setup_code(program: Program) -> str:
    for line in program.stderr_text().splitlines():
        if "setup_code" in line:
            return str(json.loads(line)["setup_code"])
    raise AssertionError(program.stderr_text())


def fine(visit: Visit) -> None:
    """Nothing that axe finds, at either width."""
    for size in (NARROW, DESK):
        visit.page.set_viewport_size(size)
        assert visit.violations() == []
        assert not visit.is_wider_than_its_window()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_card_is_accessible(browser: Browser, instance: Program, scheme: str) -> None:
    """Set-up with a wrong code, sign-in with a pairing code, a refused token, a foreign login."""
    context = browser.new_context(color_scheme="dark" if scheme == "dark" else "light")
    visit = Visit.of(context)
    page = visit.page
    page.goto(f"{instance.url}/")
    expect(page).to_have_title("Set up · Trackeep")
    page.get_by_label("Set-up code").fill("not this one")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("not the set-up code")
    fine(visit)
    page.get_by_label("Set-up code").fill(setup_code(instance))
    page.get_by_role("button", name="Continue").click()
    expect(page).to_have_title("Sign in · Trackeep")
    fine(visit)
    picture(page, f"signin-{scheme}")
    page.get_by_text("Use a token instead").click()
    page.get_by_label("GitHub token").fill("nonsense")
    page.get_by_role("button", name="Sign in with this token").click()
    expect(page.get_by_role("alert")).to_contain_text("not a GitHub token")
    fine(visit)
    page.goto(f"{instance.url}/auth/callback?code=a&state=b&iss=c")
    expect(page.get_by_role("heading", level=1)).to_have_text("This login started somewhere else")
    fine(visit)
    # The browser itself notes each answer that is a refusal; nothing else may be said.
    assert [said for said in visit.complaints if "status of 400" not in said] == []
    context.close()


def test_the_pairing_code_is_the_same_on_both_pages(browser: Browser, instance: Program) -> None:
    """What the instance shows is what the OAuth service shows, in the same browser without any script."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{instance.url}/setup")
    page.get_by_label("Set-up code").fill(setup_code(instance))
    page.get_by_role("button", name="Continue").click()
    shown = page.get_by_role("img", name=re.compile("Pairing code")).get_attribute("aria-label")
    page.get_by_role("link", name="Continue with GitHub").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Send your GitHub login to this address?")
    there = page.get_by_role("img", name=re.compile("Pairing code")).get_attribute("aria-label")
    assert shown is not None
    assert there is not None
    assert shown.split() == there.split()
    context.close()
