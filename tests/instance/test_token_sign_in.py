"""Signing in by pasting a token of one's own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from local_instance import Guest, serve
from programs import Program
from sqlalchemy import select

from trackeep.instance.entry.connect import missing_scopes
from trackeep.store.tables import connection

pytestmark = pytest.mark.anyio


async def control(sandbox: Program, path: str, body: dict[str, Any]) -> dict[str, Any]:
    async with aiohttp.ClientSession() as http, http.post(sandbox.url + path, json=body) as answer:
        found: dict[str, Any] = await answer.json()
        return found


async def token_with(sandbox: Program, *scopes: str) -> str:
    made = await control(sandbox, "/_sandbox/tokens", {"login": "alice", "scopes": list(scopes)})
    return str(made["token"])


async def test_a_good_token_signs_in(sandbox: Program, tmp_path: Path) -> None:
    """GitHub says whose it is; it is sealed, with its scopes, and never shown again."""
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as alice:
        await alice.set_up(await instance.code())
        token = await token_with(sandbox, "repo", "user")
        answer = await alice.send("/signin/token", {"token": f" {token}\n"})
        assert answer.status == 303
        async with instance.site.db.read() as conn:
            row = (await conn.execute(select(connection))).one()
        assert (row.kind, set(row.scopes.split()), row.state) == ("token", {"repo", "user"}, "ok")
        assert token.encode() not in row.access_token


@pytest.mark.parametrize(
    "text", ["", "hello", "ghp_" + "x" * 36, "ghp_ü" + "x" * 36, "a b " * 20, "y" * 2000]
)
async def test_what_is_no_token_is_said_so(sandbox: Program, tmp_path: Path, text: str) -> None:
    """The page comes back with a sentence, without the token in it, and nobody is signed in."""
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as alice:
        await alice.set_up(await instance.code())
        answer = await alice.send("/signin/token", {"token": text})
        assert answer.status in (400, 401)
        assert 'role="alert"' in answer.text
        assert not text or text not in answer.text
        assert not await alice.is_signed_in()


async def test_missing_scopes_are_named(sandbox: Program, tmp_path: Path) -> None:
    """A classic token that cannot read enough is refused with what it lacks, and a link that ticks it."""
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as alice:
        await alice.set_up(await instance.code())
        answer = await alice.send("/signin/token", {"token": await token_with(sandbox, "read:org")})
        assert answer.status == 400
        assert "This token lacks user:email and repo." in answer.text
        assert f"{sandbox.url}/settings/tokens/new?" in answer.text


async def test_guessing_is_slowed_down(sandbox: Program, tmp_path: Path) -> None:
    """After ten wrong tokens an address waits, even with a right one; ten minutes later it is taken."""
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as alice:
        await alice.set_up(await instance.code())
        for _ in range(10):
            assert (await alice.send("/signin/token", {"token": "wrong"})).status == 400
        right = {"token": await token_with(sandbox, "repo", "user")}
        refused = await alice.send("/signin/token", right)
        assert refused.status == 429
        assert 0 < int(refused.headers["Retry-After"]) <= 600
        instance.clock.ahead_s += 601
        assert (await alice.send("/signin/token", right)).status == 303


async def test_guesses_at_the_same_moment_count_too(sandbox: Program, tmp_path: Path) -> None:
    """Of forty wrong tokens at once GitHub is asked about ten; right ones are never counted."""
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as alice:
        await alice.set_up(await instance.code())
        right = {"token": await token_with(sandbox, "repo", "user")}
        for _ in range(11):
            assert (await alice.send("/signin/token", right)).status == 303
        guesses = ({"token": f"ghp_{number:036}"} for number in range(40))
        answers = await asyncio.gather(*(alice.send("/signin/token", guess) for guess in guesses))
        assert sorted(answer.status for answer in answers) == [401] * 10 + [429] * 30


def test_which_scopes_are_enough() -> None:
    """A wider scope includes the narrower one; fine-grained tokens have none to look at."""
    assert missing_scopes(("repo", "user")) == []
    assert missing_scopes(("public_repo", "user:email")) == []
    assert missing_scopes(("repo",)) == ["user:email"]
    assert missing_scopes(None) == []


async def test_github_out_of_order(fresh_sandbox: Program, tmp_path: Path) -> None:
    """While GitHub fails, the page says that it is GitHub, and to try again."""
    token = await token_with(fresh_sandbox, "repo", "user")
    await control(
        fresh_sandbox,
        "/_sandbox/faults",
        {"match": "GET /api/v3/user", "times": 9, "kind": "status", "status": 502},
    )
    async with serve(tmp_path, fresh_sandbox.url) as instance, Guest(instance.url, "") as alice:
        await alice.set_up(await instance.code())
        answer = await alice.send("/signin/token", {"token": token})
        assert answer.status == 503
        assert "GitHub cannot be asked" in answer.text
        assert not await alice.is_signed_in()
