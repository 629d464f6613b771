"""Addresses that nobody types, sent to every list: a clear refusal, never a failure of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from local_instance import Guest, serve
from programs import Program
from small_world import enter, fill

pytestmark = pytest.mark.anyio
REFUSED = (
    *("/commits?q=%00", "/commits?author=a%00", "/commits?after=1.%00", "/pulls?list=all&q=%00"),
    *("/commits?until=9999-12-31", "/commits?since=0001-01-01", "/activity?day=9999-12-31"),
    *("/commits?repo=a", "/commits?after=x.y", "/activity?before=%C2%B2", "/signin?next=%00", "/r/a%00/b"),
    *("/commits?q=%ff%fe", "/commits?q=colour:red", "/search?q=since:soon", "/commits.csv?q=path:a"),
    *(
        "/commits?q=" + "a" * 5_000,
        "/commits.md?q=%00",
        "/commits.json?q=is:it",
        "/r/fernhill/atlas/commits?q=x:y",
    ),
)
SHOWN = (
    *("/calendar?year=99999999999", "/?year=0", "/?year=1900", "/?year=%C2%B2000"),
    *("/repos?from=" + "9" * 5_000, "/calendar?from=%C2%B2"),
    *("/commits?until=9998-12-31", "/commits?since=0002-01-01", "/commits?q=a%ff%fe", "/?period=nonsense"),
    *("/commits?after=999999999999999999.a", "/pulls?list=all&after=999999999999999999.1.1"),
    *("/pulls?q=created:9999y", "/pulls?q=-merged:9999y", "/pulls?q=since:9999y", "/pulls?q=stale:9999y"),
)
FORMS = {
    **{"/settings/me": "drop", "/settings/bots": "drop", "/repos/wishes/dismiss": "name", "/sync/all": "do"},
    **{"/pulls/searches": "q", "/settings/feeds": "repository", "/settings/danger/delete": "confirm"},
}


async def test_odd_addresses_are_refused_or_understood(
    sandbox: Program, tmp_path: Path, database_url: str
) -> None:
    """Characters no database takes, days at the ends of time and endless numbers: 400, or a page."""
    async with (
        serve(tmp_path, sandbox.url, database_url=database_url) as instance,
        Guest(instance.url, "") as alice,
    ):
        await fill(instance.site.db, instance.site.now())
        await enter(instance, alice)
        assert {path: (await alice.open(path)).status for path in REFUSED} == dict.fromkeys(REFUSED, 400)
        # A line break in the path: our own page says that there is nothing.
        nothing = await alice.open("/commits%0Ax")
        assert (nothing.status, "There is no page at this address" in nothing.text) == (404, True)
        assert {path: (await alice.open(path)).status for path in SHOWN} == dict.fromkeys(SHOWN, 200)


async def test_characters_no_database_takes_are_refused_in_forms(
    sandbox: Program, tmp_path: Path, database_url: str
) -> None:
    """U+0000 in a form is a clear refusal, whichever field it stands in and whatever keeps the rows."""
    async with (
        serve(tmp_path, sandbox.url, database_url=database_url) as instance,
        Guest(instance.url, "") as alice,
    ):
        await fill(instance.site.db, instance.site.now())
        await enter(instance, alice)
        answers = {path: (await alice.send(path, {field: "a\0b"})).status for path, field in FORMS.items()}
        assert answers == dict.fromkeys(FORMS, 400)
        assert (await alice.send("/setup", {"code": "a\0b"})).status == 400
