"""Every page in a real browser: readable by everybody, silent, narrow enough for a phone, and light."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from browser import Visit, signed_in
from filled_instance import Filled
from gates.pages import KEY_PAGES, PAGES
from playwright.sync_api import Browser, Response

DESK, TABLET, PHONE, NARROW = 1440, 768, 390, 320
HEIGHT = 900
COLOURS = ("light", "dark", "forced")
EVERYWHERE = tuple((colours, width) for colours in COLOURS for width in (DESK, TABLET, PHONE, NARROW))
USUAL = (("light", DESK), ("dark", PHONE))
MOST_REQUESTS, MOST_NODES, MOST_BYTES, MOST_SCRIPT = 8, 1_500, 60 * 1024, 10 * 1024


@contextmanager
def opened(browser: Browser, who: Filled, path: str) -> Iterator[tuple[Visit, list[Response]]]:
    """The page with everything that was fetched for it."""
    with signed_in(browser, who.url, who.cookies, width=DESK) as context:
        visit, answers = Visit.of(context), list[Response]()
        visit.page.on("response", lambda answer: answers.append(answer))
        answer = visit.page.goto(who.url + path)
        assert answer is not None
        assert answer.status == 200, path
        yield visit, answers


def is_stream(answer: Response) -> bool:
    return "event-stream" in answer.headers.get("content-type", "")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_for_everybody_and_light(path: str, alice: Filled, browser: Browser) -> None:
    """axe finds nothing in any colours and widths, nothing scrolls sideways, the console is silent.

    At most 8 requests, 1,500 nodes and 60 KB compressed, and of these at most 10 KB are script.
    """
    with opened(browser, alice, path) as (visit, answers):
        assert_light(visit, answers)
        assert_for_everybody(visit, EVERYWHERE if path in KEY_PAGES else USUAL)


@pytest.mark.parametrize("path", KEY_PAGES)
def test_nor_does_a_path_change_that(path: str, alice_below: Filled, browser: Browser) -> None:
    """The key pages of an instance below a path are for everybody and light, too."""
    with opened(browser, alice_below, path) as (visit, answers):
        assert_light(visit, answers)
        assert_for_everybody(visit, USUAL)


def assert_for_everybody(visit: Visit, combinations: tuple[tuple[str, int], ...]) -> None:
    found: dict[str, list[str]] = {}
    for colours, width in combinations:
        visit.in_colours(colours)
        visit.page.set_viewport_size({"width": width, "height": HEIGHT})
        if violations := visit.violations():
            found[f"{colours} {width}"] = violations
    too_wide = {}
    for width in (NARROW, TABLET):
        visit.page.set_viewport_size({"width": width, "height": HEIGHT})
        if visit.is_wider_than_its_window():
            too_wide[width] = visit.widest()
    assert found == {}
    assert too_wide == {}, "scrolls sideways"
    assert visit.complaints == []


def assert_light(visit: Visit, answers: list[Response]) -> None:
    # A stream may begin while this reads, and never ends.
    sizes = {one.url: len(gzip.compress(one.body(), 9)) for one in answers if not is_stream(one)}
    nodes = visit.page.evaluate("document.querySelectorAll('*').length")
    assert len(answers) <= MOST_REQUESTS, [one.url for one in answers]
    assert sum(sizes.values()) <= MOST_BYTES, sizes
    assert sum(size for url, size in sizes.items() if ".js" in url) <= MOST_SCRIPT, sizes
    assert nodes <= MOST_NODES


def test_the_key_pages_are_pages() -> None:
    """What is looked at most closely is in the table of addresses."""
    assert set(KEY_PAGES) <= set(PAGES)
