"""Signing in at GitHub itself, by a registration of the instance's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from local_broker import CLIENT_ID, CLIENT_SECRET, EXPIRING_APP
from local_instance import Guest, LocalInstance, serve
from programs import Program
from sandbox_control import Sandbox
from sqlalchemy import select
from visitor import Answer
from witness import Witness

from trackeep.environment import instance_settings
from trackeep.errors import SettingsError
from trackeep.github.login import OwnApp
from trackeep.store import people
from trackeep.store.tables import account, connection
from trackeep.sync.credentials import Credentials

pytestmark = pytest.mark.anyio

OWN_APP = {"GITHUB_CLIENT_ID": CLIENT_ID, "GITHUB_CLIENT_SECRET": CLIENT_SECRET}
HOURS_S = 8 * 3_600


async def to_callback(guest: Guest, path: str = "/auth/login") -> str:
    """From our own address to where GitHub sends the browser back; not opened yet."""
    begun = await guest.open(path)
    assert begun.status == 303, begun.text
    return await guest.sign_in_at_github(begun.location, guest.login)


async def sign_in(guest: Guest) -> Answer:
    return await guest.get(await to_callback(guest))


async def own(instance: LocalInstance, guest: Guest) -> people.Credential:
    """Becomes the owner; the token that this brought."""
    await guest.set_up(await instance.code())
    assert (await sign_in(guest)).location == "/repos/choose"
    return await stored(instance)


async def stored(instance: LocalInstance) -> people.Credential:
    async with instance.site.db.read() as conn:
        account_id = await people.account_named(conn, "alice")
        found = await people.credential(conn, instance.site.vault, account_id)
    assert found is not None
    return found


def living(sandbox: Program, login: str) -> list[str]:
    """The client ids whose tokens of this person GitHub still accepts."""
    tokens = Sandbox(sandbox.url).ask("/tokens")["tokens"]
    return [each["client_id"] for each in tokens if each["login"] == login and not each["revoked"]]


async def test_one_registration_is_enough(sandbox: Program, tmp_path: Path, database_url: str) -> None:
    """No service between: GitHub sends alice straight back, she owns the instance and her token is sealed."""
    async with (
        serve(tmp_path, sandbox.url, app=OWN_APP, database_url=database_url) as instance,
        Guest(instance.url, "") as alice,
    ):
        page = await alice.open("/setup")
        assert page.status == 200
        known = await own(instance, alice)
        assert (known.kind, known.client_id, known.expires_at) == ("app", CLIENT_ID, None)
        assert known.scopes is not None
        assert {"repo", "read:org"} <= set(known.scopes)
        async with instance.site.db.read() as conn:
            assert (await conn.execute(select(account.c.role))).scalars().all() == ["owner"]
            sealed = (await conn.execute(select(connection.c.access_token))).scalar_one()
        assert known.access_token.encode() not in sealed


async def test_the_question_to_github(sandbox: Program, tmp_path: Path) -> None:
    """A state, a challenge by S256 and the one address of ours; `access=public` asks for no repository."""
    async with serve(tmp_path, sandbox.url, app=OWN_APP) as instance, Guest(instance.url, "") as alice:
        asked = [
            alice.query_of((await alice.open(f"/auth/login{more}")).location)
            for more in ("", "?access=public")
        ]
    assert all(each["redirect_uri"] == f"{instance.url}/auth/github/callback" for each in asked)
    assert all((each["code_challenge_method"], len(each["code_challenge"])) == ("S256", 43) for each in asked)
    assert asked[0]["state"] != asked[1]["state"]
    assert [("repo" in each["scope"].split()) for each in asked] == [True, False]


async def test_the_sign_in_page_says_who_takes_part(sandbox: Program, tmp_path: Path) -> None:
    """One button to GitHub, the sentence that nobody else is asked, and the token folded away."""
    async with serve(tmp_path, sandbox.url, app=OWN_APP) as instance, Guest(instance.url, "") as alice:
        await alice.set_up(await instance.code())
        page = await alice.open("/signin")
        assert "Continue with GitHub" in page.text
        assert "no other service takes part" in page.text
        assert "Pairing code" not in page.text


async def test_who_is_not_allowed_leaves_nothing(sandbox: Program, tmp_path: Path) -> None:
    """Mallory is refused with 403, GitHub has ended the token of that try, and no row tells of it."""
    async with serve(tmp_path, sandbox.url, app=OWN_APP) as instance:
        async with Guest(instance.url, "") as alice, Guest(instance.url, "", "mallory") as mallory:
            await own(instance, alice)
            before = living(sandbox, "mallory").count(CLIENT_ID)
            answer = await sign_in(mallory)
            assert answer.status == 403
            assert not await mallory.is_signed_in()
        async with instance.site.db.read() as conn:
            assert len((await conn.execute(select(account))).all()) == 1
    assert living(sandbox, "mallory").count(CLIENT_ID) == before


async def test_disconnecting_ends_the_token_at_github(sandbox: Program, tmp_path: Path) -> None:
    """The access token is ended where it came from, and the page says so."""
    async with serve(tmp_path, sandbox.url, app=OWN_APP) as instance, Guest(instance.url, "") as alice:
        await own(instance, alice)
        before = living(sandbox, "alice").count(CLIENT_ID)
        answer = await alice.send("/settings/disconnect", {})
        assert "disconnected=ended" in answer.location
        assert living(sandbox, "alice").count(CLIENT_ID) == before - 1


async def test_tokens_that_expire_are_renewed_at_github(fresh_sandbox: Program, tmp_path: Path) -> None:
    """A GitHub App of one's own: the pair is traded once before it ends, and both pairs work in turn."""
    github = Sandbox(fresh_sandbox.url)
    async with serve(tmp_path, github.url, app=EXPIRING_APP) as instance, Guest(instance.url, "") as alice:
        first, site = await own(instance, alice), instance.site
        assert first.refresh_token
        assert first.expires_at is not None
        witness = await Witness.of(github.url)
        github.advance(HOURS_S - 60)
        instance.clock.ahead_s += HOURS_S - 60
        credentials = Credentials(site.db, site.vault, site.clock, OwnApp.of(site.settings))
        new = await credentials.working(github.person_id())
        assert new.access_token != first.access_token
        assert new == await stored(instance)
        assert await witness.exchanges() == 1
        # After its end it is revoked by way of its refresh token.
        github.advance(HOURS_S + 60)
        instance.clock.ahead_s += HOURS_S + 60
        assert "disconnected=ended" in (await alice.send("/settings/disconnect", {})).location
        assert EXPIRING_APP["GITHUB_CLIENT_ID"] not in living(fresh_sandbox, "alice")


async def test_another_registration_asks_to_reconnect(fresh_sandbox: Program, tmp_path: Path) -> None:
    """After the registration was changed the old refresh token is sent to nobody: Reconnect is said."""
    github = Sandbox(fresh_sandbox.url)
    async with serve(tmp_path, github.url, app=EXPIRING_APP) as instance, Guest(instance.url, "") as alice:
        await own(instance, alice)
    witness = await Witness.of(github.url)
    async with serve(tmp_path, github.url, app=OWN_APP) as again:
        again.clock.ahead_s += HOURS_S
        site = again.site
        credentials = Credentials(site.db, site.vault, site.clock, OwnApp.of(site.settings))
        with pytest.raises(Exception, match="GitHub ended this connection"):
            await credentials.working(github.person_id())
        assert await witness.exchanges() == 0


def test_half_a_registration_is_a_mistake(tmp_path: Path) -> None:
    """An id without its secret is said at the start, unless an OAuth service does the signing in."""
    half = {"GITHUB_CLIENT_ID": CLIENT_ID, "TRACKEEP_DATA_DIR": str(tmp_path)}
    with pytest.raises(SettingsError, match="belong together"):
        instance_settings(half)
    assert OwnApp.of(instance_settings({**half, "TRACKEEP_BROKER_URL": "https://login.example"})) is None
