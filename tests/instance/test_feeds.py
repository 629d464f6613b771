"""Atom feeds: valid documents for whoever holds the token, as that person may read at that moment."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import leaks
import pytest
from api_client import Api, small_api
from hypothesis import given
from hypothesis import strategies as st
from local_instance import Guest
from small_world import ALICE, ATLAS, BOB, SECRET, enter
from sqlalchemy import delete, event, select, update
from visitor import Answer

from trackeep import logs
from trackeep.instance import atom
from trackeep.store import feed_tokens, tables
from trackeep.store import tables_fetched as fetched
from trackeep.store.tables_sharing import feed_token
from trackeep.store.token_text import FEED_PREFIX, SECRET_BYTES, token_of

pytestmark = pytest.mark.anyio

PAGE = "/settings/feeds"
A = "{http://www.w3.org/2005/Atom}"


@pytest.fixture(params=["", "/t"], ids=["root", "path"])
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    async with small_api(tmp_path, path=request.param) as found:
        yield found


async def new_token(api: Api, account_id: int = ALICE) -> str:
    token = token_of(secrets.token_bytes(SECRET_BYTES), FEED_PREFIX)
    leaks.issued.add(token)
    async with api.instance.site.db.write() as conn:
        await feed_tokens.create(conn, account_id, token, "Reader", api.instance.site.now())
    return token


async def read(api: Api, path: str, **headers: str) -> Answer:
    """What a feed reader gets: it has no cookies."""
    async with Guest(api.instance.url, "") as reader:
        return await reader.open(path, **headers)


async def entries(api: Api, path: str) -> list[ElementTree.Element]:
    answer = await read(api, path)
    assert answer.status == 200, answer.text
    return checked(answer.text, answer.url).findall(f"{A}entry")


def checked(text: str, url: str) -> ElementTree.Element:
    """The feed, held against RFC 4287 sections 4.1.1 and 4.1.2."""
    feed = ElementTree.fromstring(text.encode())
    assert feed.tag == f"{A}feed"
    of_the_feed(feed)
    links = {link.get("rel"): link for link in feed.findall(f"{A}link")}
    assert links["self"].get("href") == url
    assert links["self"].get("type") == "application/atom+xml"
    ids = [feed.findtext(f"{A}id")]
    for entry in feed.findall(f"{A}entry"):
        of_the_feed(entry)
        ids.append(entry.findtext(f"{A}id"))
        # Every entry has an author of its own, so that the feed needs none.
        assert [author.findtext(f"{A}name") for author in entry.findall(f"{A}author")] != [""]
        (link,) = entry.findall(f"{A}link")
        assert link.get("rel") == "alternate" and urlsplit(link.get("href", "")).scheme in ("http", "https")
    assert len(ids) == len(set(ids))
    times = [when(entry) for entry in feed.findall(f"{A}entry")]
    assert times == sorted(times, reverse=True)
    assert not times or when(feed) == times[0]
    return feed


def of_the_feed(element: ElementTree.Element) -> None:
    for name in ("id", "title", "updated"):
        (found,) = element.findall(f"{A}{name}")
        assert found.text
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", element.findtext(f"{A}id") or "")
    assert when(element).tzinfo is not None


def when(element: ElementTree.Element) -> datetime:
    return datetime.fromisoformat(element.findtext(f"{A}updated") or "")


def titles(found: list[ElementTree.Element]) -> list[str]:
    return [entry.findtext(f"{A}title") or "" for entry in found]


async def test_a_feed_says_what_the_page_says(api: Api) -> None:
    """The activity feed has the events of /activity, newest first, by the same filters."""
    token = await new_token(api)
    found = titles(await entries(api, f"/feeds/{token}/activity.atom"))
    assert "You merged fernhill/atlas #1" in found and "bob opened fernhill/atlas #4" in found
    only = titles(await entries(api, f"/feeds/{token}/activity.atom?kind=review&who=me"))
    assert only and all(title.startswith("You ") and " fernhill/atlas #" in title for title in only)
    here = titles(await entries(api, f"/feeds/{token}/activity.atom?repo=alice/heron"))
    assert here and all("alice/heron" in title for title in here)


async def test_one_repository_has_a_feed(api: Api) -> None:
    """Its events alone; however its name is written, it is the same feed."""
    token = await new_token(api)
    one = await read(api, f"/feeds/{token}/r/fernhill/atlas/activity.atom")
    other = await read(api, f"/feeds/{token}/r/Fernhill/Atlas/activity.atom")
    feeds = [checked(answer.text, answer.url) for answer in (one, other)]
    assert [feed.findtext(f"{A}title") for feed in feeds] == ["Activity in fernhill/atlas · Trackeep"] * 2
    assert len({feed.findtext(f"{A}id") for feed in feeds}) == 1
    assert all("fernhill/atlas" in title for title in titles(feeds[0].findall(f"{A}entry")))


async def test_the_queue_is_what_waits_for_one(api: Api) -> None:
    """To review, to change, to merge; not what waits for others, drafts or merged ones."""
    token = await new_token(api)
    found = await entries(api, f"/feeds/{token}/pulls.atom")
    assert sorted(titles(found)) == [
        "Needs your review: Pull 4",
        "Ready to merge: Pull 6",
        "Returned to you: Pull 5",
    ]


async def test_an_entry_keeps_its_name(api: Api) -> None:
    """A day's commits grow, a title changes, a repository is renamed: readers know the entry again."""
    token = await new_token(api)
    path = f"/feeds/{token}/activity.atom"
    before = {entry.findtext(f"{A}id") for entry in await entries(api, path)}
    async with api.instance.site.db.write() as conn:
        here = tables.repository.c.id == ATLAS
        await conn.execute(update(tables.repository).where(here).values(owner="hillside", name="atlas-2"))
        await conn.execute(update(fetched.pull_request).values(title="Another title"))
        row = (await conn.execute(select(fetched.commit).where(fetched.commit.c.sha == "a8"))).one()
        another = {name: value for name, value in row._mapping.items() if name != "id"} | {"sha": "b1"}
        await conn.execute(fetched.commit.insert().values(another))
    after = {entry.findtext(f"{A}id") for entry in await entries(api, path)}
    assert after == before


async def test_nothing_new_costs_no_bytes(api: Api) -> None:
    """The ETag of the last answer brings 304, until something happened."""
    token = await new_token(api)
    path = f"/feeds/{token}/activity.atom"
    first = await read(api, path)
    tag = first.headers["ETag"]
    assert first.headers["Content-Type"].startswith("application/atom+xml")
    assert first.headers["Referrer-Policy"] == "no-referrer" and "private" in first.headers["Cache-Control"]
    again = await read(api, path, **{"If-None-Match": f'"x", {tag}'})
    assert (again.status, again.text, again.headers["ETag"]) == (304, "", tag)
    async with api.instance.site.db.write() as conn:
        await conn.execute(delete(fetched.review))
    assert (await read(api, path, **{"If-None-Match": tag})).status == 200


async def test_hostile_titles_stay_text(api: Api) -> None:
    """Markup, the end of CDATA, quotes and characters that XML forbids: the feed has the text."""
    hostile = "</title><script>alert(1)</script> ]]> &amp; \" ' \x01\x0b\x1f\ufffe\u202e ok"
    async with api.instance.site.db.write() as conn:
        await conn.execute(update(fetched.pull_request).values(title=hostile))
        await conn.execute(update(tables.person).values(name="<b>&\x02", login="a<b"))
    token = await new_token(api)
    found = titles(await entries(api, f"/feeds/{token}/pulls.atom"))
    assert any("</title><script>alert(1)</script> ]]> &amp; \" ' \u202e ok" in title for title in found)
    await entries(api, f"/feeds/{token}/activity.atom")


@given(st.text(st.characters(codec=None, exclude_categories=())), st.text())
def test_any_text_makes_a_document(title: str, author: str) -> None:
    """Whatever somebody wrote, halves of characters too, a parser reads the document back."""
    entry = atom.Entry(("x",), title, 1, "https://github.example/x", author, title)
    feed = atom.Feed(
        ("f",), title, "https://a.example/f", "https://a.example/", 0, "Trackeep", (entry, entry)
    )
    root = ElementTree.fromstring(atom.write(feed))
    assert len(root.findall(f"{A}entry")) == 1


async def test_an_empty_feed_is_one(api: Api) -> None:
    """Without an entry it has a time all the same, which does not move with each look."""
    token = await new_token(api)
    texts = set()
    for _ in range(2):
        answer = await read(api, f"/feeds/{token}/activity.atom?since=2030-01-01")
        assert checked(answer.text, answer.url).findall(f"{A}entry") == []
        texts.add(answer.text)
        api.instance.clock.ahead_s += 60
    assert len(texts) == 1


async def test_bobs_private_repository_is_in_no_feed_of_alice(api: Api) -> None:
    """Asked for by name it is as one that nobody has, and no feed has a word of it."""
    token = await new_token(api)
    for path in ("r/bob/{}/activity.atom", "activity.atom?repo=bob/{}"):
        real, invented = [
            await read(api, f"/feeds/{token}/{path.format(name)}") for name in ("secret-plan", "nothing-plan")
        ]
        assert real.status == invented.status == 404
        assert "secret-plan" not in real.text
    for path in ("activity.atom", "pulls.atom"):
        assert "secret" not in (await read(api, f"/feeds/{token}/{path}")).text
    bobs = await new_token(api, BOB)
    assert (await read(api, f"/feeds/{bobs}/r/bob/secret-plan/activity.atom")).status == 200


@pytest.mark.parametrize("lost", ["access", "proof", "person", "token"])
async def test_a_feed_ends_with_what_it_rests_on(api: Api, lost: str) -> None:
    """Access lost, no proof for a day, its person removed, the token revoked: 404 at the next look."""
    token = await new_token(api, BOB)
    path = f"/feeds/{token}/r/bob/secret-plan/activity.atom"
    tag = (await read(api, path)).headers["ETag"]
    async with api.instance.site.db.write() as conn:
        if lost == "access":
            here = tables.access.c.repository_id == SECRET
            await conn.execute(update(tables.access).where(here).values(state="lost"))
        elif lost == "person":
            allowed = tables.allowed_person.c.id == BOB
            await conn.execute(delete(tables.allowed_person).where(allowed))
        elif lost == "token":
            await conn.execute(delete(feed_token))
    if lost == "proof":
        api.instance.clock.ahead_s += 86_400 + 60
    answer = await read(api, path, **{"If-None-Match": tag})
    assert answer.status == 404
    assert "secret" not in answer.text.replace("/secret-plan", "")
    if lost in ("person", "token"):
        assert (await read(api, f"/feeds/{token}/activity.atom")).status == 404


async def test_a_feed_token_opens_feeds_alone(api: Api) -> None:
    """Not the API, not a page; and an API token opens no feed."""
    token = await new_token(api)
    assert (await api.ask("GET", "/me", token)).status == 401
    page = await read(api, "/activity", Authorization=f"Bearer {token}")
    assert (page.status, page.location.partition("?")[0].endswith("/signin")) == (303, True)
    other = await api.token()
    assert (await read(api, f"/feeds/{other}/activity.atom")).status == 404
    async with Guest(api.instance.url, "") as browser:
        assert (await browser.send(f"/feeds/{token}/activity.atom", {})).status == 405


@pytest.mark.parametrize("wrong", ["x", "tf_", "tf_" + "0" * 49, "..", "tf_%00", "{token}"])
async def test_garbage_opens_nothing(api: Api, wrong: str) -> None:
    """Whatever stands where a token should, there is nothing, and the database is not asked for it."""
    asked: list[str] = []
    event.listen(
        api.instance.site.db.engine.sync_engine, "before_cursor_execute", lambda *a: asked.append(a[2])
    )
    assert (await read(api, f"/feeds/{wrong}/activity.atom")).status in (400, 404)
    assert not [statement for statement in asked if "feed_token" in statement]


async def test_wrong_filters_are_told(api: Api) -> None:
    """As on the page: 400 with a sentence."""
    token = await new_token(api)
    for query in ("since=yesterday", "repo=atlas", "before=x"):
        assert (await read(api, f"/feeds/{token}/activity.atom?{query}")).status == 400


def test_the_log_never_has_one() -> None:
    """The address stands in the line of each request, without the token."""
    token = token_of(bytes(range(32)), FEED_PREFIX)
    line = logs.redact(f"/feeds/{token}/activity.atom")
    assert line == "/feeds/[removed]/activity.atom"


# ---- the page of the settings -------------------------------------------------------------------


@pytest.fixture
async def alice(api: Api) -> AsyncIterator[Guest]:
    async with Guest(api.instance.url, "") as browser:
        await enter(api.instance, browser)
        yield browser


def shown(page: Answer) -> list[str]:
    found = re.findall(r'value="(https?://[^"]+\.atom[^"]*)"', page.text)
    for url in found:
        leaks.issued.add(*re.findall(r"tf_\w+", url))
    return found


async def test_a_new_feed_is_shown_once(api: Api, alice: Guest) -> None:
    """Its addresses work at once and no later page has them; its use is shown."""
    made = await alice.send(PAGE, {"name": "My reader", "repository": "Fernhill/Atlas"})
    assert made.headers["Cache-Control"] == "no-store"
    found = shown(made)
    assert found[0].endswith("/r/fernhill/atlas/activity.atom") and len(found) == 4
    for url in found:
        assert url.startswith(api.instance.url)
        path = url.removeprefix(api.instance.url)
        await entries(api, path.replace("&amp;", "&"))
    later = (await alice.open(PAGE)).text
    assert "tf_" in later and not any(url in later for url in found)
    assert "<code>127.0.0.1</code>" in later


async def test_revoking_ends_it(api: Api, alice: Guest) -> None:
    """One button; it is nobody else's to press."""
    url = shown(await alice.send(PAGE, {"name": "My reader", "repository": ""}))[0]
    path = url.removeprefix(api.instance.url)
    (number,) = re.findall(r'name="token" value="(\d+)"', (await alice.open(PAGE)).text)
    async with Guest(api.instance.url, "") as bob:
        await enter(api.instance, bob, BOB)
        assert (await bob.send(f"{PAGE}/revoke", {"token": number})).status == 404
    assert (await read(api, path)).status == 200
    assert (await alice.send(f"{PAGE}/revoke", {"token": number})).status == 303
    assert (await read(api, path)).status == 404
    assert (await alice.send(f"{PAGE}/revoke", {"token": number})).status == 404


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"name": " "}, 400),
        ({"name": "x" * 101}, 400),
        ({"name": "x", "repository": "atlas"}, 400),
        ({"name": "x", "repository": "bob/secret-plan"}, 404),
        ({"name": "x", "repository": "bob/nothing"}, 404),
    ],
)
async def test_a_wrong_form_makes_nothing(alice: Guest, form: dict[str, str], status: int) -> None:
    """A sentence says what is wrong; what one may not see is as what is not there."""
    assert (await alice.send(PAGE, form)).status == status
    assert "No feed tokens yet" in (await alice.open(PAGE)).text


async def test_pages_lead_to_their_feed(alice: Guest) -> None:
    """The activity, the queue and a repository link to where a feed is made; no page has a token."""
    for path in ("/activity", "/pulls", "/r/fernhill/atlas"):
        page = (await alice.open(path)).text
        assert "/settings/feeds" in page and "tf_" not in page
    assert 'value="fernhill/atlas"' in (await alice.open(f"{PAGE}?repo=fernhill/atlas")).text
