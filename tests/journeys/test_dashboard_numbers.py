"""The dashboard's figures equal figures computed straight from git and from what is true in the sandbox."""

from __future__ import annotations

import html
import re
import statistics
import subprocess
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from local_instance import Guest, serve
from programs import Program
from sandbox_control import Sandbox
from small_world import enter

from trackeep.store import people, preferences
from trackeep.sync.once import sync_once

pytestmark = pytest.mark.anyio
HOUR_S = 3_600


@dataclass
class Truth:
    """What alice did, read from the repositories on disk and the sandbox's own list, in her zone."""

    sandbox: Sandbox
    zone: ZoneInfo
    now: float

    def __post_init__(self) -> None:
        # A stranger's public repository is readable, but not on the list that GitHub gives her.
        readable = self.sandbox.repositories("alice")
        self.repositories = [one for one in readable if one["full_name"] != "carol/heron"]
        alice = next(one for one in self.sandbox.ask("/people") if one["login"] == "alice")
        self.emails = {email["address"].lower() for email in alice["emails"] if email["verified"]}
        self.today = datetime.fromtimestamp(self.now, self.zone).date()

    def day(self, at: float) -> date:
        return datetime.fromtimestamp(at, self.zone).date()

    def log(self, repository: dict[str, Any], form: str) -> list[list[str]]:
        """Lines of `git log` of the default branch, merges left out."""
        command = ["git", "--git-dir", repository["git_dir"], "log", "--no-merges", f"--format={form}"]
        branch = f"refs/heads/{repository['default_branch']}"
        done = subprocess.run([*command, branch, "--"], capture_output=True, text=True, check=False)
        return [line.split(" ") for line in done.stdout.splitlines()]

    def commits(self, *, forks: bool) -> dict[str, int]:
        """sha -> author date of her commits."""
        return {
            sha: int(at)
            for one in self.repositories
            if forks or not one["fork"]
            for sha, at, email in self.log(one, "%H %at %ae")
            if email.lower() in self.emails
        }

    def pulls(self) -> list[dict[str, Any]]:
        return [{**pull, "place": one["full_name"]} for one in self.repositories for pull in one["pulls"]]

    def reviews(self) -> list[tuple[str, int, int]]:
        """(repository, number, submitted_at) of her reviews of other people's pull requests."""
        return [
            (pull["place"], pull["number"], review["submitted_at"])
            for pull in self.pulls()
            if pull["author"] != "alice"
            for review in pull["reviews"]
            if review["author"] == "alice"
        ]

    def merged(self) -> list[tuple[int, int]]:
        """(merged_at, seconds from ready to merged) of her pull requests."""
        found = []
        for pull in self.pulls():
            if pull["author"] == "alice" and pull["merged_at"]:
                ready = [event["at"] for event in pull["events"] if event["kind"] == "ready_for_review"]
                found.append((pull["merged_at"], pull["merged_at"] - max(ready, default=pull["created_at"])))
        return found

    def contributions(self) -> Counter[date]:
        days = Counter(self.day(at) for at in self.commits(forks=False).values())
        days.update(self.day(pull["created_at"]) for pull in self.pulls() if pull["author"] == "alice")
        days.update(day for _, _, day in {(place, n, self.day(at)) for place, n, at in self.reviews()})
        issues = [issue for one in self.repositories for issue in one["issues"] if issue["author"] == "alice"]
        days.update(self.day(issue["created_at"]) for issue in issues)
        return days

    def within(self, times: list[int], days: int) -> int:
        """How many are on one of the last `days` days."""
        return sum(self.today - timedelta(days=days) < self.day(at) <= self.today for at in times)

    def before(self, times: list[int], days: int) -> int:
        """How many are in as many days before, until the same time of day."""
        moment = datetime.fromtimestamp(self.now, self.zone)
        last = datetime.combine(moment.date() - timedelta(days=days), moment.time(), self.zone).timestamp()
        first = self.today - timedelta(days=2 * days)
        return sum(first < self.day(at) and at < int(last) for at in times)

    def streak(self) -> tuple[int, int]:
        """Current and longest run of days."""
        days, longest = self.contributions(), 0
        current = 0
        start = self.today if days[self.today] else self.today - timedelta(days=1)
        while days[start - timedelta(days=current)]:
            current += 1
        for day in days:
            run = 0
            while days[day + timedelta(days=run)]:
                run += 1
            longest = max(longest, run)
        return current, longest


def seen(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def in_hours(seconds: float) -> str:
    """As people write it: minutes below an hour, days from two days on, one decimal below ten."""
    for unit_s, unit, least in ((86_400, "d", 2), (HOUR_S, "h", 1), (60, "min", 1)):
        if seconds / unit_s >= least:
            value = seconds / unit_s
            return f"{value:.1f} {unit}".replace(".0 ", " ") if value < 9.95 else f"{value:.0f} {unit}"
    return f"{seconds:.0f} s"


@pytest.mark.parametrize(
    ("zone", "days"), [("Europe/Prague", 30), ("Asia/Kathmandu", 90), ("America/New_York", 7)]
)
async def test_the_dashboard_equals_the_truth(sandbox: Program, tmp_path: Path, zone: str, days: int) -> None:
    """Tiles, calendar and repositories table, in three zones and periods, against an independent count."""
    github = Sandbox(sandbox.url)
    alice = github.person_id()
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as guest:
        await sync_once(instance.site.db, github.addresses, github.token(), ())
        async with instance.site.db.write() as conn:
            await people.make_owner(conn, alice)
            await preferences.save(conn, alice, time_zone=zone)
        await enter(instance, guest, alice)
        truth = Truth(github, ZoneInfo(zone), instance.site.now())
        page = (await guest.open(f"/?period={days}d")).text
    shown = seen(page)

    commits = list(truth.commits(forks=True).values())
    merged, reviews = truth.merged(), [at for _, _, at in truth.reviews()]
    for title, times in (
        ("Commits", commits),
        ("Pull requests merged", [at for at, _ in merged]),
        ("Reviews given", reviews),
    ):
        line = (
            rf"{title} {truth.within(times, days)}( \w+ \d+%)? {truth.before(times, days)} in the {days} days"
        )
        assert re.search(line, shown), (line, shown[:900])

    took = sorted(seconds for at, seconds in merged if truth.within([at], days))
    median, slow = statistics.median(took), took[ceil(len(took) * 0.9) - 1]
    assert f"Median time to merge {in_hours(median)}" in shown
    assert f"p90 {in_hours(slow)} · {len(took)} merged" in shown

    current, longest = truth.streak()
    assert f"Current streak {current} days Longest ever {longest} days" in shown

    calendar = {
        date.fromisoformat(day): int(n) for day, n in re.findall(r'data-d="(.+?)" data-n="(\d+)"', page)
    }
    known = truth.contributions()
    assert len(calendar) == 365
    assert calendar == {day: known[day] for day in calendar}
    assert f"{sum(calendar.values()):,} contributions in the last year" in shown

    for one in truth.repositories:
        count = truth.within([int(at) for (at,) in truth.log(one, "%ct")], days)
        is_open = sum(pull["state"] == "open" for pull in one["pulls"])
        row = re.search(rf'href="/r/{one["full_name"]}".*?</tr>', page)
        if row:
            numbers = re.findall(r"[?][^>]*>([\d,]+)</a>", row[0])
            assert numbers == [f"{count:,}", f"{is_open:,}"], (one["full_name"], numbers)
