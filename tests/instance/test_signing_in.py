"""The whole login, through the real OAuth service and a local GitHub, into a real database."""

from __future__ import annotations

import re
from pathlib import Path

import aiohttp
import pytest
from local_instance import Guest, LocalInstance, link_to, serve
from programs import Program
from sqlalchemy import select, update
from visitor import Answer

from trackeep.errors import SecretsError
from trackeep.instance.entry import admission
from trackeep.model import Person
from trackeep.store import people
from trackeep.store.tables import account, account_email, connection, follow, repository
from trackeep.store.tables_sync import schedule

pytestmark = pytest.mark.anyio


async def accepted_by_github(sandbox: Program, token: str) -> bool:
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as http,
        http.get(f"{sandbox.url}/api/v3/user") as answer,
    ):
        return answer.status == 200


async def own(instance: LocalInstance, guest: Guest) -> Answer:
    await guest.set_up(await instance.code())
    return await guest.sign_in()


async def credential_of(instance: LocalInstance) -> people.Credential:
    async with instance.site.db.read() as conn:
        account_id = await people.account_named(conn, "alice")
        found = await people.credential(conn, instance.site.vault, account_id)
    assert found is not None
    return found


@pytest.mark.parametrize("path", ["", "/t"])
async def test_the_first_login_makes_the_owner(
    sandbox: Program, broker: Program, tmp_path: Path, path: str, database_url: str
) -> None:
    """Set-up code, GitHub, and the owner is in: at the root and below a path, on both databases."""
    async with (
        serve(tmp_path, sandbox.url, broker.url, path=path, database_url=database_url) as instance,
        Guest(instance.url, broker.url) as alice,
    ):
        assert (await alice.open("/signin")).location == f"{path}/setup"
        assert (await alice.set_up(await instance.code())).location == f"{path}/signin"
        answer = await alice.sign_in()
        assert answer.status == 303, answer.text
        assert answer.location == f"{path}/repos/choose"
        assert "token" not in answer.location
        assert "code" not in answer.location
        assert await alice.is_signed_in()


async def test_what_a_login_saves(sandbox: Program, broker: Program, tmp_path: Path) -> None:
    """The owner, the verified addresses only, a sealed token, and work for the sync at once."""
    async with serve(tmp_path, sandbox.url, broker.url) as instance:
        async with Guest(instance.url, broker.url) as alice:
            await own(instance, alice)
        async with instance.site.db.read() as conn:
            roles = (await conn.execute(select(account.c.role))).scalars().all()
            addresses = set((await conn.execute(select(account_email.c.address))).scalars())
            row = (await conn.execute(select(connection))).one()
            due = (await conn.execute(select(schedule.c.due_at))).scalar_one()
        known = await credential_of(instance)
        assert roles == ["owner"]
        assert addresses == await verified_at_github(sandbox, known.access_token)
        assert due <= instance.site.now()
        assert (row.kind, row.state, known.scopes and "read:org" in known.scopes) == ("broker", "ok", True)
        assert await accepted_by_github(sandbox, known.access_token)
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert known.access_token.encode() not in written


async def verified_at_github(sandbox: Program, token: str) -> set[str]:
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as http,
        http.get(f"{sandbox.url}/api/v3/user/emails") as answer,
    ):
        emails = await answer.json()
    assert any(not email["verified"] for email in emails)
    return {email["email"].lower() for email in emails if email["verified"]}


async def test_signing_in_again_replaces_the_token(sandbox: Program, broker: Program, tmp_path: Path) -> None:
    """The token of the earlier login is ended at GitHub, the new one lives, and there is one row."""
    async with (
        serve(tmp_path, sandbox.url, broker.url) as instance,
        Guest(instance.url, broker.url) as laptop,
        Guest(instance.url, broker.url) as phone,
    ):
        await own(instance, laptop)
        first = await credential_of(instance)
        await phone.sign_in()
        second = await credential_of(instance)
        assert first.access_token != second.access_token
        assert not await accepted_by_github(sandbox, first.access_token)
        assert await accepted_by_github(sandbox, second.access_token)
        assert await laptop.is_signed_in()
        assert await phone.is_signed_in()


async def test_everybody_else_is_refused(sandbox: Program, broker: Program, tmp_path: Path) -> None:
    """Bob, whom nobody allowed, is told so with 403; his token is ended and nothing of him is kept."""
    before = await living_tokens(sandbox, "bob")
    async with serve(tmp_path, sandbox.url, broker.url) as instance:
        async with Guest(instance.url, broker.url) as alice, Guest(instance.url, broker.url, "bob") as bob:
            await own(instance, alice)
            answer = await bob.sign_in()
            assert answer.status == 403
            assert "may not sign in here" in answer.text
            assert not await bob.is_signed_in()
        async with instance.site.db.read() as conn:
            assert len((await conn.execute(select(account))).all()) == 1
        assert await living_tokens(sandbox, "bob") == before


async def living_tokens(sandbox: Program, login: str) -> int:
    async with aiohttp.ClientSession() as http, http.get(f"{sandbox.url}/_sandbox/tokens") as answer:
        tokens = (await answer.json())["tokens"]
    return sum(one["login"] == login and not one["revoked"] for one in tokens)


@pytest.mark.parametrize("rule", [{"allowed_users": "Bob, carol"}, {"allowed_orgs": "FernHill"}])
async def test_people_of_the_settings_may_enter(
    sandbox: Program, broker: Program, tmp_path: Path, rule: dict[str, str]
) -> None:
    """A login or an organisation in the settings lets bob in as a member; mallory stays outside."""
    async with serve(tmp_path, sandbox.url, broker.url, **rule) as instance:
        async with (
            Guest(instance.url, broker.url) as alice,
            Guest(instance.url, broker.url, "bob") as bob,
            Guest(instance.url, broker.url, "mallory") as mallory,
        ):
            await own(instance, alice)
            assert (await bob.sign_in()).status == 303
            assert (await mallory.sign_in()).status == 403
        async with instance.site.db.read() as conn:
            roles = {row.login: row.role for row in await people.everybody(conn)}
        assert (roles["alice"], roles["bob"]) == ("owner", "member")
        assert "mallory" not in roles


async def test_names_in_the_settings_become_numbers_at_start(
    sandbox: Program, broker: Program, tmp_path: Path
) -> None:
    """A name added later is looked up when the program starts again, not when somebody claims it."""
    async with serve(tmp_path, sandbox.url, broker.url) as instance, Guest(instance.url, broker.url) as alice:
        await own(instance, alice)
    async with serve(tmp_path, sandbox.url, broker.url, allowed_users="Bob,nobody-at-all") as again:
        await admission.resolve_at_start(again.site)
        async with again.site.db.read() as conn:
            assert await people.unresolved(conn, ["bob", "nobody-at-all"]) == ["nobody-at-all"]


async def test_allowed_people_wait_for_the_owner(sandbox: Program, broker: Program, tmp_path: Path) -> None:
    """Before there is an owner nobody enters without the set-up code, not even who is allowed."""
    async with (
        serve(tmp_path, sandbox.url, broker.url, allowed_users="bob") as instance,
        Guest(instance.url, broker.url, "bob") as bob,
    ):
        onward = (await bob.agree(await bob.get((await bob.open("/auth/login")).location))).onward
        back = await bob.get(await bob.sign_in_at_github(onward, "bob"))
        answer = await bob.get(back.location)
        assert answer.status == 403
        assert "no owner yet" in answer.text


async def test_the_login_goes_on_to_the_page_that_was_wanted(
    sandbox: Program, broker: Program, tmp_path: Path
) -> None:
    """A page asked for before signing in is opened afterwards; another host never is."""
    async with serve(tmp_path, sandbox.url, broker.url) as instance, Guest(instance.url, broker.url) as alice:
        await own(instance, alice)
        await follow_something(instance)
        alice.cookies.clear()
        assert (await alice.sign_in("/signin?next=/pulls%3Fperiod%3D7d")).location == "/pulls?period=7d"
        for bad in ("//evil.example", "/\\evil.example", "https://evil.example", "/%09/evil.example"):
            alice.cookies.clear()
            assert (await alice.sign_in(f"/signin?next={bad}")).location == "/"


async def follow_something(instance: LocalInstance) -> None:
    async with instance.site.db.write() as conn:
        account_id = await people.account_named(conn, "alice")
        await conn.execute(repository.insert(), [{"id": 1, "owner": "alice", "name": "atlas"}])
        row = {"account_id": account_id, "repository_id": 1, "state": "tracked", "created_at": 0}
        await conn.execute(follow.insert(), [row])


async def test_two_tabs_sign_in_side_by_side(sandbox: Program, broker: Program, tmp_path: Path) -> None:
    """A login begun later does not break the one begun before in the same browser."""
    async with serve(tmp_path, sandbox.url, broker.url) as instance, Guest(instance.url, broker.url) as alice:
        await alice.set_up(await instance.code())
        first, second = await alice.to_callback(), await alice.to_callback()
        assert (await alice.get(first)).status == 303
        assert (await alice.get(second)).status == 303


async def test_unfinished_logins_do_not_pile_up(sandbox: Program, broker: Program, tmp_path: Path) -> None:
    """A browser that starts fifty logins keeps the cookies of a few."""
    async with serve(tmp_path, sandbox.url, broker.url) as instance, Guest(instance.url, broker.url) as alice:
        for _ in range(50):
            assert (await alice.open("/auth/login")).status == 303
        assert len(alice.cookies["localhost"]) <= 8


async def test_a_cancelled_login_is_said_in_words(sandbox: Program, broker: Program, tmp_path: Path) -> None:
    """Cancel on the consent page comes back as a sentence with a way to try again."""
    async with serve(tmp_path, sandbox.url, broker.url) as instance, Guest(instance.url, broker.url) as alice:
        consent = await alice.get((await alice.open("/auth/login")).location)
        answer = await alice.get(link_to("/auth/callback", consent))
        assert answer.status == 400
        assert "The login was cancelled" in answer.text
        assert "/signin" in answer.text


async def test_only_what_is_public_can_be_asked_for(
    sandbox: Program, broker: Program, tmp_path: Path
) -> None:
    """The second link of the sign-in page asks GitHub for no repository permission."""
    async with serve(tmp_path, sandbox.url, broker.url) as instance, Guest(instance.url, broker.url) as alice:
        await alice.set_up(await instance.code())
        page = await alice.open("/signin")
        asked = []
        for link in ("/auth/login", "access=public"):
            consent = await alice.get((await alice.get(link_to(link, page))).location)
            # Less than what was agreed to before is not asked about again.
            onward = consent.location or (await alice.agree(consent)).onward
            asked.append(alice.query_of(onward)["scope"].split())
        assert asked[0] == ["user:email", "read:user", "repo", "read:org"]
        assert asked[1] == ["user:email", "read:user", "read:org"]


async def test_both_sides_show_the_same_pairing_code(
    sandbox: Program, broker: Program, tmp_path: Path
) -> None:
    """On a plain-http network the sign-in page and the consent page show the same eight characters."""
    async with serve(tmp_path, sandbox.url, broker.url, base_url="http://trackeep.lan:8080") as instance:
        address = f"http://localhost:{instance.url.rpartition(':')[2]}"
        async with Guest(address, broker.url) as alice:
            await alice.set_up(await instance.code())
            page = await alice.open("/signin?here=1")
            consent = await alice.get((await alice.get(link_to("/auth/login", page) + "&here=1")).location)
        shown = [re.search(r"Pairing code ([0-9A-Z ]+)", text) for text in (page.text, consent.text)]
        assert shown[0] is not None
        assert shown[1] is not None
        assert shown[0][1].split() == shown[1][1].split()


async def test_login_by_another_name_of_the_host_moves_home(
    sandbox: Program, broker: Program, tmp_path: Path
) -> None:
    """127.0.0.1 is sent to localhost, once; another computer is told which setting to change."""
    async with serve(tmp_path, sandbox.url, broker.url) as instance, Guest(instance.url, broker.url) as alice:
        port = instance.url.rpartition(":")[2]
        moved = await alice.get(f"http://127.0.0.1:{port}/auth/login?next=/pulls")
        assert moved.location == f"{instance.url}/auth/login?next=%2Fpulls&here=1"
        for path in ("/signin", "/setup", "/auth/login"):
            told = await alice.open(path, host=f"192.168.1.5:{port}")
            assert told.status == 400
            assert f"TRACKEEP_BASE_URL=http://192.168.1.5:{port}" in told.text


async def test_a_session_ends_when_the_permission_does(
    sandbox: Program, broker: Program, tmp_path: Path
) -> None:
    """Bob, allowed by the settings and signed in, is out as soon as the instance runs without his name."""
    cookies = {}
    async with (
        serve(tmp_path, sandbox.url, broker.url, allowed_users="bob") as instance,
        Guest(instance.url, broker.url) as alice,
        Guest(instance.url, broker.url, "bob") as bob,
    ):
        await own(instance, alice)
        await bob.sign_in()
        assert await bob.is_signed_in()
        cookies, url = bob.cookies, instance.url
    async with (
        serve(tmp_path, sandbox.url, broker.url, base_url=url) as again,
        Guest(f"http://localhost:{again_port(again)}", broker.url, "bob") as bob,
    ):
        bob.cookies = cookies
        assert (await bob.open("/signin?here=1")).status == 200


def again_port(instance: LocalInstance) -> str:
    return instance.url.rpartition(":")[2]


async def test_a_moved_token_is_noticed(sandbox: Program, broker: Program, tmp_path: Path) -> None:
    """A sealed token copied into another person's row by hand cannot be used there."""
    async with serve(tmp_path, sandbox.url, broker.url) as instance:
        async with Guest(instance.url, broker.url) as alice:
            await own(instance, alice)
        async with instance.site.db.write() as conn:
            await people.save_account(conn, Person(99, "mallory"), (), 0)
            await conn.execute(update(connection).values(account_id=99))
        async with instance.site.db.read() as conn:
            with pytest.raises(SecretsError, match="moved to another row"):
                await people.credential(conn, instance.site.vault, 99)
