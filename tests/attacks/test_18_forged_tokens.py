"""Attack 18: login tokens that mallory signed, changed, kept or was given for herself."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import msgspec
import pytest
from joserfc import jws
from local_instance import Guest, LocalInstance, link_to, serve
from mallorys_broker import MallorysBroker
from mallorys_broker import serve as serve_mallory
from programs import Program
from visitor import Answer

from trackeep.handshake import keys, messages, token

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Scene:
    """Alice's instance, whose OAuth service has fallen into mallory's hands, and a browser."""

    instance: LocalInstance
    mallory: MallorysBroker
    visitor: Guest

    async def sign_in(self, jti: str) -> Answer:
        """A login through mallory's service: she sends the browser back at once."""
        page = await self.visitor.open("/signin")
        there = (await self.visitor.get(link_to("/auth/login", page))).location
        state = parse_qs(urlsplit(there).query)["state"][0]
        self.mallory.jti, self.mallory.nonce = jti, messages.nonce_of(state)
        answer = {"code": "anything", "state": state, "iss": self.mallory.url}
        return await self.visitor.open(f"/auth/callback?{urlencode(answer)}")


@pytest.fixture
async def scene(sandbox: Program, tmp_path: Path) -> AsyncIterator[Scene]:
    """Alice owns the instance already; mallory's service holds a GitHub token of hers."""
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{sandbox.url}/_sandbox/people") as people:
            alice_id = next(person["id"] for person in await people.json() if person["login"] == "alice")
        wish = {"login": "alice", "scopes": ["repo", "read:user", "user:email", "read:org"]}
        async with http.post(f"{sandbox.url}/_sandbox/tokens", json=wish) as made:
            github_token = (await made.json())["token"]
    async with (
        serve_mallory(github_token, alice_id) as mallory,
        serve(tmp_path, sandbox.url, mallory.url) as instance,
        Guest(instance.url, mallory.url) as owner,
        Guest(instance.url, mallory.url) as visitor,
    ):
        mallory.audience = instance.url
        await owner.set_up(await instance.code())
        assert (await Scene(instance, mallory, owner).sign_in("first")).status == 303
        yield Scene(instance, mallory, visitor)


def by_hand(header: dict[str, Any], claims: token.SignedClaims, secret: bytes = b"") -> str:
    """A token with a header of mallory's choice, signed with HMAC when there is a secret."""
    parts = [json.dumps({"typ": token.TYPE, **header}).encode(), msgspec.json.encode(claims)]
    text = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    mac = hmac.digest(secret, text.encode(), hashlib.sha256) if secret else b""
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


async def assert_refused(scene: Scene, jti: str = "two") -> None:
    answer = await scene.sign_in(jti)
    assert answer.status in (400, 401, 403), answer.status
    assert not await scene.visitor.is_signed_in()


async def test_an_honest_token_would_be_taken(scene: Scene) -> None:
    """What follows is refused for its forgery, not for anything else about this scene."""
    assert (await scene.sign_in("two")).status == 303
    assert await scene.visitor.is_signed_in()


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", ""])
async def test_an_unsigned_token(scene: Scene, algorithm: str) -> None:
    """`alg: none` in every spelling."""
    key_id = scene.mallory.ring.signing[0].id
    scene.mallory.forge = lambda claims: by_hand({"alg": algorithm, "kid": key_id}, claims)
    await assert_refused(scene)


async def test_a_token_signed_with_the_public_key(scene: Scene) -> None:
    """HS256 with what everybody can download as its secret, in each of its forms."""
    signing = scene.mallory.ring.signing[0]
    for secret in (scene.mallory.public_key(), signing.key.as_pem(private=False)):
        scene.mallory.forge = lambda claims, secret=secret: by_hand(
            {"alg": "HS256", "kid": signing.id}, claims, secret
        )
        await assert_refused(scene)


async def test_a_token_of_a_key_that_is_not_published(scene: Scene) -> None:
    """A stranger's key, under its own name and under the name of the right one."""
    stranger = keys.make_ring(int(time.time())).signing[0]
    scene.mallory.forge = lambda claims: token.sign(claims, stranger)
    await assert_refused(scene)
    header = {"alg": "ES256", "typ": token.TYPE, "kid": scene.mallory.ring.signing[0].id}
    scene.mallory.forge = lambda claims: jws.serialize_compact(
        header, msgspec.json.encode(claims), stranger.key, ["ES256"]
    )
    await assert_refused(scene)


async def test_a_key_in_the_tokens_own_header(scene: Scene) -> None:
    """`jwk` in the header is mallory's suggestion which key to believe."""
    stranger = keys.make_ring(int(time.time())).signing[0]
    header = {
        "alg": "ES256",
        "typ": token.TYPE,
        "kid": stranger.id,
        "jwk": stranger.key.as_dict(private=False),
    }
    scene.mallory.forge = lambda claims: jws.serialize_compact(
        header, msgspec.json.encode(claims), stranger.key, ["ES256"]
    )
    await assert_refused(scene)


OTHER_CLAIMS: dict[str, dict[str, Any]] = {
    "issuer": {"iss": "https://mallory.example"},
    "instance": {"aud": "https://other.example"},
    "no instance": {"aud": ""},
    "no login": {"nonce": ""},
    "another login": {"nonce": messages.nonce_of("another login")},
    "no number": {"jti": ""},
    "another person": {"sub": "1", "github_id": 1, "user_id": 1},
}


@pytest.mark.parametrize("what", OTHER_CLAIMS)
async def test_a_well_signed_token_about_something_else(scene: Scene, what: str) -> None:
    """Another issuer, instance (a token for A sent to B), login or person."""
    scene.mallory.forge = lambda claims: scene.mallory.honest(
        msgspec.structs.replace(claims, **OTHER_CLAIMS[what])
    )
    await assert_refused(scene)


@pytest.mark.parametrize(("claim", "moved_s"), [("iat", -3600), ("iat", 3600), ("exp", -604_800 - 120)])
async def test_a_well_signed_token_of_another_time(scene: Scene, claim: str, moved_s: int) -> None:
    """Made an hour ago, made in an hour, or expired."""
    scene.mallory.forge = lambda claims: scene.mallory.honest(
        msgspec.structs.replace(claims, **{claim: getattr(claims, claim) + moved_s})
    )
    await assert_refused(scene)


async def test_a_token_that_was_used_before(scene: Scene) -> None:
    """The same `jti` a second time, although everything else about it is right."""
    await assert_refused(scene, jti="first")
    assert (await scene.sign_in("third")).status == 303


async def test_unknown_keys_do_not_make_us_a_hammer(scene: Scene) -> None:
    """Ten tokens of unknown keys lead to at most one more look at the key set."""
    stranger = keys.make_ring(int(time.time())).signing[0]
    scene.mallory.forge = lambda claims: token.sign(claims, stranger)
    before = scene.mallory.key_requests
    for _ in range(10):
        await assert_refused(scene)
    assert scene.mallory.key_requests <= before + 1
