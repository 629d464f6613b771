"""`trackeep sync`: fetch new activity now, with GITHUB_TOKEN or with the token of who signed in here."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import click

from trackeep.cli.conventions import json_option
from trackeep.cli.days import day_meant
from trackeep.cli.edge import (
    NOTHING_TO_DO,
    PARTIAL,
    account_option,
    finish,
    opened,
    settings_of,
    zone_here,
)
from trackeep.cli.output import done, note, plain, show_json
from trackeep.cli.progress import Silent, watcher

if TYPE_CHECKING:
    from trackeep.database import Database
    from trackeep.environment import InstanceSettings
    from trackeep.errors import GitHubRateLimited
    from trackeep.sync.engine import Outcome


@dataclass(frozen=True)
class Asked:
    """What was typed: which repositories of whom, since which day, and how thoroughly."""

    names: tuple[str, ...]
    account: str | None
    since: str | None
    again: str


@click.command()
@click.argument("repositories", nargs=-1, metavar="[OWNER/NAME]...")
@click.option(
    "--all", "look_again", is_flag=True, help="Look at each repository itself, whatever GitHub's lists say."
)
@click.option("--since", metavar="DAY", help="Only repositories pushed to since then: yesterday, 7d ...")
@click.option("--full", is_flag=True, help="Read everything again from the beginning; nothing is lost.")
@click.option("--watch", is_flag=True, help="Go on, every TRACKEEP_POLL_SECONDS, until Ctrl-C.")
@click.option("--no-wait", is_flag=True, help="End with 5 at GitHub's limit instead of waiting for its end.")
@click.option("--exit-status", is_flag=True, help="Exit 8 when there was nothing new.")
@account_option
@json_option
def sync(
    repositories: tuple[str, ...],
    look_again: bool,
    since: str | None,
    full: bool,
    watch: bool,
    no_wait: bool,
    exit_status: bool,
    account: str | None,
    as_json: bool,
) -> None:
    """Fetch new activity now, of the given repositories or of all that are followed.

    GITHUB_TOKEN is enough: no server, no sign-in. While nothing has been chosen, every repository
    that the token lists is followed. Exit codes: 0 done, 3 some repositories failed, 4 the token is
    dead or missing, 5 GitHub's limit is reached, 6 no such repository, 8 nothing was new.
    """
    settings = settings_of()
    asked = Asked(repositories, account, since, "read" if full else "look" if look_again else "")
    try:
        if watch:
            _watch(settings, asked, no_wait=no_wait, as_json=as_json)
        outcome = _shown(settings, asked, no_wait=no_wait, as_json=as_json)
    except KeyboardInterrupt:
        click.echo("trackeep: stopped; what was read is kept, the next sync goes on from there.", err=True)
        raise click.exceptions.Exit(130) from None
    _say(outcome, as_json=as_json)
    if outcome.failures:
        raise click.exceptions.Exit(PARTIAL)
    if exit_status and not any(vars(outcome.found).values()):
        raise click.exceptions.Exit(NOTHING_TO_DO)


def _watch(settings: InstanceSettings, asked: Asked, *, no_wait: bool, as_json: bool) -> NoReturn:
    """Sync again and again; a GitHub that does not answer for a while is waited for."""
    from trackeep.errors import GitHubUnavailable

    while True:
        try:
            _say(_shown(settings, asked, no_wait=no_wait, as_json=as_json), as_json=as_json)
            # From the beginning once, not each time.
            asked = Asked(asked.names, asked.account, asked.since, "")
        except GitHubUnavailable as error:
            note(f"trackeep: {error}")
        time.sleep(settings.poll_seconds)


def _shown(settings: InstanceSettings, asked: Asked, *, no_wait: bool, as_json: bool) -> Outcome:
    """One sync to its end, with its progress for whoever wants to see it."""
    shown = Silent()
    try:
        shown = Silent() if as_json else watcher()
        return _patiently(settings, asked, shown, no_wait=no_wait)
    finally:
        shown.end()


def _patiently(settings: InstanceSettings, asked: Asked, shown: Silent, *, no_wait: bool) -> Outcome:
    """One sync to its end; at GitHub's limit it waits until more may be asked and goes on."""
    from trackeep.errors import GitHubRateLimited

    while True:
        try:
            return finish(_sync(settings, asked, shown))
        except GitHubRateLimited as error:
            if no_wait:
                raise
            _wait_for(error)
            # What was read is kept: from here on it goes on.
            asked = Asked(asked.names, asked.account, asked.since, "")


def _wait_for(error: GitHubRateLimited) -> None:
    from trackeep.instance import words

    until = max(error.retry_at, time.time() + 1)
    note(f"{error.sentence} Going on at {words.clock(until, zone_here())}; Ctrl-C ends it.")
    # In steps: a computer that slept meanwhile does not wait for longer than it must.
    while (left_s := until - time.time()) > 0:
        time.sleep(min(left_s, 30))


def _say(outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        show_json(_figures(outcome))
    else:
        done(_sentence(outcome))
    for name, reason in outcome.failures.items():
        click.echo(plain(f"trackeep: {name}: {reason}"), err=True)


async def _sync(settings: InstanceSettings, asked: Asked, shown: Silent) -> Outcome:
    from trackeep.sync.once import How, sync_once

    how = How(_instant(asked.since), asked.again, shown.on_progress)
    async with opened(settings) as db:
        token = settings.github_token or await _stored_token(settings, db, asked.account)
        return await sync_once(db, settings.github, token, asked.names, how)


def _instant(since: str | None) -> int:
    from trackeep.metrics.windows import day_of, midnight

    if since is None:
        return 0
    zone = zone_here()
    return midnight(day_meant(since, day_of(time.time(), zone)), zone)


async def _stored_token(settings: InstanceSettings, db: Database, account: str | None) -> str:
    from trackeep.errors import NotSignedIn
    from trackeep.github.login import OwnApp
    from trackeep.store import people
    from trackeep.sync.credentials import Credentials
    from trackeep.vault import open_vault

    vault = open_vault(settings.secret_key, settings.data_dir)
    async with db.read() as conn:
        account_id = await people.account_named(conn, account)
        found = await people.credential(conn, vault, account_id)
    if found is None:
        raise NotSignedIn("There is no GitHub token here.", "Set GITHUB_TOKEN, or sign in on the web page.")
    credentials = Credentials(db, vault, own_app=OwnApp.of(settings))
    return (await credentials.working(account_id)).access_token


def _figures(outcome: Outcome) -> dict[str, Any]:
    return {
        "state": outcome.state,
        "found": vars(outcome.found),
        "cost": {
            "rest_requests": outcome.costs.rest_requests,
            "not_modified": outcome.costs.not_modified,
            "graphql_points": outcome.costs.graphql_points,
            "git_posts": outcome.git_posts,
        },
        "failures": outcome.failures,
    }


def _sentence(outcome: Outcome) -> str:
    found, costs = outcome.found, outcome.costs
    what = (
        f"{found.commits:,} commits, {found.pull_requests:,} pull requests, {found.reviews:,} reviews "
        f"and {found.issues:,} issues"
    )
    cost = (
        f"{costs.rest_requests:,} requests ({costs.not_modified:,} unchanged), "
        f"{costs.graphql_points:,} points, {outcome.git_posts:,} git posts"
    )
    if not any(vars(found).values()):
        return f"Nothing new. It took {cost}."
    return f"Stored {what}. It took {cost}."
