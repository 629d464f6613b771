"""Attack 21: mallory has copied an instance's database, with the sealed refresh token in it."""

import time

import pytest
from joserfc.jwk import ECKey
from local_broker import EXPIRING_APP, Clock, LocalBroker, serve
from programs import Program
from refreshing import Pair, error_of, log_in, refresh
from visitor import Start, Visitor
from witness import Witness

from trackeep.handshake.dpop import make_proof, thumbprint

pytestmark = pytest.mark.anyio

HOME = Start("http://localhost:8080")
ELSEWHERE = "http://localhost:6666"


def proof(broker: LocalBroker, key: ECKey, number: str) -> dict[str, str]:
    return {"DPoP": make_proof(key, "POST", f"{broker.url}/token", int(broker.clock()), number)}


async def test_without_the_key_of_the_instance_it_is_worth_nothing(sandbox: Program) -> None:
    """No proof, mallory's own key, a proof of another minute: refused; the owner's next refresh works."""
    own, mallorys = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    clock = Clock(time.time())
    async with serve(sandbox.url, clock=clock, app=EXPIRING_APP) as broker, Visitor(broker.url) as home:
        pair = await log_in(home, HOME, dpop_jkt=thumbprint(own), **proof(broker, own, "login"))
        stale = proof(broker, own, "stale")
        clock.now += 300
        witness = await Witness.of(sandbox.url)
        for headers in ({}, proof(broker, mallorys, "m"), stale):
            answer = await refresh(home, HOME, pair.refresh_token, headers)
            assert (answer.status, error_of(answer)) == (400, "invalid_dpop_proof"), answer.text
        assert await witness.calls() == []
        renewed = Pair.of(await refresh(home, HOME, pair.refresh_token, proof(broker, own, "r1")))
        assert renewed.refresh_token != pair.refresh_token
        bare = await refresh(home, HOME, renewed.refresh_token)
        assert error_of(bare) == "invalid_dpop_proof"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"client_id": ELSEWHERE, "redirect_uri": ELSEWHERE}, "invalid_grant"),
        ({"redirect_uri": ELSEWHERE}, "invalid_grant"),
        ({"client_id": ELSEWHERE}, "invalid_grant"),
        ({"client_id": ""}, "invalid_request"),
        ({"scope": "repo delete_repo"}, "invalid_scope"),
        ({"refresh_token": "1.AAAA"}, "invalid_grant"),
        ({"refresh_token": ""}, "invalid_request"),
    ],
)
async def test_it_belongs_to_one_instance_and_its_scopes(
    sandbox: Program, changes: dict[str, str], word: str
) -> None:
    """Another address, another client, a wider scope: refused before GitHub is asked; still good after."""
    async with serve(sandbox.url, app=EXPIRING_APP) as broker, Visitor(broker.url) as home:
        pair = await log_in(home, HOME)
        witness = await Witness.of(sandbox.url)
        form = {"grant_type": "refresh_token", "refresh_token": pair.refresh_token}
        form |= {"redirect_uri": HOME.base_url, "client_id": HOME.base_url, **changes}
        given = {name: value for name, value in form.items() if value}
        answer = await home.ask("POST", f"{broker.url}/token", {}, given)
        assert (answer.status, error_of(answer)) == (400, word)
        assert await witness.calls() == []
        assert (await refresh(home, HOME, pair.refresh_token)).status == 200


async def test_githubs_own_refresh_token_never_leaves_the_service(sandbox: Program) -> None:
    """What an instance holds is sealed: it is not GitHub's, and another service cannot open it."""
    async with serve(sandbox.url, app=EXPIRING_APP) as broker, Visitor(broker.url) as home:
        pair = await log_in(home, HOME)
        assert "ghr_" not in pair.refresh_token
    async with serve(sandbox.url, app=EXPIRING_APP) as other, Visitor(other.url) as mallory:
        assert error_of(await refresh(mallory, HOME, pair.refresh_token)) == "invalid_grant"


async def test_whoever_holds_it_may_end_it(sandbox: Program) -> None:
    """RFC 7009: a refresh token that is given to /revoke ends at GitHub, with its access token."""
    async with serve(sandbox.url, app=EXPIRING_APP) as broker, Visitor(broker.url) as home:
        pair = await log_in(home, HOME)
        for _ in range(2):
            assert (await home.post(f"{broker.url}/revoke", {"token": pair.refresh_token})).status == 200
        assert error_of(await refresh(home, HOME, pair.refresh_token)) == "invalid_grant"
        api = {"Authorization": f"Bearer {pair.access_token}"}
        assert (await home.ask("GET", f"{sandbox.url}/api/v3/user", api)).status == 401


async def test_an_address_that_the_operator_blocks_gets_no_new_tokens(sandbox: Program) -> None:
    """A blocked instance cannot live on for ever by refreshing."""
    async with serve(sandbox.url, app=EXPIRING_APP) as broker, Visitor(broker.url) as home:
        pair = await log_in(home, HOME)
    async with (
        serve(sandbox.url, broker.ring, app=EXPIRING_APP, deny="localhost") as strict,
        Visitor(strict.url) as home,
    ):
        assert error_of(await refresh(home, HOME, pair.refresh_token)) == "invalid_grant"
