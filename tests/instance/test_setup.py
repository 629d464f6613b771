"""The first run: the set-up code, its limits, and the one owner."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
from local_instance import Guest, serve
from programs import Program

pytestmark = pytest.mark.anyio


async def tokens_of(sandbox: Program) -> dict[str, str]:
    async with aiohttp.ClientSession() as http, http.get(f"{sandbox.url}/_sandbox/people") as answer:
        return {person["login"]: person["token"] for person in await answer.json()}


async def test_the_code_is_long_and_the_same_all_day(sandbox: Program, tmp_path: Path) -> None:
    """128 random bits; every process of the instance shows the same one, and tomorrow there is another."""
    async with serve(tmp_path, sandbox.url) as one, serve(tmp_path, sandbox.url) as two:
        code = await one.code()
        assert len(code.replace("-", "")) == 26
        assert await two.code() == code
        two.clock.ahead_s = 86_401
        assert await two.code() != code
    async with serve(tmp_path / "other", sandbox.url) as other:
        assert await other.code() != code


async def test_a_code_is_read_as_people_type(sandbox: Program, tmp_path: Path) -> None:
    """Small letters, spaces for dashes, O for 0 and I for 1 are all understood."""
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as alice:
        typed = (await instance.code()).lower().replace("-", " ").replace("0", "o").replace("1", "i")
        assert (await alice.set_up(f"  {typed} ")).location == "/signin"


async def test_the_page_says_where_the_code_is(sandbox: Program, tmp_path: Path) -> None:
    """With a link that has the code nothing is left to look for; else it says where it stands."""
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as alice:
        without, with_it = [
            (await alice.open(path)).text for path in ("/setup", f"/setup?code={await instance.code()}")
        ]
        assert "It stands in the log" in without and "came with the address" not in without
        assert "It came with the address you opened" in with_it and "in the log" not in with_it


async def test_without_the_code_there_is_no_owner(sandbox: Program, tmp_path: Path) -> None:
    """Mallory, who cannot read the log, has a good GitHub token and still stays outside."""
    mallorys = (await tokens_of(sandbox))["mallory"]
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as mallory:
        assert (await mallory.set_up("")).status == 400
        assert (await mallory.set_up("AAAAA-AAAAA-AAAAA-AAAAA-AAAAA-A")).status == 400
        answer = await mallory.send("/signin/token", {"token": mallorys})
        assert answer.status == 403
        assert "no owner yet" in answer.text
        assert await instance.code()


async def test_the_right_code_counts_in_that_browser_only(sandbox: Program, tmp_path: Path) -> None:
    """Alice typed the code; mallory, who signs in at that moment in another browser, wins nothing."""
    tokens = await tokens_of(sandbox)
    async with (
        serve(tmp_path, sandbox.url) as instance,
        Guest(instance.url, "") as alice,
        Guest(instance.url, "") as mallory,
    ):
        await alice.set_up(await instance.code())
        assert (await mallory.send("/signin/token", {"token": tokens["mallory"]})).status == 403
        assert (await alice.send("/signin/token", {"token": tokens["alice"]})).status == 303


async def test_ten_tries_an_hour(sandbox: Program, tmp_path: Path) -> None:
    """The eleventh try is refused even with the right code; an hour later it is taken."""
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as alice:
        code = await instance.code()
        answers = await asyncio.gather(*(alice.set_up(f"WRONG{n}") for n in range(10)))
        assert [answer.status for answer in answers] == [400] * 10
        refused = await alice.set_up(code)
        assert refused.status == 429
        assert 0 < int(refused.headers["Retry-After"]) <= 3600
        instance.clock.ahead_s += 3601
        assert (await alice.set_up(code)).location == "/signin"


async def test_the_code_ends_after_a_day(sandbox: Program, tmp_path: Path) -> None:
    """A code of yesterday is refused, and the page has put a new one into the log."""
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as alice:
        old = await instance.code()
        instance.clock.ahead_s += 86_401
        assert (await alice.set_up(old)).status == 400
        assert (await alice.set_up(await instance.code())).location == "/signin"


async def test_a_code_given_an_hour_ago_is_asked_again(sandbox: Program, tmp_path: Path) -> None:
    """The browser's proof ends after an hour, so that a forgotten tab hands nothing over."""
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as alice:
        await alice.set_up(await instance.code())
        instance.clock.ahead_s += 3601
        assert (await alice.open("/signin")).location == "/setup"


async def test_of_two_who_finish_at_once_one_wins(sandbox: Program, tmp_path: Path) -> None:
    """Both typed the right code; one becomes the owner, the other is told, and is not let in."""
    tokens = await tokens_of(sandbox)
    async with (
        serve(tmp_path, sandbox.url) as instance,
        Guest(instance.url, "") as alice,
        Guest(instance.url, "") as bob,
    ):
        code = await instance.code()
        await asyncio.gather(alice.set_up(code), bob.set_up(code))
        answers = await asyncio.gather(
            alice.send("/signin/token", {"token": tokens["alice"]}),
            bob.send("/signin/token", {"token": tokens["bob"]}),
        )
        assert sorted(answer.status for answer in answers) == [303, 403]
        loser = next(answer for answer in answers if answer.status == 403)
        assert "Somebody else became the owner" in loser.text


async def test_set_up_is_over_once_there_is_an_owner(sandbox: Program, tmp_path: Path) -> None:
    """The page and the code of before lead to the sign-in page and give nothing."""
    tokens = await tokens_of(sandbox)
    async with (
        serve(tmp_path, sandbox.url) as instance,
        Guest(instance.url, "") as alice,
        Guest(instance.url, "") as mallory,
    ):
        code = await instance.code()
        await alice.set_up(code)
        await alice.send("/signin/token", {"token": tokens["alice"]})
        assert (await mallory.open("/setup")).location == "/signin"
        assert (await mallory.set_up(code)).location == "/signin"
        assert (await mallory.send("/signin/token", {"token": tokens["mallory"]})).status == 403


async def test_strangers_at_the_set_up_page_make_nobody_wait(sandbox: Program, tmp_path: Path) -> None:
    """Once there is an owner the page writes nothing: it answers while the sync holds the database."""
    alices = (await tokens_of(sandbox))["alice"]
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as alice:
        await alice.set_up(await instance.code())
        assert (await alice.send("/signin/token", {"token": alices})).status == 303
        async with instance.site.db.write(), Guest(instance.url, "") as mallory, asyncio.timeout(60):
            assert (await mallory.open("/setup")).location == "/signin"
            assert (await mallory.set_up("AAAAA")).location == "/signin"
