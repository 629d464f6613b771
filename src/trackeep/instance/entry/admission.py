"""Somebody has proved who they are: may they enter, and what is saved when they do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import (
    Forbidden,
    GitHubError,
    GitHubNoAccess,
    GitHubUnavailable,
    NotFound,
    TokenRefused,
    TrackeepError,
)
from trackeep.github import rest
from trackeep.github.login import OwnApp
from trackeep.github.transport import GitHub
from trackeep.instance import sessions
from trackeep.instance.entry import sealed_cookies
from trackeep.instance.site import Site, site_of
from trackeep.model import Person
from trackeep.store import arrivals, ownership, people
from trackeep.store import sessions as stored
from trackeep.sync.credentials import Credentials

log = structlog.get_logger()

# The cookie of a browser that was asked which of two accounts it wants to be.
PENDING = "arrival"


@dataclass(frozen=True)
class Arrival:
    """Who came, by what GitHub itself says of the token, and how they reach GitHub from now on."""

    viewer: rest.Viewer
    credential: people.Credential
    next: str = "/"
    token_id: str = ""
    token_expires_at: int = 0


@dataclass(frozen=True)
class Entered:
    """The answer that signs the browser in, and the token that the new one replaces."""

    response: Response
    replaced: people.Credential | None


async def whose(site: Site, access_token: str) -> rest.Viewer:
    """Whose token this is, by GitHub's own word.

    Raises GitHubTokenDead for a token GitHub refuses, GitHubUnavailable when it cannot be asked.
    """
    try:
        return await rest.viewer(GitHub(site.http, site.settings.github, access_token, clock=site.clock))
    except GitHubUnavailable:
        raise GitHubUnavailable(
            "GitHub cannot be asked who you are just now.", "Try again in a minute; nothing was changed."
        ) from None


async def enter(request: Request, arrival: Arrival, *, is_chosen: bool = False) -> Entered:
    """Save the person and start a session, all in one transaction.

    A browser that is signed in as somebody else is asked first, unless `is_chosen` says that it was.
    Raises Forbidden when they may not enter, TokenRefused when the login token was used before.
    """
    site, who = site_of(request), arrival.viewer.person
    now, session_id = site.now(), sessions.new_id()
    await _renew_permissions(site, arrival)
    async with site.db.write() as conn:
        if arrival.token_id and not await people.remember_token(
            conn, arrival.token_id, arrival.token_expires_at, now
        ):
            raise TokenRefused("This login was used already.", "Sign in again.")
        await _admit(conn, request, who, site)
        if not is_chosen and _is_somebody_else(request, who):
            return await _ask(conn, request, arrival)
        await people.save_account(conn, who, arrival.viewer.emails, now)
        owner = await ownership.owner_id(conn)
        if owner == who.id:
            await people.show_owner(conn, owner)
        replaced = await people.save_credential(conn, site.vault, who.id, arrival.credential, now)
        # Never the identifier of before the login: somebody else may know it.
        await stored.end(conn, sessions.cookie_of(request, sessions.COOKIE))
        await stored.start(conn, session_id, who.id, sessions.device_of(request), now)
        await people.make_due(conn, who.id, now)
        is_first = await people.follows_nothing(conn, who.id)
    log.info("signed in", account=who.id, by=arrival.credential.kind)
    response = site.go("/repos/choose" if is_first else arrival.next)
    sessions.keep(site, response, session_id)
    sealed_cookies.end_setup(site, response)
    return Entered(response, replaced)


def _is_somebody_else(request: Request, who: Person) -> bool:
    viewer = getattr(request.state, "viewer", None)
    return viewer is not None and viewer.account_id != who.id


async def _ask(conn: AsyncConnection, request: Request, arrival: Arrival) -> Entered:
    """Keep the arrival, so that the person can say which of two accounts they meant."""
    site, arrival_id = site_of(request), sessions.new_id()
    # Its login token is noted as used by now.
    content = msgspec.json.encode(replace(arrival, token_id="")).decode()
    account_id = request.state.viewer.account_id
    await arrivals.keep(conn, site.vault, arrival_id, account_id, content, site.now())
    response = site.go("/auth/other")
    sessions.set_cookie(site, response, PENDING, arrival_id, max_age_s=arrivals.LIFETIME_S)
    return Entered(response, None)


async def resolve_at_start(site: Site) -> None:
    """Find out who the names in the settings are before anybody can take a login that was given up."""
    try:
        async with site.db.read() as conn:
            owner = await ownership.owner_id(conn)
            found = await people.credential(conn, site.vault, owner) if owner else None
        if owner and found:
            credentials = Credentials(site.db, site.vault, site.clock, OwnApp.of(site.settings))
            known = await credentials.working(owner)
            await resolve_logins(
                site, GitHub(site.http, site.settings.github, known.access_token, clock=site.clock)
            )
    except TrackeepError as error:
        log.warning("could not ask GitHub who is allowed", reason=error.sentence)


async def allow_login(site: Site, owner_id: int, login: str) -> Person:
    """Let the GitHub account that has this login today sign in from now on, whatever its login becomes.

    Raises NotFound when GitHub knows nobody of that name, GitHubError when it cannot be asked.
    """
    credentials = Credentials(site.db, site.vault, site.clock, OwnApp.of(site.settings))
    token = (await credentials.working(owner_id)).access_token
    try:
        who = await rest.person(GitHub(site.http, site.settings.github, token, clock=site.clock), login)
    except GitHubNoAccess:
        raise NotFound(f"GitHub knows nobody called {login}.", "Check the spelling.") from None
    async with site.db.write() as conn:
        await people.allow(conn, who, people.BY_COMMAND, site.now())
    return who


async def resolve_logins(site: Site, github: GitHub) -> None:
    """Ask GitHub once for the id behind each login in TRACKEEP_ALLOWED_USERS, and keep the id.

    Afterwards the id counts: a login that its owner gave up can be registered by a stranger.
    """
    async with site.db.read() as conn:
        logins = await people.unresolved(conn, site.settings.allowed_users)
    for login in logins:
        try:
            found = await rest.person(github, login)
        except GitHubNoAccess:
            log.warning("nobody has this login", setting="TRACKEEP_ALLOWED_USERS", login=login)
            continue
        async with site.db.write() as conn:
            await people.allow(conn, found, people.BY_SETTING, site.now(), entry=login)


async def _admit(conn: AsyncConnection, request: Request, who: Person, site: Site) -> None:
    setup = sealed_cookies.setup_of(request)
    if setup is not None and await ownership.claim(conn, who.id, setup.code_hash):
        log.info("has an owner now", account=who.id)
        return
    if await ownership.owner_id(conn) is None:
        raise Forbidden("This Trackeep has no owner yet.", "Enter the set-up code from its log first.")
    if await people.is_admitted(conn, who.id, site.rules):
        return
    if setup is not None:
        raise Forbidden(
            "Somebody else became the owner of this Trackeep first.",
            "If it is yours, run `trackeep user make-owner` where it is installed.",
        )
    raise Forbidden(
        f"{who.login} may not sign in here.",
        f"Ask the owner to run `trackeep user allow {who.login}`, or sign in with another GitHub account.",
    )


async def _renew_permissions(site: Site, arrival: Arrival) -> None:
    """Bring up to date what the settings' names mean, with the token of whoever comes."""
    settings, who = site.settings, arrival.viewer.person
    if not settings.allowed_users and not settings.allowed_orgs:
        return
    github = GitHub(site.http, settings.github, arrival.credential.access_token, clock=site.clock)
    try:
        await resolve_logins(site, github)
        memberships = await rest.organisations(github) if settings.allowed_orgs else ()
    except GitHubError as error:
        # Whoever is known already can still enter.
        log.warning("could not ask GitHub who is allowed", reason=error.sentence)
        return
    async with site.db.write() as conn:
        await people.forget_memberships(conn, who.id)
        for name in _shared(memberships, site.rules.organisations):
            await people.allow(conn, who, people.BY_ORGANISATION, site.now(), entry=name)


def _shared(memberships: Iterable[str], allowed: frozenset[str]) -> list[str]:
    return sorted({name.lower() for name in memberships} & allowed)[:1]
