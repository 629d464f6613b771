"""A refresh token becomes a new pair: bound to its client, asked of GitHub once, answered twice if needed."""

from __future__ import annotations

import contextlib
import os

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from trackeep.broker import access, clients, targets
from trackeep.broker.clients import Caller
from trackeep.broker.issuing import SealedRefreshToken, github_answer
from trackeep.broker.memory import MemoryAway
from trackeep.broker.oauth_errors import InvalidScope, OAuthError
from trackeep.broker.parts import Broker
from trackeep.broker.proofs import check_key
from trackeep.errors import GrantRefused, UsageError
from trackeep.github.oauth import LONGEST_TOKEN
from trackeep.handshake.messages import Query, single
from trackeep.handshake.sealed import Purpose, SealBroken, unseal

# GitHub takes a refresh token once. Whoever lost our answer to it can have the same one again for so long.
KEPT_S = 60
# Longer than the one call to GitHub that is made meanwhile.
LOCK_S = 20
_NONCE_BYTES = 12


async def refresh(broker: Broker, form: Query, caller: Caller, thumbprint: str) -> dict[str, object]:
    """The token answer for `grant_type=refresh_token` (RFC 6749 section 6).

    Requests with one token at the same moment, on any replica, cost one call to GitHub and get one answer.
    There is no login token and no user in it: who somebody is was said at the login, and asking again could
    fail after GitHub has spent the old token. Raises GrantRefused, InvalidScope, InvalidProof, OAuthError,
    GitHubUnavailable, MemoryAway.
    """
    blob = single(form, "refresh_token")
    token = _checked(broker, form, caller, thumbprint)
    answers = _Answers(broker, blob)
    if (known := await answers.find()) is not None:
        broker.metrics.refreshed("kept")
        return known
    async with broker.memory.lock(answers.name, LOCK_S):
        # Whoever waited here finds what the first one got.
        if (known := await answers.find()) is not None:
            broker.metrics.refreshed("kept")
            return known
        answer = await _ask(broker, token)
        broker.metrics.refreshed("github")
        await answers.keep(answer)
    return answer


async def end(broker: Broker, value: str) -> bool:
    """End at GitHub what `value` stands for: GitHub's own token, or one of our refresh tokens.

    False when GitHub was asked in vain, because it is dead already or nobody's; raises GitHubError,
    GitHubUnavailable when GitHub did not do it, MemoryAway.
    """
    try:
        token = unseal(broker.ring, Purpose.REFRESH_TOKEN, value, SealedRefreshToken, broker.clock())
    except SealBroken:
        # What cannot be a token of GitHub's is not sent there.
        if len(value) <= LONGEST_TOKEN and value.isascii() and not access.is_ours(broker, value):
            return await broker.github.revoke(value)
        return True
    if (known := await _Answers(broker, value).find()) is not None:
        # It was traded a moment ago, perhaps in vain: what it became ends.
        return await broker.github.revoke(str(known["access_token"]))
    # GitHub ends a refresh token together with its access token, which only a refresh tells us.
    with contextlib.suppress(GrantRefused):
        github = await broker.github.refresh(token.refresh_token)
        return await broker.github.revoke(github.access_token)
    return False


async def _ask(broker: Broker, token: SealedRefreshToken) -> dict[str, object]:
    try:
        github = await broker.github.refresh(token.refresh_token)
    except GrantRefused:
        raise _wrong_token() from None
    return github_answer(broker, github, token)


def _checked(broker: Broker, form: Query, caller: Caller, thumbprint: str) -> SealedRefreshToken:
    """The token of `form`, when whoever presents it is whom it was made for; GitHub is not involved."""
    blob, redirect_uri = single(form, "refresh_token"), single(form, "redirect_uri")
    if not blob:
        raise OAuthError("refresh_token is missing.", "Send refresh_token and client_id.")
    try:
        token = unseal(broker.ring, Purpose.REFRESH_TOKEN, blob, SealedRefreshToken, broker.clock())
    except SealBroken:
        raise _wrong_token() from None
    if token.client not in clients.digests(caller.client_id):
        raise _wrong_token()
    if redirect_uri and token.target not in (redirect_uri, clients.base_url_of(redirect_uri)):
        raise _wrong_token()
    try:
        broker.admit(targets.parse_exact(token.target), wants_code=True)
    except UsageError:
        # The operator does not serve this address any more.
        raise _wrong_token() from None
    # Stolen with the whole database of an instance, it is still of no use without the instance's key.
    check_key("This refresh token", token.dpop_jkt, thumbprint)
    # A person has agreed to these scopes; more of them need the person again.
    if not set(single(form, "scope").split()) <= {*token.scopes, *token.wants, "github"}:
        raise InvalidScope("A refresh cannot ask for more than the login did.", "Leave scope out.")
    return token


class _Answers:
    """The answer to one refresh token, kept under a key that only its holder can make."""

    def __init__(self, broker: Broker, blob: str) -> None:
        secret = HKDF(SHA256(), 64, salt=None, info=b"trackeep refresh answer 1").derive(blob.encode())
        # One half says where the answer lies and the other one opens it.
        self.name = f"refresh {secret[:32].hex()}"
        self._cipher = AESGCM(secret[32:])
        self._memory = broker.memory

    async def find(self) -> dict[str, object] | None:
        box = await self._memory.kept(self.name)
        if box is None:
            return None
        try:
            content = self._cipher.decrypt(box[:_NONCE_BYTES], box[_NONCE_BYTES:], None)
            return msgspec.json.decode(content, type=dict[str, object])
        except (InvalidTag, ValueError, msgspec.MsgspecError):
            return None

    async def keep(self, answer: dict[str, object]) -> None:
        nonce = os.urandom(_NONCE_BYTES)
        box = nonce + self._cipher.encrypt(nonce, msgspec.json.encode(answer), None)
        # The old token is spent by now: without a memory the answer must still reach whoever asked.
        with contextlib.suppress(MemoryAway):
            await self._memory.keep(self.name, box, KEPT_S)


def _wrong_token() -> GrantRefused:
    # One sentence for all reasons: which of them it was would help an attacker only.
    return GrantRefused("The refresh token is spent, ended, or not yours.", "Start a login.")
