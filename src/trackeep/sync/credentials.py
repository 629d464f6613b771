"""A GitHub token that works for an account, opened from where it is sealed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from trackeep.database import Database
from trackeep.errors import GitHubTokenDead
from trackeep.store import people, schedule
from trackeep.store.people import Credential
from trackeep.vault import Vault

# A token that ends within the next minutes would die in the middle of a pass.
EARLY_S = 300

Refresh = Callable[[int, Credential], Awaitable[Credential]]


async def refuse_expired(account_id: int, _old: Credential) -> Credential:
    """The refresh of an instance that cannot refresh: the person has to connect again."""
    raise GitHubTokenDead(
        "The GitHub token of this account has expired.", "Connect GitHub again on the settings page."
    )


@dataclass(frozen=True)
class Credentials:
    """Where tokens come from; `refresh` trades one that is about to expire for a new one."""

    db: Database
    vault: Vault
    refresh: Refresh = refuse_expired

    async def working(self, account_id: int, now: int) -> Credential:
        """The account's token. Raises GitHubTokenDead (and says so in the database), SecretsError."""
        async with self.db.read() as conn:
            found = await people.credential(conn, self.vault, account_id)
        if found is None:
            raise GitHubTokenDead("This account is not connected to GitHub.", "Connect GitHub again.")
        if found.expires_at is None or found.expires_at > now + EARLY_S:
            return found
        try:
            return await self.refresh(account_id, found)
        except GitHubTokenDead as error:
            async with self.db.write() as conn:
                await schedule.connection_state(conn, found.token_fingerprint, "reconnect", error.sentence)
            raise
