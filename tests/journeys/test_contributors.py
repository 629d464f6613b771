"""A repository's contributors are people, however many addresses and names they sign with."""

from __future__ import annotations

import html
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from local_instance import Guest, serve
from programs import Program
from sandbox_control import Sandbox
from small_world import enter

from trackeep.store import people
from trackeep.sync.once import sync_once

pytestmark = pytest.mark.anyio


def contributors(github: Sandbox, full_name: str, since: float) -> Counter[str]:
    """Commits on the default branch without merges, by login, else by name, straight from git."""
    repository = github.repository(full_name)
    everybody = github.ask("/people")
    logins = {
        mail["address"]: who["login"] for who in everybody for mail in who["emails"] if mail["verified"]
    }
    command = ["git", "--git-dir", repository["git_dir"], "log", "--no-merges", "--format=%ct %ae %an"]
    branch = f"refs/heads/{repository['default_branch']}"
    lines = subprocess.run([*command, branch, "--"], capture_output=True, text=True, check=True).stdout
    found = [line.split(" ", 2) for line in lines.splitlines()]
    return Counter(
        logins.get(email, name)
        for at, email, name in found
        if float(at) >= since and not name.endswith("[bot]")
    )


async def test_everybody_is_there_once(sandbox: Program, tmp_path: Path) -> None:
    """bob's two addresses are one person, alice's unverified one is nobody's; each link lists them."""
    github = Sandbox(sandbox.url)
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as guest:
        await sync_once(instance.site.db, github.addresses, github.token(), ())
        async with instance.site.db.write() as conn:
            await people.make_owner(conn, github.person_id())
        await enter(instance, guest, github.person_id())
        page = (await guest.open("/r/fernhill/atlas/contributors?period=all")).text
        true = contributors(github, "fernhill/atlas", 0)
        row = r'<li class="person">.*?href="([^"]+)">([^<]+)</a><span class="meta">([\d,]+) commit'
        rows = [[html.unescape(part) for part in found] for found in re.findall(row, page)]
        assert {who: int(count.replace(",", "")) for _, who, count in rows} == dict(true)
        for href, who, _ in rows:
            listed = (await guest.open(href.removeprefix(instance.url))).text
            assert re.search(rf"\b{true[who]:,} commits", listed), who
