"""A private repository exists for those alone whose own token has proved that they may read it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from local_instance import Guest, LocalInstance, serve
from sandbox_control import Sandbox
from small_visit import text_of
from small_world import enter
from sqlalchemy import func, select
from starlette.routing import Route

from trackeep.database import Database
from trackeep.instance.app import ROUTES
from trackeep.model import Person
from trackeep.store import people, schedule
from trackeep.store.tables import access, follow, repository
from trackeep.store.tables_fetched import commit
from trackeep.sync.once import sync_once

pytestmark = pytest.mark.anyio

# What nobody but alice and carol may ever see: the name, and words of a commit, a branch and an issue.
NAME, NOBODYS, OWNER = "obsidian-ledger-77", "obsidian-ledger-78", "fernhill"
SECRETS = (NAME, "quartz-quota-41", "onyx-branch-52", "zircon-issue-63", "beryl-pull-74")
PUBLIC = "fernhill/atlas"
DAY_S = 86_400
QUERIES = (
    "repo={full}", "repo={full}&list=open", "q={name}", "author=alice", "everything=1", "owner={owner}",
    "kind=commit&repo={full}", "repository={full}", "only=counted&repo={full}", "path={name}",
    "request={name}", "template={name}", "self={name}", "url={name}",
)  # fmt: skip


@dataclass(frozen=True)
class House:
    """An instance that alice, carol and bob use together, beside a GitHub that can be changed."""

    github: Sandbox
    instance: LocalInstance

    @property
    def db(self) -> Database:
        return self.instance.site.db

    async def sync(self, login: str, *names: str) -> None:
        token = self.github.token(login)
        await sync_once(self.db, self.github.addresses, token, names, clock=self.github.now)

    @asynccontextmanager
    async def visit(self, login: str) -> AsyncIterator[Guest]:
        number = self.github.person_id(login)
        async with self.db.write() as conn:
            await people.allow(conn, Person(number, login), "command", self.instance.site.now())
        async with Guest(self.instance.url, "", login) as guest:
            await enter(self.instance, guest, number)
            yield guest

    async def repository_id(self) -> int:
        async with self.db.read() as conn:
            found = select(repository.c.id).where(repository.c.name == NAME)
            return int((await conn.execute(found)).scalar_one())

    async def count(self, table: Any) -> int:
        place = table.c.repository_id == await self.repository_id()
        async with self.db.read() as conn:
            return int((await conn.execute(select(func.count()).where(place))).scalar_one())


@pytest.fixture(scope="module")
def github(changing: Sandbox) -> Iterator[Sandbox]:
    """The private repository with words of its own in everything that may betray it."""
    old = f"{OWNER}/harbor"
    changing.change(old, "rename", name=NAME)
    full = f"{OWNER}/{NAME}"
    changing.change(full, "push", message="quartz-quota-41", author="alice")
    changing.change(full, "push", branch="onyx-branch-52", message="quartz-quota-41", author="alice")
    changing.change(full, "open-pull", title="beryl-pull-74", author="alice")
    changing.change(full, "open-issue", title="zircon-issue-63", author="alice")
    yield changing


@pytest.fixture
async def house(github: Sandbox, tmp_path: Path) -> AsyncIterator[House]:
    async with serve(tmp_path, github.url) as instance:
        house = House(github, instance)
        await house.sync("alice", PUBLIC, f"{OWNER}/{NAME}")
        async with house.db.write() as conn:
            await people.make_owner(conn, github.person_id("alice"))
        yield house


def addresses(method: str) -> list[str]:
    """Every address of the table, with the private repository wherever a name can stand."""
    found = []
    for route in ROUTES:
        assert isinstance(route, Route)
        if method not in (route.methods or ()):
            continue
        path = route.path.replace("{owner}", OWNER).replace("{name}", NAME)
        path = path.replace("{token}", "x").replace("{secret}", "x")
        charts = ("weeks", "hours", "authors", "contributors", "frequency", "languages")
        charts = charts if "{chart}" in path else ("",)
        found += [path.replace("{chart}", chart) for chart in charts]
    return found


async def answer_to(visitor: Guest, path: str, query: str, name: str) -> tuple[int, str]:
    """Status and page, without the name that was asked for, the number of the request and its second."""
    asked = f"{path}?{query}".replace(NAME, name).format(full=f"{OWNER}/{name}", name=name, owner=OWNER)
    answer = await visitor.open(asked)
    said = f"{sorted(answer.headers)} {answer.text}".replace(name, "the-name")
    return answer.status, re.sub(r"[0-9a-f]{16}|\d\d:\d\d:\d\d(?= UTC)", "number", said)


def told(text: str) -> list[str]:
    return [word for word in SECRETS if word in text]


async def test_bob_asks_every_address(house: House) -> None:
    """Without access every address of the table answers as for a name that never existed."""
    await house.sync("bob", PUBLIC)
    asked = 0
    async with house.visit("bob") as bob:
        for path in addresses("GET"):
            if path == "/sync/events":
                continue  # It never ends; what it sends are the counts that /sync shows.
            for query in ("", *QUERIES):
                asked += 1
                real, invented = [await answer_to(bob, path, query, name) for name in (NAME, NOBODYS)]
                assert real == invented, (path, query)
                assert not told(real[1]), (path, query)
                assert real[0] == 404 or not path.startswith("/r/"), (path, query)
    assert asked > 200


async def test_alice_sees_what_bob_does_not(house: House) -> None:
    """The same words do stand on her pages: the test above could fail."""
    async with house.visit("alice") as alice:
        pages = [(await alice.open(path)).text for path in addresses("GET") if path != "/sync/events"]
    assert {word for page in pages for word in told(page)} == set(SECRETS)


async def test_bob_cannot_follow_what_he_cannot_read(house: House) -> None:
    """A form with the number of a private repository neither follows it nor tells that it exists."""
    await house.sync("bob", PUBLIC)
    number = str(await house.repository_id())
    async with house.visit("bob") as bob:
        answer = await bob.send("/repos/choose", {"shown": number, "repo": number})
        nobody = await bob.send("/repos/choose", {"shown": "123456789", "repo": "123456789"})
    assert (answer.status, answer.text) == (nobody.status, nobody.text)
    bobs = house.github.person_id("bob")
    async with house.db.read() as conn:
        for table in (follow, access):
            rows = select(table.c.repository_id).where(table.c.account_id == bobs)
            assert int(number) not in set((await conn.execute(rows)).scalars())


async def test_bob_does_nothing_with_what_he_cannot_read(house: House) -> None:
    """Every action with the number of a private repository ends as with a number that nobody has."""
    await house.sync("bob", PUBLIC)
    number = str(await house.repository_id())
    before = await house.count(follow), await house.count(commit)
    async with house.visit("bob") as bob:
        for do in ("track", "pause", "sync", "hide", "show", "archive", "deep", "tag", "untag"):
            sent = [
                await bob.send("/repos/bulk", {"do": do, "tag": "x", "repo": each})
                for each in (number, "123456789")
            ]
            pages = {re.sub(r"[0-9a-f]{16}|\d\d:\d\d:\d\d", "", each.text) for each in sent}
            assert ([each.status for each in sent], len(pages)) == ([404, 404], 1), do
        asked = [await bob.send("/repos/delete", {"repo": each}) for each in (number, "123456789")]
        assert [each.status for each in asked] == [404, 404]
        added = [await bob.send("/repos/add", {"repository": f"{OWNER}/{each}"}) for each in (NAME, NOBODYS)]
        assert added[0].location == added[1].location
        await house.sync("bob")
        said = text_of((await bob.open("/repos")).text)
        assert said.count("GitHub shows no such repository to you") == 2
    assert before == (await house.count(follow), await house.count(commit))


async def test_access_that_was_taken_away_hides_at_the_next_poll(house: House) -> None:
    """carol loses the repository at GitHub: gone from her pages, not from alice's, and not deleted."""
    full = f"{OWNER}/{NAME}"
    await house.sync("carol", PUBLIC, full)
    async with house.visit("carol") as carol:
        assert (await carol.open(f"/r/{full}")).status == 200
        house.github.change(full, "access", login="carol", permission=None)
        try:
            await house.sync("carol")
            assert (await carol.open(f"/r/{full}")).status == 404
            assert told((await carol.open("/commits?q=quartz")).text.replace("q=quartz", "")) == []
            assert (await carol.open(f"/sync/r/{full}")).status == 404
            # The name that she knew is all that is left of it, to be put away or deleted by.
            page = (await carol.open("/repos")).text
            assert f"GitHub answers 404 for {full}" in text_of(page)
            assert set(told(page)) == {NAME}
        finally:
            house.github.change(full, "access", login="carol", permission="push")
    assert await house.count(commit) > 600
    async with house.visit("alice") as alice:
        assert (await alice.open(f"/r/{full}")).status == 200


async def test_without_proof_for_a_day_private_is_hidden(house: House) -> None:
    """A dead token proves nothing: after 24 hours what is private is hidden, what is public stays."""
    async with house.visit("alice") as alice:
        assert (await alice.open(f"/r/{OWNER}/{NAME}")).status == 200
        house.instance.clock.ahead_s += DAY_S + 60
        assert (await alice.open(f"/r/{OWNER}/{NAME}")).status == 404
        assert (await alice.open(f"/r/{PUBLIC}")).status == 200


async def test_rows_go_with_their_last_follower(house: House) -> None:
    """What two people follow is stored once; one leaves and it stays, the last one leaves and it is gone."""
    full = f"{OWNER}/{NAME}"
    before = await house.count(commit)
    await house.sync("carol", full)
    assert await house.count(commit) == before > 600
    place = [await house.repository_id()]
    for login, left in (("alice", before), ("carol", 0)):
        async with house.db.write() as conn:
            await schedule.unfollow_repositories(conn, house.github.person_id(login), place)
        assert await house.count(commit) == left
