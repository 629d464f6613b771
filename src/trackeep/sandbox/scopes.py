"""GitHub's OAuth scopes: which ones exist, what each includes, how a list of them is normalised."""

from __future__ import annotations

from collections.abc import Iterable

# https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps
INCLUDES: dict[str, tuple[str, ...]] = {
    "repo": ("repo:status", "repo_deployment", "public_repo", "repo:invite", "security_events"),
    "repo:status": (),
    "repo_deployment": (),
    "public_repo": (),
    "repo:invite": (),
    "security_events": (),
    "admin:repo_hook": ("write:repo_hook", "read:repo_hook"),
    "write:repo_hook": ("read:repo_hook",),
    "read:repo_hook": (),
    "admin:org": ("write:org", "read:org"),
    "write:org": ("read:org",),
    "read:org": (),
    "admin:org_hook": (),
    "admin:public_key": ("write:public_key", "read:public_key"),
    "write:public_key": ("read:public_key",),
    "read:public_key": (),
    "gist": (),
    "notifications": (),
    "user": ("read:user", "user:email", "user:follow"),
    "read:user": (),
    "user:email": (),
    "user:follow": (),
    "project": ("read:project",),
    "read:project": (),
    "delete_repo": (),
    "write:packages": ("read:packages",),
    "read:packages": (),
    "delete:packages": (),
    "codespace": (),
    "workflow": (),
    "read:audit_log": (),
}

IN_WORDS = {
    "repo": "Read and write all public and private repositories",
    "public_repo": "Read and write public repositories",
    "user": "Read and write all profile data",
    "read:user": "Read all profile data",
    "user:email": "Read e-mail addresses",
    "read:org": "Read organisation and team membership",
    "workflow": "Change workflow files",
}


def parse(scope: str) -> tuple[str, ...]:
    """A normalised list from words separated by spaces or commas; unknown words are dropped."""
    return normalise(scope.replace(",", " ").split())


def normalise(scopes: Iterable[str]) -> tuple[str, ...]:
    """Known scopes, sorted, without those that another one of the list includes."""
    known = {scope for scope in scopes if scope in INCLUDES}
    implied = {inner for scope in known for inner in INCLUDES[scope]}
    return tuple(sorted(known - implied))


def expand(scopes: Iterable[str]) -> frozenset[str]:
    """The scopes together with everything they include."""
    given = frozenset(scopes)
    return given | {inner for scope in given for inner in INCLUDES.get(scope, ())}
