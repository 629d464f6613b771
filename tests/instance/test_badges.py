"""Badges: pictures by an address that cannot be guessed, of what their owner chose to show."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import html
import re
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import pytest
from api_client import Api, small_api
from hypothesis import given
from hypothesis import strategies as st
from local_instance import Guest
from small_world import ALICE, ATLAS, BOB, HERON, SECRET, enter
from sqlalchemy import delete, event, select, update
from visitor import Answer

from trackeep import logs
from trackeep.instance import badge_pictures
from trackeep.instance.charts_calendar import Calendar, span
from trackeep.store import tables
from trackeep.store import tables_fetched as fetched
from trackeep.store.badges import KINDS
from trackeep.store.tables_sharing import badge

pytestmark = pytest.mark.anyio

PAGE = "/settings/badges"
S = "{http://www.w3.org/2000/svg}"


@pytest.fixture(params=["", "/t"], ids=["root", "path"])
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    async with small_api(tmp_path, path=request.param) as found:
        yield found


async def make(api: Api, account_id: int = ALICE, **form: str) -> str:
    """A new badge by the form of the settings; its path."""
    async with Guest(api.instance.url, "") as browser:
        await enter(api.instance, browser, account_id)
        answer = await browser.send(PAGE, form)
        assert answer.status == 303, answer.text
        page = html.unescape((await browser.open(PAGE)).text)
    urls = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page)
    assert urls and urls[0].startswith(api.instance.url)
    return str(urls[0]).removeprefix(api.instance.url)


async def look(api: Api, path: str, **headers: str) -> Answer:
    """What a stranger's browser gets."""
    async with Guest(api.instance.url, "") as stranger:
        return await stranger.open(path, **headers)


async def said(api: Api, path: str) -> str:
    answer = await look(api, path)
    assert answer.status == 200, answer.text
    return " ".join(checked(answer).itertext())


def checked(answer: Answer) -> ElementTree.Element:
    """The picture, which must be one that does nothing and asks nobody."""
    assert answer.headers["Content-Type"] == "image/svg+xml"
    root = ElementTree.fromstring(answer.text.encode())
    tags = {element.tag.removeprefix(S) for element in root.iter()}
    assert tags <= {"svg", "title", "desc", "style", "rect", "text", "g"}
    names = {name for element in root.iter() for name in element.keys()}  # noqa: SIM118  # of an element
    assert not {name for name in names if "href" in name or name == "style" or name.startswith("on")}
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", answer.text)
    (style,) = root.findall(f"{S}style")
    assert "prefers-color-scheme:dark" in (style.text or "")
    digest = base64.b64encode(hashlib.sha256((style.text or "").encode()).digest()).decode()
    policy = answer.headers["Content-Security-Policy"]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; sandbox"
    return root


async def test_each_kind_says_its_figure(api: Api) -> None:
    """The numbers of the dashboard, and of the repository's list."""
    for kind, text in (
        ("commits", "commits in 30 days: 4"),
        ("merged", "pull requests merged in 30 days: 2"),
        ("streak", "streak: 5 days"),
        ("synced", "synced: 23 November 2026, 11:56"),
        ("heatmap", "14 contributions in 12 months"),
    ):
        found = await said(api, await make(api, kind=kind))
        assert text in found, (kind, found)
        assert "alice" not in found
    assert "open pull requests: 5" in await said(api, await make(api, kind="pulls", repository=str(ATLAS)))


async def test_names_are_shown_where_chosen(api: Api) -> None:
    """The login on one's own, the full name on a repository's."""
    assert "alice · commits in 30 days" in await said(api, await make(api, kind="commits", named="1"))
    assert "alice" in await said(api, await make(api, kind="heatmap", named="1"))
    path = await make(api, kind="pulls", repository=str(ATLAS), named="1")
    assert "fernhill/atlas · open pull requests" in await said(api, path)


async def test_the_card_tells_levels_and_not_counts(api: Api) -> None:
    """A square for each of 365 days, none with its number or its date."""
    answer = await look(api, await make(api, kind="heatmap"))
    root = checked(answer)
    group = root.find(f"{S}g")
    assert group is not None and len(group.findall(f"{S}rect")) == 365
    assert "data-" not in answer.text


async def test_only_what_is_public_counts(api: Api) -> None:
    """Bob's private commit is in his badge when he said so, and else in none."""
    async with api.instance.site.db.write() as conn:
        await conn.execute(
            tables.account_email.insert().values(
                account_id=BOB, address="bob@x.example", verified=True, source="github"
            )
        )
    assert "commits in 30 days: 1" in await said(api, await make(api, BOB, kind="commits"))
    assert "commits in 30 days: 2" in await said(api, await make(api, BOB, kind="commits", private="1"))
    assert "5 contributions" in await said(api, await make(api, BOB, kind="heatmap"))
    assert "6 contributions" in await said(api, await make(api, BOB, kind="heatmap", private="1"))


async def test_a_private_repository_needs_its_own_yes(api: Api) -> None:
    """Without the tick nothing is made; with it the name is still not shown unless that was chosen, too."""
    async with Guest(api.instance.url, "") as browser:
        await enter(api.instance, browser, BOB)
        refused = await browser.send(PAGE, {"kind": "pulls", "repository": str(SECRET)})
        assert refused.status == 400
        assert "Nothing is shared" in (await browser.open(PAGE)).text
    path = await make(api, BOB, kind="pulls", repository=str(SECRET), private="1")
    assert "secret-plan" not in (await look(api, path)).text
    named = await make(api, BOB, kind="pulls", repository=str(SECRET), private="1", named="1")
    assert "bob/secret-plan" in (await look(api, named)).text


async def test_what_one_may_not_see_is_as_what_is_not_there(api: Api) -> None:
    """Alice makes no badge of bob's private repository, and learns nothing by trying."""
    async with Guest(api.instance.url, "") as browser:
        await enter(api.instance, browser)
        assert "secret-plan" not in (await browser.open(PAGE)).text
        real, invented = [
            await browser.send(PAGE, {"kind": "pulls", "repository": number, "private": "1"})
            for number in (str(SECRET), "987654")
        ]
    assert real.status == invented.status == 404
    assert re.sub("[0-9a-f]{16}", "", real.text) == re.sub("[0-9a-f]{16}", "", invented.text)


@pytest.mark.parametrize("lost", ["access", "proof", "private", "person", "left", "badge", "repository"])
async def test_a_badge_ends_with_what_it_rests_on(api: Api, lost: str) -> None:
    """At the next look, although its figures are kept for five minutes."""
    is_secret = lost != "private"
    place, who = (SECRET, BOB) if is_secret else (HERON, ALICE)
    more = {"private": "1"} if is_secret else {}
    path = await make(api, who, kind="pulls", repository=str(place), **more)
    assert (await look(api, path)).status == 200
    async with api.instance.site.db.write() as conn:
        if lost == "access":
            await conn.execute(
                update(tables.access).where(tables.access.c.repository_id == place).values(state="lost")
            )
        elif lost == "private":
            await conn.execute(
                update(tables.repository).where(tables.repository.c.id == place).values(private=True)
            )
        elif lost == "person":
            await conn.execute(delete(tables.allowed_person).where(tables.allowed_person.c.id == who))
        elif lost == "left":
            await conn.execute(delete(tables.account).where(tables.account.c.id == who))
        elif lost == "badge":
            await conn.execute(delete(badge))
        elif lost == "repository":
            await conn.execute(delete(tables.repository).where(tables.repository.c.id == place))
    if lost == "proof":
        api.instance.clock.ahead_s += 86_400 + 60
    assert (await look(api, path)).status == 404


async def test_removing_ends_it_at_once(api: Api) -> None:
    """One button, and it is nobody else's to press."""
    path = await make(api, kind="commits")
    assert (await look(api, path)).status == 200
    async with Guest(api.instance.url, "") as alice, Guest(api.instance.url, "") as bob:
        await enter(api.instance, alice)
        await enter(api.instance, bob, BOB)
        (number,) = re.findall(r'name="badge" value="(\d+)"', (await alice.open(PAGE)).text)
        assert path not in (await bob.open(PAGE)).text
        assert (await bob.send(f"{PAGE}/remove", {"badge": number})).status == 404
        assert (await look(api, path)).status == 200
        assert (await alice.send(f"{PAGE}/remove", {"badge": number})).status == 303
        assert (await look(api, path)).status == 404
        assert (await alice.send(f"{PAGE}/remove", {"badge": number})).status == 404


async def test_who_is_removed_shows_nothing_any_more(api: Api) -> None:
    """Let in again later, they begin without badges."""
    path = await make(api, BOB, kind="commits")
    async with Guest(api.instance.url, "") as owner:
        await enter(api.instance, owner)
        async with api.instance.site.db.write() as conn:
            await conn.execute(tables.instance.insert().values(id=1, owner_id=ALICE))
            await conn.execute(
                update(tables.account).where(tables.account.c.id == ALICE).values(role="owner")
            )
        assert (await owner.send("/settings/users/remove", {"person": str(BOB)})).status == 303
    assert (await look(api, path)).status == 404
    async with api.instance.site.db.read() as conn:
        assert (await conn.execute(select(badge))).all() == []


async def test_strangers_cost_little(api: Api) -> None:
    """A hundred looks at once count once; five minutes later once more, if anything has changed."""
    path = await make(api, kind="heatmap")
    counted: list[str] = []
    engine = api.instance.site.db.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *a: counted.append(a[2]))

    def counts() -> int:
        return len([statement for statement in counted if "review" in statement])

    answers = await asyncio.gather(*(look(api, path) for _ in range(100)))
    assert {answer.status for answer in answers} == {200} and len({answer.text for answer in answers}) == 1
    once = counts()
    assert once in (1, 2)
    api.instance.clock.ahead_s += 301
    await look(api, path)
    assert counts() == once
    async with api.instance.site.db.write() as conn:
        await conn.execute(delete(fetched.commit))
    api.instance.clock.ahead_s += 301
    await look(api, path)
    assert counts() == 2 * once


@pytest.mark.parametrize("wrong", ["x", "A" * 23, "A" * 25, "A" * 23 + ".", "%00" * 24, "A" * 24])
async def test_garbage_shows_nothing(api: Api, wrong: str) -> None:
    """Whatever stands where a secret should; what cannot be one is not even looked up."""
    asked: list[str] = []
    engine = api.instance.site.db.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *a: asked.append(a[2]))
    assert (await look(api, f"/b/{wrong}.svg")).status in (400, 404)
    assert bool([statement for statement in asked if "badge" in statement]) is (wrong == "A" * 24)


async def test_a_browser_keeps_it_for_five_minutes(api: Api) -> None:
    """And then asks whether it is still the same."""
    path = await make(api, kind="commits")
    first = await look(api, path)
    assert first.headers["Cache-Control"] == "public, max-age=300"
    assert (await look(api, path, **{"If-None-Match": first.headers["ETag"]})).status == 304
    async with api.instance.site.db.write() as conn:
        await conn.execute(delete(fetched.commit))
    api.instance.clock.ahead_s += 301
    assert (await look(api, path, **{"If-None-Match": first.headers["ETag"]})).status == 200


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"kind": "everything"},
        {"kind": "pulls"},
        {"kind": "pulls", "repository": "x"},
        {"kind": "pulls", "repository": "9" * 30},
    ],
)
async def test_a_wrong_form_makes_nothing(api: Api, form: dict[str, str]) -> None:
    """What the page does not offer is refused with a sentence."""
    async with Guest(api.instance.url, "") as browser:
        await enter(api.instance, browser)
        assert (await browser.send(PAGE, form)).status == 400
        assert "Nothing is shared" in (await browser.open(PAGE)).text


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=200), st.sampled_from([*KINDS, ""]))
def test_any_text_makes_a_picture(text: str, ramp: str) -> None:
    """Whatever a repository or a person is called, a parser reads the picture back."""
    today = date(2026, 11, 23)
    calendar = Calendar(*span(today, None), today, {today: 3})
    for picture in (badge_pictures.badge(text, text, ramp), badge_pictures.card(calendar, text, ramp)):
        assert len(picture.svg) < 60_000
        root = ElementTree.fromstring(picture.svg.encode())
        assert {element.tag for element in root.iter()} & {f"{S}script", f"{S}a"} == set()


def test_the_log_never_has_the_address() -> None:
    """The line of a request is without the secret."""
    assert logs.redact("/b/abcdefghijklmnopqrstuvwx.svg") == "/b/[removed].svg"
