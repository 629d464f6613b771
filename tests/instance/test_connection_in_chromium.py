"""The card of the connection to GitHub, in a real browser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from browser import Visit, chromium
from local_instance import Guest
from playwright.sync_api import Browser, BrowserContext
from programs import Program

T = TypeVar("T")


def in_thread(work: Coroutine[Any, Any, T]) -> T:
    """The result of async work, beside the browser's own loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result(60)


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


async def signed_in(instance: Program, broker: Program) -> dict[str, str]:
    """The cookies of alice, who owns the instance."""
    code = next(
        json.loads(line)["setup_code"] for line in instance.stderr_text().splitlines() if "setup_code" in line
    )
    async with Guest(instance.url, broker.url) as alice:
        await alice.set_up(code)
        await alice.sign_in()
        return dict(alice.cookies["localhost"])


def seen_by(browser: Browser, instance: Program, cookies: dict[str, str], **how: Any) -> BrowserContext:
    context = browser.new_context(**how)
    context.add_cookies([{"name": name, "value": cookies[name], "url": instance.url} for name in cookies])
    return context


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390, 320])
def test_the_card_is_readable_everywhere(
    browser: Browser, instance: Program, broker: Program, theme: str, width: int
) -> None:
    """Both themes, wide and narrow, before and after the click on Disconnect: nothing to complain about."""
    cookies = in_thread(signed_in(instance, broker))
    size = {"width": width, "height": 800}
    context = seen_by(browser, instance, cookies, viewport=size, color_scheme=theme)
    visit = Visit.of(context)
    page = visit.page
    page.goto(f"{instance.url}/settings/github")
    page.get_by_text("Disconnect", exact=True).click()
    assert not visit.violations() and not visit.is_wider_than_its_window()
    page.get_by_role("button", name="Disconnect and revoke at GitHub").click()
    page.get_by_role("status").get_by_text("GitHub ended the token").wait_for()
    assert page.get_by_role("link", name="Connect GitHub").is_visible()
    assert not visit.violations() and not visit.is_wider_than_its_window()
    assert not visit.complaints
    context.close()
