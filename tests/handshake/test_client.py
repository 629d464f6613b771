"""The instance's side of the exchange, when what answers is not the service it should be."""

import aiohttp
import pytest
from programs import Program

from trackeep.errors import BrokerError, BrokerUnavailable, GrantRefused
from trackeep.handshake.client import BrokerClient

pytestmark = pytest.mark.anyio


async def test_an_address_of_something_else_is_one_clear_error(sandbox: Program) -> None:
    """A wrong TRACKEEP_BROKER_URL is neither a spent code nor an outage."""
    async with aiohttp.ClientSession() as http:
        client = BrokerClient(http, sandbox.url)
        with pytest.raises(BrokerError) as refused:
            await client.redeem(code="x", code_verifier="v" * 43, redirect_uri="http://localhost:8080")
        assert not isinstance(refused.value, BrokerUnavailable)
        with pytest.raises(BrokerError):
            await client.signing_keys()


async def test_a_closed_port_is_an_outage() -> None:
    """Nobody there: worth trying again, whatever was asked."""
    async with aiohttp.ClientSession() as http:
        client = BrokerClient(http, "http://127.0.0.1:1/")
        for question in (client.signing_keys(), client.revoke("x"), client.refresh("x", "http://localhost")):
            with pytest.raises(BrokerUnavailable):
                await question


async def test_a_code_that_was_not_made_here_is_a_refused_grant(broker: Program) -> None:
    """The service's `invalid_grant` tells the instance to start the login again."""
    async with aiohttp.ClientSession() as http:
        client = BrokerClient(http, broker.url)
        with pytest.raises(GrantRefused):
            await client.redeem(code="a.b", code_verifier="v" * 43, redirect_uri="http://localhost:8080")


async def test_the_keys_of_the_service_are_by_name(broker: Program) -> None:
    """One look at the key set gives what `token.verify` needs."""
    async with aiohttp.ClientSession() as http:
        keys = await BrokerClient(http, broker.url).signing_keys()
    # Of the three published keys, the RSA key of id_tokens never signs a login.
    assert [key.key_type for key in keys.values()] == ["EC", "EC"]
    assert not any(key.is_private for key in keys.values())
