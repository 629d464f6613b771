"""`trackeep doctor` and `trackeep healthcheck`: is everything in place, and does the server answer."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import click

from trackeep.cli.edge import finish, settings_of

if TYPE_CHECKING:
    import aiohttp

    from trackeep.environment import InstanceSettings
    from trackeep.instance.checks import Finding

_SKEW_S = 60


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(as_json: bool) -> None:
    """Check settings, database, key, disk, broker and GitHub; exit 1 when something is broken."""
    findings = finish(_examine(settings_of(say_warnings=False)))
    if as_json:
        click.echo(json.dumps({"findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        for finding in findings:
            click.echo(
                f"{_MARKS[finding.state]}  {finding.check}: {finding.sentence} {finding.hint}".rstrip()
            )
    if any(finding.state == "error" for finding in findings):
        raise click.exceptions.Exit(1)


@click.command()
def healthcheck() -> None:
    """Exit 0 when the server of this configuration answers, 1 otherwise; needs no curl."""
    import urllib.error
    import urllib.request

    settings = settings_of()
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    url = f"http://{host}:{settings.port}{settings.base_path}/healthz"
    try:
        with urllib.request.urlopen(url, timeout=5):
            click.echo("ready")
    except OSError as error:
        click.echo(f"trackeep: {url} does not answer: {error}.", err=True)
        raise click.exceptions.Exit(1) from None


_MARKS = {"ok": "✓", "warning": "!", "error": "✗"}


async def _examine(settings: InstanceSettings) -> list[Finding]:
    import aiohttp

    from trackeep.instance import checks

    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        findings = checks.of_settings(settings)
        findings.append(await _checked("database", lambda: _database(settings)))
        findings.append(await _checked("key", lambda: _key(settings)))
        findings.append(checks.of_disk(settings))
        findings.append(await _checked("GitHub", lambda: _github(http, settings)))
        if settings.broker_url:
            findings.append(await _checked("broker", lambda: _broker(http, settings)))
    return findings


async def _checked(name: str, check: Callable[[], Awaitable[Finding]]) -> Finding:
    import aiohttp

    from trackeep.errors import TrackeepError
    from trackeep.instance.checks import Finding

    try:
        return await check()
    except TrackeepError as error:
        return Finding(name, "error", error.sentence, error.hint)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        cause = getattr(error, "os_error", error)
        reason = getattr(cause, "strerror", None) or str(cause) or type(error).__name__
        return Finding(name, "error", f"no answer: {reason}.", "Check the address and the network.")


async def _database(settings: InstanceSettings) -> Finding:
    from trackeep.database import Database, newest_revision
    from trackeep.instance import checks

    db = await Database.open(settings.database_url)
    kind = "SQLite" if db.is_sqlite else "PostgreSQL"
    await db.close()
    # Opening brought the tables up to date.
    return checks.of_database(kind, newest_revision(), newest_revision())


async def _key(settings: InstanceSettings) -> Finding:
    from trackeep.instance import checks
    from trackeep.vault import open_vault

    return checks.of_key(settings, open_vault(settings.secret_key, settings.data_dir))


async def _github(http: aiohttp.ClientSession, settings: InstanceSettings) -> Finding:
    from trackeep.instance.checks import Finding

    headers = {"User-Agent": "trackeep-doctor", "Accept": "application/vnd.github+json"}
    async with http.get(f"{settings.github.api}/rate_limit", headers=headers) as answer:
        skew_s = _skew_s(answer)
        # Enterprise servers may refuse strangers; an answer of GitHub's shape is proof enough.
        if answer.status >= 500:
            return Finding("GitHub", "error", f"answers {answer.status}.", "Try again later.")
    if abs(skew_s) > _SKEW_S:
        return Finding(
            "GitHub", "error", f"this clock is {skew_s:+.0f} s off.", "Set the clock, or logins fail."
        )
    return Finding("GitHub", "ok", f"{settings.github.api} answers.")


async def _broker(http: aiohttp.ClientSession, settings: InstanceSettings) -> Finding:
    from trackeep.instance.checks import Finding

    async with http.get(f"{settings.broker_url}/.well-known/jwks.json") as answer:
        if answer.status != 200:
            return Finding("broker", "error", f"answers {answer.status}.", "Check TRACKEEP_BROKER_URL.")
        keys = (await answer.json()).get("keys", [])
    return Finding("broker", "ok", f"{settings.broker_url} answers, {len(keys)} signing keys.")


def _skew_s(answer: aiohttp.ClientResponse) -> float:
    date = answer.headers.get("Date")
    return time.time() - parsedate_to_datetime(date).timestamp() if date else 0.0
