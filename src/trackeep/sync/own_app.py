"""The instance's own registration at GitHub as the giver of tokens, asked like an OAuth service."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp

from trackeep.errors import BrokerError, BrokerUnavailable, GitHubError, GitHubUnavailable, GrantRefused
from trackeep.github.login import GitHubLogin, OwnApp
from trackeep.handshake.client import Renewal


@dataclass(frozen=True)
class AtGitHub:
    """Trades and ends tokens of the registration `client_id`; errors are those of an OAuth service."""

    http: aiohttp.ClientSession
    own_app: OwnApp | None
    client_id: str

    async def refresh(self, refresh_token: str, _base_url: str = "", _client_id: str = "") -> Renewal:
        """A new pair for a refresh token, which is spent by asking.

        Raises GrantRefused when GitHub ended it, or when the registration it belongs to is set no more;
        BrokerUnavailable when GitHub did not answer, BrokerError when it refuses the registration.
        """
        try:
            token = await self._login().refresh(refresh_token)
        except GitHubUnavailable as error:
            raise BrokerUnavailable(error.sentence, error.hint) from None
        except GitHubError as error:
            raise BrokerError(error.sentence, error.hint) from None
        return Renewal(token.access_token, token.scopes, token.expires_in_s, token.refresh_token)

    async def revoke(self, access_token: str) -> None:
        """End a token; raises GrantRefused for one of another registration, GitHubUnavailable."""
        await self._login().revoke(access_token)

    def _login(self) -> GitHubLogin:
        if self.own_app is None or self.own_app.registration.client_id != self.client_id:
            raise GrantRefused(
                "This connection was made with a registration at GitHub that is set here no more.",
                "Connect GitHub again, or set GITHUB_CLIENT_ID as it was.",
            )
        return self.own_app.at_github(self.http)
