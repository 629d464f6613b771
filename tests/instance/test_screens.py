"""Every screen over HTTP: what it shows, to whom, at which address, and what it costs."""

from __future__ import annotations

import gzip
import html
import json
import re
from pathlib import Path

import aiohttp
import pytest
from local_instance import Guest
from small_visit import NOWHERE, text_of, visit
from small_world import ALICE, ATLAS, BOB, MALLORY, NOW, enter
from sqlalchemy import delete, event, select, update

from trackeep.instance.app import ROUTES
from trackeep.store import tables, tables_sync
from trackeep.store import tables_fetched as fetched

pytestmark = pytest.mark.anyio
PAGES = [
    "/",
    "/?period=12m&kind=review&year=2025",
    "/calendar",
    "/calendar?year=2026&kind=commit",
    "/calendar/hours?year=2026",
    "/repos",
    "/repos?q=atlas&sort=push&visibility=public&done=pause.1",
    "/repos?state=lost",
    "/repos/delete?repo=10&repo=12",
    "/repos/choose",
    "/r/fernhill/atlas",
    "/r/Fernhill/Atlas?period=7d",
    "/r/fernhill/atlas/charts/weeks",
    "/r/fernhill/atlas/charts/hours?period=7d",
    "/r/fernhill/atlas/charts/contributors",
    "/r/fernhill/atlas/pulls",
    "/r/fernhill/atlas/pulls?list=merged",
    "/r/fernhill/atlas/commits",
    "/r/fernhill/atlas/branches",
    "/r/fernhill/atlas/branches?view=stale",
    "/r/fernhill/atlas/contributors",
    "/r/fernhill/atlas/contributors?bots=1&period=all",
    "/r/fernhill/atlas/frequency",
    "/r/fernhill/atlas/frequency?period=custom&since=2026-10-01",
    "/r/fernhill/atlas/activity",
    "/r/fernhill/atlas/activity?kind=merged&who=alice",
    "/r/fernhill/atlas/charts/frequency",
    "/r/fernhill/atlas/charts/languages",
    "/branches",
    "/branches?view=yours&q=topic&pick=fernhill/atlas:topic",
    "/pulls",
    "/pulls?list=open",
    "/pulls?q=pull",
    "/pulls?q=involves:me+-is:draft+since:30d",
    "/pulls?section=review",
    "/pulls/insights",
    "/pulls/insights?period=12m&bots=1&repo=fernhill/atlas&author=alice",
    "/pulls/insights/weeks",
    "/pulls/insights/cycle?period=7d",
    "/pulls/insights/sizes",
    "/pulls/insights/load?bots=1",
    "/commits",
    "/commits?q=change&author=me&only=counted&by=author",
    "/commits?q=-change*+since:2025+is:mine",
    "/search",
    "/search?q=change",
    "/search?q=pull+author:me",
    "/activity",
    "/activity?day=2026-11-20",
    "/activity?who=bob&repo=fernhill/atlas&since=2026-11-01&kind=branch",
    "/?period=custom&since=2026-11-01&until=2026-11-10",
    "/sync",
    "/sync/r/fernhill/atlas",
    "/sync/runs",
    "/sync/budgets",
    "/settings",
    "/settings/github",
    "/settings/sessions",
    "/settings/danger",
    "/settings/tokens",
    "/settings/badges",
    "/settings/feeds",
    "/settings/feeds?repo=fernhill/atlas",
    "/settings/export",
    "/privacy",
    "/api/docs",
    "/shortcuts",
]


@pytest.mark.parametrize("base", ["", "/t"])
async def test_every_screen_at_any_address(tmp_path: Path, base: str) -> None:
    """Each page answers, stays below its base path, and keeps the policy and the size it promised."""
    async with visit(tmp_path, path=base) as (_, alice):
        for path in PAGES:
            answer = await alice.open(path)
            assert answer.status == 200, (path, answer.text[-300:])
            assert answer.text.count("<h1") == 1, path
            for link in re.findall(r'(?:href|src|action)="([^"]*)"', answer.text):
                assert link.startswith((f"{base}/", "#", NOWHERE)), (path, link)
            assert not re.search(r"\sstyle=|<script>|\son[a-z]+=", answer.text), path
            assert len(gzip.compress(answer.text.encode())) < 20_000, path
            assert len(re.findall(r"<[a-z]", answer.text)) < 1_500, path


async def test_every_screen_is_for_somebody(tmp_path: Path) -> None:
    """Without a session each of these pages leads to the sign-in page, whatever its address."""
    async with visit(tmp_path) as (instance, _), Guest(instance.url, "") as nobody:
        for path in PAGES:
            answer = await nobody.open(path)
            if path == "/privacy":
                # Whoever is asked to sign in may read first what that means.
                assert answer.status == 200
                continue
            assert answer.status == 303, path
            assert "/signin" in answer.location, path


async def test_the_dashboard_says_what_was_counted(tmp_path: Path) -> None:
    """Five numbers, the calendar, the queue and the table, equal to what was counted by hand."""
    async with visit(tmp_path) as (_, alice):
        page = text_of((await alice.open("/")).text)
    assert "Commits 4 up 300% 1 in the 30 days before" in page
    assert "Pull requests merged 2 up 100% 1 in the 30 days before" in page
    assert "Reviews given 3 0 in the 30 days before" in page
    assert "Median time to merge 3 h down 21 h p90 4 h · 2 merged" in page
    assert "Current streak 5 days Longest ever 5 days" in page
    assert (
        "Synced 4 min ago · still reading 1 repository · 4,812 of 5,000 requests left · resets 12:30" in page
    )
    # 4 commits (one is only in the fork), 7 pull requests, 2 reviewed and 1 issue.
    assert "14 contributions in the last year" in page
    assert "Longest streak in view 5 days" in page


async def test_what_waits_for_me_is_counted_alike_everywhere(tmp_path: Path) -> None:
    """A review, a change and a merge are my turn; what waits for others and drafts come below, uncounted."""
    async with visit(tmp_path) as (instance, alice):
        dashboard = text_of((await alice.open("/")).text)
        queue = text_of((await alice.open("/pulls")).text)
        async with instance.site.db.write() as conn:
            rest = fetched.pull_request.c.number.in_((4, 5, 6))
            await conn.execute(update(fetched.pull_request).where(rest).values(state="closed"))
        later = text_of((await alice.open("/")).text)
    assert "Waiting for you 3 All pull requests Pull 4" in dashboard
    assert "Not your turn: 2 Pull 8" in dashboard
    assert "3 need you" in queue
    assert "Queue 3 " in queue
    assert "Waiting for you All pull requests Nothing needs you; not your turn: 2 Pull 8" in later


async def test_two_definitions_are_named(tmp_path: Path) -> None:
    """Where the calendar counts otherwise than the number above it, it says what it counts."""
    async with visit(tmp_path) as (_, alice):
        pages = {
            kind: text_of((await alice.open(f"/?period=12m&kind={kind}")).text)
            for kind in ("", "review", "commit")
        }
        table = text_of((await alice.open("/calendar?kind=review")).text)
    assert "Reviews given 3 " in pages["review"]
    assert "2 pull requests reviewed in the last year" in pages["review"]
    assert "Once a day each; the number above counts every review" in pages["review"]
    assert "Commits 5 " in pages["commit"]
    assert "4 commits outside forks in the last year" in pages["commit"]
    for page in (pages[""], table):
        assert "Commits in forks left out; a reviewed pull request once a day" in page


async def test_a_year_that_cannot_be_shown_is_forgiven(tmp_path: Path) -> None:
    """As with a period that does not exist, the usual view is shown."""
    async with visit(tmp_path) as (_, alice):
        for path in ("/?year=1900", "/?year=20x6", "/?year=2027", "/?year=0", "/calendar?year=99999999999"):
            answer = await alice.open(path)
            assert answer.status == 200, path
            assert "last 12 months" in text_of(answer.text).lower(), path
        assert "in the last year" in text_of((await alice.open("/?year=2100")).text)


async def test_numbers_lead_to_the_rows_they_count(tmp_path: Path) -> None:
    """Follow the link of each number: the list says the same number."""
    async with visit(tmp_path) as (instance, alice):
        page = (await alice.open("/")).text
        root = instance.url.removesuffix("/")
        links = [html.unescape(link) for link in re.findall(r'<h2><a href="([^"]+)"', page)]
        lists = [text_of((await alice.get(root + link)).text) for link in links[:3]]
        day = text_of((await alice.open("/activity?day=2026-11-20")).text)
    assert "4 commits match" in lists[0]
    assert "2 pull requests, yours" in lists[1]
    assert "3 reviews" in lists[2]
    assert "Your 20 November 2026 2 contributions" in day


async def test_the_calendar_as_a_table(tmp_path: Path) -> None:
    """The table and the file hold the same days as the picture."""
    async with visit(tmp_path) as (_, alice):
        rows = (await alice.open("/calendar.csv")).text.split("\r\n")
        page = text_of((await alice.open("/calendar")).text)
        picture = (await alice.open("/")).text
    assert rows[0] == "day,commits,pull_requests,reviews,issues,contributions"
    assert "2026-11-21,1,4,1,0,6" in rows
    assert "Sat 21 November 2026 1 4 1 0 6" in page
    assert 'data-d="2026-11-21" data-n="6"' in picture
    assert sum(int(n) for n in re.findall(r'data-n="(\d+)"', picture)) == 14


async def test_a_repositorys_charts_as_files(tmp_path: Path) -> None:
    """Each chart has its figures as a file; a chart that does not exist is a 404."""
    async with visit(tmp_path) as (_, alice):
        weeks = (await alice.open("/r/fernhill/atlas/charts/weeks.csv")).text.split("\r\n")
        hours = (await alice.open("/r/fernhill/atlas/charts/hours.csv")).text.split("\r\n")
        people = (await alice.open("/r/fernhill/atlas/charts/contributors.csv")).text.split("\r\n")
        assert (await alice.open("/r/fernhill/atlas/charts/pie")).status == 404
    assert weeks[-2] == "2026-11-17,8,2"
    assert "00:00,0,0,0,0,0,1,0" in hours
    assert people[1].startswith("alice,4,")


async def test_a_repositorys_numbers_name_their_windows(tmp_path: Path) -> None:
    """The sentence names machines, the chart the weeks it adds up, the people what is left out."""
    async with visit(tmp_path) as (instance, alice):
        early = fetched.pull_request.c.number == 3
        async with instance.site.db.write() as conn:
            first = NOW - 86 * 86_400
            await conn.execute(
                update(fetched.pull_request).where(early).values(created_at=first, merged_at=first)
            )
        page = text_of((await alice.open("/r/fernhill/atlas")).text)
    assert "Merged pull requests 3 " in page
    assert "12 weeks that end today: 8 opened, 2 merged" in page
    assert "Opened Merged View as table" in page
    assert "3 authors and 1 bot pushed 7 commits to main and 8 to all branches" in page
    assert "lines —, 0 of 7 measured, merges excluded" in page
    assert "Commits to main in the last 90 days, merges and bots left out" in page


async def test_a_repository_is_as_fresh_as_the_dashboard(tmp_path: Path) -> None:
    """A look that found nothing new in a repository makes its page as fresh as the dashboard."""
    async with visit(tmp_path) as (instance, alice):
        async with instance.site.db.write() as conn:
            await conn.execute(update(tables_sync.run).values(finished_at=NOW - 20))
        pages = [text_of((await alice.open(path)).text) for path in ("/", "/r/fernhill/atlas", "/pulls")]
    assert ["Synced just now ·" in page for page in pages] == [True, True, True]


async def test_a_capped_count_names_no_repositories(tmp_path: Path) -> None:
    """More commits than are counted may be in more repositories than were looked at."""
    async with visit(tmp_path) as (instance, alice):
        async with instance.site.db.write() as conn:
            row = dict((await conn.execute(select(fetched.commit).limit(1))).mappings().one())
            del row["id"]
            many = [{**row, "repository_id": ATLAS, "sha": f"c{n}"} for n in range(10_001)]
            await conn.execute(fetched.commit.insert(), many)
        page = text_of((await alice.open("/commits")).text)
    assert "10,000+ commits . " in page
    assert "10,012 commits in 2 repositories" in page


async def test_the_last_lines_of_the_dashboard_are_whole(tmp_path: Path) -> None:
    """A day of many commits is the same number on the dashboard and, with its time, in the activity."""
    async with visit(tmp_path) as (instance, alice):
        async with instance.site.db.write() as conn:
            row = dict((await conn.execute(select(fetched.commit).limit(1))).mappings().one())
            del row["id"]
            row |= {"repository_id": ATLAS, "author_name": "alice", "author_email": "alice@fernhill.example"}
            times = [NOW - 3 * 3600 - 30 * n for n in range(100)]
            many = [
                {**row, "sha": f"d{n}", "authored_at": at, "committed_at": at} for n, at in enumerate(times)
            ]
            await conn.execute(fetched.commit.insert(), many)
        pages = [text_of((await alice.open(path)).text) for path in ("/", "/activity")]
    assert "You made 101 commits in atlas 3 h" in pages[0]
    assert "You made 101 commits in atlas 09:00" in pages[1]


async def test_other_peoples_repositories_do_not_exist(tmp_path: Path) -> None:
    """alice asks every address for bob's private repository: 404 or nothing, and no byte of its name."""
    async with visit(tmp_path) as (_, alice):
        for path in ("", "/pulls", "/commits", "/branches", "/charts/weeks", "/charts/weeks.csv"):
            answer = await alice.open(f"/r/bob/secret-plan{path}")
            assert answer.status == 404
            assert "secret-plan" not in answer.text
        for path in [*PAGES, "/commits?q=plan", "/activity?kind=commit", "/calendar.csv", "/sync"]:
            assert "secret-plan" not in (await alice.open(path)).text, path
        listed = await alice.open("/commits?repo=bob/secret-plan")
        assert "No commit matches" in listed.text


@pytest.mark.parametrize(
    "path",
    [
        "/activity?day=2026-13-01",
        "/activity?before=x",
        "/commits?since=yesterday",
        "/commits?after=1",
        "/commits?after=99999999999999999999.a",
        "/commits?repo=atlas",
        "/pulls?list=open&after=1.2",
        "/r/fernhill/atlas/pulls?until=2026-02-30",
    ],
)
async def test_a_query_that_means_nothing(tmp_path: Path, path: str) -> None:
    """One clear sentence and status 400, never a page of ours that failed."""
    async with visit(tmp_path) as (_, alice):
        answer = await alice.open(path)
    assert answer.status == 400
    assert "went wrong" not in answer.text


async def test_words_of_others_stay_text(tmp_path: Path) -> None:
    """Markup in messages, titles, names, branches and searches is shown and never run."""
    nasty = '"><script>alert(1)</script>'
    async with visit(tmp_path) as (instance, alice):
        async with instance.site.db.write() as conn:
            await conn.execute(update(fetched.commit).values(message=nasty, author_name=nasty))
            await conn.execute(update(fetched.pull_request).values(title=nasty, labels=json.dumps([])))
            await conn.execute(update(tables.person).where(tables.person.c.id == BOB).values(login=nasty))
            await conn.execute(update(tables.repository).values(description=nasty, language=nasty))
            branch = fetched.ref.c.name == "refs/heads/topic"
            await conn.execute(update(fetched.ref).where(branch).values(name=f"refs/heads/{nasty}"))
        for path in [*PAGES, "/commits?q=%3Cscript%3Ealert", "/repos?q=%3Cscript%3Ealert"]:
            answer = await alice.open(path)
            assert answer.status == 200, path
            assert "<script>alert" not in answer.text, path


async def test_pages_cost_a_fixed_number_of_queries(tmp_path: Path) -> None:
    """A page asks as often for somebody with everything as for somebody with nothing."""
    asked: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    async with visit(tmp_path) as (instance, alice), Guest(instance.url, "") as mallory:
        await enter(instance, mallory, MALLORY)
        event.listen(instance.site.db.engine.sync_engine, "before_cursor_execute", note)
        most = dict.fromkeys(("/repos", "/pulls", "/pulls?list=all", "/activity", "/settings"), 8)
        # Pages of many blocks.
        most |= {"/pulls/insights": 10, "/calendar": 8, "/sync": 12}
        for path in (*most, "/", "/commits", "/commits?q=change", "/search?q=change"):
            counts = []
            for guest in (alice, mallory):
                asked.clear()
                await guest.open(path)
                counts.append(len([one for one in asked if one.lower().startswith("select")]))
            if path in most:
                assert counts[0] == counts[1] <= most[path], (path, counts)
            # Before the first sync the dashboard tells how much is stored already. What is beside the commits
            # that were found is not asked for where none was.
            assert counts[1] - (path == "/") <= counts[0] <= 16, (path, counts)


async def test_choosing_repositories(tmp_path: Path) -> None:
    """What is ticked is followed, what is not is left, and what alice cannot read is not touched."""
    async with visit(tmp_path) as (instance, alice):
        page = (await alice.open("/repos/choose")).text
        assert re.search(rf'name="repo" value="{ATLAS}" checked', page)
        form = {"shown": "11", "repo": "12"}
        answer = await alice.send("/repos/choose", form)
        assert answer.status == 303
        async with instance.site.db.read() as conn:
            rows = await conn.execute(
                select(tables.follow.c.repository_id).where(tables.follow.c.account_id == ALICE)
            )
            assert set(rows.scalars()) == {ATLAS}
        assert (await alice.send("/repos/choose", {"shown": "x"})).status == 400


async def test_somebody_new(tmp_path: Path) -> None:
    """Nothing chosen yet: four steps, one action, and no invented number."""
    async with visit(tmp_path) as (instance, alice):
        async with instance.site.db.write() as conn:
            await conn.execute(delete(tables.follow).where(tables.follow.c.account_id == ALICE))
            await conn.execute(delete(tables_sync.run))
        page = text_of((await alice.open("/")).text)
        assert "Nothing is followed yet" in page
        assert "Choose repositories" in page
        assert "2 of 4 done" in page
        assert "Commits 0" not in page
        assert "No repositories yet" in (await alice.open("/repos")).text
        assert "Nothing is followed yet" in (await alice.open("/pulls")).text


async def test_settings_are_kept(tmp_path: Path) -> None:
    """Theme and time zone change the next page; what is neither is refused; other sites change nothing."""
    async with visit(tmp_path) as (_, alice):
        await alice.send("/settings/theme", {"theme": "dark", "return_to": "/repos"})
        assert 'data-theme="dark"' in (await alice.open("/")).text
        away = {"time_zone": "Asia/Kathmandu", "return_to": "//evil.example"}
        answer = await alice.send("/settings/time-zone", away)
        assert not answer.location.endswith("evil.example")
        assert "Times in Asia/Kathmandu" in (await alice.open("/")).text
        assert (await alice.send("/settings/time-zone", {"time_zone": "../etc/passwd"})).status == 400
        assert (await alice.send("/settings/theme", {"theme": "pink"})).status == 400
        refused = await alice.send("/settings/theme", {"theme": "light"}, sec_fetch_site="cross-site")
        assert refused.status == 403


async def test_what_is_new_since_the_last_visit(tmp_path: Path) -> None:
    """A line stands where the last visit ended; a visit ends after half an hour without a page."""
    async with visit(tmp_path) as (instance, alice):
        async with instance.site.db.write() as conn:
            await conn.execute(update(tables.account).values(last_visit_at=NOW - 20 * 3600))
        for _ in range(2):
            page = text_of((await alice.open("/")).text)
            assert "Your last visit, 22 November 2026, 16:00" in page
        instance.clock.ahead_s += 3600
        assert "Your last visit" not in text_of((await alice.open("/")).text)


async def test_sync_now(tmp_path: Path) -> None:
    """The button makes the account due at once, before anything that is only polled."""
    async with visit(tmp_path) as (instance, alice):
        answer = await alice.send("/sync/now", {})
        assert answer.location.endswith("/sync")
        async with instance.site.db.read() as conn:
            row = (await conn.execute(select(tables_sync.schedule))).one()
        assert (row.account_id, row.due_at, row.priority) == (ALICE, pytest.approx(NOW, abs=60), 0)


async def test_progress_as_it_happens(tmp_path: Path) -> None:
    """The stream begins with the state as it is."""
    async with visit(tmp_path) as (instance, alice), aiohttp.ClientSession() as http:
        cookies = "; ".join(f"{name}={value}" for name, value in alice.cookies["localhost"].items())
        headers = {"Cookie": cookies, "Accept": "text/event-stream"}
        async with http.get(f"{instance.url}/sync/events", headers=headers) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            line = await answer.content.readline()
    state = json.loads(line.removeprefix(b"data: "))
    assert (state["followed"], state["read"], state["commits"], state["pulls"]) == (2, 1, 11, 9)


def test_every_screen_is_in_the_list() -> None:
    """A page that is added to the table of addresses is tested here too."""
    known = {
        re.sub(r"[?].*", "", path).replace("fernhill/atlas", "{owner}/{name}").replace("weeks", "{chart}")
        for path in PAGES
    }
    signing = {
        "/setup",
        "/signin",
        "/auth/login",
        "/auth/callback",
        "/auth/other",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    # The owner's own pages are tested with the settings.
    signing |= {"/auth/github/callback", "/settings/users", "/settings/system"}
    machines = {
        "/.well-known/oauth-client",
        "/calendar.csv",
        "/calendar/hours.csv",
        *("/commits.csv", "/commits.json", "/commits.md"),
        "/sync/events",
        "/api/openapi.json",
        "/b/{secret}.svg",
        "/feeds/{token}/activity.atom",
        "/feeds/{token}/pulls.atom",
        "/feeds/{token}/r/{owner}/{name}/activity.atom",
        "/sync/budgets.csv",
        "/r/{owner}/{name}/charts/{chart}.csv",
        "/pulls/insights/{chart}.csv",
    }
    pages = {route.path for route in ROUTES if route.methods and "GET" in route.methods}
    assert pages - signing - machines <= known
