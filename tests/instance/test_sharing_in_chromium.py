"""Feeds, badges and the system page in a real browser: made, copied, shown light and dark, and accessible."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Visit, picture
from playwright.sync_api import Browser, BrowserContext, ViewportSize
from programs import Program, start
from small_world import ALICE, ATLAS, fill
from sqlalchemy import insert, update

from trackeep.database import Database
from trackeep.environment import cookie_name
from trackeep.store import badges, sessions, tables
from trackeep.store.badges import Badge

SESSION = secrets.token_urlsafe(32)
PAGES = ("/settings/feeds", "/settings/badges", "/settings/system", "/settings/tokens")


async def prepare(folder: Path) -> None:
    now, db = int(time.time()), await Database.open(f"sqlite:///{folder / 'trackeep.db'}")
    await fill(db, now)
    async with db.write() as conn:
        await conn.execute(insert(tables.instance).values(id=1, owner_id=ALICE))
        await conn.execute(update(tables.account).where(tables.account.c.id == ALICE).values(role="owner"))
        await sessions.start(conn, SESSION, ALICE, sessions.Device("test", "127.0.0.1"), now)
        for kind, place, is_named in (
            ("commits", None, False),
            ("pulls", ATLAS, True),
            ("heatmap", None, True),
        ):
            secret = secrets.token_urlsafe(18)
            new = Badge(0, secret, kind, place, is_named=is_named, counts_private=False, created_at=0)
            await badges.create(conn, ALICE, new, now)
    await db.close()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("sharing")
    asyncio.run(prepare(folder))
    running = start("serve", "--no-worker", "--port", "0", env={"TRACKEEP_DATA_DIR": str(folder)})
    yield running
    running.stop()


def enter(context: BrowserContext, program: Program) -> Visit:
    name = cookie_name(program.url, "session")
    context.add_cookies([{"name": name, "value": SESSION, "url": program.url}])
    return Visit.of(context)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 320])
def test_the_pages_are_for_everybody(program: Program, browser: Browser, width: int, scheme: str) -> None:
    """No violation, no complaint of the policy, and nothing wider than the window."""
    size = ViewportSize(width=width, height=900)
    with browser.new_context(viewport=size, color_scheme=scheme) as context:  # type: ignore[arg-type]  # a word
        visit = enter(context, program)
        for path in PAGES:
            visit.page.goto(program.url + path)
            assert visit.violations() == [], path
            assert not visit.is_wider_than_its_window(), path
        assert visit.complaints == []
        visit.page.goto(f"{program.url}/settings/badges")
        if (width, scheme) == (1440, "light"):
            picture(visit.page, "badges", full=True)


def test_a_badge_is_seen_light_and_dark(program: Program, browser: Browser) -> None:
    """In the page that previews it, and by its address alone, in the colours of whoever looks."""
    seen = {}
    for scheme in ("light", "dark"):
        with browser.new_context(color_scheme=scheme) as context:  # type: ignore[arg-type]  # a word
            visit = enter(context, program)
            visit.page.goto(f"{program.url}/settings/badges")
            looks = visit.page.locator(".badge-look img")
            assert looks.count() == 3
            widths = [looks.nth(n).evaluate("image => image.naturalWidth") for n in range(3)]
            assert min(widths) > 80 and max(widths) > 700
            source = looks.first.get_attribute("src") or ""
            visit.page.goto(program.url + source)
            fill = "document.querySelector('.b') && getComputedStyle(document.querySelector('.b')).fill"
            seen[scheme] = visit.page.evaluate(fill)
            assert visit.complaints == []
    assert seen == {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}


def test_the_text_of_a_badge_is_copied(program: Program, browser: Browser) -> None:
    """Each button copies the field beside it."""
    with browser.new_context(permissions=["clipboard-read", "clipboard-write"]) as context:
        visit = enter(context, program)
        visit.page.goto(f"{program.url}/settings/badges")
        for words in ("Copy Markdown", "Copy HTML"):
            button = visit.page.get_by_role("button", name=words).nth(1)
            field = visit.page.locator(f"#{button.get_attribute('data-copy')}")
            button.click()
            visit.page.get_by_role("button", name="Copied").first.wait_for()
            assert visit.page.evaluate("navigator.clipboard.readText()") == field.input_value()
        assert visit.complaints == []


def test_a_feed_is_made_without_a_script(program: Program, browser: Browser) -> None:
    """The form works by itself; the addresses stand in fields to be copied by hand."""
    with browser.new_context(java_script_enabled=False) as context:
        visit = enter(context, program)
        visit.page.goto(f"{program.url}/settings/feeds?repo=fernhill/atlas")
        visit.page.get_by_label("Name").fill("Reader")
        visit.page.get_by_role("button", name="Create feed").click()
        url = visit.page.get_by_label("fernhill/atlas").input_value()
        assert url.startswith(f"{program.url}/feeds/tf_")
        assert visit.page.get_by_role("button", name="Copy").count() == 0
        answer = context.request.get(url)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/atom+xml")
