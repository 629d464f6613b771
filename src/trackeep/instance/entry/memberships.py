"""Organisations that let people in, asked again every day with each person's own token."""

from __future__ import annotations

import asyncio

import structlog

from trackeep.errors import GitHubNoAccess, GitHubTokenDead, TrackeepError
from trackeep.github import rest
from trackeep.github.login import OwnApp
from trackeep.github.transport import GitHub
from trackeep.instance.entry import disconnect
from trackeep.instance.site import Site
from trackeep.store import people
from trackeep.sync.credentials import Credentials

log = structlog.get_logger()

EVERY_S = 86_400
# A token that GitHub refuses proves nothing: whoever left an organisation could end their own and stay.
UNPROVEN_S = 7 * 86_400
LOOK_EVERY_S = 3_600


async def keep_checking(site: Site) -> None:
    """Look once an hour whose membership was not checked for a day, until cancelled."""
    while True:
        try:
            await check_all(site)
        except Exception:
            log.exception("memberships not checked")
        await asyncio.sleep(LOOK_EVERY_S)


async def check_all(site: Site) -> None:
    """Check everybody who is here through an organisation and was not checked for a day."""
    async with site.db.read() as conn:
        due = await people.memberships_due(conn, site.now() - EVERY_S)
    for membership in due:
        await _check(site, membership)


async def _check(site: Site, membership: people.Membership) -> None:
    try:
        entry = await _organisation(site, membership.person_id)
    except (GitHubTokenDead, GitHubNoAccess) as error:
        if site.now() - membership.checked_at < UNPROVEN_S:
            log.warning("membership not proved", account=membership.person_id, reason=error.sentence)
            return
        entry = None
    except TrackeepError as error:
        # GitHub in trouble signs nobody out.
        log.warning("membership not checked", account=membership.person_id, reason=error.sentence)
        return
    async with site.db.write() as conn:
        if entry is not None:
            await people.renew_membership(conn, membership.person_id, entry, site.now())
            return
        is_out = await people.end_membership(conn, membership.person_id, site.rules)
    log.info("membership ended", account=membership.person_id, signed_out=is_out)
    if is_out:
        await disconnect.end(site, membership.person_id)


async def _organisation(site: Site, person_id: int) -> str | None:
    """The allowed organisation that they belong to; None when there is none."""
    credentials = Credentials(site.db, site.vault, site.clock, OwnApp.of(site.settings))
    token = (await credentials.working(person_id)).access_token
    github = GitHub(site.http, site.settings.github, token, clock=site.clock)
    names = {name.lower() for name in await rest.organisations(github)}
    return min(names & site.rules.organisations, default=None)
