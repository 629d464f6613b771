"""A GitHub token that works for an account, opened from where it is sealed and renewed in time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from trackeep.database import Database
from trackeep.errors import GitHubTokenDead
from trackeep.github.login import OwnApp
from trackeep.store import people, schedule
from trackeep.store.people import Credential
from trackeep.sync.renewal import Renewer, renews_at
from trackeep.vault import Vault

# A token without a successor that ends within the next minutes would die in the middle of a pass.
EARLY_S = 300


@dataclass(frozen=True)
class Credentials:
    """Where tokens come from; `clock` gives unix seconds, `own_app` renews what came through it."""

    db: Database
    vault: Vault
    clock: Callable[[], float] = time.time
    own_app: OwnApp | None = None

    async def working(self, account_id: int) -> Credential:
        """The account's token, a new one when it is about to end.

        Raises GitHubTokenDead (and says so in the database), BrokerError when a new one cannot be had yet,
        SecretsError.
        """
        async with self.db.read() as conn:
            found = await people.credential(conn, self.vault, account_id)
        if found is None:
            raise GitHubTokenDead("This account is not connected to GitHub.", "Connect GitHub again.")
        now = self.clock()
        if found.expires_at is None:
            return found
        if found.refresh_token:
            due = now >= renews_at(found.expires_at, found.token_fingerprint)
            renewer = Renewer(self.db, self.vault, self.clock, self.own_app)
            return await renewer.renew(account_id, found) if due else found
        if found.expires_at > now + EARLY_S:
            return found
        problem = "The GitHub token of this account has expired."
        async with self.db.write() as conn:
            await schedule.connection_state(conn, found.token_fingerprint, "reconnect", problem)
        raise GitHubTokenDead(problem, "Connect GitHub again on the settings page.")
