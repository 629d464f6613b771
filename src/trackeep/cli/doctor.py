"""`trackeep doctor` and `trackeep healthcheck`: is everything in place, and does the server answer."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import click

from trackeep.cli.conventions import json_option
from trackeep.cli.edge import finish, settings_of
from trackeep.cli.output import done, show_json
from trackeep.model import Finding

if TYPE_CHECKING:
    import aiohttp

    from trackeep.environment import GitHubAddresses, InstanceSettings
_SKEW_S = 60


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check settings, database, key, disk, broker and GitHub; exit 1 when something is broken."""
    say_findings(finish(_examine(settings_of(say_warnings=False))), as_json=as_json)


def say_findings(findings: list[Finding], *, as_json: bool) -> None:
    """Print what the checks saw; ends with 1 when something is broken."""
    if as_json:
        show_json({"findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            click.echo(
                f"{_MARKS[finding.state]}  {finding.check}: {finding.sentence} {finding.hint}".rstrip()
            )
    if any(finding.state == "error" for finding in findings):
        raise click.exceptions.Exit(1)


@click.command()
@click.option("--worker", is_flag=True, help="Ask for a `trackeep worker` on this computer instead.")
@json_option
def healthcheck(worker: bool, as_json: bool) -> None:
    """Exit 0 when the server of this configuration answers, 1 otherwise; needs no curl."""
    settings = settings_of()
    if worker:
        say_health(finish(_trouble_of_worker(settings)), as_json=as_json)
        return
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    url = f"http://{host}:{settings.port}{settings.base_path}/healthz"
    say_health(trouble_at(url), as_json=as_json)


def trouble_at(url: str) -> str:
    """Why a program of this computer does not answer there with success, "" when it does."""
    import urllib.request

    try:
        with urllib.request.urlopen(url, timeout=5):
            return ""
    except OSError as error:
        return f"{url} does not answer: {error}."


def say_health(trouble: str, *, as_json: bool) -> None:
    """Print whether all is well; ends with 1 when it is not."""
    if as_json:
        show_json({"ready": not trouble, "problem": trouble})
    elif not trouble:
        done("ready")
    if trouble:
        click.echo(f"trackeep: {trouble}", err=True)
        raise click.exceptions.Exit(1)


async def _trouble_of_worker(settings: InstanceSettings) -> str:
    from trackeep.cli.edge import opened
    from trackeep.store import leases
    from trackeep.sync.processes import is_of_this_computer

    async with opened(settings) as db, db.read() as conn:
        seen = await leases.workers_seen(conn, int(time.time()) - leases.SILENT_AFTER_S)
    heard = any(map(is_of_this_computer, seen))
    return "" if heard else "no worker of this computer has been heard from."


_MARKS = {"ok": "✓", "warning": "!", "error": "✗"}


async def _examine(settings: InstanceSettings) -> list[Finding]:
    import aiohttp

    from trackeep.cli.doctor_address import way_here
    from trackeep.instance import checks

    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        findings = checks.of_settings(settings)
        findings.append(await checked("database", lambda: _database(settings)))
        findings.append(await checked("key", lambda: _key(settings)))
        findings.append(checks.of_disk(settings))
        findings += await way_here(http, settings)
        findings.append(await checked("GitHub", lambda: github_answers(http, settings.github)))
        if settings.broker_url:
            findings.append(await checked("broker", lambda: _broker(http, settings)))
    return findings


async def checked(name: str, check: Callable[[], Awaitable[Finding]]) -> Finding:
    """What `check` finds; an error of its own is a finding, too."""
    import aiohttp

    from trackeep.errors import TrackeepError

    try:
        return await check()
    except TrackeepError as error:
        return Finding(name, "error", error.sentence, error.hint)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        cause = getattr(error, "os_error", error)
        reason = getattr(cause, "strerror", None) or str(cause) or type(error).__name__
        return Finding(name, "error", f"no answer: {reason}.", "Check the address and the network.")


async def _database(settings: InstanceSettings) -> Finding:
    from trackeep.database import Database
    from trackeep.instance import checks

    db = await Database.open(settings.database_url)
    version = await db.version()
    await db.close()
    # Opening brought the tables up to date.
    return checks.of_database("SQLite" if db.is_sqlite else "PostgreSQL", version, is_current=True)


async def _key(settings: InstanceSettings) -> Finding:
    from trackeep.instance import checks
    from trackeep.vault import open_vault

    return checks.of_key(settings, open_vault(settings.secret_key, settings.data_dir))


async def github_answers(http: aiohttp.ClientSession, github: GitHubAddresses) -> Finding:
    """Whether GitHub answers, and whether its clock and ours agree."""
    headers = {"User-Agent": "trackeep-doctor", "Accept": "application/vnd.github+json"}
    async with http.get(f"{github.api}/rate_limit", headers=headers) as answer:
        skew_s = _skew_s(answer)
        # Enterprise servers may refuse strangers; an answer of GitHub's shape is proof enough.
        if answer.status >= 500:
            return Finding("GitHub", "error", f"answers {answer.status}.", "Try again later.")
    if abs(skew_s) > _SKEW_S:
        return Finding(
            "GitHub", "error", f"this clock is {skew_s:+.0f} s off.", "Set the clock, or logins fail."
        )
    return Finding("GitHub", "ok", f"{github.api} answers.")


async def _broker(http: aiohttp.ClientSession, settings: InstanceSettings) -> Finding:
    async with http.get(f"{settings.broker_url}/.well-known/jwks.json") as answer:
        if answer.status != 200:
            return Finding("broker", "error", f"answers {answer.status}.", "Check TRACKEEP_BROKER_URL.")
        keys = (await answer.json()).get("keys", [])
    return Finding("broker", "ok", f"{settings.broker_url} answers, {len(keys)} signing keys.")


def _skew_s(answer: aiohttp.ClientResponse) -> float:
    date = answer.headers.get("Date")
    return time.time() - parsedate_to_datetime(date).timestamp() if date else 0.0
