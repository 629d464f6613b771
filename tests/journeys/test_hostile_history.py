"""A history that nobody should have written is stored whole, shown safely and never fetched twice."""

from __future__ import annotations

import html
import json
import re
import sqlite3
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from copy_of_github import differences
from gitrepo import GitRepo
from local_instance import Guest, serve
from programs import github_environment, run, start
from sandbox_control import Sandbox
from small_world import enter
from sqlalchemy import Text, select

from trackeep.database import Database
from trackeep.model import EARLIEST_AT, LATEST_AT
from trackeep.store import tables_fetched as fetched
from trackeep.store.schema import metadata
from trackeep.store.tables import allowed_person
from trackeep.sync.engine import Outcome
from trackeep.sync.once import sync_once

pytestmark = pytest.mark.anyio
RELICS, RIBBONS = "alice/relics", "alice/ribbons"
# What may stand in a page: https://html.spec.whatwg.org/multipage/parsing.html#preprocessing-the-input-stream
PAGES = [
    *("/", "/?period=all", "/commits", "/commits?by=author", "/commits?q=alert", "/repos", "/sync"),
    *("/activity", "/calendar", "/calendar?year=1900", "/calendar?year=2106", "/calendar?year=9999"),
    *(f"/r/{RELICS}", f"/r/{RELICS}?period=all", f"/r/{RELICS}/commits", f"/r/{RELICS}/branches"),
    *(f"/r/{RELICS}/pulls", f"/r/{RELICS}/charts/contributors?period=all", f"/r/{RELICS}/charts/weeks"),
]
VOID = {"meta", "link", "input", "br", "img", "hr", "wbr", "col"}
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef]")


@pytest.fixture(scope="module")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A GitHub with one repository of hostile commits."""
    program = start("sandbox", "serve", "--port", "0", "--data-dir", str(tmp_path_factory.mktemp("sandbox")))
    sandbox = Sandbox(program.url)
    sandbox.make(RELICS, "hostile")
    yield sandbox
    program.stop()


async def sync(db: Database, sandbox: Sandbox, name: str) -> Outcome:
    outcome = await sync_once(db, sandbox.addresses, sandbox.token(), [name])
    assert outcome.state in ("done", "idle") and not outcome.failures, outcome
    return outcome


def git_cost(sandbox: Sandbox, since: int) -> int:
    """Requests of the git protocol since then."""
    return sum("git-upload-pack" in each["path"] for each in sandbox.log(since))


async def rows_of(db: Database, table: Any) -> list[dict[str, Any]]:
    async with db.read() as conn:
        return [dict(row) for row in (await conn.execute(select(table))).mappings()]


async def test_every_commit_that_git_can_hold_is_stored(db: Database, github: Sandbox) -> None:
    """The shas equal `git rev-list --branches --tags`, tags are peeled, and no text holds a NUL."""
    await sync(db, github, RELICS)
    assert await differences(db, github, [RELICS]) == {}
    for table in metadata.sorted_tables:
        texts = [column.name for column in table.columns if isinstance(column.type, Text)]
        for row in await rows_of(db, table):
            assert not any("\0" in (row[name] or "") for name in texts), (table.name, row)


class Shown(HTMLParser):
    """Which elements a page opens and does not close, and whether any came from a commit."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "u" and not any(name.startswith("on") for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Closed at once, as drawings write it."""

    def handle_endtag(self, tag: str) -> None:
        # An item of a list or a paragraph may end with what it stands in.
        while self.open[-1] != tag and self.open[-1] in ("li", "p", "option", "td", "tr"):
            self.open.pop()
        assert self.open.pop() == tag, (tag, self.open)


async def test_every_page_shows_it_safely(db: Database, github: Sandbox, tmp_path: Path) -> None:
    """No page fails, breaks its markup, runs what a commit says or holds a control character."""
    await sync(db, github, RELICS)
    alice = github.person_id("alice")
    async with db.write() as conn:
        row = {"id": alice, "login": "alice", "source": "command", "checked_at": 1}
        await conn.execute(allowed_person.insert(), [row])
    async with (
        serve(tmp_path, github.url, database_url=db.url) as instance,
        Guest(instance.url, "") as guest,
    ):
        await enter(instance, guest, alice)
        todo, seen = list(PAGES), set()
        while todo and len(seen) < 60:
            path = todo.pop(0)
            seen.add(path)
            answer = await guest.open(path)
            assert answer.status == 200, (path, answer.location, answer.text[-500:])
            found = FORBIDDEN.search(answer.text)
            assert not found, (path, answer.text[found.start() - 80 : found.start() + 20] if found else "")
            assert "<script>alert" not in answer.text and len(answer.text) < 400_000
            assert Shown(answer.text).open == [], path
            links = re.findall(r'href="(/[^"]*)"( rel="next")?', answer.text)
            onward = [html.unescape(link) for link, is_next in links if is_next or "author=" in link]
            todo += [link for link in onward if link not in seen and link not in todo]
        assert any("author=" in path for path in seen) and any("after=" in path for path in seen)


async def test_every_text_is_kept_by_one_rule(db: Database, github: Sandbox) -> None:
    """Declared encoding, else UTF-8, else Latin-1; U+0000 is replaced, names are cut at 255 characters."""
    made = await sync(db, github, RELICS)
    repo = GitRepo(Path(github.repository(RELICS)["git_dir"]))
    stored = {row["sha"]: row for row in await rows_of(db, fetched.commit)}
    for sha, row in stored.items():
        head, _, message = repo.git_bytes("cat-file", "commit", sha).partition(b"\n\n")
        assert row["message"] == by_the_rule(message, head).rstrip("\r\n"), sha
        line = re.search(rb"^author (.*)", head, re.MULTILINE)
        if line and b"<" in line[1]:
            name = by_the_rule(line[1].partition(b"<")[0], head)
            assert row["author_name"] == name.strip()[:255].rstrip()
        assert row["parents"].split() == repo.git("rev-list", "--parents", "-1", sha).split()[1:]
    subjects = {row["message"].split("\n")[0] for row in stored.values()}
    assert {"Grüße", "Žluť", "日本語", "Zoë", "before\ufffdafter", "", "The same parent twice"} <= subjects
    assert max(len(row["message"]) for row in stored.values()) > 5_000_000
    assert made.found.commits == len(stored)


def by_the_rule(raw: bytes, head: bytes) -> str:
    found = re.search(rb"^encoding (.*)", head, re.MULTILINE)
    for encoding in ([found[1].decode(errors="replace")] if found else []) + ["utf-8"]:
        try:
            text = raw.decode(encoding)
            text.encode()
            return text.replace("\0", "\ufffd")
        except (LookupError, ValueError):
            pass
    return raw.decode("latin-1").replace("\0", "\ufffd")


async def test_times_are_as_documented(db: Database, github: Sandbox) -> None:
    """Years 2 to 9998, zones below a day; what is no number is 0, and both dates are kept apart."""
    await sync(db, github, RELICS)
    rows = await rows_of(db, fetched.commit)
    times = {row["authored_at"] for row in rows} | {row["committed_at"] for row in rows}
    zones = {row["author_offset_minutes"] for row in rows} | {row["committer_offset_minutes"] for row in rows}
    assert times == {
        # -930: a line without a time, whose zone is the first number.
        *(EARLIEST_AT, -2_208_988_800, -930, 0, 1, 1_000_000_000, 1_700_000_000),
        *(4_291_747_200, 4_294_967_296, LATEST_AT),
    }
    assert zones == {0, 5, 120, 318, 330, 840, -570, -1439}
    late = next(row for row in rows if row["message"] == "Written after it was committed")
    assert late["authored_at"] - late["committed_at"] == 700_000_000


async def test_an_export_holds_it_whole(db: Database, github: Sandbox, tmp_path: Path) -> None:
    """The copies as JSON lines and as SQLite file have the same commits and texts as the database."""
    await sync(db, github, RELICS)
    env = {
        **github_environment(github.url),
        "TRACKEEP_DATABASE_URL": db.url,
        "TRACKEEP_DATA_DIR": str(tmp_path),
    }
    for name in ("a.zip", "b.db"):
        done = run("export", str(tmp_path / name), "--account", "alice", env=env)
        assert done.returncode == 0, done.stderr
    stored = {row["sha"]: row["message"] for row in await rows_of(db, fetched.commit)}
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        lines = archive.read("commit.jsonl").decode().removesuffix("\n").split("\n")
        refs = {json.loads(line)["name"] for line in archive.read("ref.jsonl").splitlines()}
    assert {row["sha"]: row["message"] for row in map(json.loads, lines)} == stored
    assert {"refs/heads/ünï/cödé/分支/🦦", "refs/tags/twin", "refs/heads/twin"} <= refs
    copy = sqlite3.connect(tmp_path / "b.db")
    assert dict(copy.execute('select sha, message from "commit"')) == stored
    copy.close()


@pytest.mark.parametrize("without", ["git", "git and graphql"])
async def test_without_git_no_commit_is_lost(db: Database, github: Sandbox, without: str) -> None:
    """Where git is refused, the same commits come from GitHub's API, and both databases take all of them."""
    github.fault("POST .*/git-upload-pack", "status", status=403, times=1_000)
    if "graphql" in without:
        github.fault("POST /api/graphql", "status", status=403, times=1_000)
    await sync(db, github, RELICS)
    github.ask("/faults", method="DELETE")
    repo = GitRepo(Path(github.repository(RELICS)["git_dir"]))
    rows = await rows_of(db, fetched.commit)
    assert {row["sha"] for row in rows} == repo.all_shas()
    assert all(
        EARLIEST_AT <= row["authored_at"] <= LATEST_AT and len(row["author_name"]) < 256 for row in rows
    )
    assert not any("\0" in row["message"] + row["author_name"] + row["author_email"] for row in rows)
