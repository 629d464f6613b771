"""Attack 23: the answer to a refresh is lost on its way, and GitHub takes the old token no more."""

import asyncio
import contextlib

import pytest
from local_broker import EXPIRING_APP, serve
from refreshing import Pair, error_of, log_in, refresh
from sandbox_control import Sandbox
from visitor import Start, Visitor
from witness import Witness

pytestmark = pytest.mark.anyio

HOME = Start("http://localhost:8080")


async def test_within_a_minute_the_same_pair_is_given_again(changing: Sandbox) -> None:
    """Asked again, the service answers as before without asking GitHub; a minute later it refuses."""
    async with serve(changing.url, app=EXPIRING_APP) as broker, Visitor(broker.url) as home:
        pair = await log_in(home, HOME)
        witness = await Witness.of(changing.url)
        first = Pair.of(await refresh(home, HOME, pair.refresh_token))
        broker.clock.now += 59
        assert Pair.of(await refresh(home, HOME, pair.refresh_token)) == first
        assert await witness.exchanges() == 1
        broker.clock.now += 2
        late = await refresh(home, HOME, pair.refresh_token)
        assert (late.status, error_of(late)) == (400, "invalid_grant")
        assert (await refresh(home, HOME, first.refresh_token)).status == 200


async def test_a_caller_that_hung_up_finds_its_answer(changing: Sandbox) -> None:
    """The connection breaks while GitHub is being asked: the work is finished, and waits for the retry."""
    async with serve(changing.url, app=EXPIRING_APP) as broker, Visitor(broker.url) as home:
        pair = await log_in(home, HOME)
        witness = await Witness.of(changing.url)
        changing.fault("POST /login/oauth/access_token", "slow", delay_s=0.5)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await refresh(home, HOME, pair.refresh_token)
        renewed = Pair.of(await refresh(home, HOME, pair.refresh_token))
        assert await witness.exchanges() == 1
        assert (await refresh(home, HOME, renewed.refresh_token)).status == 200


async def test_a_kept_answer_is_as_well_guarded_as_the_first(changing: Sandbox) -> None:
    """Mallory at another address gets nothing, even while the answer is kept."""
    async with serve(changing.url, app=EXPIRING_APP) as broker, Visitor(broker.url) as home:
        pair = await log_in(home, HOME)
        await refresh(home, HOME, pair.refresh_token)
        elsewhere = Start("http://localhost:6666")
        assert error_of(await refresh(home, elsewhere, pair.refresh_token)) == "invalid_grant"


async def test_what_was_never_received_can_still_be_ended(changing: Sandbox) -> None:
    """The old token, given to /revoke within the minute, ends the pair that it became."""
    async with serve(changing.url, app=EXPIRING_APP) as broker, Visitor(broker.url) as home:
        pair = await log_in(home, HOME)
        lost = Pair.of(await refresh(home, HOME, pair.refresh_token))
        assert (await home.post(f"{broker.url}/revoke", {"token": pair.refresh_token})).status == 200
        assert error_of(await refresh(home, HOME, lost.refresh_token)) == "invalid_grant"
