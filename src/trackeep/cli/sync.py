"""`trackeep sync`: fetch new activity now, with GITHUB_TOKEN or with the token of who signed in here."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from trackeep.cli.edge import account_option, finish, opened, settings_of

if TYPE_CHECKING:
    from trackeep.database import Database
    from trackeep.environment import InstanceSettings
    from trackeep.store.schedule import Progress
    from trackeep.sync.engine import Outcome

PARTIAL, NOTHING_TO_DO = 3, 8


@click.command()
@click.argument("repositories", nargs=-1, metavar="[OWNER/NAME]...")
@account_option
@click.option("--json", "as_json", is_flag=True, help="Say what was found as JSON.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing unless something is wrong.")
@click.option("--no-progress", is_flag=True, help="No progress line, even on a terminal.")
@click.option("--exit-status", is_flag=True, help="Exit 8 when there was nothing new.")
def sync(
    repositories: tuple[str, ...],
    account: str | None,
    as_json: bool,
    quiet: bool,
    no_progress: bool,
    exit_status: bool,
) -> None:
    """Fetch new activity now, of the given repositories or of all that are followed.

    GITHUB_TOKEN is enough: no server, no sign-in. While nothing has been chosen, every repository
    that the token lists is followed. Exit codes: 0 done, 3 some repositories failed, 4 the token is
    dead or missing, 5 GitHub's limit is reached, 6 no such repository.
    """
    settings = settings_of()
    is_silent = quiet or as_json or no_progress or not sys.stderr.isatty()
    shown = _Silent() if is_silent else _Bar()
    try:
        outcome = finish(_sync(settings, repositories, account, shown))
    except KeyboardInterrupt:
        shown.end()
        click.echo("trackeep: stopped; what was read is kept, the next sync goes on from there.", err=True)
        raise click.exceptions.Exit(130) from None
    finally:
        shown.end()
    if as_json:
        click.echo(json.dumps(_figures(outcome)))
    elif not quiet:
        click.echo(_sentence(outcome))
    for name, reason in outcome.failures.items():
        click.echo(f"trackeep: {name}: {reason}", err=True)
    if outcome.failures:
        raise click.exceptions.Exit(PARTIAL)
    if exit_status and not any(vars(outcome.found).values()):
        raise click.exceptions.Exit(NOTHING_TO_DO)


async def _sync(
    settings: InstanceSettings, names: tuple[str, ...], account: str | None, shown: _Silent
) -> Outcome:
    from trackeep.sync.once import sync_once

    async with opened(settings) as db:
        token = settings.github_token or await _stored_token(settings, db, account)
        # Counting what is stored takes a while in a large database: only for somebody who sees it.
        on_progress = shown.progress if isinstance(shown, _Bar) else None
        return await sync_once(db, settings.github, token, names, on_progress)


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


class _Silent:
    """No progress: not a terminal, or not wanted."""

    def end(self) -> None:
        pass


class _Bar(_Silent):
    """The progress bar on a terminal."""

    def __init__(self) -> None:
        from rich import progress
        from rich.console import Console

        self._bar = progress.Progress(
            progress.BarColumn(20),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.description}"),
            progress.TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("repositories", total=None)
        self._bar.start()

    def progress(self, now: Progress) -> None:
        current = f" · {now.current[0]}" if now.current else ""
        words = f"repositories · {now.commits:,} commits{current}"
        self._bar.update(
            self._task, completed=now.repositories_done, total=now.repositories, description=words
        )

    def end(self) -> None:
        self._bar.stop()


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
