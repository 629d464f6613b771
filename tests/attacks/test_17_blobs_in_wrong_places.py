"""Attack 17: one sealed value used in the place of another."""

from itertools import permutations

import pytest
from local_broker import EXPIRING_CLIENT_ID, EXPIRING_CLIENT_SECRET, broker_environment
from programs import Program, start
from visitor import Start, Visitor
from witness import Witness

pytestmark = pytest.mark.anyio


async def test_no_value_works_in_anothers_place(sandbox: Program) -> None:
    """State, transaction, form token, remembered consent, code, refresh token: each is good for one use."""
    registration = {"GITHUB_CLIENT_ID": EXPIRING_CLIENT_ID, "GITHUB_CLIENT_SECRET": EXPIRING_CLIENT_SECRET}
    program = start(
        "broker", "serve", "--dev", "--port", "0", env=broker_environment(sandbox.url, **registration)
    )
    try:
        async with Visitor(program.url) as alice:
            await _try_all(alice, sandbox)
    finally:
        program.stop()


async def _try_all(alice: Visitor, sandbox: Program) -> None:
    login = Start()
    page = await alice.begin(login)
    onward = (await alice.agree(page)).onward
    jar = alice.cookies["localhost"]
    transaction_name = next(name for name in jar if name.startswith("txn-"))
    callback = await alice.sign_in_at_github(onward)
    blobs = {
        "state": callback.partition("state=")[2],
        "transaction": jar[transaction_name],
        "form": page.form_token,
        "remembered": next(value for name, value in jar.items() if name.startswith("remembered")),
        "code": "",
        "refresh": "",
    }
    spent = await alice.redeem(login, (await alice.get(callback)).query["code"])
    blobs["refresh"] = spent.text.partition('"refresh_token":"')[2].partition('"')[0]
    blobs["code"] = (await alice.log_in(login)).query["code"]
    assert all(blobs.values())
    witness = await Witness.of(sandbox.url)
    for place, used in permutations(blobs, 2):
        jar[transaction_name] = blobs["transaction"]
        assert await _use(alice, login, place, blobs[used], blobs, transaction_name) in (400, 403), (
            place,
            used,
        )
    assert await witness.exchanges() == 0


async def _use(
    alice: Visitor, login: Start, place: str, blob: str, blobs: dict[str, str], transaction_name: str
) -> int:
    """The status when `blob` is put where a value of the kind `place` belongs."""
    callback = f"{alice.broker_url}/auth/github/callback?code=x&state="
    if place == "state":
        return (await alice.get(callback + blob)).status
    if place == "transaction":
        alice.cookies["localhost"][transaction_name] = blob
        return (await alice.get(callback + blobs["state"])).status
    if place == "form":
        return (await alice.post(f"{alice.broker_url}/auth/github", {"token": blob})).status
    if place == "remembered":
        name = next(name for name in alice.cookies["localhost"] if name.startswith("remembered"))
        kept, alice.cookies["localhost"][name] = alice.cookies["localhost"][name], blob
        page = await alice.get(login.url(alice.broker_url), referer=f"{login.base_url}/")
        alice.cookies["localhost"][name] = kept
        return 403 if not page.starts_a_login else page.status
    if place == "code":
        return (await alice.redeem(login, blob)).status
    return (await alice.redeem(login, "", grant_type="refresh_token", refresh_token=blob)).status
