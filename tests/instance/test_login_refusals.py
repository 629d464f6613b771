"""Answers of a login that must sign nobody in: half ones, doubled ones, used ones, late ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from local_instance import Guest, serve
from programs import Program

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "query",
    [
        "token=eyJhbGciOiJub25lIn0.e30.&user=mallory",
        "token=&code=a&state=b&iss=c",
        "code=a&code=b&state=c&iss=d",
        "code=a&state=b&state=c&iss=d",
        "code=a&state=b&iss=c&iss=d",
        "code=a&state=b",
        "code=a&iss=b",
        "state=a&iss=b",
        "",
        "code=%00&state=%F0%9F%90%9B&iss=%0d%0aSet-Cookie:x",
        "code=a&state=0000000g.x&iss=c",
    ],
)
async def test_answers_nobody_asked_for(
    sandbox: Program, broker: Program, tmp_path: Path, query: str
) -> None:
    """A token, half an answer, a doubled one: 400, no session, and the service is not asked."""
    async with serve(tmp_path, sandbox.url, broker.url) as instance, Guest(instance.url, broker.url) as alice:
        await alice.set_up(await instance.code())
        answer = await alice.open(f"/auth/callback?{query}")
        assert answer.status == 400
        assert not answer.set_cookies
        assert not await alice.is_signed_in()


async def test_an_answer_counts_once(sandbox: Program, broker: Program, tmp_path: Path) -> None:
    """The address with the code, opened again from the history, signs nobody in."""
    async with serve(tmp_path, sandbox.url, broker.url) as instance, Guest(instance.url, broker.url) as alice:
        await alice.set_up(await instance.code())
        back = await alice.to_callback()
        before = dict(alice.cookies["localhost"])
        assert (await alice.get(back)).status == 303
        await alice.send("/auth/logout", {})
        assert (await alice.get(back)).status == 400
        # Even a browser that kept the cookie of that login: GitHub's code is spent.
        alice.cookies["localhost"] = before
        assert (await alice.get(back)).status == 400
        assert not await alice.is_signed_in()


async def test_an_answer_after_ten_minutes(sandbox: Program, broker: Program, tmp_path: Path) -> None:
    """A login that took longer than ten minutes is begun again instead of finished."""
    async with serve(tmp_path, sandbox.url, broker.url) as instance, Guest(instance.url, broker.url) as alice:
        await alice.set_up(await instance.code())
        back = await alice.to_callback()
        instance.clock.ahead_s += 601
        answer = await alice.get(back)
        assert answer.status == 400
        assert "state_mismatch" in answer.text
