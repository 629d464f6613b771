"""The rival of login.py: FastMCP's OAuthProxy before the local GitHub, run by a Python that has fastmcp."""

from __future__ import annotations

import sys

import uvicorn
from fastmcp import FastMCP
from fastmcp.server.auth.oauth_proxy import OAuthProxy
from fastmcp.server.auth.providers.github import GitHubTokenVerifier
from key_value.aio.stores.memory import MemoryStore


def main(github_url: str, client_id: str, client_secret: str, port: str) -> None:
    proxy = OAuthProxy(
        upstream_authorization_endpoint=f"{github_url}/login/oauth/authorize",
        upstream_token_endpoint=f"{github_url}/login/oauth/access_token",
        upstream_client_id=client_id,
        upstream_client_secret=client_secret,
        token_verifier=GitHubTokenVerifier(required_scopes=["read:user"]),
        token_endpoint_auth_method="client_secret_post",  # noqa: S106 - a method, not a secret
        base_url=f"http://127.0.0.1:{port}",
        redirect_path="/auth/github/callback",
        jwt_signing_key="a key for one measurement and nothing else",
        # In memory, as fast as it can be: by default it writes every step to disk.
        client_storage=MemoryStore(max_entries_per_collection=100_000),
        valid_scopes=["read:user", "user:email", "repo"],
    )
    app = FastMCP("rival", auth=proxy).http_app()
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning")


if __name__ == "__main__":
    main(*sys.argv[1:])
