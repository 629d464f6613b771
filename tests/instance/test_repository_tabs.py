"""The tabs of one repository over HTTP: what they show, to whom, and how large they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from instance.test_screens import text_of, visit
from local_instance import LocalInstance
from small_world import ALICE, ATLAS, BOB, NOW
from sqlalchemy import delete, select, update

from trackeep.store import tables, tables_sync
from trackeep.store import tables_fetched as fetched

pytestmark = pytest.mark.anyio
HOME = "/r/fernhill/atlas"


async def write(instance: LocalInstance, *statements: object) -> None:
    async with instance.site.db.write() as conn:
        for statement in statements:
            await conn.execute(statement)  # type: ignore[call-overload]  # any statement


def measured(sha: str, added: int, deleted: int, files: int) -> object:
    this = (fetched.commit.c.sha == sha) & (fetched.commit.c.repository_id == ATLAS)
    counts = {"additions": added, "deletions": deleted, "changed_files": files}
    return update(fetched.commit).where(this).values(**counts)


async def test_the_sentence_of_the_pulse(tmp_path: Path) -> None:
    """Authors, commits to main and everywhere, files and lines, merges excluded, and how much is measured."""
    async with visit(tmp_path) as (instance, alice):
        await write(
            instance, measured("a1", 1_200, 30, 4), measured("a2", 34, 5, 1), measured("a8", 999, 9, 9)
        )
        page = text_of((await alice.open(HOME)).text)
        quiet = text_of((await alice.open(f"{HOME}?period=custom&since=2026-09-01&until=2026-09-09")).text)
    assert (
        "3 authors and 1 bot pushed 7 commits to main and 8 to all branches; 5 files changed, +1,234 −35 "
        "in 2 of 7 measured, merges excluded. Half of the people’s work came from 1 person"
    ) in page
    assert (
        "No commits on main in the 9 days from 1 September 2026 to 9 September 2026. Show all branches · Last"
        in quiet
    )


async def test_the_pulse_counts_issues_and_releases(tmp_path: Path) -> None:
    """Each number leads to a list of as many rows."""
    issue = {"repository_id": ATLAS, "number": 30, "title": "Slow", "state": "closed", "updated_at": NOW}
    release = {"repository_id": ATLAS, "id": 5, "tag": "v1.2", "name": "Spring", "created_at": NOW}
    async with visit(tmp_path) as (instance, alice):
        await write(
            instance,
            fetched.issue.insert().values(**issue, created_at=NOW - 9_000, closed_at=NOW - 60),
            fetched.release.insert().values(**release, published_at=NOW - 120),
        )
        page = (await alice.open(HOME)).text
        said = text_of(page)
        assert "Closed issues 1 New issues 2 Open issues now 1 Releases 1" in said
        assert "Spring v1.2" in said
        for kind, count in (("issue-closed", 1), ("issue-opened", 2), ("release", 1)):
            link = re.search(rf'href="([^"]*/activity\?kind={kind}[^"]*)"', page)
            assert link is not None
            listed = (await alice.get(instance.url.removesuffix("/") + link[1].replace("&amp;", "&"))).text
            assert listed.count("<li><svg") == count, kind


async def test_the_largest_languages(tmp_path: Path) -> None:
    """A bar in GitHub's colours with its shares in words, the small ones as one; a bad colour is not used."""
    sizes = [(f"L{n}", 10 * (10 - n), "#12aB9f" if n else '"/><x') for n in range(8)]
    rows = [{"repository_id": ATLAS, "name": n, "bytes": b, "color": c} for n, b, c in sizes]
    async with visit(tmp_path) as (instance, alice):
        assert "No language known" in (await alice.open(HOME)).text
        await write(instance, fetched.language.insert().values(rows))
        page = (await alice.open(HOME)).text
        table = (await alice.open(f"{HOME}/charts/languages.csv")).text.split("\r\n")
    assert "L0 19.2% 100 B" in text_of(page)
    assert "2 others 13.5% 70 B" in text_of(page)
    assert 'fill="#12aB9f"' in page and "<x" not in page
    assert table[1] == "L0,100,19.2%"
    bar = re.findall(r'x="([\d.]+)%" width="([\d.]+)%" y="0" height="12"', page)
    assert sum(map(float, bar[-1])) == pytest.approx(100, abs=0.02), "the last share ends with the card"


async def test_bots_come_when_they_are_asked_for(tmp_path: Path) -> None:
    """People alone, a switch that says how many machines are hidden, and the same in table and file."""
    async with visit(tmp_path) as (_, alice):
        people = text_of((await alice.open(f"{HOME}/contributors")).text)
        every = text_of((await alice.open(f"{HOME}/contributors?bots=1")).text)
        table = (await alice.open(f"{HOME}/charts/contributors.csv")).text
        with_bots = (await alice.open(f"{HOME}/charts/contributors.csv?bots=1")).text
    assert "3 contributors" in people and "1 bot hidden" in people and "dependabot" not in people
    assert "6 commits to main in the last 90 days, merges and bots left out; drawn per week" in people
    assert "Half of the work came from 1 contributor" in people
    assert "4 contributors" in every and "1 bot shown" in every and "dependabot[bot] Bot 1 commit" in every
    assert "dependabot" not in table
    assert "dependabot[bot],1,,,0," in with_bots
    assert table.split("\r\n")[1].startswith("alice,4,,,0,")


async def test_a_hundred_and_thirty_people(tmp_path: Path) -> None:
    """The busiest hundred come in pages that stay small; the last page is what is left of them."""
    async with visit(tmp_path) as (instance, alice):
        async with instance.site.db.write() as conn:
            a1 = select(fetched.commit).where(fetched.commit.c.sha == "a1").limit(1)
            row = dict((await conn.execute(a1)).mappings().one()) | {"repository_id": ATLAS}
            del row["id"]
            many = [
                {
                    **row,
                    "sha": f"n{person}-{n}",
                    "author_name": f"person{person:03}",
                    "author_email": f"{person}@x",
                }
                for person in range(130)
                for n in range(3)
            ]
            await conn.execute(fetched.commit.insert(), many)
        seen: list[str] = []
        for start in (0, 24, 48, 72, 96):
            page = (await alice.open(f"{HOME}/contributors?period=12m&from={start}")).text
            assert len(re.findall(r"<[a-z]", page)) < 1_500
            seen += re.findall(r'<div class="who">.*?<a class="t"[^>]*>([^<]+)<', page)
        far = (await alice.open(f"{HOME}/contributors?period=12m&from=900")).text
        table = (await alice.open(f"{HOME}/charts/contributors?period=12m")).text
        rows = (await alice.open(f"{HOME}/charts/contributors.csv?period=12m")).text.count("\r\n")
    assert len(seen) == len(set(seen)) == 100
    assert "97 to 100 of the busiest 100" in text_of(far)
    assert len(re.findall(r"<[a-z]", table)) < 1_500 and "Next rows" in table
    assert rows == 101


async def test_code_frequency(tmp_path: Path) -> None:
    """The sentence, the chart's own words, table and file hold the same lines; what is unknown is no zero."""
    async with visit(tmp_path) as (instance, alice):
        before = text_of((await alice.open(f"{HOME}/frequency")).text)
        await write(instance, measured("a1", 100, 40, 1), measured("a9", 3, 60, 1))
        page = (await alice.open(f"{HOME}/frequency")).text
        table = text_of((await alice.open(f"{HOME}/charts/frequency")).text)
        rows = (await alice.open(f"{HOME}/charts/frequency.csv")).text.split("\r\n")
        week = (await alice.open(f"{HOME}/charts/frequency.csv?period=7d")).text.split("\r\n")
        empty = text_of(
            (await alice.open(f"{HOME}/frequency?period=custom&since=2026-09-01&until=2026-09-09")).text
        )
    assert "Lines —, 0 of 7 commits measured" in before
    said = text_of(page)
    assert "+103 and −100 lines, +3 in all, 2 of 7 commits measured" in said
    assert "Most changed in the week from 17 Nov: +100 −40." in said
    assert "103 added, 100 removed by 2 measured commits." in page
    assert 'class="area"' in page and 'class="area neg"' in page
    assert rows[0] == "Week from,Added,Removed,Commits,Measured"
    assert rows[-2] == "2026-11-17,100,40,6,1"
    assert "2026-10-20,3,60,1,1" in rows
    assert "17 November 2026 100 40 6 1" in table
    assert week[0] == "Day from,Added,Removed,Commits,Measured"
    assert "2026-11-22,,,4,0" in week, "not measured is not zero"
    assert "2026-11-18,0,0,0,0" in week
    assert "No commits on main in the 9 days from 1 September 2026 to 9 September 2026" in empty


async def test_the_activity_of_one_repository(tmp_path: Path) -> None:
    """Everything of this repository and nothing of another, narrowed by kind, part, person and days."""
    change = {"repository_id": ATLAS, "name": "refs/heads/topic", "seen_at": NOW - 60}
    async with visit(tmp_path) as (instance, alice):
        await write(instance, fetched.ref_change.insert().values(**change, kind="forced"))
        every = text_of((await alice.open(f"{HOME}/activity")).text)
        forced = text_of((await alice.open(f"{HOME}/activity?kind=forced")).text)
        bobs = text_of((await alice.open(f"{HOME}/activity?who=@bob&kind=pull")).text)
        days = text_of((await alice.open(f"{HOME}/activity?kind=merged&until=2026-11-18")).text)
        nobody = await alice.open(f"{HOME}/activity?who=nobody")
    assert "atlas topic was force-pushed" in every and "heron" not in every
    assert (
        "atlas topic was force-pushed" in forced
        and "commit" not in forced.split("Force-pushed")[1].split("v0")[0]
    )
    assert "bob opened atlas #4" in bobs and "You" not in bobs.split("Filter")[1]
    assert "You merged atlas #1" in days and "#2" not in days
    assert nobody.status == 200 and "Nothing happened" in nobody.text


async def test_many_alike_are_one_line(tmp_path: Path) -> None:
    """Five branches that went on one day are one line that opens; three are three."""
    one = {"repository_id": ATLAS, "kind": "deleted"}
    async with visit(tmp_path) as (instance, alice):
        rows = [{**one, "name": f"refs/heads/b{n}", "seen_at": NOW - 60 - n} for n in range(5)]
        rows += [
            {**one, "kind": "created", "name": f"refs/heads/c{n}", "seen_at": NOW - 90} for n in range(3)
        ]
        await write(instance, fetched.ref_change.insert().values(rows))
        page = (await alice.open("/activity?kind=branch")).text
    said = text_of(page)
    assert "5 branches were deleted in atlas" in said
    assert page.split("<main")[1].count("<details><summary>") == 1
    assert len(re.findall(r"Branch [bc]\d (?:was deleted|appeared) in atlas", said)) == 8


async def test_a_line_of_many_stops_at_the_last_visit(tmp_path: Path) -> None:
    """What happened before the last visit and what is new are never one line."""
    one = {"repository_id": ATLAS, "kind": "deleted"}
    async with visit(tmp_path) as (instance, alice):
        times = [NOW - 60] * 4 + [NOW - 3 * 3600] * 4
        rows = [{**one, "name": f"refs/heads/b{n}", "seen_at": at} for n, at in enumerate(times)]
        await write(
            instance,
            fetched.ref_change.insert().values(rows),
            update(tables.account).values(last_visit_at=NOW - 2 * 3600),
        )
        said = text_of((await alice.open("/activity?kind=branch")).text)
    assert said.count("4 branches were deleted in atlas") == 2
    assert said.index("Your last visit") > said.index("4 branches were deleted")


async def test_tabs_of_what_may_not_be_read(tmp_path: Path) -> None:
    """Each tab of bob's private repository is the same 404 for alice as one of a name that never existed."""
    async with visit(tmp_path) as (_, alice), visit(tmp_path / "bob", BOB) as (_, bob):
        for tab in ("", "/branches", "/contributors", "/frequency", "/activity", "/charts/frequency.csv"):
            real = await alice.open(f"/r/bob/secret-plan{tab}")
            invented = await alice.open(f"/r/bob/secret-plot{tab}")
            assert (real.status, invented.status) == (404, 404)
            assert (await bob.open(f"/r/bob/secret-plan{tab}")).status == 200


async def test_a_repository_without_anything(tmp_path: Path) -> None:
    """Nothing stored yet: every tab says so in words, none fails."""
    async with visit(tmp_path) as (instance, alice):
        await write(
            instance, *(delete(table) for table in (fetched.commit, fetched.ref, fetched.pull_request))
        )
        await write(instance, delete(fetched.issue))
        for tab in ("", "/contributors", "/frequency", "/activity", "/branches"):
            for period in ("7d", "all"):
                answer = await alice.open(f"{HOME}{tab}?period={period}")
                assert answer.status == 200, tab
                assert re.search(r"No commits on main|Nothing happened|No branch", text_of(answer.text)), tab


@pytest.mark.parametrize(
    ("style", "day", "moment"),
    [
        ("day", "17 November 2026", "23 November 2026, 11:00"),
        ("month", "November 17, 2026", "November 23, 2026, 11:00"),
        ("iso", "2026-11-17", "2026-11-23, 11:00"),
    ],
)
async def test_the_days_of_tables_are_written_in_one_form(
    tmp_path: Path, style: str, day: str, moment: str
) -> None:
    """Tables of charts have the form that the reader chose, in rows as in columns; files have ISO 8601."""
    async with visit(tmp_path) as (instance, alice):
        async with instance.site.db.write() as conn:
            await conn.execute(update(tables.account).values(date_style=style))
            used = {"account_id": ALICE, "resource": "core", "slot_at": NOW - 3_600, "limit": 10, "used": 5}
            await conn.execute(tables_sync.budget_reading.insert(), used)
        tables_of = [f"{HOME}/charts/{chart}" for chart in ("weeks", "frequency", "contributors")]
        for path in (*tables_of, "/pulls/insights/weeks"):
            assert f" {day} " in text_of((await alice.open(path)).text), path
            assert "2026-11-17" in (await alice.open(f"{path}.csv")).text, path
        assert f" {moment} 50 " in text_of((await alice.open("/sync/budgets")).text)
        assert "\r\n2026-11-23T11:00+01:00,50\r\n" in (await alice.open("/sync/budgets.csv")).text
