"""Attack 40: mallory, and a colleague, look for traces of a repository that they may not read."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from local_instance import Guest, LocalInstance, serve
from programs import Program
from small_world import ALICE, BOB, MALLORY, enter, fill
from starlette.routing import Route

from trackeep.instance.app import ROUTES

pytestmark = pytest.mark.anyio
DAY_S = 86_400
QUERIES = ("", "?repo=bob/secret-plan", "?q=secret", "?q=secret-plan&list=all", "?owner=bob&period=all")


@pytest.fixture
async def instance(sandbox: Program, tmp_path: Path) -> AsyncIterator[LocalInstance]:
    async with serve(tmp_path, sandbox.url) as running:
        await fill(running.site.db, running.site.now())
        yield running


def pages() -> list[str]:
    """Every address that answers GET, with the private repository's name where one is asked for."""
    paths = [route.path for route in ROUTES if isinstance(route, Route) and "GET" in (route.methods or ())]
    values = {"owner": "bob", "name": "secret-plan", "chart": "weeks", "token": "x", "secret": "x"}
    named = [re.sub(r"{(\w+)}", lambda part: values[part[1]], path) for path in paths]
    # The stream of progress has no end.
    return [path + query for path in named if path != "/sync/events" for query in QUERIES]


async def told(guest: Guest, path: str) -> tuple[int, str]:
    """A page without what differs each time: request numbers and the time of day."""
    answer = await guest.open(path)
    assert answer.status < 500, path
    return answer.status, re.sub(r"\b[0-9a-f]{16}\b|\d\d:\d\d:\d\d", "", answer.text)


async def betraying(guest: Guest) -> list[str]:
    """The pages that answer otherwise about the secret repository than about one that does not exist."""
    found = []
    for path in pages():
        about_secret, text = await told(guest, path)
        about_nothing = await told(guest, path.replace("secret", "absent"))
        differs = (about_secret, text.replace("secret", "absent")) != about_nothing
        if differs or ("secret" in text and "secret" not in path):
            found.append(path)
    return found


@pytest.mark.parametrize("account_id", [ALICE, MALLORY])
async def test_a_secret_repository_is_as_good_as_absent(instance: LocalInstance, account_id: int) -> None:
    """Asked for by name or by word, on every address: the answer is that of a repository never heard of."""
    async with Guest(instance.url, "") as guest:
        await enter(instance, guest, account_id)
        assert await betraying(guest) == []


async def test_proof_of_access_ends_after_a_day(instance: LocalInstance) -> None:
    """bob sees his own for a day after GitHub last let him in; then no page shows it until it does again."""
    async with Guest(instance.url, "") as guest:
        await enter(instance, guest, BOB)
        assert {"/r/bob/secret-plan", "/r/bob/secret-plan/commits", "/repos"} <= set(await betraying(guest))
        instance.clock.ahead_s = DAY_S + 60
        assert await betraying(guest) == []
