"""Trades a token that is about to end for a new one: one renewal at a time, saved before it is used."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import aiohttp
import structlog

from trackeep.database import Database
from trackeep.errors import BrokerError, BrokerUnavailable, GitHubTokenDead, GrantRefused, TrackeepError
from trackeep.github.login import OwnApp
from trackeep.github.transport import fingerprint
from trackeep.handshake.client import BrokerClient, Renewal
from trackeep.store import people, renewals
from trackeep.store.identity_key import identity_key
from trackeep.store.people import Credential
from trackeep.store.renewals import Turn
from trackeep.sync.own_app import AtGitHub
from trackeep.sync.processes import is_dead, process_name
from trackeep.sync.stopping import in_full
from trackeep.vault import Vault

# A pass that begins with the old token should also end with it.
EARLY_S = 900
SPREAD_S = 300
# Longer than one request may take, and short enough that a killed process is followed while the
# service still keeps the answer that nobody received.
LEASE_S = 40
KEPT_S = 60
PAUSES_S = (2.0, 8.0)
LONGEST_PAUSE_S = 300
LOOK_EVERY_S = 0.5
HINT = "Connect GitHub again on the settings page."

log = structlog.get_logger()


def renews_at(expires_at: int, token_fingerprint: str) -> int:
    """When a token is traded: 15 to 20 minutes early, each at a moment of its own; unix seconds."""
    # Instances that were set up in the same minute must not come back in the same minute for ever.
    return expires_at - EARLY_S - int(token_fingerprint[:8], 16) % SPREAD_S


def cool_down_s(failures: int) -> int:
    """How long to wait after this many failures in a row: 10 s, doubled each time, 5 min at most."""
    return int(min(LONGEST_PAUSE_S, 10 * 2 ** min(failures, 10)))


@dataclass(frozen=True)
class Renewer:
    """Trades tokens where they came from: at the OAuth service, or at GitHub by the instance's own app.

    `clock` gives unix seconds.
    """

    db: Database
    vault: Vault
    clock: Callable[[], float]
    own_app: OwnApp | None = None

    async def renew(self, account_id: int, old: Credential) -> Credential:
        """The token that follows `old`, or `old` itself while it lives and a new one cannot be had just now.

        Raises GitHubTokenDead when only the person can help, BrokerError when `old` has ended and nobody
        could be asked.
        """
        name = process_name()
        for pause_s in (*PAUSES_S, None):
            turn = await self._turn(account_id, old, name)
            if not turn.is_mine:
                return await self._without_turn(account_id, old, turn)
            try:
                # Not torn off half-way: the answer is the only copy of the new pair.
                return await in_full(self._trade(account_id, old))
            except (BrokerError, GrantRefused) as error:
                if pause_s is None or not await in_full(self._is_unknown(account_id, name, turn, error)):
                    return await in_full(self._without_answer(account_id, old, name, turn, error))
            await asyncio.sleep(pause_s)
        raise AssertionError("the last attempt returns")

    async def _turn(self, account_id: int, old: Credential, name: str) -> Turn:
        """The turn, waited for while another process holds it."""
        while True:
            now = int(self.clock())
            async with self.db.write() as conn:
                turn = await renewals.take_turn(
                    conn, account_id, old.token_fingerprint, name, now, lease_s=LEASE_S
                )
                if not turn.is_mine and is_dead(turn.holder):
                    await renewals.free_turn(conn, account_id, turn.holder)
            is_held = turn.held_until > now and turn.fingerprint == old.token_fingerprint
            if turn.is_mine or not is_held or turn.state != "ok":
                return turn
            await asyncio.sleep(0 if is_dead(turn.holder) else LOOK_EVERY_S)

    async def _trade(self, account_id: int, old: Credential) -> Credential:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            giver = await self._giver(http, old)
            renewal = await giver.refresh(old.refresh_token, old.base_url, old.client_id)
            now = int(self.clock())
            new = following(old, renewal, now)
            async with self.db.write() as conn:
                is_saved = await renewals.save(conn, self.vault, account_id, old, new, now)
            if not is_saved:
                # Somebody disconnected or signed in meanwhile: this pair belongs to nobody.
                with contextlib.suppress(TrackeepError):
                    await giver.revoke(new.access_token)
                return await self._present(account_id)
        log.info("token renewed", account=account_id)
        return new

    async def _giver(self, http: aiohttp.ClientSession, old: Credential) -> BrokerClient | AtGitHub:
        if old.kind == "app":
            return AtGitHub(http, self.own_app, old.client_id)
        return BrokerClient(http, old.broker_url, await identity_key(self.db, self.vault), self.clock)

    async def _is_unknown(
        self, account_id: int, name: str, turn: Turn, error: BrokerError | GrantRefused
    ) -> bool:
        """Whether the failure says nothing yet, so that the same token is worth another request."""
        if isinstance(error, BrokerUnavailable):
            return error.retry_after_s is None
        if not isinstance(error, GrantRefused) or turn.asked_at is None:
            return False
        # Spent perhaps by an earlier request of ours, whose answer the service keeps for a minute.
        async with self.db.write() as conn:
            await renewals.doubt(conn, account_id, name)
        return self.clock() - turn.asked_at <= KEPT_S

    async def _without_answer(
        self, account_id: int, old: Credential, name: str, turn: Turn, error: BrokerError | GrantRefused
    ) -> Credential:
        now = int(self.clock())
        if isinstance(error, GrantRefused):
            problem = "GitHub ended this connection, or nobody used it for half a year."
            async with self.db.write() as conn:
                await renewals.give_up(conn, account_id, name, problem)
            log.warning("token cannot be renewed", account=account_id)
            raise GitHubTokenDead(problem, HINT) from None
        wait_s = cool_down_s(turn.failures)
        is_unanswered = False
        if isinstance(error, BrokerUnavailable):
            # A lost answer stays lost when a later request only hears that it should wait.
            is_unanswered = error.retry_after_s is None or turn.asked_at is not None
            wait_s = max(wait_s, min(error.retry_after_s or 0, LONGEST_PAUSE_S))
        async with self.db.write() as conn:
            await renewals.put_off(conn, account_id, name, now + wait_s, is_unanswered=is_unanswered)
        log.warning("token not renewed yet", account=account_id, reason=error.sentence, retry_in_s=wait_s)
        return self._meanwhile(old, error)

    async def _without_turn(self, account_id: int, old: Credential, turn: Turn) -> Credential:
        if turn.fingerprint != old.token_fingerprint:
            return await self._present(account_id)
        if turn.state != "ok":
            raise GitHubTokenDead(turn.problem or "GitHub does not accept this connection any more.", HINT)
        return self._meanwhile(old, BrokerUnavailable("A new one cannot be asked for just now."))

    async def _present(self, account_id: int) -> Credential:
        async with self.db.read() as conn:
            found = await people.credential(conn, self.vault, account_id)
        if found is None:
            raise GitHubTokenDead("This account is not connected to GitHub.", HINT)
        return found

    def _meanwhile(self, old: Credential, error: BrokerError) -> Credential:
        """The old token while it lives."""
        if old.expires_at is not None and old.expires_at > self.clock():
            return old
        raise BrokerUnavailable(
            f"The GitHub token has ended and could not be renewed yet. {error.sentence}",
            "It is tried again by itself; nothing is lost.",
            retry_after_s=0,
        ) from None


def following(old: Credential, renewal: Renewal, now: int) -> Credential:
    """`old` with the new pair, which has the same scopes; pure."""
    return replace(
        old,
        access_token=renewal.access_token,
        token_fingerprint=fingerprint(renewal.access_token),
        refresh_token=renewal.refresh_token or "",
        expires_at=now + renewal.expires_in_s if renewal.expires_in_s else None,
    )
